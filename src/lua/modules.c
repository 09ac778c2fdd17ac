// The list of C modules scripts can require.
#include "lua/modules.h"

#include "lua/lx.h"

static const luaL_Reg modules[] = {
    {"daub.core.array", luaopen_daub_core_array},
    {"daub.core.line", luaopen_daub_core_line},
    {"daub.core.conv", luaopen_daub_core_conv},
    {"daub.core.data", luaopen_daub_core_data},
    {"daub.core.http", luaopen_daub_core_http},
    {"daub.core.image", luaopen_daub_core_image},
    {"daub.core.loopback", luaopen_daub_core_loopback},
    {"daub.core.sqlite", luaopen_daub_core_sqlite},
    {"daub.core.system", luaopen_daub_core_system},
    {NULL, NULL},
};

void lx_preload_modules(lua_State *L) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    for (const luaL_Reg *m = modules; m->name; m++) {
        lua_pushcfunction(L, m->func);
        lua_setfield(L, -2, m->name);
    }
    lua_pop(L, 2);
}
