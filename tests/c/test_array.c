#include "array/array.h"

#include "check.h"

int main(void) {
    daub_array a = {0}, b = {0};
    CHECK_STATUS(DAUB_OK, daub_array_create(&a, DAUB_F32, 2, (int64_t[]){2, 3}));
    CHECK(daub_array_numel(&a) == 6 && a.stride[0] == 3 && daub_array_is_contiguous(&a));
    daub_array_retain(&b, &a);
    daub_array_release(&a);
    CHECK(daub_array_storage_bytes(&b) == 24);
    daub_array_release(&b);
    CHECK_STATUS(DAUB_INVALID, daub_array_create(&a, DAUB_F32, 1, (int64_t[]){-1}));
    CHECK_STATUS(DAUB_INVALID,
                 daub_array_create(&a, DAUB_F64, 3, (int64_t[]){1 << 30, 1 << 30, 1 << 30}));
    return check_summary();
}
