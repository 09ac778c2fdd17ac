// Copies that turn dimensions around. Private to src/array.
#ifndef DAUB_ARRAY_TRANSPOSE_H
#define DAUB_ARRAY_TRANSPOSE_H

#include <stdbool.h>

#include "array/walk.h"

// Whether `w`, which goes through a target and a source of equal element sizes, copies between
// memory orders so different that daub_transpose is the better way.
bool daub_is_transpose(const daub_walk *w);
daub_status daub_transpose(const daub_walk *w);

#endif
