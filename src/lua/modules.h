// The entry points of the C modules, one per src/lua/l_NAME.c.
#ifndef DAUB_LUA_MODULES_H
#define DAUB_LUA_MODULES_H

#include <lua.h>

int luaopen_daub_core_array(lua_State *L);
int luaopen_daub_core_line(lua_State *L);
int luaopen_daub_core_conv(lua_State *L);
int luaopen_daub_core_data(lua_State *L);
int luaopen_daub_core_http(lua_State *L);
int luaopen_daub_core_image(lua_State *L);
int luaopen_daub_core_loopback(lua_State *L);
int luaopen_daub_core_sqlite(lua_State *L);
int luaopen_daub_core_system(lua_State *L);

#endif
