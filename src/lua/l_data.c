// daub.core.data: packed datasets and their loaders for Lua (lua/daub/_meta/data.lua is the
// manual).
#include <string.h>

#include "data/dataset.h"
#include "data/loader.h"
#include "lua/lx.h"
#include "lua/modules.h"

#define WRITER "daub.dataset_writer"
#define DATASET "daub.dataset"
#define LOADER "daub.loader"

// Userdata hold one pointer, NULL once closed.
static void *check_open(lua_State *L, const char *type) {
    void **slot = luaL_checkudata(L, 1, type);
    if (!*slot) luaL_error(L, "%s: already closed", type);
    return *slot;
}

static void **push_slot(lua_State *L, const char *type) {
    void **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, type);
    lua_setmetatable(L, -2);
    return slot;
}

static void *take(lua_State *L, const char *type) {
    void **slot = luaL_checkudata(L, 1, type), *value = *slot;
    *slot = NULL;
    return value;
}

// Misuse raises, the world's failures are returned.
static int failed(lua_State *L, daub_status status) {
    if (status == DAUB_INVALID) lx_check(L, status);
    return lx_fail(L, status);
}

// pixels: u8 (height, width, 3), contiguous.
static const uint8_t *check_pixels(lua_State *L, int index, int64_t width, int64_t height) {
    daub_array *a = lx_check_array(L, index);
    if (a->dtype != DAUB_U8 || a->ndim != 3 || a->shape[0] != height || a->shape[1] != width ||
        a->shape[2] != 3 || !daub_array_is_contiguous(a))
        luaL_error(L, "pixels must be contiguous u8 of shape {%d, %d, 3}", (int)height, (int)width);
    return a->data;
}

static int data_writer(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    int64_t width = lx_check_int64(L, 2), height = lx_check_int64(L, 3),
            count = lx_check_int64(L, 4);
    daub_dataset_writer *w = NULL;
    void **slot = push_slot(L, WRITER);
    daub_status status = daub_dataset_create(&w, path, width, height, count);
    if (status != DAUB_OK) return failed(L, status);
    *slot = w;
    return 1;
}

static int writer_put(lua_State *L) {
    daub_dataset_writer *w = check_open(L, WRITER);
    size_t length = 0;
    int64_t index = lx_check_int64(L, 2);
    const char *id = luaL_checklstring(L, 3, &length);
    if (length != DAUB_DATASET_ID) luaL_argerror(L, 3, "SHA-256 of 64 hexadecimal digits expected");
    const uint8_t *pixels =
        check_pixels(L, 4, daub_dataset_writer_width(w), daub_dataset_writer_height(w));
    lx_check(L, daub_dataset_put(w, index - 1, id, pixels));
    return 0;
}

static int writer_finish(lua_State *L) {
    check_open(L, WRITER);
    int64_t kept = 0;
    daub_status status = daub_dataset_finish(take(L, WRITER), &kept);
    if (status != DAUB_OK) return lx_fail(L, status);
    lua_pushnumber(L, (lua_Number)kept);
    return 1;
}

static int writer_abandon(lua_State *L) {
    daub_dataset_abandon(take(L, WRITER));
    return 0;
}

static int data_open(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    daub_dataset *d = NULL;
    void **slot = push_slot(L, DATASET);
    daub_status status = daub_dataset_open(&d, path);
    if (status != DAUB_OK) return failed(L, status);
    *slot = d;
    return 1;
}

static int dataset_info(lua_State *L) {
    daub_dataset *d = check_open(L, DATASET);
    lua_createtable(L, 0, 3);
    lua_pushnumber(L, (lua_Number)daub_dataset_count(d));
    lua_setfield(L, -2, "count");
    lua_pushnumber(L, (lua_Number)daub_dataset_width(d));
    lua_setfield(L, -2, "width");
    lua_pushnumber(L, (lua_Number)daub_dataset_height(d));
    lua_setfield(L, -2, "height");
    return 1;
}

static int64_t check_index(lua_State *L, const daub_dataset *d) {
    int64_t index = lx_check_int64(L, 2);
    if (index < 1 || index > daub_dataset_count(d))
        luaL_error(L, "picture %d of %d", (int)index, (int)daub_dataset_count(d));
    return index - 1;
}

static int dataset_picture(lua_State *L) {
    daub_dataset *d = check_open(L, DATASET);
    int64_t index = check_index(L, d);
    int64_t shape[] = {daub_dataset_height(d), daub_dataset_width(d), 3};
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_create(out, DAUB_U8, 3, shape));
    lx_account(L, out);
    memcpy(out->data, daub_dataset_pixels(d, index), (size_t)(shape[0] * shape[1] * 3));
    return 1;
}

