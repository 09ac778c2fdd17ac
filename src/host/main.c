// Minimal start: runs one script. The command line of the design follows.
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "lua/lx.h"

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lx_preload_modules(L);
    lua_getglobal(L, "package");
    lua_pushliteral(L, DAUB_SOURCE_DIR "/lua/?.lua;" DAUB_SOURCE_DIR "/lua/?/init.lua;");
    lua_getfield(L, -2, "path");
    lua_concat(L, 2);
    lua_setfield(L, -2, "path");
    lua_newtable(L);
    for (int i = 1; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
    if (argc > 1 && (luaL_loadfile(L, argv[1]) || lua_pcall(L, 0, 0, 0))) {
        fprintf(stderr, "daub: %s\n", lua_tostring(L, -1));
        return 1;
    }
    lua_close(L);
    return 0;
}
