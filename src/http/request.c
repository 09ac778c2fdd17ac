// Making a transfer of a request: everything a caller may not ask for is refused here.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/transfer.h"

static daub_status no_memory(void) {
    return daub_fail(DAUB_NO_MEMORY, "http: no memory for a request");
}

static bool is_token(const char *text) {
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return *text && text[strspn(text, allowed)] == '\0';
}

// A line break in a value would begin a header of its own.
static bool is_value(const char *text) {
    for (const char *c = text; *c; c++)
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f) return false;
    return true;
}

static bool listed(const char *const *list, const char *name) {
    for (; *list; list++)
        if (!strcasecmp(*list, name)) return true;
    return false;
}

static daub_status append(struct curl_slist **list, const char *line) {
    struct curl_slist *grown = curl_slist_append(*list, line);
    if (!grown) return no_memory();
    *list = grown;
    return DAUB_OK;
}

// Another origin is told what kind of answer is wanted, and nothing a caller may have meant as
// secret.
static daub_status add_header(daub_transfer *t, const daub_http_pair *h) {
    static const char *const own[] = {"host",       "content-length", "transfer-encoding",
                                      "connection", "expect",         "accept-encoding",
                                      NULL};
    static const char *const harmless[] = {"accept",        "accept-language",   "user-agent",
                                           "if-none-match", "if-modified-since", NULL};
    if (!is_token(h->name))
        return daub_fail(DAUB_INVALID, "http: \"%.60s\" is no header name", h->name);
    if (!is_value(h->value))
        return daub_fail(DAUB_INVALID,
                         "http: the value of header %.60s has a line break or another "
                         "control character in it",
                         h->name);
    if (listed(own, h->name))
        return daub_fail(DAUB_INVALID, "http: header %.60s is set by the transfer itself", h->name);
    size_t size = strlen(h->name) + strlen(h->value) + 3;
    char *line = malloc(size);
    if (!line) return no_memory();
    strcpy(line, h->name);
    strcat(line, *h->value ? ": " : ";"); // libcurl's way to write an empty header
    strcat(line, h->value);
    daub_status status = append(&t->headers, line);
    if (status == DAUB_OK && listed(harmless, h->name)) status = append(&t->plain, line);
    free(line);
    return status;
}

static daub_status add_form(daub_transfer *t, const daub_http_request *request) {
    t->easy = curl_easy_init(); // other transfers get theirs when they start
    t->form = t->easy ? curl_mime_init(t->easy) : NULL;
    if (!t->form) return no_memory();
    for (int i = 0; i < request->part_count; i++) {
        const daub_http_part *from = &request->parts[i];
        if (!is_value(from->name) || (from->filename && !is_value(from->filename)) ||
            (from->type && !is_value(from->type)))
            return daub_fail(DAUB_INVALID,
                             "http: a form's name, file name or type has a line break or "
                             "another control character in it");
        curl_mimepart *to = curl_mime_addpart(t->form);
        if (!to || curl_mime_name(to, from->name) || curl_mime_data(to, from->data, from->size) ||
            (from->filename && curl_mime_filename(to, from->filename)) ||
            (from->type && curl_mime_type(to, from->type)))
            return no_memory();
    }
    return DAUB_OK;
}

static daub_status set_method(daub_transfer *t, const daub_http_request *request) {
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};
    bool carries = request->body || request->part_count;
    const char *method = request->method ? request->method : carries ? "POST" : "GET";
    if (!listed(methods, method) || strlen(method) >= sizeof t->method)
        return daub_fail(DAUB_INVALID,
                         "http: method %.20s is none of GET HEAD POST PUT PATCH DELETE", method);
    for (size_t i = 0; i <= strlen(method); i++)
        t->method[i] = method[i] >= 'a' && method[i] <= 'z' ? (char)(method[i] - 32) : method[i];
    if (request->body && request->part_count)
        return daub_fail(DAUB_INVALID, "http: a request has a body or a form, not both");
    if (carries && (!strcmp(t->method, "GET") || !strcmp(t->method, "HEAD")))
        return daub_fail(DAUB_INVALID, "http: a %s carries no body", t->method);
    return DAUB_OK;
}

static daub_status copy_body(daub_transfer *t, const daub_http_request *request) {
    if (!request->body) return DAUB_OK;
    t->body = malloc(request->body_size + 1);
    if (!t->body) return no_memory();
    memcpy(t->body, request->body, request->body_size);
    t->body_size = request->body_size;
    return DAUB_OK;
}

static daub_status fill(daub_transfer *t, const daub_http_request *request) {
    daub_status status = daub_url_parse(&t->url, request->url);
    if (status == DAUB_OK) status = set_method(t, request);
    if (status == DAUB_OK) status = append(&t->headers, "Expect:");
    if (status == DAUB_OK) status = append(&t->plain, "Expect:");
    for (int i = 0; i < request->header_count && status == DAUB_OK; i++)
        status = add_header(t, &request->headers[i]);
    if (status == DAUB_OK && request->part_count) status = add_form(t, request);
    if (status == DAUB_OK) status = copy_body(t, request);
    if (status != DAUB_OK) return status;
    t->redirects = request->redirects;
    t->sync = request->sync;
    t->unhashed = request->unhashed;
    t->floor = request->public_only ? DAUB_ZONE_PUBLIC : DAUB_ZONE_LOOPBACK;
    if (request->timeout > 0) t->from.timeout = request->timeout;
    if (request->total_timeout > 0) t->from.total_timeout = request->total_timeout;
    if (request->max_bytes > 0) t->from.max_bytes = request->max_bytes;
    if (request->file && !(t->file = strdup(request->file))) return no_memory();
    return DAUB_OK;
}

daub_status daub_transfer_new(daub_transfer **out, const daub_http_request *request,
                              const daub_http_options *options, const double *clock) {
    *out = NULL;
    daub_transfer *t = calloc(1, sizeof *t);
    if (!t) return no_memory();
    t->from = *options;
    t->clock = clock;
    t->result = calloc(1, sizeof *t->result);
    if (t->result) t->result->version = "";
    daub_status status = t->result ? fill(t, request) : no_memory();
    if (status == DAUB_OK)
        *out = t;
    else
        daub_transfer_free(t);
    return status;
}

void daub_transfer_free(daub_transfer *t) {
    if (!t) return;
    if (t->easy) curl_easy_cleanup(t->easy);
    curl_mime_free(t->form);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->plain);
    daub_sink_free(t->sink);
    daub_url_free(&t->url);
    daub_http_result_free(t->result);
    free(t->body);
    free(t->file);
    free(t);
}
