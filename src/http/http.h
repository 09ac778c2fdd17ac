// Transfers over HTTP: many at once, one attempt each, pulled by polling.
//
//     daub_http *http;
//     if (daub_http_open(&http, &(daub_http_options){.per_host = 4}) != DAUB_OK) …
//     daub_http_request wanted = {.url = "https://example.org/a.jpg", .file = "a.jpg"};
//     daub_http_add(http, &wanted, &id);
//     while (daub_http_pending(http)) {
//         if (daub_http_poll(http, 1.0) == DAUB_INTERRUPTED) break;
//         for (daub_http_result *r; (r = daub_http_take(http)); daub_http_result_free(r)) …
//     }
//     daub_http_close(http);
//
// What a transfer never does: leave http and https (redirects included), go from https back to
// http, send a caller's headers to another origin than the one they were given for, skip the check
// of a certificate, follow a redirect from the public net to this machine or its local network,
// take more bytes than allowed (counted after decompression), or leave half a file under the file's
// name. Proxies come from the environment (http_proxy, https_proxy, all_proxy, no_proxy).
//
// A session belongs to one thread. Requests are copied; what is returned is freed as said below.
#ifndef DAUB_HTTP_HTTP_H
#define DAUB_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "http/address.h"

typedef struct daub_http daub_http; // a session

typedef struct daub_http_options { // zero means the default
    const char *user_agent;        // "daub/VERSION"
    const char *ca_file;           // certificates to trust (PEM) in place of the system's
    int per_host;                  // transfers at once to one origin: 4
    int total;                     // transfers at once: 32
    int max_redirects;             // per transfer: 5
    double timeout;                // seconds without a byte moving: 30
    double total_timeout;          // seconds from start to end: 600
    double connect_timeout;        // seconds: 15
    int64_t max_bytes;             // of one answer: 32 MiB
} daub_http_options;

typedef struct daub_http_pair {
    const char *name, *value;
} daub_http_pair;

typedef struct daub_http_part { // of a multipart form
    const char *name;
    const char *filename; // NULL: a plain field
    const char *type;     // Content-Type, or NULL
    const char *data;
    size_t size;
} daub_http_part;

typedef enum daub_http_redirects {
    DAUB_HTTP_FOLLOW,    // to any origin (but only GET and HEAD leave the first one)
    DAUB_HTTP_SAME_HOST, // within the origin
    DAUB_HTTP_NONE,      // an answer like any other
} daub_http_redirects;

typedef struct daub_http_request {
    const char *url;
    const char *method; // NULL: GET, or POST with a body
    const daub_http_pair *headers;
    int header_count;
    const char *body; // NULL: none
    size_t body_size;
    const daub_http_part *parts; // a multipart form in place of a body
    int part_count;
    const char *file;     // a 2xx answer's body goes here; NULL: into memory, as all other answers
    bool sync;            // fsync the file before it takes its name
    bool unhashed;        // leave out the result's sha256
    bool public_only;     // refuse addresses of this machine and of local networks
    bool first;           // before those waiting for the same origin
    double delay;         // seconds before it may start
    double timeout;       // 0: the session's
    double total_timeout; // 0: the session's
    int64_t max_bytes;    // 0: the session's
    daub_http_redirects redirects;
} daub_http_request;

typedef struct daub_http_header {
    char *name, *value; // name in lower case
} daub_http_header;

// How a transfer ended. With `error`, status and headers are those of the answer that had begun, if
// any.
typedef struct daub_http_result {
    int64_t id;
    char *error;      // NULL: an answer came, whole, whatever its status
    const char *code; // of an error: timeout resolve connect tls cut too-large redirect address
                      // decode io network
    bool retryable;   // the same request may succeed later
    int status;       // 200, 404, … 0: no answer
    daub_http_header *headers;
    int header_count;
    char *body; // NULL: nothing came, or it went to the file
    char *file; // NULL: not written
    int64_t bytes;
    char sha256[65];     // of the body after decompression; empty when not wanted
    char *url;           // after redirects
    const char *version; // "1.0" "1.1" "2" "3", "" before an answer
    double seconds;      // from start to end, waiting for its turn not counted
    daub_zone zone;      // where the answer came from (a proxy's own address is not looked at)
} daub_http_result;

daub_status daub_http_open(daub_http **http, const daub_http_options *options);
void daub_http_close(
    daub_http *http); // drops what is under way, its partial files too; NULL is fine

// DAUB_INVALID: a request no caller should make; DAUB_DECODE: the address is no http(s) URL.
daub_status daub_http_add(daub_http *http, const daub_http_request *request, int64_t *id);

// Moves transfers on until one has ended, nothing is pending or `seconds` are over.
// DAUB_INTERRUPTED within 50 ms of Ctrl-C, or DAUB_OK when that is held; the transfers stay as they
// are.
daub_status daub_http_poll(daub_http *http, double seconds);

daub_http_result *daub_http_take(daub_http *http); // the next that ended, or NULL
void daub_http_result_free(daub_http_result *result);

int daub_http_pending(const daub_http *http);       // added and not yet taken
bool daub_http_cancel(daub_http *http, int64_t id); // false: no such transfer, or ended already

// Starts nothing to the origin of `url` for so many seconds (0: now again). Several holds: the last
// counts.
daub_status daub_http_hold(daub_http *http, const char *url, double seconds);

// At most so many transfers at once to the origin of `url`, for as long as the session lives.
daub_status daub_http_cap(daub_http *http, const char *url, int most);

#endif
