#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"

// A daub_hash is an EVP_MD_CTX under a name that keeps OpenSSL out of our headers.
static EVP_MD_CTX *context(daub_hash *hash) {
    return (EVP_MD_CTX *)hash;
}

daub_hash *daub_hash_new(void) {
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (c && EVP_DigestInit_ex(c, EVP_sha256(), NULL)) return (daub_hash *)c;
    EVP_MD_CTX_free(c);
    daub_fail(DAUB_NO_MEMORY, "sha256: no memory for a hash");
    return NULL;
}

daub_status daub_hash_add(daub_hash *hash, const void *data, size_t size) {
    if (EVP_DigestUpdate(context(hash), data, size)) return DAUB_OK;
    return daub_fail(DAUB_NO_MEMORY, "sha256: the hash refused %zu bytes", size);
}

daub_status daub_hash_end(daub_hash *hash, char hex[DAUB_SHA256_HEX]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int done = EVP_DigestFinal_ex(context(hash), digest, &size);
    daub_hash_free(hash);
    if (!done || size != 32) return daub_fail(DAUB_NO_MEMORY, "sha256: the hash did not finish");
    for (unsigned i = 0; i < size; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return DAUB_OK;
}

void daub_hash_free(daub_hash *hash) {
    EVP_MD_CTX_free(context(hash));
}

daub_status daub_sha256(const void *data, size_t size, char hex[DAUB_SHA256_HEX]) {
    daub_hash *hash = daub_hash_new();
    if (!hash) return DAUB_NO_MEMORY;
    daub_status status = daub_hash_add(hash, data, size);
    if (status == DAUB_OK) return daub_hash_end(hash, hex);
    daub_hash_free(hash);
    return status;
}

static daub_status add_file(daub_hash *hash, int fd, const char *path) {
    static const size_t chunk = 1 << 20;
    char *buffer = malloc(chunk);
    if (!buffer) return daub_fail(DAUB_NO_MEMORY, "sha256: no memory");
    daub_status status = DAUB_OK;
    for (;;) {
        if (daub_interrupt_raised()) {
            status = daub_fail(DAUB_INTERRUPTED, "interrupted");
            break;
        }
        ssize_t got = read(fd, buffer, chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = daub_fail(DAUB_IO, "%s: %s", path, strerror(errno));
        if (got <= 0) break;
        status = daub_hash_add(hash, buffer, (size_t)got);
        if (status != DAUB_OK) break;
    }
    free(buffer);
    return status;
}

daub_status daub_sha256_file(const char *path, char hex[DAUB_SHA256_HEX]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return daub_fail(DAUB_IO, "%s: %s", path, strerror(errno));
    daub_hash *hash = daub_hash_new();
    daub_status status = hash ? add_file(hash, fd, path) : DAUB_NO_MEMORY;
    close(fd);
    if (status == DAUB_OK) return daub_hash_end(hash, hex);
    daub_hash_free(hash);
    return status;
}

daub_status daub_hmac_sha1(const void *key, size_t key_size, const void *data, size_t size,
                           uint8_t out[DAUB_SHA1_BYTES]) {
    if (key_size > INT_MAX) return daub_fail(DAUB_INVALID, "hmac_sha1: key too long");
    if (!HMAC(EVP_sha1(), key, (int)key_size, data, size, out, NULL))
        return daub_fail(DAUB_NO_MEMORY, "hmac_sha1: this OpenSSL has no SHA-1");
    return DAUB_OK;
}

size_t daub_base64_size(size_t size) {
    return (size + 2) / 3 * 4 + 1;
}

void daub_base64(const void *data, size_t size, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = data;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                     (left > 2 ? in[i + 2] : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[v & 63] : '=';
    }
    *out = 0;
}
