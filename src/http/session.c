// Which transfer goes when: a queue per origin, caps, timeouts, and the loop that drives libcurl.
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "http/transfer.h"

typedef struct host {
    struct host *next;
    char *origin;
    int running;
    int most;             // at once; 0: as the session's options say
    double not_before;    // monotonic time: nothing starts earlier
    daub_transfer *first; // waiting
    daub_transfer **last; // where the next to wait is linked in
} host;

struct daub_http {
    CURLM *multi;
    daub_http_options options;
    char *user_agent, *ca_file;
    double clock;     // seconds driven; a caller's absence counts for a second at most
    double driven_at; // monotonic time of the clock's last move
    int64_t next_id;
    int running, pending;
    host *hosts;  // those with something waiting, running or held
    CURL **spare; // handles ready to be used again, at most options.total
    int spares;
    daub_transfer *all;      // waiting and running
    daub_http_result **done; // ended, not yet taken: done[taken … ended-1]
    int taken, ended, room;
};

// While nobody polls nothing can move, which is no server's fault and must not look like a stall.
static void move_clock(daub_http *http) {
    double now = daub_clock();
    http->clock += fmin(now - http->driven_at, 1.0);
    http->driven_at = now;
}

// ---- Opening and closing -----------------------------------------------------------------------

static void start_curl(void) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void set_defaults(daub_http_options *o) {
    if (!o->user_agent) o->user_agent = "daub/" DAUB_VERSION;
    if (o->per_host <= 0) o->per_host = 4;
    if (o->total <= 0) o->total = 32;
    if (o->max_redirects <= 0) o->max_redirects = 5;
    if (o->timeout <= 0) o->timeout = 30;
    if (o->total_timeout <= 0) o->total_timeout = 600;
    if (o->connect_timeout <= 0) o->connect_timeout = 15;
    if (o->max_bytes <= 0) o->max_bytes = 32 << 20;
}

daub_status daub_http_open(daub_http **out, const daub_http_options *options) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    *out = NULL;
    daub_http *http = calloc(1, sizeof *http);
    if (!http) return daub_fail(DAUB_NO_MEMORY, "http: no memory for a session");
    http->options = *options;
    set_defaults(&http->options);
    http->user_agent = strdup(http->options.user_agent);
    http->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
    http->options.user_agent = http->user_agent;
    http->options.ca_file = http->ca_file;
    http->driven_at = daub_clock();
    http->multi = curl_multi_init();
    http->spare = calloc((size_t)http->options.total, sizeof *http->spare);
    if (!http->multi || !http->spare || !http->user_agent || (options->ca_file && !http->ca_file)) {
        daub_http_close(http);
        return daub_fail(DAUB_NO_MEMORY, "http: no memory for a session");
    }
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->options.total);
    *out = http;
    return DAUB_OK;
}

static void drop(daub_http *http, daub_transfer *t);

void daub_http_close(daub_http *http) {
    if (!http) return;
    while (http->all) drop(http, http->all);
    while (http->hosts) {
        host *h = http->hosts;
        http->hosts = h->next;
        free(h->origin);
        free(h);
    }
    for (daub_http_result *r; (r = daub_http_take(http));) daub_http_result_free(r);
    while (http->spares) curl_easy_cleanup(http->spare[--http->spares]);
    if (http->multi) curl_multi_cleanup(http->multi);
    free(http->spare);
    free(http->done);
    free(http->user_agent);
    free(http->ca_file);
    free(http);
}

// ---- Queues ------------------------------------------------------------------------------------

static host *find_host(daub_http *http, const char *origin) {
    for (host *h = http->hosts; h; h = h->next)
        if (!strcmp(h->origin, origin)) return h;
    host *h = calloc(1, sizeof *h), **end = &http->hosts;
    if (!h || !(h->origin = strdup(origin))) {
        free(h);
        daub_fail(DAUB_NO_MEMORY, "http: no memory for a request");
        return NULL;
    }
    h->last = &h->first;
    while (*end) end = &(*end)->next;
    *end = h; // the origin that came first is served first
    return h;
}

static void forget_idle_hosts(daub_http *http) {
    for (host **at = &http->hosts; *at;) {
        host *h = *at;
        if (h->first || h->running || h->most || h->not_before > http->driven_at) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        free(h->origin);
        free(h);
    }
}

