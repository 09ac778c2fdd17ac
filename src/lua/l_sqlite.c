// daub.core.sqlite: SQLite for scripts. Used directly; there is no layer of our own below it.
//
// Every prepared statement stays with its connection, which keeps a list of them (sqlite3_next_stmt):
// that list is the statement cache. A statement that is not busy and has the same text is used again.
#include <math.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

#include "lua/lx.h"
#include "lua/modules.h"

#define DATABASE "daub.database"
#define CURSOR "daub.database.cursor"
#define STATEMENTS_KEPT 64
#define EXACT_INTEGER 0x1p53 // beyond this a Lua number is no longer exact

typedef struct database {
    sqlite3 *handle; // NULL once closed
} database;

typedef struct cursor {
    database *owner;         // kept alive by the cursor's environment
    sqlite3_stmt *statement; // NULL once all rows were given
} cursor;

static const char *failure_code(int rc) {
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "busy";
    case SQLITE_CONSTRAINT: return "constraint";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return "corrupt";
    case SQLITE_READONLY:
    case SQLITE_PERM: return "readonly";
    case SQLITE_FULL: return "full";
    case SQLITE_NOMEM: return "memory";
    case SQLITE_INTERRUPT: return "interrupted";
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: return "io";
    default: return "sql";
    }
}

// Pushes nil, message, code of the connection's last failure.
static int push_failure(lua_State *L, sqlite3 *handle, const char *what) {
    int rc = handle ? sqlite3_extended_errcode(handle) : SQLITE_NOMEM;
    const char *message = handle ? sqlite3_errmsg(handle) : "out of memory";
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", what, message);
    lua_pushstring(L, failure_code(rc));
    return 3;
}

static int push_query_failure(lua_State *L, sqlite3 *handle) {
    const char *name = sqlite3_db_filename(handle, "main");
    return push_failure(L, handle, name && *name ? name : "database");
}

static database *check_database(lua_State *L) {
    database *db = luaL_checkudata(L, 1, DATABASE);
    if (!db->handle) luaL_error(L, "database: already closed");
    lua_settop(L, 3); // self, SQL, parameters
    return db;
}

static void close_handle(database *db) {
    if (!db->handle) return;
    sqlite3_stmt *statement;
    while ((statement = sqlite3_next_stmt(db->handle, NULL))) sqlite3_finalize(statement);
    sqlite3_close(db->handle);
    db->handle = NULL;
}

// ---- opening -------------------------------------------------------------------------------------

static int option_integer(lua_State *L, int index, const char *name, int fallback) {
    if (!lua_istable(L, index)) return fallback;
    lua_getfield(L, index, name);
    int value = lua_isnil(L, -1) ? fallback : (int)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return value;
}

