// Ctrl-C as a sticky flag that every long loop polls.
//
//     if (daub_interrupt_raised()) return daub_fail(DAUB_INTERRUPTED, "interrupted");
//
// A training loop holds interrupts while it steps, polls daub_interrupt_pending() between steps, saves
// and leaves: no operation is then cut in half. Async-signal-safe and thread-safe throughout.
#ifndef DAUB_BASE_INTERRUPT_H
#define DAUB_BASE_INTERRUPT_H

#include <stdbool.h>

void daub_interrupt_set(void);     // what the signal handler calls
void daub_interrupt_clear(void);   // the REPL, before each new line
bool daub_interrupt_pending(void); // Ctrl-C came, held or not
bool daub_interrupt_raised(void);  // Ctrl-C came and nobody holds it: stop now
void daub_interrupt_hold(void);    // nests
void daub_interrupt_release(void);

#endif
