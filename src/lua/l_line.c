// daub.core.line: a line editor (libedit) and protected calls for the REPL.
#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "base/interrupt.h"
#include "lua/lx.h"
#include "lua/lx_interrupt.h"
#include "lua/modules.h"

#define EDITOR "daub.editor"
enum { HISTORY_LINES = 2000, PROMPT_SIZE = 64, PATH_SIZE = 4096, POLL_MILLISECONDS = 50 };

typedef struct editor {
    lua_State *L; // of the call of read that is going on: completion runs in it
    EditLine *line;
    History *history;
    int completer; // reference to a Lua function, LUA_NOREF without one
    char prompt[PROMPT_SIZE];
    char path[PATH_SIZE]; // of the history file, empty without one
} editor;

static editor *check_editor(lua_State *L) {
    editor *e = luaL_checkudata(L, 1, EDITOR);
    if (!e->line) luaL_error(L, "editor: closed");
    return e;
}

static editor *editor_of(EditLine *line) {
    editor *e = NULL;
    el_get(line, EL_CLIENTDATA, &e);
    return e;
}

static char *prompt_of(EditLine *line) {
    return editor_of(line)->prompt;
}

// The terminal was resized, or is ours again after Ctrl-Z and fg.
static volatile sig_atomic_t terminal_changed;

static void on_terminal_change(int signal) {
    (void)signal;
    terminal_changed = 1;
}

static void adapt_to_terminal(EditLine *line) {
    terminal_changed = 0;
    el_resize(line);
    el_set(line, EL_PREP_TERM, 0); // it may have been in other hands
    el_set(line, EL_PREP_TERM, 1);
    el_set(line, EL_REFRESH);
}

// One byte of standard input: 1, 0 at the end, -1 on failure or Ctrl-C. Polling sees a Ctrl-C that
// comes just before the wait.
static int read_byte(EditLine *line, char *byte) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        if (daub_interrupt_pending()) return -1;
        if (terminal_changed) adapt_to_terminal(line);
        if (poll(&input, 1, POLL_MILLISECONDS) <= 0) continue;
        ssize_t n = read(STDIN_FILENO, byte, 1);
        if (n >= 0 || errno != EINTR) return (int)n;
    }
}

// What libedit reads characters with.
static int read_character(EditLine *line, wchar_t *character) {
    mbstate_t state = {0};
    char byte;
    for (;;) {
        int n = read_byte(line, &byte);
        if (n <= 0) return n;
        size_t used = mbrtowc(character, &byte, 1, &state);
        if (used <= 1) return 1;
        if (used == (size_t)-1) memset(&state, 0, sizeof state); // no letter here: skipped
    }
}

// Tab: the completer gets the text before the cursor and gives what to insert and what to show
// below.
static unsigned char complete(EditLine *line, int key) {
    (void)key;
    editor *e = editor_of(line);
    lua_State *L = e->L;
    const LineInfo *now = el_line(line);
    if (e->completer == LUA_NOREF) return CC_ERROR;
    unsigned char result = CC_ERROR;
    lua_rawgeti(L, LUA_REGISTRYINDEX, e->completer);
    lua_pushlstring(L, now->buffer, (size_t)(now->cursor - now->buffer));
    if (lua_pcall(L, 1, 2, 0)) {
        lua_pop(L, 1);
        return result;
    }
    const char *insert = lua_tostring(L, -2), *show = lua_tostring(L, -1);
    if (insert && *insert && el_insertstr(line, insert) == 0) result = CC_REFRESH;
    if (show) {
        printf("\n%s\n", show);
        fflush(stdout);
        result = CC_REDISPLAY;
    }
    lua_pop(L, 2);
    return result;
}

