#include "base/inflate.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#define PIECE ((size_t)1 << 30) // zlib counts in unsigned int

static uInt piece(size_t size) {
    return (uInt)(size < PIECE ? size : PIECE);
}

// Until the stream ends, fails or the room is used up.
static int run(z_stream *stream, const Bytef *in, size_t in_left, Bytef *out, size_t out_left) {
    int rc = Z_OK;
    while (rc == Z_OK) {
        uInt in_now = piece(in_left), out_now = piece(out_left);
        stream->next_in = (Bytef *)in;
        stream->avail_in = in_now;
        stream->next_out = out;
        stream->avail_out = out_now;
        rc = inflate(stream, Z_NO_FLUSH);
        in += in_now - stream->avail_in;
        in_left -= in_now - stream->avail_in;
        out += out_now - stream->avail_out;
        out_left -= out_now - stream->avail_out;
    }
    return rc == Z_STREAM_END && out_left == 0 ? Z_OK : rc == Z_MEM_ERROR ? rc : Z_DATA_ERROR;
}

daub_status daub_inflate(const void *data, size_t data_size, void *out, size_t size) {
    Bytef nowhere; // zlib wants an address even when there is no room
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    int rc = inflateInit2(&stream, -MAX_WBITS);
    if (rc == Z_OK) {
        rc = run(&stream, data, data_size, size ? out : &nowhere, size);
        inflateEnd(&stream);
    }
    if (rc == Z_OK) return DAUB_OK;
    if (rc == Z_MEM_ERROR) return daub_fail(DAUB_NO_MEMORY, "inflate: out of memory");
    return daub_fail(DAUB_DECODE, "inflate: the packed data is damaged or not %zu bytes", size);
}

uint32_t daub_crc32(const void *data, size_t size) {
    return (uint32_t)crc32_z(0, data, size);
}
