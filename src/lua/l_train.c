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

static int train_sgd(lua_State *L) {
    luaL_checktype(L, 4, LUA_TTABLE);
    daub_sgd o = {.lr = needed(L, 4, "lr"),
                  .momentum = field(L, 4, "momentum", 0),
                  .dampening = field(L, 4, "dampening", 0),
                  .weight_decay = field(L, 4, "weight_decay", 0),
                  .nesterov = flag(L, 4, "nesterov"),
                  .first = flag(L, 4, "first")};
    lx_check(L,
             daub_array_sgd_step(lx_check_array(L, 1), lx_check_array(L, 2), opt_array(L, 3), &o));
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
    lx_check(L,
             daub_array_rmsprop_step(lx_check_array(L, 1), lx_check_array(L, 2),
                                     lx_check_array(L, 3), opt_array(L, 4), opt_array(L, 5), &o));
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
    lx_check(L, daub_array_adam_step(lx_check_array(L, 1), lx_check_array(L, 2),
                                     lx_check_array(L, 3), lx_check_array(L, 4), &o));
    lua_settop(L, 1);
    return 1;
}

static int train_lerp(lua_State *L) {
    lx_check(L,
             daub_array_lerp(lx_check_array(L, 1), lx_check_array(L, 2), luaL_checknumber(L, 3)));
    lua_settop(L, 1);
    return 1;
}

static int train_batch_norm(lua_State *L) {
    daub_array *x = lx_check_array(L, 1), *weight = opt_array(L, 2), *bias = opt_array(L, 3);
    double eps = luaL_checknumber(L, 4);
    daub_array *y = lx_push_array(L), *mean = lx_push_array(L), *invstd = lx_push_array(L);
    lx_check(L, daub_array_batch_norm(y, mean, invstd, x, weight, bias, eps));
    lx_account(L, y);
    return 3;
}

static int train_batch_norm_backward(lua_State *L) {
    daub_array *x = lx_check_array(L, 1), *g = lx_check_array(L, 2), *weight = opt_array(L, 3);
    daub_array *mean = lx_check_array(L, 4), *invstd = lx_check_array(L, 5);
    daub_array *dx = lx_push_array(L), *dweight = lx_push_array(L), *dbias = lx_push_array(L);
    lx_check(L, daub_array_batch_norm_backward(dx, dweight, dbias, x, g, weight, mean, invstd));
    lx_account(L, dx);
    return 3;
}

static const luaL_Reg functions[] = {
    {"sgd_step_", train_sgd},
    {"rmsprop_step_", train_rmsprop},
    {"adam_step_", train_adam},
    {"lerp_", train_lerp},
    {"batch_norm", train_batch_norm},
    {"batch_norm_backward", train_batch_norm_backward},
    {NULL, NULL},
};

void l_train(lua_State *L) {
    luaL_register(L, NULL, functions);
}
