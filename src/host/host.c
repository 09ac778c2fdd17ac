#include "host/host.h"

#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/process.h"
#include "host/pairs.h"
#include "lua/lx.h"
#include "lua/lx_interrupt.h"

static bool want_traceback;

void host_set_traceback(bool wanted) {
    want_traceback = wanted;
}

// Wanted by an option before the script, by the environment, or by the script's own --traceback.
static bool traceback_wanted(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, HOST_TRACEBACK);
    bool wanted = lua_toboolean(L, -1) || want_traceback;
    lua_pop(L, 1);
    return wanted;
}

// The folder of the running executable, without a slash at the end.
static bool executable_folder(char folder[PATH_MAX]) {
    const char *executable = daub_process_executable();
    if (!executable) return false;
    snprintf(folder, PATH_MAX, "%s", executable);
    char *slash = strrchr(folder, '/');
    if (slash) *slash = 0;
    return slash;
}

static bool holds_the_library(const char *root) {
    char path[2 * PATH_MAX + 32];
    struct stat info;
    snprintf(path, sizeof path, "%s/lua/daub/cli.lua", root);
    return stat(path, &info) == 0;
}

// Where lua/, scripts/ and examples/ are: beside an installed executable (also when the
// installation was moved), above one in a build folder, else where the build knew them to be.
static bool find_root(char root[PATH_MAX]) {
    char here[PATH_MAX], candidate[2 * PATH_MAX];
    static const char *const relative[] = {DAUB_RELATIVE_DATA_DIR, "../.."};
    for (int i = 0; i < 2 && executable_folder(here); i++) {
        snprintf(candidate, sizeof candidate, "%s/%s", here, relative[i]);
        if (holds_the_library(candidate) && realpath(candidate, root)) return true;
    }
    static const char *const fixed[] = {DAUB_DATA_DIR, DAUB_SOURCE_DIR};
    for (int i = 0; i < 2; i++) {
        if (holds_the_library(fixed[i]) && realpath(fixed[i], root)) return true;
    }
    return false;
}

static void set_paths(lua_State *L, const char *root) {
    lua_getglobal(L, "package");
    lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua;", root, root);
    lua_getfield(L, -2, "path");
    lua_concat(L, 2);
    lua_setfield(L, -2, "path");
    lua_pop(L, 1);
    lua_pushstring(L, root);
    lua_setfield(L, LUA_REGISTRYINDEX, HOST_ROOT);
}

lua_State *host_open(void) {
    char root[PATH_MAX];
    lua_State *L = luaL_newstate();
    if (!L) {
        fputs("daub: no memory for a Lua state\n", stderr);
        return NULL;
    }
    luaL_openlibs(L);
    host_mend_pairs(L);
    lx_preload_modules(L);
    if (!find_root(root)) {
        fprintf(stderr,
                "daub: the folder lua/daub is neither beside the executable nor in %s "
                "(install again)\n",
                DAUB_DATA_DIR);
        lua_close(L);
        return NULL;
    }
    set_paths(L, root);
    lx_interrupt_install(L);
    return L;
}

void host_set_arguments(lua_State *L, int argc, char **argv, int script) {
    lua_newtable(L);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - script);
    }
    lua_setglobal(L, "arg");
}

// The number in the field daub_exit of the error object at the top: daub.cli raises such tables to
// end the program. -1 for other errors.
static int exit_code_of(lua_State *L) {
    if (!lua_istable(L, -1)) return -1;
    lua_getfield(L, -1, "daub_exit");
    int code = lua_isnumber(L, -1) ? (int)lua_tointeger(L, -1) : -1;
    lua_pop(L, 1);
    return code;
}

