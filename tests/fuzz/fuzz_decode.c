// Fuzzes the decoders in this process, where sanitizers see into them (stb_image is compiled in).
//
//     cmake --preset asan && cmake --build --preset asan --target fuzz_decode
//     build/asan/fuzz_decode 1000 FILE …      each file, then 1000 damaged copies of it
//     (after a crash /tmp/fuzz_decode.last holds the copy it died of)
//
// With clang: -fsanitize=fuzzer,address -DDAUB_LIBFUZZER makes a libFuzzer program of it.
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "damage.h"
#include "image/image.h"

#define MOST_BYTES (1 << 20)
#define MOST_PIXELS 4000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    daub_picture_info info;
    uint8_t *rgb;
    if (size > MOST_BYTES) return 0;
    if (daub_picture_decode(data, size, MOST_PIXELS, &info, &rgb) != DAUB_OK) return 0;
    volatile uint8_t last = rgb[info.width * info.height * 3 - 1];
    (void)last;
    daub_free(rgb);
    return 1;
}

#ifndef DAUB_LIBFUZZER
static uint8_t *read_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc(MOST_BYTES);
    *size = f && bytes ? fread(bytes, 1, MOST_BYTES, f) : 0;
    if (f) fclose(f);
    return bytes;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: fuzz_decode COUNT FILE …\n");
        return 2;
    }
    daub_rng rng = daub_rng_seed(1);
    for (int i = 2; i < argc; i++) {
        size_t size;
        uint8_t *bytes = read_file(argv[i], &size);
        int decoded = bytes ? LLVMFuzzerTestOneInput(bytes, size) : 0;
        for (int k = 0; bytes && k < atoi(argv[1]); k++) {
            size_t n = size;
            uint8_t *copy = malloc(n ? n : 1), *exact;
            memcpy(copy, bytes, n);
            damage(copy, &n, &rng);
            exact = malloc(n ? n : 1); // a block of its own size: reads past it are seen
            memcpy(exact, copy, n);
            FILE *last = fopen("/tmp/fuzz_decode.last", "wb"); // what to look at after a crash
            if (last) {
                fwrite(exact, 1, n, last);
                fclose(last);
            }
            decoded += LLVMFuzzerTestOneInput(exact, n);
            free(exact);
            free(copy);
        }
        printf("%s: %d decoded\n", argv[i], decoded);
        free(bytes);
    }
    return 0;
}
#endif
