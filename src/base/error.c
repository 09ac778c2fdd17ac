#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char message[512];

daub_status daub_fail(daub_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return status;
}

const char *daub_error_message(void) { return message; }

const char *daub_status_name(daub_status status) {
    static const char *const names[] = {"ok",     "invalid", "memory",     "io",
                                        "decode", "network", "interrupted"};
    return names[status];
}
