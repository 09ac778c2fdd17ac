// daub.core.loopback: a tiny HTTP server on 127.0.0.1 that a browser is sent back to after a login.
// One request at a time: accept() gives its target ("/?code=…"), answer() replies and hangs up.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "lua/lx.h"
#include "lua/modules.h"

#define LISTENER "daub.loopback"
enum { REQUEST_SIZE = 8192, SLICE_MILLISECONDS = 50, REQUEST_SECONDS = 5 };

typedef struct listener {
    int fd, client; // -1: none
    int port;
} listener;

static listener *check_listener(lua_State *L) {
    listener *l = luaL_checkudata(L, 1, LISTENER);
    if (l->fd < 0) luaL_error(L, "loopback: closed");
    return l;
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static int fail(lua_State *L, const char *message, const char *code) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    lua_pushstring(L, code);
    return 3;
}

static int l_listen(lua_State *L) {
    int wanted = (int)luaL_checkinteger(L, 1);
    luaL_argcheck(L, wanted >= 0 && wanted < 65536, 1, "a port expected");
    listener *l = lua_newuserdata(L, sizeof *l);
    *l = (listener){-1, -1, 0};
    luaL_getmetatable(L, LISTENER);
    lua_setmetatable(L, -2);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wanted)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&address, size) || listen(l->fd, 8) ||
        getsockname(l->fd, (struct sockaddr *)&address, &size)) {
        lua_pushfstring(L, "127.0.0.1: cannot listen: %s", strerror(errno));
        return fail(L, lua_tostring(L, -1), "io");
    }
    l->port = ntohs(address.sin_port);
    return 1;
}

static int l_port(lua_State *L) {
    lua_pushinteger(L, check_listener(L)->port);
    return 1;
}

// Waits in slices, so that Ctrl-C is noticed: 1 ready, 0 time is over, -1 interrupted.
static int wait_readable(int fd, double ends) {
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, SLICE_MILLISECONDS) > 0) return 1;
        if (daub_interrupt_pending()) return -1;
        if (daub_clock() >= ends) return 0;
    }
}

// The target of the request the client sends: "GET TARGET HTTP/1.1". False when it sends none.
static bool read_target(int client, char *target, size_t size) {
    char request[REQUEST_SIZE];
    size_t used = 0;
    double ends = daub_clock() + REQUEST_SECONDS;
    while (used < sizeof request - 1 && wait_readable(client, ends) == 1) {
        ssize_t n = recv(client, request + used, sizeof request - 1 - used, 0);
        if (n <= 0) break;
        used += (size_t)n;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n")) {
            char *end = strpbrk(request + 4, " \r");
            if (strncmp(request, "GET /", 5) || !end || (size_t)(end - request - 4) >= size)
                return false;
            *end = '\0';
            memcpy(target, request + 4, strlen(request + 4) + 1);
            return true;
        }
    }
    return false;
}

static int l_accept(lua_State *L) {
    listener *l = check_listener(L);
    double ends = daub_clock() + luaL_checknumber(L, 2);
    char target[REQUEST_SIZE];
    close_fd(&l->client);
    for (;;) {
        int ready = wait_readable(l->fd, ends);
        if (ready < 0) return fail(L, "interrupted", "interrupted");
        if (ready == 0) return fail(L, "nobody came", "timeout");
        l->client = accept(l->fd, NULL, NULL);
        if (l->client < 0) continue;
        fcntl(l->client, F_SETFD, FD_CLOEXEC);
        if (read_target(l->client, target, sizeof target)) break;
        close_fd(&l->client);
    }
    lua_pushstring(L, target);
    return 1;
}

static int l_answer(lua_State *L) {
    listener *l = check_listener(L);
    int status = (int)luaL_checkinteger(L, 2);
    size_t size;
    const char *text = luaL_checklstring(L, 3, &size);
    if (l->client < 0) return lx_misuse(L, "loopback: nobody waits for an answer");
    lua_pushfstring(L,
                    "HTTP/1.1 %d daub\r\nContent-Type: text/plain; charset=utf-8\r\n"
                    "Content-Length: %d\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n%s",
                    status, (int)size, text);
    const char *whole = lua_tolstring(L, -1, &size);
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(l->client, whole + sent, size - sent, MSG_NOSIGNAL);
        if (n <= 0) break; // the browser went away: it has no use for the answer
        sent += (size_t)n;
    }
    shutdown(l->client, SHUT_WR);
    close_fd(&l->client);
    return 0;
}

static int l_close(lua_State *L) {
    listener *l = luaL_checkudata(L, 1, LISTENER);
    close_fd(&l->client);
    close_fd(&l->fd);
    return 0;
}

int luaopen_daub_core_loopback(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"port", l_port},   {"accept", l_accept}, {"answer", l_answer},
        {"close", l_close}, {"__gc", l_close},    {NULL, NULL},
    };
    static const luaL_Reg functions[] = {{"listen", l_listen}, {NULL, NULL}};
    luaL_newmetatable(L, LISTENER);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
