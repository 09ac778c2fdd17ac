// The parts of daub.core.system: each adds its functions to the module table on top of the stack.
#ifndef DAUB_LUA_L_SYSTEM_H
#define DAUB_LUA_L_SYSTEM_H

#include "lua/lx.h"

void lx_system_files(lua_State *L);
void lx_system_processes(lua_State *L);

// true for DAUB_OK; raises for DAUB_INVALID; nil, message, code otherwise. Returns the results'
// count.
int lx_system_result(lua_State *L, daub_status status);

#endif
