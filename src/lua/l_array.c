// daub.core.array: creating, reading, viewing and copying arrays. lua/daub/_meta/array.lua is the
// manual; arithmetic, indexing, training steps and random numbers are in l_array_math.c,
// l_array_index.c, l_train.c, l_maps.c and l_random.c.
#include "lua/l_array.h"

#include <math.h>
#include <string.h>

#include "lua/modules.h"

daub_dtype lx_check_dtype(lua_State *L, int index, daub_dtype fallback) {
    if (lua_isnoneornil(L, index)) return fallback;
    const char *name = luaL_checkstring(L, index);
    daub_dtype dtype = fallback;
    if (!daub_dtype_parse(name, &dtype))
        lx_misuse(L, "unknown dtype '%s' (f32, f64, bf16, u8, i32, i64)", name);
    return dtype;
}

int lx_check_dim(lua_State *L, int index, const daub_array *a) {
    char text[DAUB_SHAPE_TEXT];
    int64_t dim = lx_check_int64(L, index);
    if (dim < 0) dim += a->ndim + 1;
    if (dim < 1 || dim > a->ndim)
        lx_misuse(L, "no dimension %d in shape %s", (int)lua_tointeger(L, index),
                  daub_shape_string(text, a->ndim, a->shape));
    return (int)dim - 1;
}

unsigned lx_check_dims(lua_State *L, int index, const daub_array *a) {
    if (lua_isnoneornil(L, index)) return (1u << a->ndim) - 1;
    if (lua_type(L, index) == LUA_TNUMBER) return 1u << lx_check_dim(L, index, a);
    luaL_checktype(L, index, LUA_TTABLE);
    unsigned set = 0;
    for (int i = 1, n = (int)lua_objlen(L, index); i <= n; i++) {
        lua_rawgeti(L, index, i);
        set |= 1u << lx_check_dim(L, lua_gettop(L), a);
        lua_pop(L, 1);
    }
    return set;
}

int lx_check_shape(lua_State *L, int index, int64_t *shape) {
    return lx_check_integers(L, index, shape, DAUB_MAX_DIMS);
}

// ---- creation
// --------------------------------------------------------------------------------------

static int array_new(lua_State *L) {
    int64_t shape[DAUB_MAX_DIMS];
    int ndim = lx_check_shape(L, 1, shape);
    daub_dtype dtype = lx_check_dtype(L, 2, DAUB_F32);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_create(out, dtype, ndim, shape));
    lx_account(L, out);
    return 1;
}

static int array_full(lua_State *L) {
    int64_t shape[DAUB_MAX_DIMS];
    int ndim = lx_check_shape(L, 1, shape);
    double value = luaL_checknumber(L, 2);
    daub_dtype dtype = lx_check_dtype(L, 3, DAUB_F32);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_create(out, dtype, ndim, shape));
    lx_check(L, daub_array_fill(out, value));
    lx_account(L, out);
    return 1;
}

// A new array of n numbers first, first + step, …; the caller's frame has room for the result.
static int push_series(lua_State *L, double first, double step, int64_t n, daub_dtype dtype) {
    daub_array series = {0};
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_create(&series, DAUB_F64, 1, &n));
    double *p = series.data;
    for (int64_t i = 0; i < n; i++) p[i] = first + (double)i * step;
    daub_status status = daub_array_cast(out, &series, dtype);
    daub_array_release(&series);
    lx_check(L, status);
    lx_account(L, out);
    return 1;
}

static int array_arange(lua_State *L) {
    double start = luaL_checknumber(L, 1), past = luaL_checknumber(L, 2);
    double step = luaL_optnumber(L, 3, 1);
    daub_dtype dtype = lx_check_dtype(L, 4, DAUB_F32);
    double count = ceil((past - start) / step);
    if (step == 0 || !(count <= 0x1p40))
        return lx_misuse(L, "arange: no series from %f to below %f in steps of %f", start, past,
                         step);
    return push_series(L, start, step, count > 0 ? (int64_t)count : 0, dtype);
}

static int array_linspace(lua_State *L) {
    double first = luaL_checknumber(L, 1), last = luaL_checknumber(L, 2);
    int64_t n = lx_check_int64(L, 3);
    if (n < 1) return lx_misuse(L, "linspace: count is %d; at least 1 expected", (int)n);
    return push_series(L, first, n > 1 ? (last - first) / (double)(n - 1) : 0, n,
                       lx_check_dtype(L, 4, DAUB_F32));
}

