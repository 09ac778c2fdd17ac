// Unpacking of raw deflate streams (RFC 1951), as members of zip files hold them. zlib's work.
//
//     if (daub_inflate(packed, packed_size, out, size) != DAUB_OK) …
//
// `size` is what the stream is said to hold: never more is written, however much is in it.
#ifndef DAUB_BASE_INFLATE_H
#define DAUB_BASE_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

// DAUB_DECODE: the stream is broken, or holds less or more than `size` bytes. DAUB_NO_MEMORY.
daub_status daub_inflate(const void *data, size_t data_size, void *out, size_t size);

// CRC-32 as in zip files and PNG.
uint32_t daub_crc32(const void *data, size_t size);

#endif
