// daub.core.array: putting together, ordering, indexing.
#include "array/ops.h"
#include "lua/l_array.h"

static int array_concat(lua_State *L) {
    enum { MOST = 4096 };
    luaL_checktype(L, 1, LUA_TTABLE);
    int count = (int)lua_objlen(L, 1);
    if (count < 1 || count > MOST)
        return lx_misuse(L, "concat: %d arrays (1 to %d expected)", count, (int)MOST);
    const daub_array **arrays = lua_newuserdata(L, (size_t)count * sizeof *arrays);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, 1, i + 1);
        arrays[i] = lx_check_array(L, lua_gettop(L)); // the table keeps it alive
        lua_pop(L, 1);
    }
    int dim = lua_isnoneornil(L, 2) ? 0 : lx_check_dim(L, 2, arrays[0]);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_concat(out, arrays, count, dim));
    lx_account(L, out);
    return 1;
}

static int array_flip(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    unsigned dims = lx_check_dims(L, 2, a);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_flip(out, a, dims));
    lx_account(L, out);
    return 1;
}

static int array_pad(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    double value = luaL_optnumber(L, 3, 0);
    int64_t before[DAUB_MAX_DIMS], after[DAUB_MAX_DIMS];
    if ((int)lua_objlen(L, 2) != a->ndim)
        return lx_misuse(L, "pad: %d pairs for %d dimensions", (int)lua_objlen(L, 2), a->ndim);
    for (int d = 0; d < a->ndim; d++) {
        int64_t pair[2];
        lua_rawgeti(L, 2, d + 1);
        if (!lua_istable(L, -1) || lx_check_integers(L, lua_gettop(L), pair, 2) != 2)
            return lx_misuse(L, "pad: entry %d is not a pair {before, after}", d + 1);
        before[d] = pair[0];
        after[d] = pair[1];
        lua_pop(L, 1);
    }
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_pad(out, a, before, after, value));
    lx_account(L, out);
    return 1;
}

// Without a dimension the position is that among all elements, row-major.
static int push_arg(lua_State *L, bool largest) {
    daub_array *a = lx_check_array(L, 1);
    bool keep = lua_toboolean(L, 3);
    int dim = 0;
    if (lua_isnoneornil(L, 2)) {
        daub_array *flat = lx_push_array(L);
        lx_check(L, daub_array_reshape(flat, a, 1, (int64_t[]){daub_array_numel(a)}));
        a = flat;
        keep = false;
    } else {
        dim = lx_check_dim(L, 2, a);
    }
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_arg(out, largest, a, dim, keep));
    lx_account(L, out);
    return 1;
}

static int array_argmax(lua_State *L) {
    return push_arg(L, true);
}
static int array_argmin(lua_State *L) {
    return push_arg(L, false);
}

static int array_sort(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    int dim = lx_check_dim(L, 2, a);
    bool descending = lua_toboolean(L, 3);
    daub_array *values = lx_push_array(L), *indices = lx_push_array(L);
    lx_check(L, daub_array_sort(values, indices, a, dim, descending));
    lx_account(L, values);
    return 2;
}

static int array_cumsum(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    int dim = lx_check_dim(L, 2, a);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_cumsum(out, a, dim));
    lx_account(L, out);
    return 1;
}

static int array_index_select(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    int dim = lx_check_dim(L, 2, a);
    daub_array *idx = lx_check_array(L, 3), *out = lx_push_array(L);
    lx_check(L, daub_array_index_select(out, a, dim, idx));
    lx_account(L, out);
    return 1;
}

static int array_gather(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    int dim = lx_check_dim(L, 2, a);
    daub_array *idx = lx_check_array(L, 3), *out = lx_push_array(L);
    lx_check(L, daub_array_gather(out, a, dim, idx));
    lx_account(L, out);
    return 1;
}

static int array_index_add(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    int dim = lx_check_dim(L, 2, a);
    lx_check(L, daub_array_index_add(a, dim, lx_check_array(L, 3), lx_check_array(L, 4)));
    lua_settop(L, 1);
    return 1;
}

static int array_scatter_add(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    int dim = lx_check_dim(L, 2, a);
    lx_check(L, daub_array_scatter_add(a, dim, lx_check_array(L, 3), lx_check_array(L, 4)));
    lua_settop(L, 1);
    return 1;
}

static const luaL_Reg functions[] = {
    {"concat", array_concat},
    {"flip", array_flip},
    {"pad", array_pad},
    {"argmax", array_argmax},
    {"argmin", array_argmin},
    {"sort", array_sort},
    {"cumsum", array_cumsum},
    {"index_select", array_index_select},
    {"index_add_", array_index_add},
    {"gather", array_gather},
    {"scatter_add_", array_scatter_add},
    {NULL, NULL},
};

void l_array_index(lua_State *L) {
    luaL_register(L, NULL, functions);
}
