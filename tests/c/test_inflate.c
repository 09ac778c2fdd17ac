// Raw deflate: a stream made by hand (RFC 1951, 3.2), cut, too long, too short, of nothing.
#include <string.h>

#include "base/inflate.h"
#include "check.h"

int main(void) {
    // a stored block: final, type 0, length 5 and its complement
    const unsigned char stored[] = {1, 5, 0, 0xfa, 0xff, 'c', 'o', 'v', 'e', 'r'};
    char out[16];
    CHECK_STATUS(DAUB_OK, daub_inflate(stored, sizeof stored, out, 5));
    CHECK(!memcmp(out, "cover", 5));
    CHECK_STATUS(DAUB_DECODE, daub_inflate(stored, sizeof stored, out, 4));
    CHECK_STATUS(DAUB_DECODE, daub_inflate(stored, sizeof stored, out, 6));
    CHECK_STATUS(DAUB_DECODE, daub_inflate(stored, sizeof stored - 1, out, 5));
    CHECK_STATUS(DAUB_DECODE, daub_inflate(stored, 0, out, 5));
    CHECK_STATUS(DAUB_DECODE, daub_inflate("\xff\xff\xff", 3, out, 5));

    const unsigned char nothing[] = {3, 0}; // a fixed block that ends at once
    CHECK_STATUS(DAUB_OK, daub_inflate(nothing, sizeof nothing, out, 0));
    CHECK_STATUS(DAUB_DECODE, daub_inflate(nothing, sizeof nothing, out, 1));
    CHECK(daub_crc32("123456789", 9) == 0xcbf43926); // the check value of every CRC-32
    CHECK(daub_crc32("", 0) == 0);
    return check_summary();
}
