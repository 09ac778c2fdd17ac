// Whole maps in one pass: noise of a learnt strength, sums of products, shifted pictures.
#ifndef DAUB_ARRAY_MAPS_H
#define DAUB_ARRAY_MAPS_H

#include "array/array.h"

// y = x + t w. x: {.., C}, t: {.., 1}, w: {C}; all f32 or all f64.
daub_status daub_array_add_outer(daub_array *y, const daub_array *x, const daub_array *t,
                                 const daub_array *w);
// x += t w, for contiguous x.
daub_status daub_array_add_outer_to(const daub_array *x, const daub_array *t, const daub_array *w);

// sums[n][c] = sum over all places of picture n of a b. a: {N, .., C}, b: of a's shape or with 1 in
// place of C; both f32 or both f64. sums: {N, C}
daub_status daub_array_picture_sums(daub_array *sums, const daub_array *a, const daub_array *b);

// Picture n moved: y[n][i][j] = x[n][i + by[n][0]][j + by[n][1]], 0 where x has no such place.
// x: {N, H, W, C} of any dtype, by: i64 {N, 2}
daub_status daub_array_shift(daub_array *y, const daub_array *x, const daub_array *by);

#endif
