// Helpers every binding uses. A binding checks its arguments, calls one function of the core and hands
// the result or the error on:
//
//     static int l_thing(lua_State *L) {
//         daub_array *a = lx_check_array(L, 1);
//         daub_array *out = lx_push_array(L);              // an empty array userdata, filled below
//         lx_check(L, daub_array_something(out, a));       // misuse raises, with the core's message
//         lx_account(L, out);                              // tells the collector about its bytes
//         return 1;
//     }
#ifndef DAUB_LUA_LX_H
#define DAUB_LUA_LX_H

#include <lauxlib.h>
#include <lua.h>

#include "array/array.h"
#include "base/error.h"

// Raises the thread's error message as a Lua error (position added) unless status is DAUB_OK. For misuse.
void lx_check(lua_State *L, daub_status status);

// The same for a message of its own. Never returns; `return lx_misuse(…)` reads well in a binding.
int lx_misuse(lua_State *L, const char *format, ...) __attribute__((format(printf, 2, 3)));

// For the world's failures: pushes nil, message, code and returns 3.
int lx_fail(lua_State *L, daub_status status);

// Arrays as userdata of metatable LX_ARRAY.
#define LX_ARRAY "daub.array"
daub_array *lx_push_array(lua_State *L); // pushes an empty array, to be filled by the caller
daub_array *lx_check_array(lua_State *L, int index); // raises for anything else, or a released one
void lx_account(lua_State *L, const daub_array *a);
void lx_tidy(lua_State *L); // collects at a time when much has just become garbage, if it is worth it

// A table of integers at `index` becomes out[0 … n-1]; raises when it is no such table or n > max.
int lx_check_integers(lua_State *L, int index, int64_t *out, int max);
void lx_push_integers(lua_State *L, const int64_t *values, int n);

// An int64 from a Lua number; raises when it is not integral.
int64_t lx_check_int64(lua_State *L, int index);

// Puts every C module into package.preload under its name ("daub.core.array", …).
void lx_preload_modules(lua_State *L);

#endif
