// daub.core.image: pictures in and out. See lua/daub/_meta/image.lua.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "image/animation.h"
#include "image/decoder.h"
#include "image/image.h"
#include "lua/lx.h"
#include "lua/modules.h"

#define DECODER "daub.decoder"
#define ANIMATION "daub.animation"

typedef struct decoder_box {
    daub_decoder *decoder; // NULL once closed
    lua_Number next;       // number of the next submission
} decoder_box;

// Arguments

// Raises for an option that is not in `known` ("a b c").
static void check_options(lua_State *L, int index, const char *what, const char *known) {
    if (lua_isnoneornil(L, index)) return;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "%s: options are named (%s)", what, known);
        const char *name = lua_tostring(L, -1), *at = strstr(known, name);
        size_t n = strlen(name);
        if (!at || (at > known && at[-1] != ' ') || (at[n] && at[n] != ' '))
            luaL_error(L, "%s: unknown option '%s' (options: %s)", what, name, known);
    }
}

static lua_Number option_number(lua_State *L, int index, const char *name, lua_Number otherwise) {
    if (lua_isnoneornil(L, index)) return otherwise;
    lua_getfield(L, index, name);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TNUMBER)
        luaL_error(L, "option '%s': number expected, got %s", name, luaL_typename(L, -1));
    lua_Number value = lua_isnil(L, -1) ? otherwise : lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

