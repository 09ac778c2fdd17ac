#include "http/url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// "scheme:" of a text, or as much of it as tells what it is; never its query.
static const char *excerpt(const char *text, char out[48]) {
    size_t n = strcspn(text, "?#");
    if (n > 44) n = 44;
    for (size_t i = 0; i < n; i++) out[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
    memcpy(out + n, text[n] ? "…" : "", text[n] ? sizeof "…" : 1);
    return out;
}

static char *part(CURLU *u, CURLUPart what, unsigned flags) {
    char *text = NULL;
    return curl_url_get(u, what, &text, flags) == CURLUE_OK ? text : NULL;
}

static char *joined(const char *scheme, const char *host, const char *separator, const char *rest) {
    size_t size = strlen(scheme) + strlen(host) + strlen(separator) + strlen(rest) + 4;
    char *out = malloc(size);
    if (out) snprintf(out, size, "%s://%s%s%s", scheme, host, separator, rest);
    return out;
}

static daub_status fill(daub_url *url, CURLU *u, const char *text) {
    char seen[48];
    char *whole = part(u, CURLUPART_URL, 0), *scheme = part(u, CURLUPART_SCHEME, 0);
    char *host = part(u, CURLUPART_HOST, 0), *path = part(u, CURLUPART_PATH, 0);
    char *port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    char *user = part(u, CURLUPART_USER, 0), *password = part(u, CURLUPART_PASSWORD, 0);
    daub_status status = DAUB_OK;

    if (scheme && strcmp(scheme, "http") && strcmp(scheme, "https")) {
        status = daub_fail(DAUB_DECODE, "url: only http and https are fetched, not %.20s", scheme);
    } else if (!whole || !scheme || !host || !path || !port || !*host) {
        status = daub_fail(DAUB_DECODE, "url: \"%s\" is not of the form https://host/path",
                           excerpt(text, seen));
    } else if (user || password) {
        status = daub_fail(DAUB_DECODE,
                           "url: a user name and password do not belong in the "
                           "address of %.100s (send an Authorization header)",
                           host);
    } else {
        for (char *c = host; *c; c++) *c = (char)tolower((unsigned char)*c);
        url->secure = !strcmp(scheme, "https");
        url->text = strdup(whole);
        url->host = strdup(host);
        url->origin = joined(scheme, host, ":", port);
        bool usual = !strcmp(port, url->secure ? "443" : "80");
        char at[300];
        snprintf(at, sizeof at, "%.280s%s%.8s", host, usual ? "" : ":", usual ? "" : port);
        url->shown = joined(scheme, at, "", path);
        if (!url->text || !url->host || !url->origin || !url->shown) {
            daub_url_free(url);
            status = daub_fail(DAUB_NO_MEMORY, "url: no memory");
        }
    }
    char *parts[] = {whole, scheme, host, path, port, user, password};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) curl_free(parts[i]);
    return status;
}

daub_status daub_url_parse(daub_url *url, const char *text) {
    char seen[48];
    memset(url, 0, sizeof *url);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return daub_fail(DAUB_DECODE, "url: \"%s\" has a control character in it",
                             excerpt(text, seen));
    CURLU *u = curl_url();
    if (!u) return daub_fail(DAUB_NO_MEMORY, "url: no memory");
    CURLUcode code = curl_url_set(u, CURLUPART_URL, text,
                                  CURLU_URLENCODE | CURLU_ALLOW_SPACE | CURLU_NON_SUPPORT_SCHEME);
    daub_status status = code == CURLUE_OK
                             ? fill(url, u, text)
                             : daub_fail(DAUB_DECODE,
                                         "url: \"%s\" is not of the form "
                                         "https://host/path (%s)",
                                         excerpt(text, seen), curl_url_strerror(code));
    curl_url_cleanup(u);
    return status;
}

void daub_url_free(daub_url *url) {
    free(url->text);
    free(url->origin);
    free(url->host);
    free(url->shown);
    memset(url, 0, sizeof *url);
}
