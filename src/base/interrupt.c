#include "base/interrupt.h"

#include <stdatomic.h>

static atomic_bool pending;
static atomic_int holders;

void daub_interrupt_set(void) { atomic_store(&pending, true); }
void daub_interrupt_clear(void) { atomic_store(&pending, false); }
bool daub_interrupt_pending(void) { return atomic_load(&pending); }
bool daub_interrupt_raised(void) { return atomic_load(&pending) && atomic_load(&holders) == 0; }
void daub_interrupt_hold(void) { atomic_fetch_add(&holders, 1); }
void daub_interrupt_release(void) { atomic_fetch_sub(&holders, 1); }