// editor(history path or nil, completer or nil)
static int l_editor(lua_State *L) {
    const char *path = luaL_optstring(L, 1, "");
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_argcheck(L, strlen(path) < PATH_SIZE, 1, "path too long");
    lua_settop(L, 2);
    setlocale(LC_CTYPE, ""); // libedit reads UTF-8 only where the locale says so
    if (strcmp(nl_langinfo(CODESET), "UTF-8")) setlocale(LC_CTYPE, "C.UTF-8");
    editor *e = lua_newuserdata(L, sizeof *e);
    memset(e, 0, sizeof *e);
    e->completer = LUA_NOREF;
    luaL_getmetatable(L, EDITOR);
    lua_setmetatable(L, -2);
    e->line = el_init("daub", stdin, stdout, stderr);
    e->history = history_init();
    if (!e->line || !e->history) return luaL_error(L, "editor: no memory");
    snprintf(e->path, sizeof e->path, "%s", path);
    HistEvent event;
    history(e->history, &event, H_SETSIZE, HISTORY_LINES);
    history(e->history, &event, H_SETUNIQUE, 1);
    if (*path) history(e->history, &event, H_LOAD, path); // none yet: nothing to load
    el_set(e->line, EL_CLIENTDATA, e);
    el_set(e->line, EL_PROMPT, prompt_of);
    el_set(e->line, EL_GETCFN, read_character);
    el_set(e->line, EL_EDITOR, "emacs");
    el_set(e->line, EL_HIST, history, e->history);
    el_set(e->line, EL_ADDFN, "daub-complete", "completes names", complete);
    el_set(e->line, EL_BIND, "^I", "daub-complete", NULL);
    el_set(e->line, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(e->line, NULL); // ~/.editrc
    if (!lua_isnil(L, 2)) {
        lua_pushvalue(L, 2);
        e->completer = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    struct sigaction change = {.sa_handler = on_terminal_change, .sa_flags = SA_RESTART};
    sigaction(SIGWINCH, &change, NULL);
    sigaction(SIGCONT, &change, NULL);
    lx_interrupt_keep_alive(true);
    return 1;
}

// The line without its end; nil at the end of input; false after Ctrl-C.
static int l_read(lua_State *L) {
    editor *e = check_editor(L);
    snprintf(e->prompt, sizeof e->prompt, "%s", luaL_checkstring(L, 2));
    e->L = L;
    lx_interrupt_clear(L);
    el_resize(e->line);
    el_set(e->line, EL_PREP_TERM, 1); // before the prompt, or a quick Ctrl-D is lost
    int length = 0;
    const char *text = el_gets(e->line, &length);
    if (daub_interrupt_pending()) {
        lx_interrupt_clear(L);
        el_set(e->line, EL_PREP_TERM, 0);
        puts("^C");
        lua_pushboolean(L, 0);
    } else if (!text || length <= 0) {
        lua_pushnil(L);
    } else {
        if (text[length - 1] == '\n') length--;
        lua_pushlstring(L, text, (size_t)length);
    }
    return 1;
}

// Adds a line to the history and saves it.
static int l_remember(lua_State *L) {
    editor *e = check_editor(L);
    HistEvent event;
    history(e->history, &event, H_ENTER, luaL_checkstring(L, 2));
    if (!*e->path) return 0;
    mode_t mask = umask(077); // what one types is nobody else's business
    history(e->history, &event, H_SAVE, e->path);
    umask(mask);
    return 0;
}

static int l_close(lua_State *L) {
    editor *e = luaL_checkudata(L, 1, EDITOR);
    if (e->line) el_end(e->line);
    if (e->history) history_end(e->history);
    if (e->completer != LUA_NOREF) luaL_unref(L, LUA_REGISTRYINDEX, e->completer);
    e->line = NULL;
    e->history = NULL;
    e->completer = LUA_NOREF;
    return 0;
}

static int add_traceback(lua_State *L) {
    const char *message = lua_tostring(L, 1);
    if (!message) return 1;
    luaL_traceback(L, L, message, 1);
    return 1;
}

// run(f, traceback): pcall(f) that Ctrl-C ends, also where the caller holds interrupts. What f
// leaves behind, pending or held, is undone.
static int l_run(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    bool traceback = lua_toboolean(L, 2);
    lua_settop(L, 1);
    lua_pushcfunction(L, add_traceback);
    lua_insert(L, 1);
    lx_interrupt_clear(L);
    int holds = lx_interrupt_set_holds(L, 0);
    int status = lua_pcall(L, 0, LUA_MULTRET, traceback ? 1 : 0);
    lx_interrupt_set_holds(L, holds);
    lx_interrupt_clear(L);
    lua_pushboolean(L, status == 0);
    lua_replace(L, 1);
    return lua_gettop(L);
}

static const luaL_Reg functions[] = {
    {"editor", l_editor},
    {"run", l_run},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"read", l_read},
    {"remember", l_remember},
    {"close", l_close},
    {NULL, NULL},
};

int luaopen_daub_core_line(lua_State *L) {
    luaL_newmetatable(L, EDITOR);
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
