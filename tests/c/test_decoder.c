// The sandboxed children: order, limits, replacement, and thousands of damaged pictures.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/philox.h"
#include "check.h"
#include "damage.h"
#include "image/decoder.h"

typedef struct encoded {
    uint8_t *data;
    size_t size;
} encoded;

static encoded make(int side, bool noise, char format) {
    encoded e = {0};
    uint8_t *pixels = malloc((size_t)side * side * 3);
    daub_rng rng = daub_rng_seed(7);
    for (int i = 0; i < side * side * 3; i++)
        pixels[i] = noise && i % 4 == 0 ? (uint8_t)daub_rng_next(&rng) : (uint8_t)(i / 3 % side);
    daub_pixels in = {pixels, false, 3, side, side, (int64_t)side * 3};
    CHECK_STATUS(DAUB_OK, format == 'j'   ? daub_encode_jpeg(&in, 90, &e.data, &e.size)
                          : format == 'p' ? daub_encode_png(&in, &e.data, &e.size)
                                          : daub_encode_webp(&in, 80, &e.data, &e.size));
    free(pixels);
    return e;
}

// The children of this thread, from /proc; 0 when there is none or the kernel does not tell.
static pid_t first_child(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "r");
    int pid = 0;
    if (!f) return 0;
    if (fscanf(f, "%d", &pid) != 1) pid = 0;
    fclose(f);
    return pid;
}

static void test_many(void) {
    daub_decoder *d;
    CHECK_STATUS(DAUB_OK, daub_decoder_open(&d, 3, &daub_decode_defaults));
    encoded e[3] = {make(40, false, 'j'), make(50, false, 'p'), make(60, false, 'w')};
    for (int i = 0; i < 30; i++)
        CHECK_STATUS(DAUB_OK, daub_decoder_submit_bytes(d, i, e[i % 3].data, e[i % 3].size));
    CHECK_STATUS(DAUB_OK, daub_decoder_submit_path(d, 30, "/nowhere/at all.png"));
    CHECK_STATUS(DAUB_OK, daub_decoder_submit_path(d, 31, "/"));
    bool seen[32] = {false};
    daub_decoded done;
    bool got = true;
    while (daub_decoder_pending(d) && got) {
        CHECK_STATUS(DAUB_OK, daub_decoder_poll(d, 30, &done, &got));
        if (!got) break;
        CHECK(done.id >= 0 && done.id < 32 && !seen[done.id]);
        seen[done.id] = true;
        if (done.id >= 30) {
            CHECK(done.status == DAUB_IO && !done.rgb);
        } else {
            CHECK(done.status == DAUB_OK && done.info.width == 40 + 10 * (done.id % 3));
        }
        daub_free(done.rgb);
    }
    CHECK(daub_decoder_pending(d) == 0);
    CHECK_STATUS(DAUB_OK, daub_decoder_poll(d, 0, &done, &got));
    CHECK(!got);
    for (int i = 0; i < 3; i++) daub_free(e[i].data);
    daub_decoder_close(d);
    CHECK(first_child() == 0);
}

static void expect_ok(daub_decoder *d, const encoded *e) {
    daub_decoded done;
    bool got;
    CHECK_STATUS(DAUB_OK, daub_decoder_submit_bytes(d, 99, e->data, e->size));
    CHECK_STATUS(DAUB_OK, daub_decoder_poll(d, 30, &done, &got));
    CHECK(got && done.status == DAUB_OK && done.id == 99);
    if (got) daub_free(done.rgb);
}

static void test_limits(void) {
    daub_decoder *d;
    daub_decode_limits limits = daub_decode_defaults;
    daub_decoded done;
    bool got;
    encoded e = make(64, false, 'p');
    limits.max_bytes = 10;
    CHECK_STATUS(DAUB_OK, daub_decoder_open(&d, 1, &limits));
    CHECK_STATUS(DAUB_OK, daub_decoder_submit_bytes(d, 1, e.data, e.size));
    CHECK_STATUS(DAUB_OK, daub_decoder_poll(d, 30, &done, &got));
    CHECK(got && done.status == DAUB_DECODE && strstr(done.message, "over the limit of 10"));
    limits = daub_decode_defaults;
    limits.max_pixels = 1000;
    CHECK_STATUS(DAUB_OK, daub_decoder_limit(d, &limits));
    CHECK_STATUS(DAUB_OK, daub_decoder_submit_bytes(d, 1, e.data, e.size));
    CHECK_STATUS(DAUB_OK, daub_decoder_poll(d, 30, &done, &got));
    CHECK(got && done.status == DAUB_DECODE &&
          !strcmp(done.message, "picture of 64x64 is over the limit of 0.001 megapixels"));
    limits = daub_decode_defaults;
    limits.timeout = 1e-6;
    CHECK_STATUS(DAUB_OK, daub_decoder_limit(d, &limits));
    CHECK_STATUS(DAUB_OK, daub_decoder_submit_bytes(d, 1, e.data, e.size));
    CHECK_STATUS(DAUB_OK, daub_decoder_poll(d, 30, &done, &got));
    CHECK(got && (done.status == DAUB_OK || strstr(done.message, "took longer than")));
    if (got) daub_free(done.rgb);
    CHECK_STATUS(DAUB_OK, daub_decoder_limit(d, &daub_decode_defaults));
    expect_ok(d, &e);
    limits.timeout = 0;
    CHECK_STATUS(DAUB_INVALID, daub_decoder_limit(d, &limits));
    daub_free(e.data);
    daub_decoder_close(d);
}

