// daub.core.system: child processes.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/process.h"
#include "lua/l_system.h"

#define PROCESS "daub.process"
enum { READ_SIZE = 65536, MAX_ARGUMENTS = 4096 };

static daub_process *check_process(lua_State *L) {
    return luaL_checkudata(L, 1, PROCESS);
}

static daub_stream stream_option(lua_State *L, const char *key) {
    daub_stream stream = {DAUB_STREAM_INHERIT, NULL};
    if (lua_isnoneornil(L, 2)) return stream;
    lua_getfield(L, 2, key);
    const char *value = lua_tostring(L, -1); // the options table keeps it alive
    if (!value && !lua_isnil(L, -1))
        luaL_error(L, "spawn: %s: \"pipe\", \"null\" or a path expected", key);
    if (!value)
        stream.kind = DAUB_STREAM_INHERIT;
    else if (!strcmp(value, "pipe"))
        stream.kind = DAUB_STREAM_PIPE;
    else if (!strcmp(value, "null"))
        stream.kind = DAUB_STREAM_NULL;
    else if (!strcmp(value, "stdout") && !strcmp(key, "stderr"))
        stream.kind = DAUB_STREAM_OUT;
    else
        stream = (daub_stream){DAUB_STREAM_FILE, value};
    lua_pop(L, 1);
    return stream;
}

static void check_option_names(lua_State *L) {
    static const char *const known[] = {"stdin", "stdout", "stderr", "directory"};
    if (lua_isnoneornil(L, 2)) return;
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        bool found = false;
        for (int i = 0; i < 4 && lua_type(L, -2) == LUA_TSTRING; i++)
            found = found || !strcmp(lua_tostring(L, -2), known[i]);
        if (!found) luaL_error(L, "spawn: options are stdin, stdout, stderr and directory");
    }
}

static int l_spawn(lua_State *L) {
    lua_settop(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    check_option_names(L);
    size_t count = lua_objlen(L, 1);
    luaL_argcheck(L, count >= 1 && count <= MAX_ARGUMENTS, 1,
                  "list of a program and its arguments");
    const char **argv = lua_newuserdata(L, (count + 1) * sizeof *argv);
    argv[count] = NULL;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING) luaL_argerror(L, 1, "list of strings expected");
        argv[i] = lua_tostring(L, -1); // the list keeps it alive
        lua_pop(L, 1);
    }
    daub_process_streams streams = {stream_option(L, "stdin"), stream_option(L, "stdout"),
                                    stream_option(L, "stderr")};
    const char *directory = NULL;
    if (!lua_isnoneornil(L, 2)) {
        lua_getfield(L, 2, "directory");
        directory = luaL_optstring(L, -1, NULL);
    }
    daub_process *p = lua_newuserdata(L, sizeof *p);
    *p = (daub_process){.pid = -1, .in = -1, .out = -1, .err = -1, .ended = true};
    luaL_getmetatable(L, PROCESS);
    lua_setmetatable(L, -2);
    daub_status status = daub_process_start(p, argv, &streams, directory);
    return status == DAUB_OK ? 1 : lx_system_result(L, status);
}

static int l_pid(lua_State *L) {
    lua_pushinteger(L, check_process(L)->pid);
    return 1;
}

static int l_wait(lua_State *L) {
    daub_process *p = check_process(L);
    bool ended;
    daub_status status = daub_process_wait(p, luaL_optnumber(L, 2, -1), &ended);
    if (status != DAUB_OK) return lx_system_result(L, status);
    if (!ended) {
        lua_pushnil(L);
        lua_pushfstring(L, "process %d: still running", (int)p->pid);
        lua_pushliteral(L, "timeout");
        return 3;
    }
    lua_pushinteger(L, p->code);
    return 1;
}

static int l_kill(lua_State *L) {
    static const struct {
        const char *name;
        int signal;
    } signals[] = {{"term", SIGTERM}, {"kill", SIGKILL}, {"int", SIGINT},   {"hup", SIGHUP},
                   {"stop", SIGSTOP}, {"cont", SIGCONT}, {"usr1", SIGUSR1}, {NULL, 0}};
    daub_process *p = check_process(L);
    const char *name = luaL_optstring(L, 2, "term");
    for (int i = 0; signals[i].name; i++) {
        if (!strcmp(name, signals[i].name))
            return lx_system_result(L, daub_process_kill(p, signals[i].signal));
    }
    return luaL_argerror(L, 2,
                         "\"term\", \"kill\", \"int\", \"hup\", \"stop\", \"cont\" or \"usr1\"");
}

// 1 when the descriptor is ready, 0 when the time is over, -1 on Ctrl-C. Negative seconds: for
// ever.
static int await(int fd, short events, double seconds) {
    double until = daub_clock() + seconds;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        double left = seconds < 0 ? 1 : until - daub_clock();
        if (poll(&p, 1, left > 0.02 ? 20 : left > 0 ? 1 : 0) > 0) return 1;
        if (daub_interrupt_raised()) return -1;
        if (left <= 0) return 0;
    }
}

static int read_from(lua_State *L, int fd) {
    if (fd < 0) return luaL_error(L, "process: this stream was not opened as \"pipe\"");
    int ready = await(fd, POLLIN, luaL_optnumber(L, 2, -1));
    if (ready < 0) return lx_fail(L, daub_fail(DAUB_INTERRUPTED, "interrupted"));
    if (ready == 0) {
        lua_pushnil(L);
        lua_pushliteral(L, "process: nothing to read yet");
        lua_pushliteral(L, "timeout");
        return 3;
    }
    char *buffer = lua_newuserdata(L, READ_SIZE);
    ssize_t n;
    do n = read(fd, buffer, READ_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0) return lx_fail(L, daub_fail(DAUB_IO, "process: %s", strerror(errno)));
    if (n == 0)
        lua_pushnil(L);
    else
        lua_pushlstring(L, buffer, (size_t)n);
    return 1;
}

static int l_read(lua_State *L) {
    return read_from(L, check_process(L)->out);
}
static int l_read_error(lua_State *L) {
    return read_from(L, check_process(L)->err);
}

static int l_write(lua_State *L) {
    daub_process *p = check_process(L);
    size_t left;
    const char *bytes = luaL_checklstring(L, 2, &left);
    if (p->in < 0) return luaL_error(L, "process: stdin was not opened as \"pipe\"");
    while (left > 0) {
        if (await(p->in, POLLOUT, -1) < 0)
            return lx_fail(L, daub_fail(DAUB_INTERRUPTED, "interrupted"));
        ssize_t n = write(p->in, bytes, left < 4096 ? left : 4096); // never blocks after POLLOUT
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return lx_fail(L, daub_fail(DAUB_IO, "process: %s", strerror(errno)));
        bytes += n;
        left -= (size_t)n;
    }
    return lx_system_result(L, DAUB_OK);
}

static int l_close_stdin(lua_State *L) {
    daub_process *p = check_process(L);
    if (p->in >= 0) close(p->in);
    p->in = -1;
    return 0;
}

static int l_close(lua_State *L) {
    daub_process_close(check_process(L));
    return 0;
}

static const luaL_Reg methods[] = {
    {"pid", l_pid},
    {"wait", l_wait},
    {"kill", l_kill},
    {"read", l_read},
    {"read_error", l_read_error},
    {"write", l_write},
    {"close_stdin", l_close_stdin},
    {"close", l_close},
    {NULL, NULL},
};

void lx_system_processes(lua_State *L) {
    lua_pushcfunction(L, l_spawn);
    lua_setfield(L, -2, "spawn");
    luaL_newmetatable(L, PROCESS);
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