static int dataset_id(lua_State *L) {
    daub_dataset *d = check_open(L, DATASET);
    lua_pushlstring(L, daub_dataset_id(d, check_index(L, d)), DAUB_DATASET_ID);
    return 1;
}

static int dataset_distances(lua_State *L) {
    daub_dataset *d = check_open(L, DATASET);
    const uint8_t *pixels = check_pixels(L, 2, daub_dataset_width(d), daub_dataset_height(d));
    int64_t shape[] = {daub_dataset_count(d)};
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_create(out, DAUB_F32, 1, shape));
    lx_account(L, out);
    lx_check(L, daub_dataset_distances(d, pixels, out->data));
    return 1;
}

static int dataset_close(lua_State *L) {
    daub_dataset_release(take(L, DATASET));
    return 0;
}

// Field `name` of the options table at index 2.
static lua_Number number_field(lua_State *L, const char *name, lua_Number otherwise) {
    lua_getfield(L, 2, name);
    if (!lua_isnil(L, -1) && !lua_isnumber(L, -1))
        luaL_error(L, "loader: %s must be a number, got %s", name, luaL_typename(L, -1));
    lua_Number value = lua_isnil(L, -1) ? otherwise : lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

static int64_t integer_field(lua_State *L, const char *name, int64_t otherwise) {
    lua_Number value = number_field(L, name, (lua_Number)otherwise);
    if (!(value >= 0 && value <= 0x1p53 && value == (lua_Number)(int64_t)value))
        luaL_error(L, "loader: %s must be a whole number from 0 to 2^53", name);
    return (int64_t)value;
}

static int dataset_loader(lua_State *L) {
    daub_dataset *d = check_open(L, DATASET);
    luaL_checktype(L, 2, LUA_TTABLE);
    daub_loader_options o = {
        .batch = integer_field(L, "batch", 32),
        .seed = (uint64_t)integer_field(L, "seed", 1),
        .start = integer_field(L, "start", 0),
        .zoom = number_field(L, "zoom", 1),
    };
    lua_getfield(L, 2, "mirror");
    o.mirror = lua_toboolean(L, -1);
    daub_loader *l = NULL;
    void **slot = push_slot(L, LOADER);
    daub_status status = daub_loader_start(&l, d, &o);
    if (status != DAUB_OK) return failed(L, status);
    *slot = l;
    return 1;
}

static int loader_next(lua_State *L) {
    daub_loader *l = check_open(L, LOADER);
    daub_array *pictures = lx_push_array(L), *which = lx_push_array(L);
    daub_status status = daub_loader_next(l, pictures, which);
    if (status != DAUB_OK) return lx_fail(L, status);
    lx_account(L, pictures);
    lx_account(L, which);
    int64_t *p = which->data;
    for (int64_t i = 0; i < which->shape[0]; i++) p[i]++;
    return 2;
}

static int loader_position(lua_State *L) {
    lua_pushnumber(L, (lua_Number)daub_loader_position(check_open(L, LOADER)));
    return 1;
}

static int loader_close(lua_State *L) {
    daub_loader_stop(take(L, LOADER));
    return 0;
}

static const luaL_Reg functions[] = {
    {"writer", data_writer},
    {"open", data_open},
    {NULL, NULL},
};

static const luaL_Reg writer_methods[] = {
    {"put", writer_put},
    {"finish", writer_finish},
    {"abandon", writer_abandon},
    {"__gc", writer_abandon},
    {NULL, NULL},
};

static const luaL_Reg dataset_methods[] = {
    {"info", dataset_info},     {"picture", dataset_picture},
    {"id", dataset_id},         {"distances", dataset_distances},
    {"loader", dataset_loader}, {"close", dataset_close},
    {"__gc", dataset_close},    {NULL, NULL},
};

static const luaL_Reg loader_methods[] = {
    {"next", loader_next},
    {"position", loader_position},
    {"close", loader_close},
    {"__gc", loader_close},
    {NULL, NULL},
};

static void make_class(lua_State *L, const char *type, const luaL_Reg *methods) {
    luaL_newmetatable(L, type);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int luaopen_daub_core_data(lua_State *L) {
    make_class(L, WRITER, writer_methods);
    make_class(L, DATASET, dataset_methods);
    make_class(L, LOADER, loader_methods);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
