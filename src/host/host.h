// The Lua state of the process: opened with everything scripts rely on in place.
//
//     lua_State *L = host_open();
//     int code = host_run_loaded(L, luaL_loadfile(L, "my.lua"));   // 0, 1, or 130 after Ctrl-C
//     lua_close(L);
//
// One per process: signal handlers refer to it.
#ifndef DAUB_HOST_HOST_H
#define DAUB_HOST_HOST_H

#include <lua.h>
#include <stdbool.h>

#define HOST_ROOT                                                                                  \
    "daub.root" // key in the registry: the folder that holds lua/, scripts/, examples/
#define HOST_TRACEBACK "daub.traceback" // key in the registry: true when tracebacks are wanted

enum { HOST_DONE = 0, HOST_FAILED = 1, HOST_USAGE = 2, HOST_INTERRUPTED = 130 };

// Opens the libraries, puts the sound pairs and next in place, finds lua/ and scripts/ beside the
// executable, handles signals. NULL and a line on standard error when that is impossible.
lua_State *host_open(void);

// Errors come with their Lua traceback on standard error.
void host_set_traceback(bool wanted);

// The global `arg`: argv[script] is arg[0], what follows arg[1] …, what precedes has negative
// indices.
void host_set_arguments(lua_State *L, int argc, char **argv, int script);

// Calls the function below its n arguments, reports an error on standard error in one line and
// returns the exit code. Results are dropped.
int host_call(lua_State *L, int arguments);

// Reports the status of a load (the chunk or the message is on the stack), then runs the chunk with
// the entries of `arg` as its arguments.
int host_run_loaded(lua_State *L, int load_status);

// require(name).field(argument …): calls a library function that the host is built of.
int host_call_library(lua_State *L, const char *module, const char *field, const char *argument);

#endif
