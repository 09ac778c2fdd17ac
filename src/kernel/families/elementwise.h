// Element-by-element loops over contiguous memory.
#ifndef DAUB_KERNEL_ELEMENTWISE_H
#define DAUB_KERNEL_ELEMENTWISE_H

#include "base/dtype.h"

// X(constant, name) for every operation; the constants are DAUB_NEG, …
#define DAUB_UNARY_LIST(X)                                                                         \
    X(NEG, neg)                                                                                    \
    X(ABS, abs)                                                                                    \
    X(SIGN, sign) X(SQUARE, square) X(EXP, exp) X(EXPM1, expm1) X(LOG, log) X(LOG1P, log1p)        \
        X(SQRT, sqrt) X(RSQRT, rsqrt) X(RECIPROCAL, reciprocal) X(SIN, sin) X(COS, cos)            \
            X(TANH, tanh) X(SIGMOID, sigmoid) X(SOFTPLUS, softplus) X(RELU, relu) X(FLOOR, floor)  \
                X(CEIL, ceil) X(ROUND, round) X(TRUNC, trunc) X(ERF, erf) X(ISNAN, isnan)          \
                    X(ISFINITE, isfinite) X(LOGICAL_NOT, logical_not)
#define DAUB_BINARY_LIST(X)                                                                        \
    X(ADD, add)                                                                                    \
    X(SUB, sub)                                                                                    \
    X(MUL, mul) X(DIV, div) X(POW, pow) X(MAX, max) X(MIN, min) X(FMOD, fmod) X(ATAN2, atan2)      \
        X(LEAKY_RELU, leaky_relu) X(TANH_GRAD, tanh_grad) X(SIGMOID_GRAD, sigmoid_grad) X(EQ, eq)  \
            X(NE, ne) X(LT, lt) X(LE, le) X(GT, gt) X(GE, ge)
#define DAUB_TERNARY_LIST(X) X(WHERE, where) X(ADDCMUL, addcmul) X(LEAKY_RELU_GRAD, leaky_relu_grad)
#define DAUB_OP_CONSTANT(constant, name) DAUB_##constant,

// exp log tanh sigmoid … round is to nearest even; the last three give u8.
typedef enum daub_unary_op { DAUB_UNARY_LIST(DAUB_OP_CONSTANT) DAUB_UNARY_OPS } daub_unary_op;
// leaky_relu(x, slope); tanh_grad(y, g) = g (1 - y^2), sigmoid_grad(y, g) = g y (1 - y) with y the
// function's value. Comparisons (from EQ on) give u8. max and min hand a NaN on.
typedef enum daub_binary_op { DAUB_BINARY_LIST(DAUB_OP_CONSTANT) DAUB_BINARY_OPS } daub_binary_op;
// where(u8 condition, a, b); addcmul(a, b, c) = a + b c;
// leaky_relu_grad(x, g, slope) = x > 0 ? g : slope g
typedef enum daub_ternary_op {
    DAUB_TERNARY_LIST(DAUB_OP_CONSTANT) DAUB_TERNARY_OPS
} daub_ternary_op;

// out[i] = f(a[i], …) for i < n. `out` may be one of the operands itself when element sizes agree,
// but must not overlap them otherwise.
typedef void (*daub_map1)(void *out, const void *a, int64_t n);
typedef void (*daub_map2)(void *out, const void *a, const void *b, int64_t n);
typedef void (*daub_map3)(void *out, const void *a, const void *b, const void *c, int64_t n);

// Which operand is a single element instead of n of them.
enum { DAUB_VECTORS, DAUB_LAST_ONE, DAUB_FIRST_ONE, DAUB_MODES };

// NULL where an operation does not exist for a dtype.
typedef struct daub_elementwise_kernels {
    // cast[from][to]. Numbers too large for an integer type become its largest, NaN becomes 0.
    daub_map1 cast[DAUB_DTYPES][DAUB_DTYPES];
    daub_map1 unary[DAUB_UNARY_OPS][DAUB_DTYPES];
    daub_map2 binary[DAUB_BINARY_OPS][DAUB_DTYPES][DAUB_MODES];
    // where is indexed by the dtype of a and b; DAUB_VECTORS and DAUB_LAST_ONE only.
    daub_map3 ternary[DAUB_TERNARY_OPS][DAUB_DTYPES][2];
} daub_elementwise_kernels;

#endif
