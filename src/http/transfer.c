#include "http/transfer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
    MAX_HEADERS = 500,
    MAX_HEADER_BYTES = 256 * 1024,
    MAX_IGNORED = 1024 * 1024, // of a redirect's body
    READ_AT_ONCE = 64 * 1024,  // bytes: libcurl's 16 KiB cost four times as many system calls
};

void daub_transfer_fail(daub_transfer *t, const char *code, bool retryable, const char *format,
                        ...) {
    daub_http_result *r = t->result;
    if (r->error) return;
    char reason[400], text[800];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s %.300s: %s", t->method, t->url.shown, reason);
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c)) *c = ' ';
    r->error = strdup(text);
    r->code = code;
    r->retryable = retryable;
}

// ---- The answer, as it comes -------------------------------------------------------------------

static bool is_redirect(const daub_transfer *t) {
    int s = t->result->status;
    return t->redirects != DAUB_HTTP_NONE &&
           (s == 301 || s == 302 || s == 303 || s == 307 || s == 308);
}

static void drop_headers(daub_http_result *r) {
    for (int i = 0; i < r->header_count; i++) {
        free(r->headers[i].name);
        free(r->headers[i].value);
    }
    r->header_count = 0;
}

static bool add_header(daub_http_result *r, const char *line, size_t size) {
    const char *colon = memchr(line, ':', size);
    if (!colon || colon == line) return true; // not a header: let it pass unread
    const char *value = colon + 1, *end = line + size;
    while (value < end && isspace((unsigned char)*value)) value++;
    while (end > value && isspace((unsigned char)end[-1])) end--;
    if (r->header_count % 32 == 0) {
        size_t room = (size_t)r->header_count + 32;
        daub_http_header *grown = realloc(r->headers, room * sizeof *grown);
        if (!grown) return false;
        r->headers = grown;
    }
    daub_http_header *h = &r->headers[r->header_count];
    h->name = strndup(line, (size_t)(colon - line));
    h->value = strndup(value, (size_t)(end - value));
    if (!h->name || !h->value) {
        free(h->name);
        free(h->value);
        return false;
    }
    for (char *c = h->name; *c; c++) *c = (char)tolower((unsigned char)*c);
    r->header_count++;
    return true;
}

// One line of an answer's head (or of its trailer). Returning less than came ends the transfer.
static size_t on_header(char *line, size_t one, size_t size, void *context) {
    (void)one;
    daub_transfer *t = context;
    daub_http_result *r = t->result;
    t->header_bytes += size;
    if (t->header_bytes > MAX_HEADER_BYTES || r->header_count >= MAX_HEADERS) {
        daub_transfer_fail(t, "too-large", false, "the head of the answer is too long");
        return 0;
    }
    if (size > 5 && !strncmp(line, "HTTP/", 5)) { // a new head: after 1xx, or of the next hop
        const char *space = memchr(line, ' ', size);
        drop_headers(r);
        r->status = space ? atoi(space + 1) : 0;
        return size;
    }
    if (!add_header(r, line, size)) {
        daub_transfer_fail(t, "memory", false, "no memory for the head of the answer");
        return 0;
    }
    return size;
}

static bool open_sink(daub_transfer *t) {
    if (t->sink) return true;
    bool success = t->result->status >= 200 && t->result->status < 300;
    t->sink = daub_sink_open(success ? t->file : NULL, t->sync, t->from.max_bytes, !t->unhashed);
    if (!t->sink) daub_transfer_fail(t, "io", false, "%s", daub_error_message());
    return t->sink != NULL;
}

static size_t on_body(char *data, size_t one, size_t size, void *context) {
    (void)one;
    daub_transfer *t = context;
    if (is_redirect(t)) {
        t->ignored += (int64_t)size;
        if (t->ignored <= MAX_IGNORED) return size;
        daub_transfer_fail(t, "too-large", false, "the body of a redirect is too long");
        return 0;
    }
    if (!open_sink(t)) return 0;
    daub_status status = daub_sink_write(t->sink, data, size);
    if (status == DAUB_OK) return size;
    daub_transfer_fail(t, status == DAUB_INVALID ? "too-large" : daub_status_name(status), false,
                       "%s", daub_error_message());
    return 0;
}

static int on_progress(void *context, curl_off_t total_down, curl_off_t down, curl_off_t total_up,
                       curl_off_t up) {
    (void)total_down;
    (void)total_up;
    daub_transfer *t = context;
    if (down + up != t->traffic) {
        t->traffic = down + up;
        t->moved = *t->clock;
    }
    return 0;
}

// ---- Addresses ---------------------------------------------------------------------------------

static bool is_set(const char *variable) {
    const char *value = getenv(variable);
    return value && *value;
}

