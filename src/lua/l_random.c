// daub.core.array: random numbers. A generator is userdata around its state.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "array/ops.h"
#include "lua/l_array.h"

#define GENERATOR "daub.generator"

static daub_rng *check_generator(lua_State *L, int index) {
    return luaL_checkudata(L, index, GENERATOR);
}

// 64 bits: a whole number, or a decimal string where a Lua number would not do.
static uint64_t check_uint64(lua_State *L, int index) {
    if (lua_type(L, index) == LUA_TNUMBER) return (uint64_t)lx_check_int64(L, index);
    const char *text = luaL_checkstring(L, index);
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno)
        luaL_argerror(L, index, "whole number of 64 bits expected");
    return value;
}

static int random_generator(lua_State *L) {
    uint64_t seed = check_uint64(L, 1);
    daub_rng *g = lua_newuserdata(L, sizeof *g);
    *g = daub_rng_seed(seed);
    luaL_getmetatable(L, GENERATOR);
    lua_setmetatable(L, -2);
    return 1;
}

static void push_uint64(lua_State *L, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    lua_pushstring(L, text);
}

static int random_state(lua_State *L) {
    daub_rng *g = check_generator(L, 1);
    push_uint64(L, g->key);
    push_uint64(L, g->counter);
    return 2;
}

static int random_set_state(lua_State *L) {
    daub_rng *g = check_generator(L, 1);
    uint64_t key = check_uint64(L, 2), counter = check_uint64(L, 3);
    *g = (daub_rng){key, counter};
    lua_settop(L, 1);
    return 1;
}

static int random_uniform(lua_State *L) {
    int64_t shape[DAUB_MAX_DIMS];
    daub_rng *g = check_generator(L, 1);
    int ndim = lx_check_shape(L, 2, shape);
    daub_dtype dtype = lx_check_dtype(L, 3, DAUB_F32);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_uniform(out, g, dtype, ndim, shape));
    lx_account(L, out);
    return 1;
}

static int random_normal(lua_State *L) {
    int64_t shape[DAUB_MAX_DIMS];
    daub_rng *g = check_generator(L, 1);
    int ndim = lx_check_shape(L, 2, shape);
    daub_dtype dtype = lx_check_dtype(L, 3, DAUB_F32);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_normal(out, g, dtype, ndim, shape));
    lx_account(L, out);
    return 1;
}

static int random_integers(lua_State *L) {
    int64_t shape[DAUB_MAX_DIMS];
    daub_rng *g = check_generator(L, 1);
    int64_t low = lx_check_int64(L, 2), past_high = lx_check_int64(L, 3);
    int ndim = lx_check_shape(L, 4, shape);
    daub_dtype dtype = lx_check_dtype(L, 5, DAUB_I64);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_integers(out, g, low, past_high, dtype, ndim, shape));
    lx_account(L, out);
    return 1;
}

static int random_permutation(lua_State *L) {
    daub_rng *g = check_generator(L, 1);
    int64_t n = lx_check_int64(L, 2);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_permutation(out, g, n));
    int64_t *p = out->data;
    for (int64_t i = 0; i < n; i++) p[i]++; // 1-based
    lx_account(L, out);
    return 1;
}

static const luaL_Reg functions[] = {
    {"generator", random_generator},
    {"generator_state", random_state},
    {"set_generator_state", random_set_state},
    {"uniform", random_uniform},
    {"normal", random_normal},
    {"integers", random_integers},
    {"permutation", random_permutation},
    {NULL, NULL},
};

void l_random(lua_State *L) {
    luaL_newmetatable(L, GENERATOR);
    lua_pop(L, 1);
    luaL_register(L, NULL, functions);
}
