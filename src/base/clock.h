// Seconds of a clock that never goes back, for measuring and for waiting.
//
//     double until = daub_clock() + 5;
#ifndef DAUB_BASE_CLOCK_H
#define DAUB_BASE_CLOCK_H

double daub_clock(void); // thread-safe

#endif