// Through a proxy the address seen is the proxy's, which is often, and rightly, a local one. What
// no_proxy lists is reached without it. (Addresses in digits need no look here: prepare does.)
static bool proxied(const daub_transfer *t) {
    static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const secure[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                         NULL};
    const char *const *name = t->url.secure ? secure : plain;
    while (*name && !is_set(*name)) name++;
    return *name && !daub_host_listed(getenv(is_set("no_proxy") ? "no_proxy" : "NO_PROXY"),
                                      t->url.host);
}

static daub_zone zone_of_text(const char *address) {
    char host[80];
    snprintf(host, sizeof host, strchr(address, ':') ? "[%s]" : "%s", address);
    return daub_address_zone_of_host(host);
}

static bool allowed(daub_transfer *t, daub_zone zone) {
    if (zone >= t->floor) return true;
    daub_transfer_fail(t, "address", false, "%s is a %s address, %s", t->url.host,
                       daub_zone_name(zone),
                       t->hops ? "where a redirect from outside must not lead"
                               : "and only public ones are allowed here");
    return false;
}

// Before a new connection is made.
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    daub_transfer *t = context;
    if (!proxied(t) && !allowed(t, daub_address_zone(&address->addr))) return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// Before a request is sent, over a connection that may be an earlier transfer's.
static int on_request(void *context, char *remote, char *local, int remote_port, int local_port) {
    (void)local;
    (void)remote_port;
    (void)local_port;
    daub_transfer *t = context;
    return proxied(t) || allowed(t, zone_of_text(remote)) ? CURL_PREREQFUNC_OK
                                                          : CURL_PREREQFUNC_ABORT;
}

static void note_zone(daub_transfer *t) {
    char *address = NULL;
    daub_zone zone = daub_address_zone_of_host(t->url.host);
    if (!proxied(t) && curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK &&
        address && *address)
        zone = zone_of_text(address);
    t->result->zone = zone;
    if (zone > t->floor) t->floor = zone; // from here on only outward
}

// ---- A hop's beginning -------------------------------------------------------------------------

static int set_method(daub_transfer *t) {
    CURL *e = t->easy;
    int c = curl_easy_setopt(e, CURLOPT_HTTPGET, 1L); // forgets what a hop before had set
    c |= curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
    if (!strcmp(t->method, "GET")) return c;
    if (!strcmp(t->method, "HEAD")) return c | curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    if (t->form) {
        c |= curl_easy_setopt(e, CURLOPT_MIMEPOST, t->form);
    } else if (t->body || !strcmp(t->method, "POST")) {
        c |= curl_easy_setopt(e, CURLOPT_POST, 1L);
        c |= curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->body ? t->body : "");
        c |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_size);
    }
    return c | curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, t->method);
}

static int set_limits(daub_transfer *t) {
    CURL *e = t->easy;
    const daub_http_options *o = &t->from;
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)READ_AT_ONCE); // refused to some used handles
    int c = curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    c |= curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    c |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L); // each hop is checked here
    c |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout * 1000));
    c |= curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE,
                          strcmp(t->method, "HEAD") ? (curl_off_t)o->max_bytes : 0);
    c |= curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (o->ca_file) c |= curl_easy_setopt(e, CURLOPT_CAINFO, o->ca_file);
    c |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    c |= curl_easy_setopt(e, CURLOPT_PIPEWAIT, 1L); // rather share a connection than open another
    c |= curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    c |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    c |= curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); // closing does not wait for a slow resolver
    c |= curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return c;
}

static int set_callbacks(daub_transfer *t) {
    CURL *e = t->easy;
    int c = curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    c |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_message);
    c |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    c |= curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    c |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    c |= curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    c |= curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
    c |= curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
    c |= curl_easy_setopt(e, CURLOPT_XFERINFODATA, t);
    c |= curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    c |= curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
    c |= curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_request);
    c |= curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
    return c;
}

bool daub_transfer_prepare(daub_transfer *t) {
    t->curl_message[0] = '\0';
    t->ignored = 0;
    t->header_bytes = 0;
    t->traffic = 0;
    t->moved = *t->clock;
    t->started = *t->clock;
    if (!allowed(t, daub_address_zone_of_host(t->url.host))) return false;
    int c = set_limits(t) | set_callbacks(t) | set_method(t);
    c |= curl_easy_setopt(t->easy, CURLOPT_URL, t->url.text);
    c |= curl_easy_setopt(t->easy, CURLOPT_USERAGENT, t->from.user_agent);
    c |= curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->left_origin ? t->plain : t->headers);
    if (c) daub_transfer_fail(t, "memory", false, "libcurl took an option amiss");
    return !c;
}

// ---- A hop's end -------------------------------------------------------------------------------

