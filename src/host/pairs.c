#include "host/pairs.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Releases since then are called 2.1.SECONDS; the last of the fixes is of August 2023.
static const long sound_since = 1693000000;

static bool is_sound(lua_State *L) {
    static const char prefix[] = "LuaJIT 2.1.";
    lua_getglobal(L, "jit");
    lua_getfield(L, -1, "version"); // the library's; LUAJIT_VERSION is the header's
    const char *version = lua_tostring(L, -1);
    bool sound = version && !strncmp(version, prefix, sizeof prefix - 1) &&
                 strtol(version + sizeof prefix - 1, NULL, 10) >= sound_since;
    lua_pop(L, 2);
    return sound;
}

// A C function, which the compiler calls but never looks into: what it makes of a call of the builtin
// crashes now and then (the address of the key loses its upper half).
static int c_next(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_next(L, 1)) return 2;
    lua_pushnil(L);
    return 1;
}

// table.foreach is a compiled-in Lua function with the same kind of loop.
static const char mended[] =
    "local next, type, error = ..., type, error\n"
    "local function pairs(t)\n"
    "  if type(t) ~= 'table' then\n"
    "    error(\"bad argument #1 to 'pairs' (table expected, got \" .. type(t) .. ')', 2)\n"
    "  end\n"
    "  return next, t, nil\n"
    "end\n"
    "local function foreach(t, f)\n"
    "  for key, value in pairs(t) do\n"
    "    local result = f(key, value)\n"
    "    if result ~= nil then return result end\n"
    "  end\n"
    "end\n"
    "_G.next, _G.pairs, table.foreach = next, pairs, foreach\n";

void host_mend_pairs(lua_State *L) {
    if (is_sound(L)) return;
    int failed = luaL_loadbuffer(L, mended, sizeof mended - 1, "=pairs");
    lua_pushcfunction(L, c_next);
    if (failed || lua_pcall(L, 1, 0, 0)) lua_error(L); // the text above is at fault
}