static bool option_flag(lua_State *L, int index, const char *name) {
    if (lua_isnoneornil(L, index)) return false;
    lua_getfield(L, index, name);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

static daub_decode_limits check_limits(lua_State *L, int index) {
    daub_decode_limits l = daub_decode_defaults;
    lua_Number pixels = option_number(L, index, "max_pixels", (lua_Number)l.max_pixels);
    lua_Number bytes = option_number(L, index, "max_bytes", (lua_Number)l.max_bytes);
    if (!(pixels >= 1 && pixels <= 1e10)) luaL_error(L, "max_pixels: 1 to 1e10 expected");
    if (!(bytes >= 1 && bytes <= 0x3FFFFFFF)) luaL_error(L, "max_bytes: 1 to 2^30 expected");
    l.max_pixels = (int64_t)pixels;
    l.max_bytes = (int64_t)bytes;
    l.timeout = option_number(L, index, "timeout", l.timeout);
    return l;
}

// u8 or f32, {h, w} or {h, w, c}; rows may lie apart (a cut-out view), pixels within a row not.
static daub_pixels check_pixels(lua_State *L, int index) {
    const daub_array *a = lx_check_array(L, index);
    daub_pixels p = {.data = a->data, .is_float = a->dtype == DAUB_F32, .channels = 1};
    if (a->dtype != DAUB_U8 && a->dtype != DAUB_F32)
        luaL_error(L, "pixels: u8 or f32 expected, got %s", daub_dtype_name(a->dtype));
    if (a->ndim != 2 && a->ndim != 3)
        luaL_error(L, "pixels: {height, width, channels} expected, got %d dimensions", a->ndim);
    if (a->ndim == 3) {
        if (a->shape[2] < 1 || a->shape[2] > 4)
            luaL_error(L, "pixels: 1 to 4 channels expected, got %d", (int)a->shape[2]);
        p.channels = (int)a->shape[2];
    }
    p.height = a->shape[0];
    p.width = a->shape[1];
    if (p.height < 1 || p.width < 1) luaL_error(L, "pixels: the picture is empty");
    bool packed = (a->ndim == 2 || a->shape[2] == 1 || a->stride[2] == 1) &&
                  (p.width == 1 || a->stride[1] == p.channels);
    if (!packed || a->stride[0] < 0)
        luaL_error(L, "pixels: the pixels of a row must lie side by side (use :contiguous())");
    // stb takes a distance of 0 for packed rows and would read past the end
    if (p.height > 1 && a->stride[0] < p.width * p.channels)
        luaL_error(L, "pixels: rows must not share memory (use :contiguous())");
    p.row_bytes = p.height == 1 ? p.width * p.channels : a->stride[0];
    p.row_bytes *= p.is_float ? 4 : 1;
    return p;
}

static int check_side(lua_State *L, int index) {
    int64_t side = lx_check_int64(L, index);
    if (side < 1 || side > 65535) luaL_argerror(L, index, "1 to 65535 expected");
    return (int)side;
}

// Results

static void push_info(lua_State *L, const daub_picture_info *info) {
    lua_createtable(L, 0, 6);
    lua_pushstring(L, daub_format_name(info->format));
    lua_setfield(L, -2, "format");
    const struct {
        const char *name;
        int64_t value;
    } fields[] = {{"width", info->width},
                  {"height", info->height},
                  {"channels", info->channels},
                  {"frames", info->frames},
                  {"orientation", info->orientation}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        lua_pushnumber(L, (lua_Number)fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
}

// Pushes decoded pixels as an array that owns them.
static void push_decoded(lua_State *L, daub_decoded *done) {
    int64_t shape[] = {done->info.height, done->info.width, 3};
    daub_array *out = lx_push_array(L);
    daub_status status = daub_array_wrap(out, DAUB_U8, 3, shape, done->rgb, daub_free, done->rgb);
    if (status != DAUB_OK) daub_free(done->rgb);
    lx_check(L, status);
    lx_account(L, out);
}

static void push_phash(lua_State *L, uint64_t hash) {
    char hex[17];
    for (int i = 0; i < 16; i++) hex[i] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
    lua_pushlstring(L, hex, 16);
}

static void push_statistics(lua_State *L, const daub_picture_stats *stats) {
    lua_createtable(L, 0, 3);
    lua_createtable(L, 3, 0);
    for (int c = 0; c < 3; c++) {
        lua_pushnumber(L, stats->mean[c]);
        lua_rawseti(L, -2, c + 1);
    }
    lua_setfield(L, -2, "mean");
    lua_pushnumber(L, stats->stddev);
    lua_setfield(L, -2, "stddev");
    lua_pushnumber(L, stats->flat);
    lua_setfield(L, -2, "flat");
}

static int push_block(lua_State *L, void *block, size_t size) {
    lua_pushlstring(L, block, size);
    daub_free(block);
    return 1;
}

// Decoding

static decoder_box *push_decoder(lua_State *L, int workers, const daub_decode_limits *limits) {
    decoder_box *box = lua_newuserdata(L, sizeof *box);
    *box = (decoder_box){.next = 1};
    luaL_getmetatable(L, DECODER);
    lua_setmetatable(L, -2);
    lua_newtable(L); // submission number -> the caller's id
    lua_setfenv(L, -2);
    lx_check(L, daub_decoder_open(&box->decoder, workers, limits));
    return box;
}

static decoder_box *check_decoder(lua_State *L) {
    decoder_box *box = luaL_checkudata(L, 1, DECODER);
    if (!box->decoder) luaL_error(L, "decoder: it is closed");
    return box;
}

static int l_decoder(lua_State *L) {
    check_options(L, 1, "decoder", "workers looks max_pixels max_bytes timeout");
    daub_decode_limits limits = check_limits(L, 1);
    lua_Number workers = option_number(L, 1, "workers", 1);
    if (!(workers >= 1 && workers <= 64)) luaL_error(L, "decoder: 1 to 64 workers expected");
    decoder_box *box = push_decoder(L, (int)workers, &limits);
    if (option_flag(L, 1, "looks")) daub_decoder_look(box->decoder);
    return 1;
}

static void remember_id(lua_State *L, decoder_box *box) {
    lua_getfenv(L, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (int)box->next);
    lua_pop(L, 1);
    box->next = box->next >= 0x7FFFFFFF ? 1 : box->next + 1;
}

// Queues what stands at `index`: a string of bytes, or {path = …}.
static void submit_source(lua_State *L, daub_decoder *decoder, int64_t number, int index) {
    if (lua_istable(L, index)) {
        check_options(L, index, "source", "path");
        lua_getfield(L, index, "path");
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "source: bytes or {path = …} expected");
        lx_check(L, daub_decoder_submit_path(decoder, number, lua_tostring(L, -1)));
        lua_pop(L, 1);
    } else {
        size_t size;
        const char *bytes = luaL_checklstring(L, index, &size);
        lx_check(L, daub_decoder_submit_bytes(decoder, number, bytes, size));
    }
}

static int l_decoder_submit(lua_State *L) {
    decoder_box *box = check_decoder(L);
    luaL_checkany(L, 2);
    submit_source(L, box->decoder, (int64_t)box->next, 3);
    remember_id(L, box);
    return 0;
}

// Pushes {id=, pixels=, info=}, {id=, phash=, statistics=, info=} or {id=, error=, code=}.
static void push_result(lua_State *L, daub_decoded *done) {
    lua_createtable(L, 0, 3);
    lua_getfenv(L, 1);
    lua_rawgeti(L, -1, (int)done->id);
    lua_setfield(L, -3, "id");
    lua_pushnil(L);
    lua_rawseti(L, -2, (int)done->id);
    lua_pop(L, 1);
    if (done->status == DAUB_OK) {
        if (done->rgb) {
            push_decoded(L, done);
            lua_setfield(L, -2, "pixels");
        } else {
            push_phash(L, done->looks.phash);
            lua_setfield(L, -2, "phash");
            push_statistics(L, &done->looks.stats);
            lua_setfield(L, -2, "statistics");
        }
        push_info(L, &done->info);
        lua_setfield(L, -2, "info");
    } else {
        lua_pushstring(L, done->message);
        lua_setfield(L, -2, "error");
        lua_pushstring(L, daub_status_name(done->status));
        lua_setfield(L, -2, "code");
    }
}

static int l_decoder_poll(lua_State *L) {
    decoder_box *box = check_decoder(L);
    double seconds = luaL_optnumber(L, 2, 0);
    lua_newtable(L);
    daub_decoded done;
    bool got = true;
    for (int n = 1; got; n++) {
        daub_status status = daub_decoder_poll(box->decoder, n == 1 ? seconds : 0, &done, &got);
        if (status != DAUB_OK) {
            if (n > 1) break; // hand out what is there; the next poll reports it
            return lx_fail(L, status);
        }
        if (!got) break;
        push_result(L, &done);
        lua_rawseti(L, -2, n);
    }
    return 1;
}

static int l_decoder_pending(lua_State *L) {
    lua_pushinteger(L, daub_decoder_pending(check_decoder(L)->decoder));
    return 1;
}

static int l_decoder_close(lua_State *L) {
    decoder_box *box = luaL_checkudata(L, 1, DECODER);
    daub_decoder_close(box->decoder);
    box->decoder = NULL;
    return 0;
}

// One picture at once, by a decoder kept in the module's upvalue.
static int l_decode(lua_State *L) {
    check_options(L, 2, "decode", "max_pixels max_bytes timeout");
    daub_decode_limits limits = check_limits(L, 2);
    decoder_box *box = lua_touserdata(L, lua_upvalueindex(1));
    if (!box->decoder) lx_check(L, daub_decoder_open(&box->decoder, 1, &limits));
    lx_check(L, daub_decoder_limit(box->decoder, &limits));
    submit_source(L, box->decoder, 0, 1);
    daub_decoded done;
    bool got;
    // The decoder itself ends what takes longer than the timeout.
    daub_status status = daub_decoder_poll(box->decoder, limits.timeout + 10, &done, &got);
    if (status != DAUB_OK || !got) {
        if (status == DAUB_OK) status = daub_fail(DAUB_DECODE, "the decoder does not answer");
        daub_decoder_close(box->decoder);
        box->decoder = NULL;
        return lx_fail(L, status);
    }
    if (done.status != DAUB_OK) {
        daub_fail(done.status, "%s", done.message);
        return lx_fail(L, done.status);
    }
    push_decoded(L, &done);
    push_info(L, &done.info);
    return 2;
}

static int l_probe(lua_State *L) {
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    daub_picture_info info;
    daub_status status = daub_picture_probe((const uint8_t *)bytes, size, INT64_MAX, &info);
    if (status != DAUB_OK) return lx_fail(L, status);
    lua_pushstring(L, daub_format_name(info.format));
    lua_pushnumber(L, (lua_Number)info.width);
    lua_pushnumber(L, (lua_Number)info.height);
    return 3;
}

static int l_sandbox(lua_State *L) {
    lua_pushstring(L, daub_decoder_sandbox());
    return 1;
}

// Encoding

static int l_encode_png(lua_State *L) {
    daub_pixels p = check_pixels(L, 1);
    uint8_t *bytes;
    size_t size;
    lx_check(L, daub_encode_png(&p, &bytes, &size));
    return push_block(L, bytes, size);
}

static int l_encode_jpeg(lua_State *L) {
    daub_pixels p = check_pixels(L, 1);
    uint8_t *bytes;
    size_t size;
    lx_check(L, daub_encode_jpeg(&p, (int)luaL_optinteger(L, 2, 90), &bytes, &size));
    return push_block(L, bytes, size);
}

static int l_encode_webp(lua_State *L) {
    daub_pixels p = check_pixels(L, 1);
    uint8_t *bytes;
    size_t size;
    lx_check(L, daub_encode_webp(&p, (int)luaL_optinteger(L, 2, 85), &bytes, &size));
    return push_block(L, bytes, size);
}

// Animations: userdata hold one pointer, NULL once closed.

static int l_animation(lua_State *L) {
    int64_t width = lx_check_int64(L, 1), height = lx_check_int64(L, 2);
    int quality = (int)luaL_optinteger(L, 3, 80);
    daub_animation **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, ANIMATION);
    lua_setmetatable(L, -2);
    lx_check(L, daub_animation_open(slot, width, height, quality));
    return 1;
}

static daub_animation *check_animation(lua_State *L) {
    daub_animation **slot = luaL_checkudata(L, 1, ANIMATION);
    if (!*slot) luaL_error(L, "animation: it is closed");
    return *slot;
}

static int l_animation_add(lua_State *L) {
    daub_animation *a = check_animation(L);
    daub_pixels p = check_pixels(L, 2);
    lx_check(L, daub_animation_add(a, &p, (int)luaL_checkinteger(L, 3)));
    return 0;
}

static int l_animation_finish(lua_State *L) {
    uint8_t *bytes;
    size_t size;
    lx_check(L, daub_animation_finish(check_animation(L), &bytes, &size));
    return push_block(L, bytes, size);
}

static int l_animation_close(lua_State *L) {
    daub_animation **slot = luaL_checkudata(L, 1, ANIMATION);
    daub_animation_close(*slot);
    *slot = NULL;
    return 0;
}

// Pixels to pixels and numbers

static int l_resize(lua_State *L) {
    daub_pixels in = check_pixels(L, 1);
    int width = check_side(L, 2), height = check_side(L, 3);
    check_options(L, 4, "resize", "filter linear");
    bool smaller = width <= in.width && height <= in.height, linear = false;
    daub_filter filter = smaller ? DAUB_FILTER_MITCHELL : DAUB_FILTER_CATMULLROM;
    if (!lua_isnoneornil(L, 4)) {
        lua_getfield(L, 4, "filter");
        if (!lua_isnil(L, -1)) {
            const char *name = lua_tostring(L, -1);
            if (!name || !daub_filter_parse(name, &filter))
                luaL_error(L, "resize: filter 'box', 'triangle', 'mitchell', 'catmullrom' or "
                              "'lanczos3' expected");
        }
        lua_getfield(L, 4, "linear");
        linear = lua_toboolean(L, -1);
    }
    const daub_array *a = lx_check_array(L, 1);
    int64_t shape[] = {height, width, in.channels};
    daub_array *out = lx_push_array(L);
    lx_check(L, daub_array_create(out, a->dtype, a->ndim, shape));
    daub_pixels to = in;
    to.data = out->data;
    to.width = width;
    to.height = height;
    to.row_bytes = (int64_t)width * in.channels * (in.is_float ? 4 : 1);
    lx_check(L, daub_resize(&in, &to, filter, linear));
    lx_account(L, out);
    return 1;
}

static int l_terminal(lua_State *L) {
    daub_pixels p = check_pixels(L, 1);
    int columns = (int)luaL_checkinteger(L, 2), rows = (int)luaL_checkinteger(L, 3);
    char *text;
    size_t size;
    lx_check(L, daub_terminal_picture(&p, columns, rows, &text, &size));
    return push_block(L, text, size);
}

static int l_phash(lua_State *L) {
    daub_pixels p = check_pixels(L, 1);
    uint64_t hash;
    lx_check(L, daub_phash(&p, &hash));
    push_phash(L, hash);
    return 1;
}

static uint64_t check_hash(lua_State *L, int index) {
    size_t n;
    const char *text = luaL_checklstring(L, index, &n);
    char *end;
    uint64_t hash = strtoull(text, &end, 16);
    if (n != 16 || end != text + 16) luaL_argerror(L, index, "hash of 16 hex digits expected");
    return hash;
}

static int l_phash_distance(lua_State *L) {
    lua_pushinteger(L, __builtin_popcountll(check_hash(L, 1) ^ check_hash(L, 2)));
    return 1;
}

static int l_statistics(lua_State *L) {
    daub_pixels p = check_pixels(L, 1);
    daub_picture_stats stats;
    lx_check(L, daub_statistics(&p, &stats));
    push_statistics(L, &stats);
    return 1;
}

static const luaL_Reg decoder_methods[] = {
    {"submit", l_decoder_submit}, {"poll", l_decoder_poll},  {"pending", l_decoder_pending},
    {"close", l_decoder_close},   {"__gc", l_decoder_close}, {NULL, NULL},
};

static const luaL_Reg animation_methods[] = {
    {"add", l_animation_add},     {"finish", l_animation_finish}, {"close", l_animation_close},
    {"__gc", l_animation_close}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"decoder", l_decoder},
    {"probe", l_probe},
    {"sandbox", l_sandbox},
    {"encode_png", l_encode_png},
    {"encode_jpeg", l_encode_jpeg},
    {"encode_webp", l_encode_webp},
    {"animation", l_animation},
    {"resize", l_resize},
    {"terminal", l_terminal},
    {"phash", l_phash},
    {"phash_distance", l_phash_distance},
    {"statistics", l_statistics},
    {NULL, NULL},
};

static void make_class(lua_State *L, const char *type, const luaL_Reg *methods) {
    luaL_newmetatable(L, type);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int luaopen_daub_core_image(lua_State *L) {
    lua_getglobal(L, "require"); // pixels are arrays: their metatable must be there
    lua_pushliteral(L, "daub.core.array");
    lua_call(L, 1, 0);
    make_class(L, DECODER, decoder_methods);
    make_class(L, ANIMATION, animation_methods);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    push_decoder(L, 1, &daub_decode_defaults);
    lua_pushcclosure(L, l_decode, 1);
    lua_setfield(L, -2, "decode");
    return 1;
}
