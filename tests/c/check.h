// What every C test program uses: CHECK(condition), CHECK_STATUS(expected, call), and at the end
// return check_summary(); which prints "N passed, N failed" and gives the exit status.
#ifndef DAUB_TESTS_CHECK_H
#define DAUB_TESTS_CHECK_H

#include <stdio.h>

#include "base/error.h"

static int check_passed, check_failed;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (condition) {                                                                           \
            check_passed++;                                                                        \
        } else {                                                                                   \
            check_failed++;                                                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                 \
        }                                                                                          \
    } while (0)

#define CHECK_STATUS(expected, call)                                                               \
    do {                                                                                           \
        daub_status check_got = (call);                                                            \
        if (check_got == (expected)) {                                                             \
            check_passed++;                                                                        \
        } else {                                                                                   \
            check_failed++;                                                                        \
            printf("%s:%d: %s gave %s (%s)\n", __FILE__, __LINE__, #call,                          \
                   daub_status_name(check_got), daub_error_message());                             \
        }                                                                                          \
    } while (0)

static inline int check_summary(void) {
    printf("%d passed, %d failed\n", check_passed, check_failed);
    return check_failed != 0;
}

#endif
