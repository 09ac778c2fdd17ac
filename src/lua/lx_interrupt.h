// Ctrl-C, SIGTERM and a vanished reader of standard output, on the Lua side.
//
// The signal handler sets the flag of base/interrupt.h, which C loops poll, and arms a debug hook
// that raises "interrupted" in Lua code. The flag stays set, so a pcall cannot swallow it: after
// the first error whoever caught it has a moment to hold interrupts and clean up, then every
// further instruction raises again. While interrupts are held nothing is raised; the error comes
// with their release. Compiled loops that never leave pure Lua do not see the hook: a second Ctrl-C
// within two seconds ends the process with exit code 130.
#ifndef DAUB_LUA_LX_INTERRUPT_H
#define DAUB_LUA_LX_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

// Installs the signal handlers; L is the main state and this thread the one that runs it.
void lx_interrupt_install(lua_State *L);

// To be called before an "interrupted" error of a C function: it counts as the first error.
void lx_interrupt_raising(lua_State *L);

// How often scripts hold interrupts now: set to `holds`; returns what it was. With 0 a pending
// interrupt is raised at the next instruction.
int lx_interrupt_set_holds(lua_State *L, int holds);
int lx_interrupt_holds(void);

// Forgets a pending interrupt: the REPL, before each line.
void lx_interrupt_clear(lua_State *L);

// At the REPL no number of Ctrl-C ends the process.
void lx_interrupt_keep_alive(bool keep);

// Nobody reads standard output any more: the process ends without a word.
bool lx_interrupt_no_reader(void);

#endif