static int array_from(lua_State *L) {
    char text[DAUB_SHAPE_TEXT];
    int64_t shape[DAUB_MAX_DIMS];
    luaL_checktype(L, 1, LUA_TTABLE);
    int64_t count = (int64_t)lua_objlen(L, 1);
    int ndim = 1;
    if (lua_isnoneornil(L, 2))
        shape[0] = count;
    else
        ndim = lx_check_shape(L, 2, shape);
    daub_dtype dtype = lx_check_dtype(L, 3, DAUB_F32);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_create(out, dtype, ndim, shape));
    if (daub_array_numel(out) != count)
        return lx_misuse(L, "from: %d values do not fill shape %s", (int)count,
                         daub_shape_string(text, ndim, shape));
    char *p = out->data;
    for (int64_t i = 0; i < count; i++, p += daub_dtype_size(dtype)) {
        daub_cell cell;
        daub_array number;
        lua_rawgeti(L, 1, (int)i + 1);
        if (!lua_isnumber(L, -1))
            return lx_misuse(L, "from: value %d is a %s; number expected", (int)i + 1,
                             luaL_typename(L, -1));
        lx_check(L, daub_array_number(&number, &cell, dtype, lua_tonumber(L, -1)));
        memcpy(p, &cell, daub_dtype_size(dtype));
        lua_pop(L, 1);
    }
    lx_account(L, out);
    return 1;
}

static int array_from_string(lua_State *L) {
    char text[DAUB_SHAPE_TEXT];
    int64_t shape[DAUB_MAX_DIMS];
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    int ndim = lx_check_shape(L, 2, shape);
    daub_dtype dtype = lx_check_dtype(L, 3, DAUB_F32);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_create(out, dtype, ndim, shape));
    if (daub_array_storage_bytes(out) != (int64_t)length)
        return lx_misuse(L, "from_string: %d bytes do not fill %s %s", (int)length,
                         daub_dtype_name(out->dtype), daub_shape_string(text, ndim, shape));
    memcpy(out->data, bytes, length);
    lx_account(L, out);
    return 1;
}

// ---- reading
// ---------------------------------------------------------------------------------------

static int array_shape(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    lx_push_integers(L, a->shape, a->ndim);
    return 1;
}

static int array_dtype(lua_State *L) {
    lua_pushstring(L, daub_dtype_name(lx_check_array(L, 1)->dtype));
    return 1;
}

static int array_numel(lua_State *L) {
    lua_pushnumber(L, (lua_Number)daub_array_numel(lx_check_array(L, 1)));
    return 1;
}

static int array_ndim(lua_State *L) {
    lua_pushinteger(L, lx_check_array(L, 1)->ndim);
    return 1;
}

static int array_strides(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    lx_push_integers(L, a->stride, a->ndim);
    return 1;
}

static int array_is_contiguous(lua_State *L) {
    lua_pushboolean(L, daub_array_is_contiguous(lx_check_array(L, 1)));
    return 1;
}

static int array_item(lua_State *L) {
    char text[DAUB_SHAPE_TEXT];
    daub_array *a = lx_check_array(L, 1);
    if (daub_array_numel(a) != 1)
        return lx_misuse(L, "item: shape %s has not one element",
                         daub_shape_string(text, a->ndim, a->shape));
    lua_pushnumber(L, daub_array_element(a, 0));
    return 1;
}

// A contiguous array: `a` itself or a copy, pushed so that the collector releases it.
static daub_array *push_contiguous(lua_State *L, const daub_array *a) {
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_contiguous(out, a));
    return out;
}

