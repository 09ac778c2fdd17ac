// What the files of daub.core.array share.
#ifndef DAUB_LUA_L_ARRAY_H
#define DAUB_LUA_L_ARRAY_H

#include "lua/lx.h"

// A dtype's name at `index`; `fallback` when there is none. Raises for an unknown name.
daub_dtype lx_check_dtype(lua_State *L, int index, daub_dtype fallback);
// A dimension of `a`, 1-based or negative, as 0-based.
int lx_check_dim(lua_State *L, int index, const daub_array *a);
// A dimension, a list of them or nil (all) as a set of bits.
unsigned lx_check_dims(lua_State *L, int index, const daub_array *a);
// A shape into shape[DAUB_MAX_DIMS]; returns the number of dimensions.
int lx_check_shape(lua_State *L, int index, int64_t *shape);

// Each adds its functions to the module table on top of the stack.
void l_array_math(lua_State *L);
void l_array_index(lua_State *L);
void l_train(lua_State *L);
void l_maps(lua_State *L);
void l_random(lua_State *L);

#endif
