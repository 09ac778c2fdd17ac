// Operations on arrays. Each fills `out` with a new array unless its name ends in _to (writes into
// an array of the result's shape and dtype, which may be an operand) or says otherwise.
//
//     daub_array y;
//     daub_status s = daub_array_unary(&y, DAUB_TANH, &x);
//
// Operands broadcast and have one dtype; arithmetic works on every dtype but bf16, functions of the
// reals on f32 and f64. Misuse gives DAUB_INVALID and names the operation, the shapes or the
// dtypes.
#ifndef DAUB_ARRAY_OPS_H
#define DAUB_ARRAY_OPS_H

#include "array/array.h"
#include "base/philox.h"
#include "kernel/families/elementwise.h"
#include "kernel/families/reduce.h"

// The names of operations as scripts write them; -1 when there is none.
int daub_unary_parse(const char *name);
int daub_binary_parse(const char *name);
int daub_ternary_parse(const char *name);
int daub_reduce_parse(const char *name);

daub_status daub_array_unary(daub_array *out, daub_unary_op op, const daub_array *a);
daub_status daub_array_unary_to(daub_array *to, daub_unary_op op, const daub_array *a);
daub_status daub_array_binary(daub_array *out, daub_binary_op op, const daub_array *a,
                              const daub_array *b);
daub_status daub_array_binary_to(daub_array *to, daub_binary_op op, const daub_array *a,
                                 const daub_array *b);
daub_status daub_array_ternary(daub_array *out, daub_ternary_op op, const daub_array *a,
                               const daub_array *b, const daub_array *c);
daub_status daub_array_ternary_to(daub_array *to, daub_ternary_op op, const daub_array *a,
                                  const daub_array *b, const daub_array *c);

// Bit d of `over`: dimension d is reduced; it stays with size 1 when `keep`. Sums, products and
// means of integers: i64, i64 and not defined. any and all give u8. The largest of nothing is
// DAUB_INVALID.
daub_status daub_array_reduce(daub_array *out, daub_reduce_op op, const daub_array *a,
                              unsigned over, bool keep);

// [.., m, k] x [.., k, n]; ta, tb: the operand's last two dimensions change places first. f32 and
// f64.
daub_status daub_array_matmul(daub_array *out, const daub_array *a, const daub_array *b, bool ta,
                              bool tb);

// Several arrays in one. concat: dimensions other than `dim` agree. pad: before[d] and after[d]
// more elements in dimension d (negative: fewer), of this value.
daub_status daub_array_concat(daub_array *out, const daub_array *const *arrays, int count, int dim);
daub_status daub_array_flip(daub_array *out, const daub_array *a, unsigned dims);
daub_status daub_array_pad(daub_array *out, const daub_array *a, const int64_t *before,
                           const int64_t *after, double value);

// Arrays of indices are i64 (or i32 where they are read) and hold 1-based positions, as scripts do.
// Every index is checked. The first of equals wins; NaN counts as the largest, or for arg the
// extreme.
daub_status daub_array_arg(daub_array *out, bool largest, const daub_array *a, int dim, bool keep);
daub_status daub_array_sort(daub_array *values, daub_array *indices, const daub_array *a, int dim,
                            bool descending);                                 // stable
daub_status daub_array_cumsum(daub_array *out, const daub_array *a, int dim); // integers give i64

// out[.., k, ..] = a[.., idx[k], ..] and a[.., idx[k], ..] += source[.., k, ..]; idx has one
// dimension.
daub_status daub_array_index_select(daub_array *out, const daub_array *a, int dim,
                                    const daub_array *idx);
daub_status daub_array_index_add(daub_array *a, int dim, const daub_array *idx,
                                 const daub_array *source);
// out[i][j] = a[idx[i][j]][j] for dim 0, a[i][idx[i][j]] for dim 1, and so on; idx may be smaller
// than `a` in the other dimensions. scatter_add is the reverse, with `source` of idx's shape.
daub_status daub_array_gather(daub_array *out, const daub_array *a, int dim, const daub_array *idx);
daub_status daub_array_scatter_add(daub_array *a, int dim, const daub_array *idx,
                                   const daub_array *source);

// Random numbers; `rng` moves on. uniform and normal give f32 or f64, integers any dtype but bf16.
daub_status daub_array_uniform(daub_array *out, daub_rng *rng, daub_dtype dtype, int ndim,
                               const int64_t *shape); // [0, 1)
daub_status daub_array_normal(daub_array *out, daub_rng *rng, daub_dtype dtype, int ndim,
                              const int64_t *shape); // N(0, 1)
daub_status daub_array_integers(daub_array *out, daub_rng *rng, int64_t low, int64_t past_high,
                                daub_dtype dtype, int ndim, const int64_t *shape);
daub_status daub_array_permutation(daub_array *out, daub_rng *rng, int64_t n); // i64, 0 … n-1

#endif
