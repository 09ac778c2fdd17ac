// The command line. lua/daub/help.lua prints its usage.
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "host/host.h"
#include "image/decoder.h"

typedef struct options {
    const char *command; // --info, --help or --version: what to do instead of running a script
    bool interactive;    // -i: the REPL follows
    bool worked;         // -e, -l or -v was given: no REPL unless -i
    int script;          // index in argv of the script, argc when there is none
} options;

static int wrong_usage(const char *option, const char *why) {
    fprintf(stderr, "daub: %s: %s (see daub --help)\n", option, why);
    return HOST_USAGE;
}

// Takes one option; *i moves over its value. HOST_DONE or HOST_USAGE.
static int take_option(int argc, char **argv, int *i, options *o) {
    const char *a = argv[*i];
    bool takes_value = !strncmp(a, "-e", 2) || !strncmp(a, "-l", 2);
    if (takes_value) {
        o->worked = true;
        if (!a[2] && ++*i >= argc) return wrong_usage(a, "needs a value");
    } else if (!strcmp(a, "-i"))
        o->interactive = true;
    else if (!strcmp(a, "-v"))
        o->worked = true;
    else if (!strcmp(a, "-h") || !strcmp(a, "--help"))
        o->command = "usage";
    else if (!strcmp(a, "--info"))
        o->command = "info";
    else if (!strcmp(a, "--version"))
        o->command = "version";
    else if (!strcmp(a, "--traceback"))
        host_set_traceback(true);
    else
        o->command = a; // unknown: help.unknown_option names the nearest
    return HOST_DONE;
}

static int parse(int argc, char **argv, options *o) {
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--"); i++) {
        int code = take_option(argc, argv, &i, o);
        if (code) return code;
        if (o->command && o->command[0] == '-') break;
    }
    if (i < argc && !strcmp(argv[i], "--")) i++;
    o->script = i < argc ? i : argc;
    return HOST_DONE;
}

// -e, -l and -v in the order given.
static int run_options(lua_State *L, char **argv, const options *o) {
    for (int i = 1; i < o->script; i++) {
        const char *a = argv[i];
        if (!strcmp(a, "--")) break;
        int code = HOST_DONE;
        if (a[1] == 'e') {
            const char *text = a[2] ? a + 2 : argv[++i];
            code = host_run_loaded(L, luaL_loadbuffer(L, text, strlen(text), "=(command line)"));
        } else if (a[1] == 'l') {
            lua_getglobal(L, "require");
            lua_pushstring(L, a[2] ? a + 2 : argv[++i]);
            code = host_call(L, 1);
        } else if (a[1] == 'v') {
            code = host_call_library(L, "daub.help", "version", NULL);
        }
        if (code) return code;
    }
    return HOST_DONE;
}

static bool is_file(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

// A recipe's name goes before a file of that name in the present folder (./NAME means the file).
static int run_script(lua_State *L, const char *name) {
    char recipe[PATH_MAX];
    if (!strcmp(name, "-")) return host_run_loaded(L, luaL_loadfile(L, NULL));
    if (!strcmp(name, "help")) {
        lua_getglobal(L, "arg");
        lua_rawgeti(L, -1, 1);
        int code = host_call_library(L, "daub.help", "command", lua_tostring(L, -1));
        lua_pop(L, 2);
        return code;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, HOST_ROOT);
    int length = snprintf(recipe, sizeof recipe, "%s/scripts/%s.lua", lua_tostring(L, -1), name);
    lua_pop(L, 1);
    bool plain = name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_")] == 0;
    if (plain && length < PATH_MAX && is_file(recipe))
        return host_run_loaded(L, luaL_loadfile(L, recipe));
    if (plain && !is_file(name)) return host_call_library(L, "daub.help", "unknown", name);
    return host_run_loaded(L, luaL_loadfile(L, name));
}

static int run(lua_State *L, int argc, char **argv, options *o) {
    host_set_arguments(L, argc, argv, o->script < argc ? o->script : 0);
    if (o->command && o->command[0] == '-')
        return host_call_library(L, "daub.help", "unknown_option", o->command);
    if (o->command) return host_call_library(L, "daub.help", o->command, NULL);
    int code = run_options(L, argv, o);
    if (code) return code;
    if (o->script < argc) code = run_script(L, argv[o->script]);
    bool idle = o->script == argc && !o->worked;
    if (o->interactive || (idle && isatty(STDIN_FILENO)))
        return host_call_library(L, "daub.repl", "run", NULL);
    return idle ? host_run_loaded(L, luaL_loadfile(L, NULL)) : code;
}

int main(int argc, char **argv) {
    daub_decode_worker(argc, argv); // does not return when started as a decoding child
    options o = {0};
    const char *traceback = getenv("DAUB_TRACEBACK");
    host_set_traceback(traceback && *traceback && strcmp(traceback, "0"));
    int code = parse(argc, argv, &o);
    if (code) return code;
    if (daub_cpu_check() != DAUB_OK) {
        fprintf(stderr, "daub: %s\n", daub_error_message());
        return HOST_USAGE;
    }
    lua_State *L = host_open();
    if (!L) return HOST_FAILED;
    code = run(L, argc, argv, &o);
    lua_close(L);
    return code;
}
