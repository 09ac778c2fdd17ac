// daub.core.conv: convolution, pooling and resampling for Lua (lua/daub/_meta/conv.lua is the
// manual).
#include <string.h>

#include "conv/choice.h"
#include "conv/conv.h"
#include "conv/peak.h"
#include "conv/pooling.h"
#include "conv/shape.h"
#include "lua/lx.h"
#include "lua/modules.h"

// The array at `index`, contiguous: a copy is left on the stack when it was not.
static const daub_array *check_contiguous(lua_State *L, int index) {
    daub_array *a = lx_check_array(L, index);
    if (daub_array_is_contiguous(a)) return a;
    daub_array *copy = lx_push_array(L);
    lx_check(L, daub_array_contiguous(copy, a));
    lx_account(L, copy);
    return copy;
}

// Field `name` of the options at `index`: {rows, columns}, or one number for both. `out` keeps what
// it holds when there is no such field.
static void option_pair(lua_State *L, int index, const char *name, int64_t out[2]) {
    if (lua_isnoneornil(L, index)) return;
    lua_getfield(L, index, name);
    if (lua_isnumber(L, -1)) {
        out[0] = out[1] = lx_check_int64(L, lua_gettop(L));
    } else if (!lua_isnil(L, -1)) {
        if (!lua_istable(L, -1) || lua_objlen(L, -1) != 2)
            luaL_error(L, "option '%s': a number or {rows, columns} expected", name);
        lx_check_integers(L, lua_gettop(L), out, 2);
    }
    lua_pop(L, 1);
}

// Raises when the options at `index` hold a key that is not one of `names` (a list in words).
static void check_options(lua_State *L, int index, const char *names) {
    if (lua_isnoneornil(L, index)) return;
    luaL_checktype(L, index, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const char *found = strstr(names, key);
        size_t length = strlen(key);
        bool starts = found && (found == names || found[-1] == ' ');
        if (!starts || (found[length] && found[length] != ' '))
            luaL_error(L, "unknown option '%s' (one of: %s)", key, names);
    }
}