static bool option_boolean(lua_State *L, int index, const char *name) {
    if (!lua_istable(L, index)) return false;
    lua_getfield(L, index, name);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

// A database may come from a stranger: its schema must not be able to run anything.
static void harden(sqlite3 *handle) {
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
}

static int l_open(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    int timeout = option_integer(L, 2, "busy_timeout", 5000);
    int flags = option_boolean(L, 2, "readonly") ? SQLITE_OPEN_READONLY
                                                 : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    database *db = lua_newuserdata(L, sizeof *db);
    db->handle = NULL;
    luaL_getmetatable(L, DATABASE);
    lua_setmetatable(L, -2);
    if (sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        int pushed = push_failure(L, db->handle, path);
        close_handle(db);
        return pushed;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, timeout);
    harden(db->handle);
    return 1;
}

static int l_close(lua_State *L) {
    close_handle(luaL_checkudata(L, 1, DATABASE));
    return 0;
}

static int l_database_tostring(lua_State *L) {
    database *db = luaL_checkudata(L, 1, DATABASE);
    lua_pushfstring(L, "database (%s)",
                    db->handle ? sqlite3_db_filename(db->handle, "main") : "closed");
    return 1;
}

// ---- statements ----------------------------------------------------------------------------------

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// The idle statement of this text, or NULL. Lets the first idle one go when too many are kept.
static sqlite3_stmt *find_idle(sqlite3 *handle, const char *sql, size_t length) {
    int kept = 0;
    sqlite3_stmt *spare = NULL;
    for (sqlite3_stmt *s = sqlite3_next_stmt(handle, NULL); s; s = sqlite3_next_stmt(handle, s)) {
        kept++;
        if (sqlite3_stmt_busy(s)) continue;
        const char *text = sqlite3_sql(s);
        if (text && strncmp(text, sql, length) == 0 && text[length] == 0) return s;
        spare = s;
    }
    if (kept >= STATEMENTS_KEPT && spare) sqlite3_finalize(spare);
    return NULL;
}

// One ready statement for the text at index 2; NULL after pushing nil, message, code.
static sqlite3_stmt *prepare(lua_State *L, sqlite3 *handle) {
    size_t length;
    const char *sql = luaL_checklstring(L, 2, &length);
    while (length && is_space(sql[length - 1])) length--;
    sqlite3_stmt *statement = find_idle(handle, sql, length);
    if (statement) return statement;
    const char *tail;
    if (sqlite3_prepare_v2(handle, sql, (int)length, &statement, &tail) != SQLITE_OK) {
        push_query_failure(L, handle);
        return NULL;
    }
    if (!statement) luaL_error(L, "database: empty statement");
    if (tail < sql + length) {
        sqlite3_finalize(statement);
        luaL_error(L, "database: one statement expected (exec takes several)");
    }
    return statement;
}

// Binds the value on top of the stack. Misuse raises.
static void bind_value(lua_State *L, sqlite3_stmt *statement, int parameter) {
    size_t length;
    const char *text;
    lua_Number number;
    int rc = SQLITE_OK;
    switch (lua_type(L, -1)) {
    case LUA_TNIL: rc = sqlite3_bind_null(statement, parameter); break;
    case LUA_TBOOLEAN: rc = sqlite3_bind_int(statement, parameter, lua_toboolean(L, -1)); break;
    case LUA_TNUMBER:
        number = lua_tonumber(L, -1);
        if (!isfinite(number)) luaL_error(L, "database: parameter %d is not finite", parameter);
        if (number == floor(number) && fabs(number) <= EXACT_INTEGER)
            rc = sqlite3_bind_int64(statement, parameter, (sqlite3_int64)number);
        else
            rc = sqlite3_bind_double(statement, parameter, number);
        break;
    case LUA_TSTRING:
        text = lua_tolstring(L, -1, &length);
        rc = sqlite3_bind_text64(statement, parameter, text, length, SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    default:
        luaL_error(L, "database: parameter %d is a %s (string, number, boolean or nil expected)",
                   parameter, luaL_typename(L, -1));
    }
    if (rc != SQLITE_OK) luaL_error(L, "database: parameter %d: %s", parameter, sqlite3_errstr(rc));
}

static void check_parameter_names(lua_State *L, sqlite3_stmt *statement, int count) {
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TNUMBER) {
            if (lua_tonumber(L, -2) > count)
                luaL_error(L, "database: %d parameters expected", count);
            continue;
        }
        if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "database: bad parameter name");
        const char *name = lua_pushfstring(L, ":%s", lua_tostring(L, -2));
        if (!sqlite3_bind_parameter_index(statement, name))
            luaL_error(L, "database: the statement has no parameter %s", name);
        lua_pop(L, 1);
    }
}

// Binds what stands at index 3: nothing, a list, or a map by name.
static void bind_all(lua_State *L, sqlite3_stmt *statement) {
    int count = sqlite3_bind_parameter_count(statement);
    if (lua_isnoneornil(L, 3)) {
        if (count) luaL_error(L, "database: %d parameters expected, none given", count);
        return;
    }
    luaL_checktype(L, 3, LUA_TTABLE);
    check_parameter_names(L, statement, count);
    for (int i = 1; i <= count; i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        if (name && *name != '?') // ?3 is the third of the list
            lua_getfield(L, 3, name + 1);
        else
            lua_rawgeti(L, 3, i);
        bind_value(L, statement, i);
        lua_pop(L, 1);
    }
}

static void push_column(lua_State *L, sqlite3_stmt *statement, int column) {
    sqlite3_int64 integer;
    const void *bytes;
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL: lua_pushnil(L); break;
    case SQLITE_FLOAT: lua_pushnumber(L, sqlite3_column_double(statement, column)); break;
    case SQLITE_INTEGER:
        integer = sqlite3_column_int64(statement, column);
        if (integer > (sqlite3_int64)EXACT_INTEGER || integer < -(sqlite3_int64)EXACT_INTEGER) {
            lua_pushstring(L, sqlite3_column_name(statement, column));
            sqlite3_reset(statement);
            luaL_error(L, "database: column %s holds an integer beyond 2^53 (select it as text)",
                       lua_tostring(L, -1));
        }
        lua_pushnumber(L, (lua_Number)integer);
        break;
    case SQLITE_BLOB:
        bytes = sqlite3_column_blob(statement, column);
        lua_pushlstring(L, bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, column));
        break;
    default:
        bytes = sqlite3_column_text(statement, column);
        lua_pushlstring(L, bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, column));
    }
}

