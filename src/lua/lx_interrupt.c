#include "lua/lx_interrupt.h"

#include <errno.h>
#include <lauxlib.h>
#include <luajit.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"

// Instructions the catcher of the first error may run before every further one raises.
enum { GRACE = 20000, EXIT_INTERRUPTED = 130 };

// Signal handlers know no context: this is the state they interrupt.
static lua_State *main_state;
static pthread_t main_thread;
static int holds; // of base/interrupt.h, those made by scripts
static atomic_bool raised_once, keep_alive, no_reader;
static atomic_llong last_press; // milliseconds

static void arm(lua_State *L);

static void hook(lua_State *L, lua_Debug *ar) {
    (void)ar;
    if (!daub_interrupt_raised()) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    if (atomic_load(&raised_once))
        arm(L);
    else
        lx_interrupt_raising(L);
    luaL_error(L, "interrupted");
}

// The first time calls are looked at too, as compiled code may do nothing else that shows. Later
// they are not, or the C function that handles the error would be struck.
static void arm(lua_State *L) {
    int calls = atomic_load(&raised_once) ? 0 : LUA_MASKCALL | LUA_MASKRET;
    lua_sethook(L, hook, calls | LUA_MASKCOUNT, 1);
}

void lx_interrupt_raising(lua_State *L) {
    if (atomic_exchange(&raised_once, true)) return;
    // Compiled code does not look at hooks.
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
    lua_sethook(L, hook, LUA_MASKCOUNT, GRACE);
}

int lx_interrupt_holds(void) {
    return holds;
}

int lx_interrupt_set_holds(lua_State *L, int wanted) {
    int before = holds;
    for (; holds < wanted; holds++) daub_interrupt_hold();
    for (; holds > wanted; holds--) daub_interrupt_release();
    if (daub_interrupt_raised()) arm(L);
    return before;
}

void lx_interrupt_clear(lua_State *L) {
    daub_interrupt_clear();
    lua_sethook(L, NULL, 0, 0);
    if (atomic_exchange(&raised_once, false))
        luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_ON);
}

void lx_interrupt_keep_alive(bool keep) {
    atomic_store(&keep_alive, keep);
}

bool lx_interrupt_no_reader(void) {
    return atomic_load(&no_reader);
}

static long long milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

// Async-signal-safe but for lua_sethook, which Lua's own interpreter calls in the same place.
static void on_interrupt(int signal) {
    if (!pthread_equal(pthread_self(), main_thread)) {
        pthread_kill(main_thread, signal);
        return;
    }
    int saved = errno;
    long long now = milliseconds(), before = atomic_exchange(&last_press, now);
    if (before && now - before < 2000 && daub_interrupt_pending() && !atomic_load(&keep_alive))
        _exit(EXIT_INTERRUPTED);
    daub_interrupt_set();
    if (!atomic_load(&raised_once)) arm(main_state);
    errno = saved;
}

// A write found no reader. When it was standard output's, the work has no purpose any more.
static void on_broken_pipe(int signal) {
    int saved = errno;
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) && !atomic_exchange(&no_reader, true)) {
        atomic_store(&last_press, 0);
        on_interrupt(signal);
    }
    errno = saved;
}

static void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

void lx_interrupt_install(lua_State *L) {
    main_state = L;
    main_thread = pthread_self();
    handle(SIGINT, on_interrupt, 0);
    handle(SIGTERM, on_interrupt, 0);
    handle(SIGPIPE, on_broken_pipe, SA_RESTART);
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) // nohup
        handle(SIGHUP, on_interrupt, 0);
}
