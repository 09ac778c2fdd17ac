// daub.core.array: arrays for Lua (lua/daub/_meta/array.lua is the manual).
#include <string.h>

#include "base/memory.h"
#include "lua/lx.h"
#include "lua/modules.h"

static daub_dtype check_dtype(lua_State *L, int index) {
    const char *name = luaL_optstring(L, index, "f32");
    daub_dtype dtype = DAUB_F32;
    if (!daub_dtype_parse(name, &dtype))
        luaL_error(L, "unknown dtype '%s' (f32, f64, bf16, u8, i32, i64)", name);
    return dtype;
}

static int array_new(lua_State *L) {
    int64_t shape[DAUB_MAX_DIMS];
    int ndim = lx_check_integers(L, 1, shape, DAUB_MAX_DIMS);
    daub_dtype dtype = check_dtype(L, 2);
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_create(out, dtype, ndim, shape));
    lx_account(L, out);
    return 1;
}

static int array_shape(lua_State *L) {
    daub_array *a = lx_check_array(L, 1);
    lx_push_integers(L, a->shape, a->ndim);
    return 1;
}

static int array_dtype(lua_State *L) {
    lua_pushstring(L, daub_dtype_name(lx_check_array(L, 1)->dtype));
    return 1;
}

static int array_gc(lua_State *L) {
    daub_array_release(lx_check_array(L, 1));
    return 0;
}

static const luaL_Reg functions[] = {
    {"new", array_new},
    {"shape", array_shape},
    {"dtype", array_dtype},
    {NULL, NULL},
};

int luaopen_daub_core_array(lua_State *L) {
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    luaL_newmetatable(L, LX_ARRAY);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, array_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    return 1;
}
