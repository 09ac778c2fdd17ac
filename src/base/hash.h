// Hashes and encodings of bytes: SHA-256 (names pictures), HMAC-SHA-1 (signs OAuth 1), base64.
//
//     char hex[DAUB_SHA256_HEX];
//     if (daub_sha256(data, size, hex) != DAUB_OK) …          // all at once
//
//     daub_hash *h = daub_hash_new();                         // NULL and a message: no memory
//     daub_hash_add(h, data, size);                           // any number of times
//     daub_hash_end(h, hex);                                  // the digest; h is used up and freed
//
// The work is OpenSSL's. A hash belongs to one thread at a time.
#ifndef DAUB_BASE_HASH_H
#define DAUB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define DAUB_SHA256_HEX 65 // 64 lower-case hexadecimal digits and a zero
#define DAUB_SHA1_BYTES 20

typedef struct daub_hash daub_hash;

daub_hash *daub_hash_new(void);
daub_status daub_hash_add(daub_hash *hash, const void *data, size_t size);
daub_status daub_hash_end(daub_hash *hash, char hex[DAUB_SHA256_HEX]); // frees hash in any case
void daub_hash_free(daub_hash *hash); // for one given up; NULL is fine

daub_status daub_sha256(const void *data, size_t size, char hex[DAUB_SHA256_HEX]);
// Of a file's bytes. DAUB_IO, DAUB_INTERRUPTED.
daub_status daub_sha256_file(const char *path, char hex[DAUB_SHA256_HEX]);

daub_status daub_hmac_sha1(const void *key, size_t key_size, const void *data, size_t size,
                           uint8_t out[DAUB_SHA1_BYTES]);

// Standard alphabet with padding; `out` takes daub_base64_size(size) bytes, the final 0 included.
size_t daub_base64_size(size_t size);
void daub_base64(const void *data, size_t size, char *out);

#endif
