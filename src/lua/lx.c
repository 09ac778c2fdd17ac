#include "lua/lx.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "lua/lx_interrupt.h"

void lx_check(lua_State *L, daub_status status) {
    if (status == DAUB_OK) return;
    if (status == DAUB_INVALID) {
        // lua/daub/options.lua names the caller outside the library and the layers being run
        lua_getfield(L, LUA_REGISTRYINDEX, "daub.misuse");
        if (lua_isfunction(L, -1)) {
            lua_pushstring(L, daub_error_message());
            lua_call(L, 1, 0); // raises
        }
    }
    if (status == DAUB_INTERRUPTED) lx_interrupt_raising(L);
    luaL_error(L, "%s", daub_error_message());
}

int lx_misuse(lua_State *L, const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    lx_check(L, daub_fail(DAUB_INVALID, "%s", message));
    return 0;
}

int lx_fail(lua_State *L, daub_status status) {
    lua_pushnil(L);
    lua_pushstring(L, daub_error_message());
    lua_pushstring(L, daub_status_name(status));
    return 3;
}

int64_t lx_check_int64(lua_State *L, int index) {
    lua_Number n = luaL_checknumber(L, index);
    if (n != floor(n) || fabs(n) > 0x1p53) luaL_argerror(L, index, "whole number expected");
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

daub_array *lx_push_array(lua_State *L) {
    daub_array *a = lua_newuserdata(L, sizeof *a);
    *a = (daub_array){0};
    luaL_getmetatable(L, LX_ARRAY);
    lua_setmetatable(L, -2);
    return a;
}

daub_array *lx_check_array(lua_State *L, int index) {
    daub_array *a = luaL_checkudata(L, index, LX_ARRAY);
    if (!a->storage) lx_misuse(L, "the memory of this array was released");
    return a;
}

// The collector sees only the small userdata, so it is told when to collect everything: when the
// bytes behind them have grown by so much, or, at a good time, when so much was made since. A large
// Lua heap takes longer to go through and must be worth it, up to a limit: most of a very large one
// are strings (a checkpoint's bytes), which take no time.
static const int64_t worth = (int64_t)16 << 20, worth_most = (int64_t)64 << 20;
static int64_t left, made; // bytes in use after the last collection; made since then

static void collect(lua_State *L) {
    lua_gc(L, LUA_GCCOLLECT, 0);
    left = daub_memory_stats().in_use;
    made = 0;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t heap_worth(lua_State *L) {
    int64_t heap = (int64_t)lua_gc(L, LUA_GCCOUNT, 0) << 14; // KiB, 16 bytes for each
    return larger(worth, heap < worth_most ? heap : worth_most);
}

void lx_account(lua_State *L, const daub_array *a) {
    int64_t bytes = daub_array_storage_bytes(a);
    if (bytes < 4096) return;
    made += bytes;
    if (made < worth) return;
    if (daub_memory_stats().in_use > left + larger(left / 8, heap_worth(L))) collect(L);
}

void lx_tidy(lua_State *L) {
    if (made >= worth && made >= heap_worth(L)) collect(L);
}
