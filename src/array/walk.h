// Goes through up to four arrays of one broadcast shape together, in spans of contiguous elements,
// with the pool when there are many. Operand 0 is the one written. Private to src/array.
//
//     daub_walk w;
//     daub_walk_init(&w, out, (const daub_array *[]){a, b}, 2);
//     w.one_allowed = 1u << 1 | 1u << 2;         // span can take a and b as single elements
//     status = daub_walk_run(&w, span, &context);
//
// Spans never depend on the number of threads.
#ifndef DAUB_ARRAY_WALK_H
#define DAUB_ARRAY_WALK_H

#include <string.h>

#include "array/array.h"

#define DAUB_WALK_OPERANDS 4

// p[i] is n contiguous elements of operand i, or one element where bit i of `ones` is set
// (never for all operands read).
typedef void (*daub_span)(const void *context, char *const *p, unsigned ones, int64_t n);

typedef struct daub_walk {
    int operands;
    int ndim; // after neighbouring dimensions were joined, at least 1
    int64_t numel;
    int64_t shape[DAUB_MAX_DIMS];
    int64_t stride[DAUB_WALK_OPERANDS][DAUB_MAX_DIMS]; // in bytes
    char *data[DAUB_WALK_OPERANDS];
    int size[DAUB_WALK_OPERANDS]; // bytes of an element
    unsigned one_allowed;         // operands that span takes as single elements
    bool packed;                  // rows are too short or not contiguous: go by packed blocks
} daub_walk;

// The shapes of `in` must broadcast to that of `out`.
void daub_walk_init(daub_walk *w, const daub_array *out, const daub_array *const *in, int count);
daub_status daub_walk_run(daub_walk *w, daub_span span, const void *context);

// memcpy, without a call where there are only some dozens of bytes.
static inline void daub_copy_row(char *to, const char *from, int64_t bytes) {
    typedef uint32_t sixteen __attribute__((vector_size(16), aligned(1), may_alias));
    if (bytes == 4) {
        memcpy(to, from, 4);
    } else if (bytes < 16 || bytes > 512) {
        memcpy(to, from, (size_t)bytes);
    } else { // the last 16 may be written twice
        for (int64_t i = 0; i + 16 <= bytes; i += 16)
            *(sixteen *)(to + i) = *(const sixteen *)(from + i);
        *(sixteen *)(to + bytes - 16) = *(const sixteen *)(from + bytes - 16);
    }
}

#endif
