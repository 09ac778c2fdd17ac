// daub.core.array: optimiser steps and batch normalisation.
#include "array/train.h"
#include "lua/l_array.h"

static daub_array *opt_array(lua_State *L, int index) {
    return lua_isnoneornil(L, index) ? NULL : lx_check_array(L, index);
}

// Fields of the options table at `index`.
static double field(lua_State *L, int index, const char *name, double fallback) {
    lua_getfield(L, index, name);
    if (!lua_isnil(L, -1) && !lua_isnumber(L, -1))
        lx_misuse(L, "option '%s' is a %s; number expected", name, luaL_typename(L, -1));
    double value = lua_isnil(L, -1) ? fallback : lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

static double needed(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    if (!lua_isnumber(L, -1)) lx_misuse(L, "option '%s' is needed (a number)", name);
    lua_pop(L, 1);
    return field(L, index, name, 0);
}

static bool flag(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

// Arguments 1 … n, each an array or a list of arrays, all equally long; nil where there is none.
// The pointers live on the stack.
static daub_step_lists check_lists(lua_State *L, int n) {
    daub_step_lists s = {.count = lua_istable(L, 1) ? (int)lua_objlen(L, 1) : 1};
    const daub_array **arrays = lua_newuserdata(L, (size_t)(s.count * n) * sizeof *arrays);
    for (int i = 1; i <= n; i++, arrays += s.count) {
        if (lua_isnoneornil(L, i)) continue;
        s.list[i - 1] = arrays;
        if (!lua_istable(L, i)) {
            if (s.count != 1) luaL_checktype(L, i, LUA_TTABLE);
            arrays[0] = lx_check_array(L, i);
            continue;
        }
        if ((int)lua_objlen(L, i) != s.count)
            lx_misuse(L, "list %d has %d arrays; %d expected", i, (int)lua_objlen(L, i), s.count);
        for (int k = 0; k < s.count; k++) {
            lua_rawgeti(L, i, k + 1);
            arrays[k] = lx_check_array(L, lua_gettop(L)); // the table keeps it alive
            lua_pop(L, 1);
        }
    }
    if (!s.list[0]) lx_check_array(L, 1);
    if (!s.list[1]) lx_check_array(L, 2);
    return s;
}

static int train_sgd(lua_State *L) {
    luaL_checktype(L, 4, LUA_TTABLE);
    daub_sgd o = {.lr = needed(L, 4, "lr"),
                  .momentum = field(L, 4, "momentum", 0),
                  .dampening = field(L, 4, "dampening", 0),
                  .weight_decay = field(L, 4, "weight_decay", 0),
                  .nesterov = flag(L, 4, "nesterov"),
                  .first = flag(L, 4, "first")};
    daub_step_lists lists = check_lists(L, 3);
    lx_check(L, daub_array_sgd_step(&lists, &o));
    lua_settop(L, 1);
    return 1;
}

static int train_rmsprop(lua_State *L) {
    luaL_checktype(L, 6, LUA_TTABLE);
    daub_rmsprop o = {.lr = needed(L, 6, "lr"),
                      .alpha = needed(L, 6, "alpha"),
                      .eps = needed(L, 6, "eps"),
                      .momentum = field(L, 6, "momentum", 0),
                      .weight_decay = field(L, 6, "weight_decay", 0),
                      .centered = flag(L, 6, "centered")};
    daub_step_lists lists = check_lists(L, 5);
    if (!lists.list[2]) lx_check_array(L, 3);
    lx_check(L, daub_array_rmsprop_step(&lists, &o));
    lua_settop(L, 1);
    return 1;
}

static int train_adam(lua_State *L) {
    luaL_checktype(L, 5, LUA_TTABLE);
    daub_adam o = {.lr = needed(L, 5, "lr"),
                   .beta1 = needed(L, 5, "beta1"),
                   .beta2 = needed(L, 5, "beta2"),
                   .eps = needed(L, 5, "eps"),
                   .weight_decay = field(L, 5, "weight_decay", 0),
                   .step = needed(L, 5, "step"),
                   .decoupled = flag(L, 5, "decoupled")};
    daub_step_lists lists = check_lists(L, 4);
    for (int i = 2; i < 4; i++)
        if (!lists.list[i]) lx_check_array(L, i + 1);
    lx_check(L, daub_array_adam_step(&lists, &o));
    lua_settop(L, 1);
    return 1;
}

static int train_lerp(lua_State *L) {
    double weight = luaL_checknumber(L, 3);
    daub_step_lists lists = check_lists(L, 2);
    lx_check(L, daub_array_lerp(&lists, weight));
    lua_settop(L, 1);
    return 1;
}

static int train_batch_statistics(lua_State *L) {
    daub_array *x = lx_check_array(L, 1);
    double eps = luaL_checknumber(L, 2);
    daub_array *mean = lx_push_array(L), *invstd = lx_push_array(L);
    lx_check(L, daub_array_batch_statistics(mean, invstd, x, eps));
    return 2;
}

static int train_running_statistics(lua_State *L) {
    daub_array *v[4];
    for (int i = 0; i < 4; i++) v[i] = lx_check_array(L, i + 1);
    luaL_checktype(L, 5, LUA_TTABLE);
    daub_running o = {.momentum = needed(L, 5, "momentum"),
                      .eps = needed(L, 5, "eps"),
                      .count = needed(L, 5, "count")};
    lx_check(L, daub_array_running_statistics(v[0], v[1], v[2], v[3], &o));
    return 0;
}

// mean, invstd, weight, bias, slope from place `first` on.
static daub_norm check_norm(lua_State *L, int first) {
    return (daub_norm){.mean = lx_check_array(L, first),
                       .invstd = lx_check_array(L, first + 1),
                       .weight = opt_array(L, first + 2),
                       .bias = opt_array(L, first + 3),
                       .slope = luaL_optnumber(L, first + 4, 1)};
}

static int train_normalise(lua_State *L) {
    daub_array *x = lx_check_array(L, 1);
    daub_norm norm = check_norm(L, 2);
    daub_array *y = lx_push_array(L);
    lx_check(L, daub_array_normalise(y, x, &norm));
    lx_account(L, y);
    return 1;
}

static int train_batch_norm_backward(lua_State *L) {
    daub_array *x = lx_check_array(L, 1), *g = lx_check_array(L, 2);
    daub_norm norm = check_norm(L, 3);
    daub_array *dx = lx_push_array(L), *dweight = lx_push_array(L), *dbias = lx_push_array(L);
    lx_check(L, daub_array_batch_norm_grad(dx, dweight, dbias, x, g, &norm));
    lx_account(L, dx);
    return 3;
}

static const luaL_Reg functions[] = {
    {"sgd_step_", train_sgd},
    {"rmsprop_step_", train_rmsprop},
    {"adam_step_", train_adam},
    {"lerp_", train_lerp},
    {"batch_statistics", train_batch_statistics},
    {"running_statistics_", train_running_statistics},
    {"normalise", train_normalise},
    {"batch_norm_backward", train_batch_norm_backward},
    {NULL, NULL},
};

void l_train(lua_State *L) {
    luaL_register(L, NULL, functions);
}