static void enqueue(host *h, daub_transfer *t, bool first) {
    t->host = h;
    t->next = first ? h->first : NULL;
    if (first) {
        if (!h->first) h->last = &t->next;
        h->first = t;
    } else {
        *h->last = t;
        h->last = &t->next;
    }
}

static void dequeue(daub_transfer *t) {
    host *h = t->host;
    daub_transfer **at = &h->first;
    while (*at != t) at = &(*at)->next;
    *at = t->next;
    if (!t->next) h->last = at;
    t->next = NULL;
}

// A handle for a hop. Making one anew costs more than all its options together.
static CURL *take_handle(daub_http *http) {
    return http->spares ? http->spare[--http->spares] : curl_easy_init();
}

static void give_handle(daub_http *http, daub_transfer *t) {
    if (t->form || http->spares == http->options.total) return; // a form belongs to its handle
    curl_easy_reset(t->easy);
    http->spare[http->spares++] = t->easy;
    t->easy = NULL;
}

static void stop(daub_http *http, daub_transfer *t) {
    if (t->easy) {
        curl_multi_remove_handle(http->multi, t->easy);
        give_handle(http, t);
    }
    t->running = false;
    t->spent += http->clock - t->started;
    t->host->running--;
    http->running--;
}

// Takes a transfer out of everything and frees it.
static void drop(daub_http *http, daub_transfer *t) {
    if (t->running)
        stop(http, t);
    else if (t->host)
        dequeue(t);
    *t->all_at = t->all_next;
    if (t->all_next) t->all_next->all_at = t->all_at;
    http->pending--;
    daub_transfer_free(t);
}

// Moves an ended transfer's result to the list of the ended. There is room: add made it.
static void finish(daub_http *http, daub_transfer *t) {
    daub_http_result *r = t->result;
    t->result = NULL;
    r->id = t->id;
    r->seconds = t->spent + (t->running ? http->clock - t->started : 0);
    r->url = t->url.text;
    t->url.text = NULL;
    drop(http, t);
    http->done[http->ended++] = r;
    http->pending++; // until it is taken
}

// Room for every pending transfer's result, so that ending one cannot fail.
static daub_status make_room(daub_http *http) {
    int waiting = http->ended - http->taken;
    if (http->taken) {
        memmove(http->done, http->done + http->taken, (size_t)waiting * sizeof *http->done);
        http->taken = 0;
        http->ended = waiting;
    }
    if (http->pending + 1 <= http->room) return DAUB_OK;
    int room = http->room ? http->room * 2 : 64;
    void *grown = realloc(http->done, (size_t)room * sizeof *http->done);
    if (!grown) return daub_fail(DAUB_NO_MEMORY, "http: no memory for a request");
    http->done = grown;
    http->room = room;
    return DAUB_OK;
}

daub_status daub_http_add(daub_http *http, const daub_http_request *request, int64_t *id) {
    daub_transfer *t;
    daub_status status = make_room(http);
    if (status == DAUB_OK) status = daub_transfer_new(&t, request, &http->options, &http->clock);
    if (status != DAUB_OK) return status;
    host *h = find_host(http, t->url.origin);
    if (!h) {
        daub_transfer_free(t);
        return DAUB_NO_MEMORY;
    }
    t->id = *id = ++http->next_id;
    t->not_before = daub_clock() + fmax(request->delay, 0);
    t->all_next = http->all;
    t->all_at = &http->all;
    if (http->all) http->all->all_at = &t->all_next;
    http->all = t;
    http->pending++;
    enqueue(h, t, request->first);
    return DAUB_OK;
}

int daub_http_pending(const daub_http *http) {
    return http->pending;
}

bool daub_http_cancel(daub_http *http, int64_t id) {
    for (daub_transfer *t = http->all; t; t = t->all_next)
        if (t->id == id) {
            drop(http, t);
            return true;
        }
    return false;
}

daub_status daub_http_hold(daub_http *http, const char *text, double seconds) {
    daub_url url;
    daub_status status = daub_url_parse(&url, text);
    if (status != DAUB_OK) return status;
    host *h = find_host(http, url.origin);
    daub_url_free(&url);
    if (!h) return DAUB_NO_MEMORY;
    h->not_before = daub_clock() + fmax(seconds, 0);
    return DAUB_OK;
}

daub_status daub_http_cap(daub_http *http, const char *text, int most) {
    daub_url url;
    daub_status status = daub_url_parse(&url, text);
    if (status != DAUB_OK) return status;
    host *h = find_host(http, url.origin);
    daub_url_free(&url);
    if (!h) return DAUB_NO_MEMORY;
    h->most = most;
    return DAUB_OK;
}

