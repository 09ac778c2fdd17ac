#include "lua/lx.h"

#include <math.h>

#include "base/memory.h"

void lx_check(lua_State *L, daub_status status) {
    if (status == DAUB_OK) return;
    luaL_error(L, "%s", daub_error_message());
}

int lx_fail(lua_State *L, daub_status status) {
    lua_pushnil(L);
    lua_pushstring(L, daub_error_message());
    lua_pushstring(L, daub_status_name(status));
    return 3;
}

int64_t lx_check_int64(lua_State *L, int index) {
    lua_Number n = luaL_checknumber(L, index);
    if (n != floor(n) || fabs(n) > 0x1p53)
        luaL_argerror(L, index, "whole number expected");
    return (int64_t)n;
}

int lx_check_integers(lua_State *L, int index, int64_t *out, int max) {
    luaL_checktype(L, index, LUA_TTABLE);
    int n = (int)lua_objlen(L, index);
    if (n > max) luaL_argerror(L, index, "too many entries");
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, index, i + 1);
        if (!lua_isnumber(L, -1)) luaL_argerror(L, index, "list of whole numbers expected");
        out[i] = lx_check_int64(L, -1);
        lua_pop(L, 1);
    }
    return n;
}

void lx_push_integers(lua_State *L, const int64_t *values, int n) {
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushnumber(L, (lua_Number)values[i]);
        lua_rawseti(L, -2, i + 1);
    }
}