static int array_totable(lua_State *L) {
    daub_array *a = push_contiguous(L, lx_check_array(L, 1));
    int64_t n = daub_array_numel(a);
    if (n > INT32_MAX) return lx_misuse(L, "totable: too many elements for a table");
    lua_createtable(L, (int)n, 0);
    for (int64_t i = 0; i < n; i++) {
        lua_pushnumber(L, daub_array_element(a, i));
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int array_tostring(lua_State *L) {
    daub_array *a = push_contiguous(L, lx_check_array(L, 1));
    size_t bytes = (size_t)daub_array_numel(a) * daub_dtype_size(a->dtype);
    if (bytes > INT32_MAX) return lx_misuse(L, "tostring: too many bytes for a string");
    lua_pushlstring(L, a->data, bytes);
    return 1;
}

static int array_pointer(lua_State *L) {
    lua_pushlightuserdata(L, lx_check_array(L, 1)->data);
    return 1;
}

// ---- views
// -----------------------------------------------------------------------------------------

static int array_reshape(lua_State *L) {
    int64_t shape[DAUB_MAX_DIMS];
    daub_array *a = lx_check_array(L, 1);
    int ndim = lx_check_shape(L, 2, shape);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_reshape(out, a, ndim, shape));
    lx_account(L, out);
    return 1;
}

static int array_permute(lua_State *L) {
    int64_t given[DAUB_MAX_DIMS];
    int dims[DAUB_MAX_DIMS];
    daub_array *a = lx_check_array(L, 1);
    int n = lx_check_shape(L, 2, given);
    for (int i = 0; i < n; i++) {
        int64_t d = given[i] < 0 ? given[i] + a->ndim : given[i] - 1;
        dims[i] = d >= 0 && d < a->ndim ? (int)d : DAUB_MAX_DIMS;
    }
    lx_check(L, daub_array_permute(lx_push_array(L), a, n, dims));
    return 1;
}

static int array_narrow(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    int dim = lx_check_dim(L, 2, a);
    int64_t start = lx_check_int64(L, 3), length = lx_check_int64(L, 4);
    int64_t step = lua_isnoneornil(L, 5) ? 1 : lx_check_int64(L, 5);
    lx_check(L, daub_array_narrow(lx_push_array(L), a, dim, start - 1, length, step));
    return 1;
}

static int array_select(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    int dim = lx_check_dim(L, 2, a);
    int64_t index = lx_check_int64(L, 3);
    if (index < 0) index += a->shape[dim] + 1;
    lx_check(L, daub_array_select(lx_push_array(L), a, dim, index - 1));
    return 1;
}

static int array_expand(lua_State *L) {
    int64_t shape[DAUB_MAX_DIMS];
    daub_array *a = lx_check_array(L, 1);
    int ndim = lx_check_shape(L, 2, shape);
    lx_check(L, daub_array_expand(lx_push_array(L), a, ndim, shape));
    return 1;
}

// ---- copies
// ----------------------------------------------------------------------------------------

static int array_clone(lua_State *L) {
    daub_array *a = lx_check_array(L, 1), *out = lx_push_array(L);
    lx_check(L, daub_array_clone(out, a));
    lx_account(L, out);
    return 1;
}

static int array_contiguous(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    lua_settop(L, 1);
    if (daub_array_is_contiguous(a)) return 1;
    return array_clone(L);
}

static int array_cast(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    daub_dtype dtype = lx_check_dtype(L, 2, a->dtype);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_cast(out, a, dtype));
    lx_account(L, out);
    return 1;
}

static int array_copy(lua_State *L) {
    lx_check(L, daub_array_copy(lx_check_array(L, 1), lx_check_array(L, 2)));
    lua_settop(L, 1);
    return 1;
}

static int array_fill(lua_State *L) {
    lx_check(L, daub_array_fill(lx_check_array(L, 1), luaL_checknumber(L, 2)));
    lua_settop(L, 1);
    return 1;
}

// Both the collector's finalizer and, before it comes, release_.
static int array_release(lua_State *L) {
    daub_array_release(luaL_checkudata(L, 1, LX_ARRAY));
    return 0;
}

static int array_tidy(lua_State *L) {
    lx_tidy(L);
    return 0;
}

static const luaL_Reg functions[] = {
    {"new", array_new},
    {"full", array_full},
    {"arange", array_arange},
    {"linspace", array_linspace},
    {"from", array_from},
    {"from_string", array_from_string},
    {"shape", array_shape},
    {"dtype", array_dtype},
    {"numel", array_numel},
    {"ndim", array_ndim},
    {"strides", array_strides},
    {"is_contiguous", array_is_contiguous},
    {"item", array_item},
    {"totable", array_totable},
    {"tostring", array_tostring},
    {"pointer", array_pointer},
    {"reshape", array_reshape},
    {"permute", array_permute},
    {"narrow", array_narrow},
    {"select", array_select},
    {"expand", array_expand},
    {"clone", array_clone},
    {"contiguous", array_contiguous},
    {"cast", array_cast},
    {"copy_", array_copy},
    {"fill_", array_fill},
    {"release_", array_release},
    {"tidy", array_tidy},
    {NULL, NULL},
};

int luaopen_daub_core_array(lua_State *L) {
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    l_array_math(L);
    l_array_index(L);
    l_train(L);
    l_maps(L);
    l_random(L);
    luaL_newmetatable(L, LX_ARRAY);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, array_release);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    return 1;
}
