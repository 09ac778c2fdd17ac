// One request on its way: options for libcurl, its callbacks, redirects. Used by session.c alone.
#ifndef DAUB_HTTP_TRANSFER_H
#define DAUB_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "http/http.h"
#include "http/sink.h"
#include "http/url.h"

typedef struct daub_transfer {
    // Owned by session.c.
    int64_t id;
    struct daub_transfer *next;     // waiting for the same origin
    struct daub_transfer **all_at;  // where the pointer to this lies in the list of all
    struct daub_transfer *all_next; // list of all
    struct host *host;              // NULL once ended
    double not_before;              // monotonic time
    bool running;                   // libcurl has it

    // What was asked.
    const double *clock;    // the session's: seconds it has been driven
    daub_http_options from; // session options, the request's own put in
    daub_http_redirects redirects;
    bool sync, unhashed;
    char *file;
    char method[12]; // of this hop
    char *body;      // NULL: none; not sent with GET and HEAD
    size_t body_size;
    curl_mime *form;
    struct curl_slist *headers; // for the first origin
    struct curl_slist *plain;   // those that may go to another

    // Where it stands.
    CURL *easy;         // NULL until it starts, or a form is made for it
    daub_url url;       // of this hop
    daub_zone floor;    // nearer addresses are refused
    int hops;           // redirects followed
    bool left_origin;   // a hop went to another origin
    double started;     // clock at the start of this hop
    double spent;       // seconds of the hops before
    double moved;       // clock when the last byte moved
    curl_off_t traffic; // bytes both ways at that time
    daub_sink *sink;    // NULL before the first byte of the body
    int64_t ignored;    // bytes of a redirect's body
    size_t header_bytes;
    char curl_message[CURL_ERROR_SIZE];
    daub_http_result *result;
} daub_transfer;

// DAUB_INVALID, DAUB_DECODE or DAUB_NO_MEMORY, and then *out is NULL.
daub_status daub_transfer_new(daub_transfer **out, const daub_http_request *request,
                              const daub_http_options *options, const double *clock);
void daub_transfer_free(daub_transfer *t);

// Readies the easy handle for the hop that comes next. False: the address is not allowed, the
// result is ready.
bool daub_transfer_prepare(daub_transfer *t);

// What libcurl said at a hop's end. True: the result is ready. False: a redirect, t->url is the
// next hop.
bool daub_transfer_end(daub_transfer *t, CURLcode code);

// Ends with an error unless one is there already (the first tells the cause).
void daub_transfer_fail(daub_transfer *t, const char *code, bool retryable, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
