#include "kernel/families/optim.h"

#include <math.h>
#include <stddef.h>

#include "kernel/kernel.h"

// Arrays never overlap: the caller sees to it.
#define EACH(n) _Pragma("GCC ivdep") for (int64_t i = 0; i < (n); i++)

#define SGD(T)                                                                                     \
    static void sgd_##T(void *parameter, const void *gradient, void *buffer, const daub_sgd *o,    \
                        int64_t n) {                                                               \
        T *p = parameter, *b = buffer;                                                             \
        const T *g = gradient;                                                                     \
        const T lr = (T)o->lr, momentum = (T)o->momentum, decay = (T)o->weight_decay;              \
        const T keep = o->first ? 0 : momentum, take = o->first ? 1 : (T)(1 - o->dampening);       \
        if (o->momentum == 0) {                                                                    \
            EACH(n) p[i] -= lr * (g[i] + decay * p[i]);                                            \
            return;                                                                                \
        }                                                                                          \
        if (o->first) EACH(n) b[i] = 0;                                                            \
        const T direct = o->nesterov ? 1 : 0, through = o->nesterov ? momentum : 1;                \
        EACH(n) {                                                                                  \
            T d = g[i] + decay * p[i];                                                             \
            b[i] = keep * b[i] + take * d;                                                         \
            p[i] -= lr * (direct * d + through * b[i]);                                            \
        }                                                                                          \
    }

#define RMSPROP(T, root)                                                                           \
    static void rmsprop_##T(void *parameter, const void *gradient, void *square_avg, void *buffer, \
                            void *grad_avg, const daub_rmsprop *o, int64_t n) {                    \
        T *p = parameter, *s = square_avg, *b = buffer, *a = grad_avg;                             \
        const T *g = gradient;                                                                     \
        const T lr = (T)o->lr, alpha = (T)o->alpha, rest = (T)(1 - o->alpha), eps = (T)o->eps;     \
        const T momentum = (T)o->momentum, decay = (T)o->weight_decay;                             \
        const bool centered = o->centered, heavy = o->momentum > 0;                                \
        EACH(n) {                                                                                  \
            T d = g[i] + decay * p[i];                                                             \
            s[i] = alpha * s[i] + rest * d * d;                                                    \
            T variance = s[i];                                                                     \
            if (centered) {                                                                        \
                a[i] += rest * (d - a[i]);                                                         \
                variance -= a[i] * a[i];                                                           \
            }                                                                                      \
            T move = d / (root(variance) + eps);                                                   \
            if (heavy) move = b[i] = momentum * b[i] + move;                                       \
            p[i] -= lr * move;                                                                     \
        }                                                                                          \
    }

#define ADAM(T, root)                                                                              \
    static void adam_##T(void *parameter, const void *gradient, void *exp_avg, void *exp_avg_sq,   \
                         const daub_adam *o, int64_t n) {                                          \
        T *p = parameter, *m = exp_avg, *v = exp_avg_sq;                                           \
        const T *g = gradient;                                                                     \
        const T rest1 = (T)(1 - o->beta1), beta2 = (T)o->beta2, rest2 = (T)(1 - o->beta2);         \
        const T size = (T)(o->lr / (1 - pow(o->beta1, o->step))), eps = (T)o->eps;                 \
        const T scale = (T)(1 / sqrt(1 - pow(o->beta2, o->step)));                                 \
        const T shrink = o->decoupled ? (T)(1 - o->lr * o->weight_decay) : 1;                      \
        const T decay = o->decoupled ? 0 : (T)o->weight_decay;                                     \
        EACH(n) {                                                                                  \
            T d = g[i] + decay * p[i];                                                             \
            m[i] += rest1 * (d - m[i]);                                                            \
            v[i] = beta2 * v[i] + rest2 * d * d;                                                   \
            p[i] = shrink * p[i] - size * (m[i] / (root(v[i]) * scale + eps));                     \
        }                                                                                          \
    }

#define LERP(T)                                                                                    \
    static void lerp_##T(void *to, const void *from, double weight, int64_t n) {                   \
        T *a = to;                                                                                 \
        const T *b = from, w = (T)weight;                                                          \
        EACH(n) a[i] += w * (b[i] - a[i]);                                                         \
    }

SGD(float)
SGD(double)
RMSPROP(float, sqrtf)
RMSPROP(double, sqrt)
ADAM(float, sqrtf)
ADAM(double, sqrt)
LERP(float)
LERP(double)

#define BOTH(name)                                                                                 \
    { name##_float, name##_double }

const daub_optim_kernels DAUB_KERNEL_TABLE(optim) = {
    .sgd = BOTH(sgd), .rmsprop = BOTH(rmsprop), .adam = BOTH(adam), .lerp = BOTH(lerp)};
