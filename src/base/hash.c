#include "base/hash.h"

#include <openssl/evp.h>
#include <stdio.h>

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
