// daub.core.array: passes over whole maps.
#include "array/maps.h"
#include "lua/l_array.h"

static int maps_add_outer(lua_State *L) {
    const daub_array *x = lx_check_array(L, 1), *t = lx_check_array(L, 2);
    const daub_array *w = lx_check_array(L, 3);
    if (lua_toboolean(L, 4)) {
        lx_check(L, daub_array_add_outer_to(x, t, w));
        lua_settop(L, 1);
        return 1;
    }
    daub_array *y = lx_push_array(L);
    lx_check(L, daub_array_add_outer(y, x, t, w));
    lx_account(L, y);
    return 1;
}

static int maps_picture_sums(lua_State *L) {
    const daub_array *a = lx_check_array(L, 1), *b = lx_check_array(L, 2);
    daub_array *sums = lx_push_array(L);
    lx_check(L, daub_array_picture_sums(sums, a, b));
    lx_account(L, sums);
    return 1;
}

static int maps_shift(lua_State *L) {
    const daub_array *x = lx_check_array(L, 1), *by = lx_check_array(L, 2);
    daub_array *y = lx_push_array(L);
    lx_check(L, daub_array_shift(y, x, by));
    lx_account(L, y);
    return 1;
}

static const luaL_Reg functions[] = {
    {"add_outer", maps_add_outer},
    {"picture_sums", maps_picture_sums},
    {"shift", maps_shift},
    {NULL, NULL},
};

void l_maps(lua_State *L) {
    luaL_register(L, NULL, functions);
}
