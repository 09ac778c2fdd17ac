// A URL taken apart, as far as transfers need it.
//
//     daub_url url;
//     if (daub_url_parse(&url, text) != DAUB_OK) …         // not http(s), no host, credentials
//     inside puts(url.shown);                                     // for messages: without the
//     query's secrets daub_url_free(&url);
#ifndef DAUB_HTTP_URL_H
#define DAUB_HTTP_URL_H

#include <stdbool.h>

#include "base/error.h"

typedef struct daub_url {
    char *text;   // whole and normalised, what is sent
    char *origin; // "https://host:443": equal for equal scheme, host and port
    char *host;   // lower-case, an IPv6 address in brackets
    char *shown;  // "https://host/path", without query and fragment
    bool secure;  // https
} daub_url;

// Fills all fields or none (then they are NULL): DAUB_DECODE says what is wrong with the text.
// Spaces and bytes beyond ASCII are percent-encoded; control characters are refused.
daub_status daub_url_parse(daub_url *url, const char *text);

void daub_url_free(daub_url *url); // leaves an empty url

#endif