// ---- Driving -----------------------------------------------------------------------------------

static void start(daub_http *http, daub_transfer *t) {
    dequeue(t);
    t->host->running++; // finish and drop undo it by way of `running`
    http->running++;
    t->running = true;
    if (!t->easy && !(t->easy = take_handle(http)))
        daub_transfer_fail(t, "memory", false, "no memory for a transfer");
    else if (daub_transfer_prepare(t) && curl_multi_add_handle(http->multi, t->easy) != CURLM_OK)
        daub_transfer_fail(t, "memory", false, "libcurl took no further transfer");
    if (t->result->error) finish(http, t);
}

static daub_transfer *next_ready(daub_http *http, host *h) {
    int most = h->most ? h->most : http->options.per_host;
    if (h->running >= most || h->not_before > http->driven_at) return NULL;
    daub_transfer *t = h->first;
    while (t && t->not_before > http->driven_at) t = t->next;
    return t;
}

// One transfer of each origin in turn, until the caps are reached.
static void start_ready(daub_http *http) {
    for (bool some = true; some;) {
        some = false;
        for (host *h = http->hosts; h && http->running < http->options.total; h = h->next) {
            daub_transfer *t = next_ready(http, h);
            if (!t) continue;
            start(http, t);
            some = true;
        }
    }
}

// A hop is over: either the transfer has ended, or it waits, as the first, for its turn at the next
// origin.
static void end_hop(daub_http *http, daub_transfer *t, CURLcode code) {
    bool ended = daub_transfer_end(t, code);
    stop(http, t);
    t->host = NULL;
    if (!ended) {
        host *h = find_host(http, t->url.origin);
        if (h) {
            enqueue(h, t, true);
            return;
        }
        daub_transfer_fail(t, "memory", false, "%s", daub_error_message());
    }
    finish(http, t);
}

static void take_messages(daub_http *http) {
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(http->multi, &left));) {
        daub_transfer *t = NULL;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
        end_hop(http, t, code);
    }
}

static void check_timeouts(daub_http *http) {
    for (daub_transfer *t = http->all, *next; t; t = next) {
        next = t->all_next;
        if (!t->running) continue;
        if (http->clock - t->moved > t->from.timeout)
            daub_transfer_fail(t, "timeout", true, "nothing came for %g seconds", t->from.timeout);
        else if (t->spent + http->clock - t->started > t->from.total_timeout)
            daub_transfer_fail(t, "timeout", true, "not done after %g seconds",
                               t->from.total_timeout);
        else
            continue;
        finish(http, t);
    }
}

static void wait_for_traffic(daub_http *http, double seconds) {
    curl_multi_poll(http->multi, NULL, 0, (int)ceil(fmin(seconds, 0.05) * 1000), NULL);
}

// Waits are never longer than 50 ms: Ctrl-C, delays and timeouts are looked at in between. A Ctrl-C
// that is held cuts no transfer short, but the waiting.
daub_status daub_http_poll(daub_http *http, double seconds) {
    double deadline = daub_clock() + fmax(seconds, 0);
    for (double left = seconds;;) {
        int running;
        if (daub_interrupt_raised()) return daub_fail(DAUB_INTERRUPTED, "interrupted");
        move_clock(http);
        if (curl_multi_perform(http->multi, &running) != CURLM_OK)
            return daub_fail(DAUB_NETWORK, "http: libcurl cannot go on");
        take_messages(http);
        check_timeouts(http);
        start_ready(http);
        forget_idle_hosts(http);
        if (http->ended > http->taken || !http->pending || left <= 0) return DAUB_OK;
        wait_for_traffic(http, left);
        left = daub_interrupt_pending() ? 0 : deadline - daub_clock();
    }
}

// ---- Results -----------------------------------------------------------------------------------

daub_http_result *daub_http_take(daub_http *http) {
    if (http->taken == http->ended) return NULL;
    http->pending--;
    return http->done[http->taken++];
}

void daub_http_result_free(daub_http_result *r) {
    if (!r) return;
    for (int i = 0; i < r->header_count; i++) {
        free(r->headers[i].name);
        free(r->headers[i].value);
    }
    free(r->headers);
    free(r->error);
    free(r->body);
    free(r->file);
    free(r->url);
    free(r);
}
