#include "base/dtype.h"

#include <string.h>

static const char *const names[DAUB_DTYPES] = {"f32", "f64", "bf16", "u8", "i32", "i64"};
static const size_t sizes[DAUB_DTYPES] = {4, 8, 2, 1, 4, 8};

size_t daub_dtype_size(daub_dtype dtype) {
    return sizes[dtype];
}

const char *daub_dtype_name(daub_dtype dtype) {
    return names[dtype];
}

bool daub_dtype_parse(const char *name, daub_dtype *dtype) {
    for (int i = 0; i < DAUB_DTYPES; i++) {
        if (strcmp(name, names[i])) continue;
        *dtype = (daub_dtype)i;
        return true;
    }
    return false;
}

bool daub_dtype_is_float(daub_dtype dtype) {
    return dtype == DAUB_F32 || dtype == DAUB_F64;
}