// Message handler: makes a string of any other error, and adds the way to it where that is wanted.
static int on_error(lua_State *L) {
    lua_settop(L, 1);
    if (exit_code_of(L) >= 0) {
        if (!traceback_wanted(L)) return 1;
        luaL_traceback(L, L, NULL, 1);
        lua_setfield(L, 1, "traceback");
        return 1;
    }
    if (lua_isnil(L, 1)) return 1; // error(): ends the program, all was said
    if (!lua_isstring(L, 1)) {
        if (!luaL_callmeta(L, 1, "__tostring") || !lua_isstring(L, -1))
            lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
        lua_replace(L, 1);
    }
    if (traceback_wanted(L)) luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

static void print_field(lua_State *L, const char *prefix, const char *field) {
    lua_getfield(L, -1, field);
    const char *text = lua_tostring(L, -1);
    if (text && *text) fprintf(stderr, "%s%s\n", prefix, text);
    lua_pop(L, 1);
}

static bool says_interrupted(const char *message) {
    static const char word[] = "interrupted";
    size_t length = strcspn(message, "\n"), size = sizeof word - 1;
    if (length >= size && !memcmp(message + length - size, word, size)) return true;
    return !strcmp(message, "error in error handling"); // it struck a handler written in Lua
}

// A line of progress that stands on the terminal is ended before the error is printed.
static void end_progress(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, "daub.progress");
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "finish");
        if (lua_pcall(L, 0, 0, 0)) lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

// One line; what a message holds beyond it (the places a module was looked for) is part of the
// traceback.
static void print_message(const char *message, bool whole) {
    size_t length = whole ? strlen(message) : strcspn(message, "\n");
    bool cut = message[length] != 0;
    while (cut && length > 0 && strchr(": ", message[length - 1])) length--;
    fprintf(stderr, "daub: %.*s%s\n", (int)length, message,
            cut ? " (--traceback adds the rest)" : "");
}

// Prints the error at the top of the stack, removes it, gives the exit code.
static int report(lua_State *L) {
    end_progress(L);
    int code = exit_code_of(L);
    bool quiet = lx_interrupt_no_reader();
    if (code >= 0) {
        if (!quiet) print_field(L, "daub: ", "message");
        if (!quiet) print_field(L, "", "traceback");
    } else if (lua_isnil(L, -1)) {
        code = HOST_FAILED;
    } else {
        const char *message = lua_tostring(L, -1);
        bool interrupted = daub_interrupt_pending() && says_interrupted(message);
        code = interrupted ? HOST_INTERRUPTED : HOST_FAILED;
        if (interrupted && !traceback_wanted(L)) message = "interrupted";
        if (!quiet || !interrupted) print_message(message, traceback_wanted(L));
    }
    lua_pop(L, 1);
    return code;
}

// What is still in the buffer of standard output gets out, or the reason is told.
static int flush_output(int code) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    if (lx_interrupt_no_reader()) return code;
    fputs("daub: standard output: could not be written\n", stderr);
    return code ? code : HOST_FAILED;
}

int host_call(lua_State *L, int arguments) {
    int base = lua_gettop(L) - arguments;
    lua_pushcfunction(L, on_error);
    lua_insert(L, base);
    int status = lua_pcall(L, arguments, 0, base);
    int code = status ? report(L) : HOST_DONE;
    lua_remove(L, base);
    return flush_output(code);
}

int host_run_loaded(lua_State *L, int load_status) {
    if (load_status) return report(L);
    lua_getglobal(L, "arg");
    int table = lua_gettop(L), count = 0;
    luaL_checkstack(L, (int)lua_objlen(L, table) + 8, "too many arguments");
    for (int i = 1; lua_istable(L, table) && i <= (int)lua_objlen(L, table); i++, count++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return host_call(L, count);
}

int host_call_library(lua_State *L, const char *module, const char *field, const char *argument) {
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    int status = lua_pcall(L, 1, 1, 0);
    if (status) return report(L);
    lua_getfield(L, -1, field);
    lua_remove(L, -2);
    if (argument) lua_pushstring(L, argument);
    return host_call(L, argument != NULL);
}