static void fail_by_curl(daub_transfer *t, CURLcode code) {
    static const struct {
        CURLcode code;
        const char *name;
        bool retryable;
    } known[] = {
        {CURLE_COULDNT_RESOLVE_HOST, "resolve", true},
        {CURLE_COULDNT_RESOLVE_PROXY, "resolve", true},
        {CURLE_COULDNT_CONNECT, "connect", true},
        {CURLE_OPERATION_TIMEDOUT, "connect", true}, // the only timeout libcurl watches
        {CURLE_PARTIAL_FILE, "cut", true},
        {CURLE_GOT_NOTHING, "cut", true},
        {CURLE_SEND_ERROR, "network", true},
        {CURLE_RECV_ERROR, "network", true},
        {CURLE_HTTP2, "network", true},
        {CURLE_HTTP2_STREAM, "network", true},
        {CURLE_SSL_CONNECT_ERROR, "tls", true},
        {CURLE_PEER_FAILED_VERIFICATION, "tls", false},
        {CURLE_SSL_CACERT_BADFILE, "tls", false},
        {CURLE_FILESIZE_EXCEEDED, "too-large", false},
        {CURLE_BAD_CONTENT_ENCODING, "decode", false},
        {CURLE_OUT_OF_MEMORY, "memory", false},
    };
    const char *message = t->curl_message[0] ? t->curl_message : curl_easy_strerror(code);
    if (code == CURLE_FILESIZE_EXCEEDED) {
        daub_transfer_fail(t, "too-large", false, "more than %lld bytes",
                           (long long)t->from.max_bytes);
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code) {
            daub_transfer_fail(t, known[i].name, known[i].retryable, "%s", message);
            return;
        }
    daub_transfer_fail(t, "network", false, "%s", message);
}

// 303 always, 301 and 302 after POST: the next hop is a GET without a body (RFC 9110, 15.4).
static void change_method(daub_transfer *t) {
    int s = t->result->status;
    bool post = !strcmp(t->method, "POST"), head = !strcmp(t->method, "HEAD");
    if ((s == 303 && !head) || ((s == 301 || s == 302) && post)) strcpy(t->method, "GET");
}

// Why the redirect to `next` is not followed, or an empty string.
static void judge(const daub_transfer *t, const daub_url *next, char *why, size_t size) {
    bool leaves = strcmp(next->origin, t->url.origin) != 0;
    bool carries = strcmp(t->method, "GET") && strcmp(t->method, "HEAD");
    why[0] = '\0';
    if (t->hops >= t->from.max_redirects)
        snprintf(why, size, "more than %d redirects", t->from.max_redirects);
    else if (t->url.secure && !next->secure)
        snprintf(why, size, "redirect from https down to http refused");
    else if (leaves && (t->redirects == DAUB_HTTP_SAME_HOST || carries))
        snprintf(why, size, "redirect to another host refused (%.100s)", next->origin);
}

// True when t->url is now the next hop; false when the redirect is refused (the error is set).
static bool follow(daub_transfer *t, const char *location) {
    daub_url next;
    char why[200];
    if (daub_url_parse(&next, location) == DAUB_OK)
        judge(t, &next, why, sizeof why);
    else
        snprintf(why, sizeof why, "redirect refused: %.150s", daub_error_message());
    if (why[0]) {
        daub_transfer_fail(t, "redirect", false, "%s", why);
        daub_url_free(&next);
        return false;
    }
    change_method(t);
    t->left_origin |= strcmp(next.origin, t->url.origin) != 0;
    t->hops++;
    daub_url_free(&t->url);
    t->url = next;
    return true;
}

static void note_answer(daub_transfer *t) {
    daub_http_result *r = t->result;
    if (!open_sink(t)) return;
    if (daub_sink_finish(t->sink) != DAUB_OK) {
        daub_transfer_fail(t, "io", false, "%s", daub_error_message());
        return;
    }
    r->bytes = t->sink->bytes;
    memcpy(r->sha256, t->sink->sha256, sizeof r->sha256);
    r->file = t->sink->path;
    r->body = t->sink->data;
    t->sink->path = NULL;
    t->sink->data = NULL;
}

static void note_version(daub_transfer *t) {
    long version = 0;
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    t->result->version = version == CURL_HTTP_VERSION_1_0   ? "1.0"
                         : version == CURL_HTTP_VERSION_1_1 ? "1.1"
                         : version == CURL_HTTP_VERSION_2_0 ? "2"
                         : version == CURL_HTTP_VERSION_3   ? "3"
                                                            : "";
}

bool daub_transfer_end(daub_transfer *t, CURLcode code) {
    daub_http_result *r = t->result;
    char *location = NULL;
    if (code != CURLE_OK && !r->error) fail_by_curl(t, code);
    note_version(t);
    if (!r->error) {
        note_zone(t);
        if (is_redirect(t)) curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &location);
        if (!location)
            note_answer(t);
        else if (follow(t, location))
            return false;
    }
    return true;
}