static daub_conv_options check_conv_options(lua_State *L, int index) {
    daub_conv_options o = {{1, 1}, {0, 0}, 1};
    check_options(L, index, "stride padding groups");
    option_pair(L, index, "stride", o.stride);
    option_pair(L, index, "padding", o.padding);
    if (!lua_isnoneornil(L, index)) {
        lua_getfield(L, index, "groups");
        if (!lua_isnil(L, -1)) o.groups = lx_check_int64(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    return o;
}

static daub_pool_options check_pool_options(lua_State *L, int index) {
    daub_pool_options o = {.count_padding = true};
    luaL_checktype(L, index, LUA_TTABLE);
    check_options(L, index, "kernel stride padding count_include_pad");
    option_pair(L, index, "kernel", o.kernel);
    memcpy(o.stride, o.kernel, sizeof o.stride);
    option_pair(L, index, "stride", o.stride);
    option_pair(L, index, "padding", o.padding);
    lua_getfield(L, index, "count_include_pad");
    if (!lua_isnil(L, -1)) o.count_padding = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return o;
}

// Finishes a function whose one result is the array on top of the stack.
static int finish(lua_State *L, daub_array *out, daub_status status) {
    lx_check(L, status);
    lx_account(L, out);
    return 1;
}

static int conv_conv2d(lua_State *L) {
    lua_settop(L, 5);
    daub_conv_options o = check_conv_options(L, 4);
    const daub_array *x = check_contiguous(L, 1), *weight = check_contiguous(L, 2);
    const daub_array *bias = lua_isnil(L, 3) ? NULL : check_contiguous(L, 3);
    daub_array *out = lx_push_array(L);
    double slope = luaL_optnumber(L, 5, 0);
    return finish(L, out, daub_conv2d(out, x, weight, bias, lua_isnil(L, 5) ? NULL : &slope, &o));
}

static int conv_conv2d_input_grad(lua_State *L) {
    lua_settop(L, 5);
    daub_conv_options o = check_conv_options(L, 5);
    int64_t height = lx_check_int64(L, 3), width = lx_check_int64(L, 4);
    const daub_array *dy = check_contiguous(L, 1), *weight = check_contiguous(L, 2);
    daub_array *out = lx_push_array(L);
    return finish(L, out, daub_conv2d_input_grad(out, dy, weight, height, width, &o));
}

static int conv_conv2d_weight_grad(lua_State *L) {
    lua_settop(L, 5);
    daub_conv_options o = check_conv_options(L, 5);
    int64_t kh = lx_check_int64(L, 3), kw = lx_check_int64(L, 4);
    const daub_array *x = check_contiguous(L, 1), *dy = check_contiguous(L, 2);
    daub_array *out = lx_push_array(L);
    return finish(L, out, daub_conv2d_weight_grad(out, x, dy, kh, kw, &o));
}

static int conv_avg_pool2d(lua_State *L) {
    lua_settop(L, 2);
    daub_pool_options o = check_pool_options(L, 2);
    const daub_array *x = check_contiguous(L, 1);
    daub_array *out = lx_push_array(L);
    return finish(L, out, daub_avg_pool2d(out, x, &o));
}

static int conv_avg_pool2d_grad(lua_State *L) {
    lua_settop(L, 5);
    daub_pool_options o = check_pool_options(L, 4);
    int64_t height = lx_check_int64(L, 2), width = lx_check_int64(L, 3);
    const daub_array *dy = check_contiguous(L, 1);
    if (!lua_isnil(L, 5)) {
        const daub_array *sum = lx_check_array(L, 5);
        if (sum->ndim != 4 || sum->shape[1] != height || sum->shape[2] != width)
            return lx_misuse(L, "avg_pool2d_grad: the sum must hold pictures of %dx%d pixels",
                             (int)height, (int)width);
        lx_check(L, daub_avg_pool2d_grad_add(sum, dy, &o));
        lua_pushvalue(L, 5);
        return 1;
    }
    daub_array *out = lx_push_array(L);
    return finish(L, out, daub_avg_pool2d_grad(out, dy, height, width, &o));
}

static int conv_max_pool2d(lua_State *L) {
    lua_settop(L, 2);
    daub_pool_options o = check_pool_options(L, 2);
    const daub_array *x = check_contiguous(L, 1);
    daub_array *y = lx_push_array(L), *index = lx_push_array(L);
    lx_check(L, daub_max_pool2d(y, index, x, &o));
    lx_account(L, y);
    lx_account(L, index);
    return 2;
}

static int conv_max_pool2d_grad(lua_State *L) {
    lua_settop(L, 4);
    int64_t height = lx_check_int64(L, 3), width = lx_check_int64(L, 4);
    const daub_array *dy = check_contiguous(L, 1), *index = check_contiguous(L, 2);
    daub_array *out = lx_push_array(L);
    return finish(L, out, daub_max_pool2d_grad(out, dy, index, height, width));
}

static int conv_max_pool2d_gather(lua_State *L) {
    lua_settop(L, 2);
    const daub_array *x = check_contiguous(L, 1), *index = check_contiguous(L, 2);
    daub_array *out = lx_push_array(L);
    return finish(L, out, daub_max_pool2d_gather(out, x, index));
}

// The functions that lead from one picture size to another and need nothing else.
typedef daub_status (*resize)(daub_array *out, const daub_array *a, int64_t height, int64_t width);

static int run_resize(lua_State *L, resize function) {
    int64_t height = lx_check_int64(L, 2), width = lx_check_int64(L, 3);
    const daub_array *a = check_contiguous(L, 1);
    daub_array *out = lx_push_array(L);
    return finish(L, out, function(out, a, height, width));
}

static int conv_adaptive(lua_State *L) {
    return run_resize(L, daub_adaptive_avg_pool2d);
}
static int conv_adaptive_grad(lua_State *L) {
    return run_resize(L, daub_adaptive_avg_pool2d_grad);
}
static int conv_nearest(lua_State *L) {
    return run_resize(L, daub_upsample_nearest);
}
static int conv_nearest_grad(lua_State *L) {
    return run_resize(L, daub_upsample_nearest_grad);
}

typedef daub_status (*mix)(daub_array *out, const daub_array *a, int64_t height, int64_t width,
                           bool corners);

static int run_bilinear(lua_State *L, mix function) {
    int64_t height = lx_check_int64(L, 2), width = lx_check_int64(L, 3);
    bool corners = lua_toboolean(L, 4);
    const daub_array *a = check_contiguous(L, 1);
    daub_array *out = lx_push_array(L);
    return finish(L, out, function(out, a, height, width, corners));
}

static int conv_bilinear(lua_State *L) {
    return run_bilinear(L, daub_upsample_bilinear);
}
static int conv_bilinear_grad(lua_State *L) {
    return run_bilinear(L, daub_upsample_bilinear_grad);
}

static int conv_peak(lua_State *L) {
    double operations = 0;
    lx_check(L, daub_peak_run(lx_check_int64(L, 1), &operations));
    lua_pushnumber(L, operations);
    return 1;
}

static int conv_algorithm(lua_State *L) {
    static const char *const names[] = {[DAUB_CONV_BY_TABLE] = "table",
                                        [DAUB_CONV_ALL_DIRECT] = "direct",
                                        [DAUB_CONV_ALL_WINOGRAD] = "winograd",
                                        NULL};
    if (!lua_isnoneornil(L, 1))
        daub_conv_set_policy((daub_conv_policy)luaL_checkoption(L, 1, NULL, names));
    lua_pushstring(L, names[daub_conv_get_policy()]);
    return 1;
}

static int conv_precision(lua_State *L) {
    static const char *const names[] = {
        [DAUB_PRECISION_F32] = "f32", [DAUB_PRECISION_BF16] = "bf16", NULL};
    if (!lua_isnoneornil(L, 1))
        lx_check(L,
                 daub_conv_set_precision((daub_conv_precision)luaL_checkoption(L, 1, NULL, names)));
    lua_pushstring(L, names[daub_conv_get_precision()]);
    return 1;
}

// work(direction, {n, h, w, c, kernel, o}, options)
static int conv_work(lua_State *L) {
    static const char *const names[] = {[DAUB_CONV_FORWARD] = "forward",
                                        [DAUB_CONV_INPUT_GRAD] = "input_grad",
                                        [DAUB_CONV_WEIGHT_GRAD] = "weight_grad",
                                        NULL};
    daub_conv_direction direction = (daub_conv_direction)luaL_checkoption(L, 1, NULL, names);
    int64_t v[6] = {0};
    luaL_checktype(L, 2, LUA_TTABLE);
    int count = lx_check_integers(L, 2, v, 6);
    for (int i = 0; i < 6; i++)
        if (count != 6 || v[i] < 1)
            return luaL_error(L, "work: {n, h, w, c, kernel, o} expected, each at least 1");
    daub_conv_options o = check_conv_options(L, 3);
    daub_conv_shape s = {
        .n = v[0], .c = v[3], .o = v[5], .size = {v[1], v[2]}, .kernel = {v[4], v[4]}};
    lx_check(L, daub_conv_complete("work", &s, &o));
    daub_conv_work work = daub_conv_work_of(&s, direction);
    lua_pushnumber(L, work.direct);
    lua_pushnumber(L, work.winograd);
    lua_pushnumber(L, work.transformed);
    lua_pushboolean(L, daub_conv_choose(&s, direction) == DAUB_CONV_WINOGRAD);
    return 4;
}

static const luaL_Reg functions[] = {
    {"conv2d", conv_conv2d},
    {"conv2d_input_grad", conv_conv2d_input_grad},
    {"conv2d_weight_grad", conv_conv2d_weight_grad},
    {"avg_pool2d", conv_avg_pool2d},
    {"avg_pool2d_grad", conv_avg_pool2d_grad},
    {"max_pool2d", conv_max_pool2d},
    {"max_pool2d_grad", conv_max_pool2d_grad},
    {"max_pool2d_gather", conv_max_pool2d_gather},
    {"adaptive_avg_pool2d", conv_adaptive},
    {"adaptive_avg_pool2d_grad", conv_adaptive_grad},
    {"upsample_nearest", conv_nearest},
    {"upsample_nearest_grad", conv_nearest_grad},
    {"upsample_bilinear", conv_bilinear},
    {"upsample_bilinear_grad", conv_bilinear_grad},
    {"algorithm", conv_algorithm},
    {"work", conv_work},
    {"precision", conv_precision},
    {"peak", conv_peak},
    {NULL, NULL},
};

int luaopen_daub_core_conv(lua_State *L) {
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
