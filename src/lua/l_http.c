// daub.core.http: sessions of transfers for Lua. See lua/daub/_meta/http.lua.
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"
#include "lua/lx.h"
#include "lua/modules.h"

#define HTTP_SESSION "daub.http.session"

enum { MAX_PAIRS = 100 };

// ---- Options and requests: tables to structs; strings stay owned by the tables -----------------

static double number_field(lua_State *L, int t, const char *name, double low, double otherwise) {
    lua_getfield(L, t, name);
    if (!lua_isnil(L, -1)) {
        otherwise = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !(otherwise >= low) || otherwise > 1e15)
            luaL_error(L, "http: %s is a number of at least %f", name, low);
    }
    lua_pop(L, 1);
    return otherwise;
}

static int64_t whole_field(lua_State *L, int t, const char *name, int64_t low, int64_t otherwise) {
    return (int64_t)number_field(L, t, name, (double)low, (double)otherwise);
}

// Strings with a zero byte inside would reach libcurl cut short.
static const char *text_of(lua_State *L, int index, const char *name) {
    size_t size;
    if (lua_type(L, index) != LUA_TSTRING) luaL_error(L, "http: %s is a string", name);
    const char *text = lua_tolstring(L, index, &size);
    if (strlen(text) != size) luaL_error(L, "http: %s has a zero byte in it", name);
    return text;
}

// The value stays reachable through its table, so the pointer outlives the pop.
static const char *text_field(lua_State *L, int t, const char *name) {
    lua_getfield(L, t, name);
    const char *text = lua_isnil(L, -1) ? NULL : text_of(L, -1, name);
    lua_pop(L, 1);
    return text;
}

static bool flag_field(lua_State *L, int t, const char *name) {
    lua_getfield(L, t, name);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static const char *bytes_field(lua_State *L, int t, const char *name, size_t *size) {
    lua_getfield(L, t, name);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "http: %s is a string", name);
    const char *bytes = lua_tolstring(L, -1, size);
    lua_pop(L, 1);
    return bytes;
}

static int list_field(lua_State *L, int t, const char *name) {
    lua_getfield(L, t, name);
    if (lua_isnil(L, -1)) return 0;
    if (!lua_istable(L, -1)) luaL_error(L, "http: %s is a list", name);
    size_t n = lua_objlen(L, -1);
    if (n > MAX_PAIRS) luaL_error(L, "http: %s has more than %d entries", name, MAX_PAIRS);
    return (int)n;
}

static void read_headers(lua_State *L, int t, daub_http_pair *out, daub_http_request *request) {
    int n = list_field(L, t, "headers");
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, -1, i + 1);
        if (!lua_istable(L, -1)) luaL_error(L, "http: headers is a list of {name, value}");
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        out[i].name = text_of(L, -2, "a header's name");
        out[i].value = text_of(L, -1, "a header's value");
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
    request->headers = out;
    request->header_count = n;
}

static void read_form(lua_State *L, int t, daub_http_part *out, daub_http_request *request) {
    int n = list_field(L, t, "form");
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, -1, i + 1);
        if (!lua_istable(L, -1))
            luaL_error(L, "http: form is a list of {name =, data =, filename =, type =}");
        int part = lua_gettop(L);
        out[i].name = text_field(L, part, "name");
        out[i].filename = text_field(L, part, "filename");
        out[i].type = text_field(L, part, "type");
        out[i].data = bytes_field(L, part, "data", &out[i].size);
        if (!out[i].name || !out[i].data) luaL_error(L, "http: a form's part has a name and data");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    request->parts = out;
    request->part_count = n;
}

static daub_http_redirects read_redirects(lua_State *L, int t) {
    const char *text = text_field(L, t, "redirects");
    if (!text || !strcmp(text, "follow")) return DAUB_HTTP_FOLLOW;
    if (!strcmp(text, "same-host")) return DAUB_HTTP_SAME_HOST;
    if (!strcmp(text, "none")) return DAUB_HTTP_NONE;
    return (daub_http_redirects)luaL_error(
        L, "http: redirects is \"follow\", \"same-host\" or \"none\", not \"%s\"", text);
}

// ---- Results -----------------------------------------------------------------------------------

static void set_text(lua_State *L, const char *name, const char *text) {
    if (!text) return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, double number) {
    lua_pushnumber(L, number);
    lua_setfield(L, -2, name);
}

static void push_result(lua_State *L, const daub_http_result *r) {
    lua_createtable(L, 0, 12);
    set_number(L, "id", (double)r->id);
    set_number(L, "seconds", r->seconds);
    set_text(L, "effective_url", r->url);
    set_text(L, "error", r->error);
    set_text(L, "code", r->code);
    if (r->error) {
        lua_pushboolean(L, r->retryable);
        lua_setfield(L, -2, "retryable");
    }
    lua_createtable(L, r->header_count, 0);
    for (int i = 0; i < r->header_count; i++) {
        lua_createtable(L, 2, 0);
        lua_pushstring(L, r->headers[i].name);
        lua_rawseti(L, -2, 1);
        lua_pushstring(L, r->headers[i].value);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "headers");
    if (r->status) set_number(L, "status", r->status);
    if (r->error) return;
    set_number(L, "bytes", (double)r->bytes);
    set_text(L, "sha256", r->sha256[0] ? r->sha256 : NULL);
    set_text(L, "http_version", r->version);
    set_text(L, "zone", daub_zone_name(r->zone));
    set_text(L, "file", r->file);
    if (!r->file) {
        lua_pushlstring(L, r->body ? r->body : "", (size_t)r->bytes);
        lua_setfield(L, -2, "body");
    }
}

// ---- Methods -----------------------------------------------------------------------------------