static void push_row(lua_State *L, sqlite3_stmt *statement) {
    int columns = sqlite3_column_count(statement);
    lua_createtable(L, 0, columns);
    for (int i = 0; i < columns; i++) {
        push_column(L, statement, i);
        lua_setfield(L, -2, sqlite3_column_name(statement, i));
    }
}

// ---- queries -------------------------------------------------------------------------------------

static int l_exec(lua_State *L) {
    database *db = check_database(L);
    const char *sql = luaL_checkstring(L, 2);
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return push_query_failure(L, db->handle);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_run(lua_State *L) {
    database *db = check_database(L);
    sqlite3_stmt *statement = prepare(L, db->handle);
    if (!statement) return 3;
    bind_all(L, statement);
    int rc;
    do rc = sqlite3_step(statement);
    while (rc == SQLITE_ROW);
    bool readonly = sqlite3_stmt_readonly(statement);
    int pushed = rc == SQLITE_DONE ? 1 : push_query_failure(L, db->handle);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (pushed == 1)
        lua_pushnumber(L, readonly ? 0 : (lua_Number)sqlite3_changes64(db->handle));
    return pushed;
}

static int l_row(lua_State *L) {
    database *db = check_database(L);
    sqlite3_stmt *statement = prepare(L, db->handle);
    if (!statement) return 3;
    bind_all(L, statement);
    int rc = sqlite3_step(statement), pushed = 1;
    if (rc == SQLITE_ROW)
        push_row(L, statement);
    else if (rc == SQLITE_DONE)
        lua_pushboolean(L, 0);
    else
        pushed = push_query_failure(L, db->handle);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return pushed;
}

// The row under the cursor was read already; gives it and steps on.
static int cursor_next(lua_State *L) {
    cursor *c = lua_touserdata(L, lua_upvalueindex(1));
    if (!c->statement) return 0;
    if (!c->owner->handle) {
        c->statement = NULL;
        return luaL_error(L, "database: closed while its rows were read");
    }
    sqlite3_stmt *statement = c->statement;
    c->statement = NULL; // until the next row is there
    push_row(L, statement);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        c->statement = statement;
        return 1;
    }
    if (rc != SQLITE_DONE) push_query_failure(L, c->owner->handle);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? 1 : luaL_error(L, "%s", lua_tostring(L, -2));
}

static int l_rows(lua_State *L) {
    database *db = check_database(L);
    cursor *c = lua_newuserdata(L, sizeof *c);
    c->owner = db;
    c->statement = NULL;
    luaL_getmetatable(L, CURSOR);
    lua_setmetatable(L, -2);
    lua_createtable(L, 1, 0); // the environment keeps the database alive
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
    sqlite3_stmt *statement = prepare(L, db->handle);
    if (!statement) return 3;
    bind_all(L, statement);
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        c->statement = statement;
    } else if (rc == SQLITE_DONE) {
        sqlite3_reset(statement);
    } else {
        int pushed = push_query_failure(L, db->handle);
        sqlite3_reset(statement);
        return pushed;
    }
    lua_pushcclosure(L, cursor_next, 1);
    return 1;
}

// A loop that was left early ends its statement here.
static int cursor_gc(lua_State *L) {
    cursor *c = luaL_checkudata(L, 1, CURSOR);
    if (c->statement && c->owner->handle) sqlite3_reset(c->statement);
    c->statement = NULL;
    return 0;
}

static int l_last_id(lua_State *L) {
    lua_pushnumber(L, (lua_Number)sqlite3_last_insert_rowid(check_database(L)->handle));
    return 1;
}

static const luaL_Reg module_functions[] = {
    {"open", l_open},
    {NULL, NULL},
};

static const luaL_Reg database_methods[] = {
    {"exec", l_exec},       {"run", l_run},     {"row", l_row}, {"rows", l_rows},
    {"last_id", l_last_id}, {"close", l_close}, {NULL, NULL},
};

int luaopen_daub_core_sqlite(lua_State *L) {
    luaL_newmetatable(L, CURSOR);
    lua_pushcfunction(L, cursor_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newmetatable(L, DATABASE);
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, l_database_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_newtable(L);
    luaL_register(L, NULL, database_methods);
    lua_setfield(L, -2, "__index");
    lua_newtable(L);
    luaL_register(L, NULL, module_functions);
    return 1;
}
