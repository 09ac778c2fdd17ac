// SHA-256 against FIPS 180-4's examples, whole and in pieces.
#include <string.h>

#include "base/hash.h"
#include "check.h"

int main(void) {
    char hex[DAUB_SHA256_HEX];
    CHECK_STATUS(DAUB_OK, daub_sha256("abc", 3, hex));
    CHECK(!strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    CHECK_STATUS(DAUB_OK, daub_sha256("", 0, hex));
    CHECK(!strcmp(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));

    const char *text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    daub_hash *hash = daub_hash_new();
    for (size_t i = 0; i < strlen(text); i += 7)
        CHECK_STATUS(DAUB_OK, daub_hash_add(hash, text + i, 7));
    CHECK_STATUS(DAUB_OK, daub_hash_end(hash, hex));
    CHECK(!strcmp(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
    daub_hash_free(daub_hash_new());
    daub_hash_free(NULL);
    return check_summary();
}