static daub_http *check_session(lua_State *L) {
    daub_http **http = luaL_checkudata(L, 1, HTTP_SESSION);
    if (!*http) luaL_error(L, "http: the session is closed");
    return *http;
}

static int l_session(lua_State *L) {
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    daub_http_options o = {
        .user_agent = text_field(L, 1, "user_agent"),
        .ca_file = text_field(L, 1, "ca_file"),
        .per_host = (int)whole_field(L, 1, "per_host", 1, 4),
        .total = (int)whole_field(L, 1, "total", 1, 32),
        .max_redirects = (int)whole_field(L, 1, "max_redirects", 1, 5),
        .timeout = number_field(L, 1, "timeout", 0, 0),
        .total_timeout = number_field(L, 1, "total_timeout", 0, 0),
        .connect_timeout = number_field(L, 1, "connect_timeout", 0, 0),
        .max_bytes = whole_field(L, 1, "max_bytes", 1, 32 << 20),
    };
    daub_http **http = lua_newuserdata(L, sizeof *http);
    *http = NULL;
    luaL_getmetatable(L, HTTP_SESSION);
    lua_setmetatable(L, -2);
    lx_check(L, daub_http_open(http, &o));
    return 1;
}

static int l_add(lua_State *L) {
    daub_http *http = check_session(L);
    daub_http_pair headers[MAX_PAIRS];
    daub_http_part parts[MAX_PAIRS];
    luaL_checktype(L, 2, LUA_TTABLE);
    daub_http_request r = {
        .url = text_field(L, 2, "url"),
        .method = text_field(L, 2, "method"),
        .file = text_field(L, 2, "file"),
        .sync = flag_field(L, 2, "sync"),
        .unhashed = flag_field(L, 2, "unhashed"),
        .public_only = flag_field(L, 2, "public_only"),
        .first = flag_field(L, 2, "first"),
        .delay = number_field(L, 2, "delay", 0, 0),
        .timeout = number_field(L, 2, "timeout", 0, 0),
        .total_timeout = number_field(L, 2, "total_timeout", 0, 0),
        .max_bytes = whole_field(L, 2, "max_bytes", 0, 0),
        .redirects = read_redirects(L, 2),
    };
    if (!r.url) return luaL_error(L, "http: a request has a url");
    r.body = bytes_field(L, 2, "body", &r.body_size);
    read_headers(L, 2, headers, &r);
    read_form(L, 2, parts, &r);
    int64_t id;
    daub_status status = daub_http_add(http, &r, &id);
    if (status == DAUB_DECODE) { // the address came from the world, too
        lx_fail(L, status);
        lua_pushliteral(L, "url");
        lua_replace(L, -2);
        return 3;
    }
    lx_check(L, status);
    lua_pushnumber(L, (lua_Number)id);
    return 1;
}

static int l_poll(lua_State *L) {
    daub_http *http = check_session(L);
    daub_status status = daub_http_poll(http, luaL_optnumber(L, 2, 0));
    if (status != DAUB_OK) return lx_fail(L, status);
    lua_newtable(L);
    daub_http_result *r;
    for (int i = 1; (r = daub_http_take(http)); i++) {
        push_result(L, r);
        daub_http_result_free(r);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static int l_pending(lua_State *L) {
    lua_pushinteger(L, daub_http_pending(check_session(L)));
    return 1;
}

static int l_cancel(lua_State *L) {
    daub_http *http = check_session(L);
    lua_pushboolean(L, daub_http_cancel(http, lx_check_int64(L, 2)));
    return 1;
}

static int l_hold(lua_State *L) {
    daub_http *http = check_session(L);
    daub_status status = daub_http_hold(http, luaL_checkstring(L, 2), luaL_checknumber(L, 3));
    if (status != DAUB_OK) return lx_fail(L, status);
    lua_pushboolean(L, true);
    return 1;
}

static int l_cap(lua_State *L) {
    daub_http *http = check_session(L);
    int most = (int)luaL_checkinteger(L, 3);
    luaL_argcheck(L, most >= 1, 3, "at least 1 expected");
    daub_status status = daub_http_cap(http, luaL_checkstring(L, 2), most);
    if (status != DAUB_OK) return lx_fail(L, status);
    lua_pushboolean(L, true);
    return 1;
}

static int l_close(lua_State *L) {
    daub_http **http = luaL_checkudata(L, 1, HTTP_SESSION);
    daub_http_close(*http);
    *http = NULL;
    return 0;
}

static int l_escape(lua_State *L) {
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < size; i++) {
        static const char hex[] = "0123456789ABCDEF";
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~", c));
        if (!plain) {
            luaL_addchar(&b, '%');
            luaL_addchar(&b, hex[c >> 4]);
            luaL_addchar(&b, hex[c & 15]);
        } else {
            luaL_addchar(&b, (char)c);
        }
    }
    luaL_pushresult(&b);
    return 1;
}

// The server times of the world's headers, as libcurl reads them: RFC 9110's three forms.
static int l_date(lua_State *L) {
    time_t t = curl_getdate(luaL_checkstring(L, 1), NULL);
    if (t == (time_t)-1) return 0;
    lua_pushnumber(L, (lua_Number)t);
    return 1;
}

int luaopen_daub_core_http(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"add", l_add},       {"poll", l_poll},  {"pending", l_pending},
        {"cancel", l_cancel}, {"hold", l_hold},  {"cap", l_cap},
        {"close", l_close},   {"__gc", l_close}, {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"session", l_session},
        {"escape", l_escape},
        {"date", l_date},
        {NULL, NULL},
    };
    luaL_newmetatable(L, HTTP_SESSION);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
