// Debian 12's LuaJIT (2.1.0-beta3 of 2022) compiles loops over pairs and next wrongly: a nested
// loop stops after one of five keys, others never end (LuaJIT issue 827 and its kin, mended
// upstream by August 2023), and calls of next crash now and then. A C function in the place of next
// keeps the compiler off that path.
#ifndef DAUB_HOST_PAIRS_H
#define DAUB_HOST_PAIRS_H

#include <lua.h>

// To be called before any other Lua runs. Leaves a LuaJIT that is known to be sound as it is.
void host_mend_pairs(lua_State *L);

#endif