// Whether the kernel filters the system calls of a process.
static bool is_filtered(pid_t pid) {
    char path[64], line[256];
    bool filtered = false;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strcmp(line, "Seccomp:\t2\n") == 0) filtered = true;
    if (f) fclose(f);
    return filtered;
}

// A file larger than a socket holds keeps the child reading after the first look: time to kill it.
static void test_crash(void) {
    daub_decoder *d;
    daub_decoded done;
    bool got;
    encoded e = make(1200, true, 'p');
    CHECK(e.size > 1 << 20);
    CHECK_STATUS(DAUB_OK, daub_decoder_open(&d, 1, &daub_decode_defaults));
    expect_ok(d, &e); // the child has started
    CHECK_STATUS(DAUB_OK, daub_decoder_submit_bytes(d, 5, e.data, e.size));
    CHECK_STATUS(DAUB_OK, daub_decoder_poll(d, 0, &done, &got));
    pid_t child = first_child();
    if (!got && child > 0) {
        CHECK(is_filtered(child) == (strcmp(daub_decoder_sandbox(), "seccomp") == 0));
        CHECK(kill(child, SIGTERM) == 0);
        CHECK_STATUS(DAUB_OK, daub_decoder_poll(d, 30, &done, &got));
        CHECK(got && done.id == 5 && done.status == DAUB_DECODE);
        CHECK(strstr(done.message, "the decoder crashed on it") != NULL);
    } else {
        printf("the kernel does not list children: crash not tested\n");
    }
    expect_ok(d, &e);
    daub_interrupt_set();
    CHECK_STATUS(DAUB_OK, daub_decoder_submit_bytes(d, 6, e.data, e.size));
    CHECK_STATUS(DAUB_INTERRUPTED, daub_decoder_poll(d, 30, &done, &got));
    daub_interrupt_clear();
    daub_free(e.data);
    daub_decoder_close(d); // with one picture under way
    CHECK(first_child() == 0);
}

// Every damaged picture is answered, and the decoder goes on.
static void test_damaged(void) {
    daub_decoder *d;
    daub_decoded done;
    bool got = true;
    int answers = 0, pictures = 0, crashes = 0, total = 600;
    CHECK_STATUS(DAUB_OK, daub_decoder_open(&d, 2, &daub_decode_defaults));
    encoded e[3] = {make(48, true, 'j'), make(48, true, 'p'), make(48, true, 'w')};
    daub_rng rng = daub_rng_seed(2026);
    for (int i = 0; i < total; i++) {
        const encoded *from = &e[i % 3];
        uint8_t *copy = malloc(from->size);
        size_t size = from->size;
        memcpy(copy, from->data, size);
        damage(copy, &size, &rng);
        CHECK_STATUS(DAUB_OK, daub_decoder_submit_bytes(d, i, copy, size));
        free(copy);
    }
    while (daub_decoder_pending(d) && got) {
        if (daub_decoder_poll(d, 30, &done, &got) != DAUB_OK || !got) break;
        answers++;
        if (done.status == DAUB_OK) pictures++;
        if (done.status != DAUB_OK && strstr(done.message, "the decoder ")) crashes++;
        CHECK(done.status == DAUB_OK || done.message[0]);
        daub_free(done.rgb);
    }
    CHECK(answers == total);
    printf("%d damaged pictures: %d decoded, %d crashed a child\n", total, pictures, crashes);
    expect_ok(d, &e[0]);
    for (int i = 0; i < 3; i++) daub_free(e[i].data);
    daub_decoder_close(d);
}

int main(int argc, char **argv) {
    daub_decode_worker(argc, argv);
    printf("sandbox: %s\n", daub_decoder_sandbox());
    test_many();
    test_limits();
    test_crash();
    test_damaged();
    return check_summary();
}
