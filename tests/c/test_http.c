// Address zones, URLs, where bodies go, and the queues. Answers and their faults are tested from
// Lua, against a server.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "check.h"
#include "http/address.h"
#include "http/http.h"
#include "http/sink.h"
#include "http/url.h"

static daub_zone zone(const char *text) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) return daub_address_zone((void *)&v4);
    CHECK(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1);
    return daub_address_zone((void *)&v6);
}

static void test_zones(void) {
    static const struct {
        const char *text;
        daub_zone zone;
    } cases[] = {
        {"127.0.0.1", DAUB_ZONE_LOOPBACK},
        {"127.255.0.9", DAUB_ZONE_LOOPBACK},
        {"0.0.0.0", DAUB_ZONE_LOOPBACK},
        {"::1", DAUB_ZONE_LOOPBACK},
        {"::", DAUB_ZONE_LOOPBACK},
        {"::ffff:127.0.0.1", DAUB_ZONE_LOOPBACK},
        {"64:ff9b::7f00:1", DAUB_ZONE_LOOPBACK},
        {"10.1.2.3", DAUB_ZONE_PRIVATE},
        {"172.31.255.255", DAUB_ZONE_PRIVATE},
        {"172.32.0.1", DAUB_ZONE_PUBLIC},
        {"192.168.1.1", DAUB_ZONE_PRIVATE},
        {"169.254.169.254", DAUB_ZONE_PRIVATE},
        {"100.64.0.1", DAUB_ZONE_PRIVATE},
        {"224.0.0.1", DAUB_ZONE_PRIVATE},
        {"255.255.255.255", DAUB_ZONE_PRIVATE},
        {"fe80::1", DAUB_ZONE_PRIVATE},
        {"fd00::1", DAUB_ZONE_PRIVATE},
        {"ff02::1", DAUB_ZONE_PRIVATE},
        {"2002:a00:1::1", DAUB_ZONE_PRIVATE},
        {"::ffff:8.8.8.8", DAUB_ZONE_PUBLIC},
        {"8.8.8.8", DAUB_ZONE_PUBLIC},
        {"2606:4700::1111", DAUB_ZONE_PUBLIC},
        {"11.0.0.1", DAUB_ZONE_PUBLIC},
        {"169.253.0.1", DAUB_ZONE_PUBLIC},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(zone(cases[i].text) == cases[i].zone);
        if (zone(cases[i].text) != cases[i].zone) printf("  of %s\n", cases[i].text);
    }
}

static void test_hosts(void) {
    CHECK(daub_address_zone_of_host("localhost") == DAUB_ZONE_LOOPBACK);
    CHECK(daub_address_zone_of_host("LocalHost.") == DAUB_ZONE_LOOPBACK);
    CHECK(daub_address_zone_of_host("a.localhost") == DAUB_ZONE_LOOPBACK);
    CHECK(daub_address_zone_of_host("notlocalhost") == DAUB_ZONE_PUBLIC);
    CHECK(daub_address_zone_of_host("[::1]") == DAUB_ZONE_LOOPBACK);
    CHECK(daub_address_zone_of_host("[fe80::1%25eth0]") == DAUB_ZONE_PRIVATE);
    CHECK(daub_address_zone_of_host("192.168.0.1") == DAUB_ZONE_PRIVATE);
    CHECK(daub_address_zone_of_host("example.org") == DAUB_ZONE_PUBLIC);
    CHECK(daub_address_zone_of_host("") == DAUB_ZONE_PUBLIC);
}

static void test_lists_of_hosts(void) {
    static const char list[] = "example.org, .corp ,box.,127.0.0.1";
    CHECK(daub_host_listed(list, "example.org") && daub_host_listed(list, "a.Example.ORG."));
    CHECK(daub_host_listed(list, "intranet.corp") && daub_host_listed(list, "corp"));
    CHECK(daub_host_listed(list, "box") && daub_host_listed(list, "127.0.0.1"));
    CHECK(!daub_host_listed(list, "anexample.org") && !daub_host_listed(list, "org"));
    CHECK(!daub_host_listed(list, "") && !daub_host_listed("", "a") && !daub_host_listed(NULL, "a"));
    CHECK(daub_host_listed("a, *", "b") && !daub_host_listed(" , .", "b"));
}

// A host that no_proxy lists is reached directly: where it leads is looked at in spite of the proxy.
static void test_past_the_proxy(void) {
    char name[256], url[300];
    int64_t id;
    struct addrinfo *found;
    if (gethostname(name, sizeof name) || getaddrinfo(name, NULL, NULL, &found)) return;
    bool near = daub_address_zone(found->ai_addr) != DAUB_ZONE_PUBLIC;
    freeaddrinfo(found);
    if (!near) return; // a machine that is known by its public address
    snprintf(url, sizeof url, "http://%s:1/", name);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("no_proxy", name, 1);
    daub_http *http;
    CHECK_STATUS(DAUB_OK, daub_http_open(&http, &(daub_http_options){0}));
    CHECK_STATUS(DAUB_OK,
                 daub_http_add(http, &(daub_http_request){.url = url, .public_only = true}, &id));
    CHECK_STATUS(DAUB_OK, daub_http_poll(http, 10));
    daub_http_result *r = daub_http_take(http);
    CHECK(r && r->code && !strcmp(r->code, "address"));
    daub_http_result_free(r);
    daub_http_close(http);
    unsetenv("http_proxy");
    unsetenv("no_proxy");
}

static void test_urls(void) {
    daub_url url;
    CHECK_STATUS(DAUB_OK, daub_url_parse(&url, "HTTPS://Example.ORG/a b/\xc3\xbc?token=x#y"));
    CHECK(!strcmp(url.text, "https://Example.ORG/a%20b/%c3%bc?token=x#y"));
    CHECK(!strcmp(url.origin, "https://example.org:443"));
    CHECK(!strcmp(url.host, "example.org"));
    CHECK(!strcmp(url.shown, "https://example.org/a%20b/%c3%bc"));
    CHECK(url.secure);
    daub_url_free(&url);
    CHECK(!url.text);
    CHECK_STATUS(DAUB_OK, daub_url_parse(&url, "http://[::1]:8080"));
    CHECK(!strcmp(url.origin, "http://[::1]:8080"));
    CHECK(!strcmp(url.shown, "http://[::1]:8080/"));
    daub_url_free(&url);
    CHECK_STATUS(DAUB_OK, daub_url_parse(&url, "http://2130706433/")); // numbers in disguise
    CHECK(!strcmp(url.host, "127.0.0.1"));
    daub_url_free(&url);

    static const char *const bad[] = {
        "",
        "x",
        "//x",
        "http:",
        "http://",

        "ftp://x/",
        "file:///etc/passwd",
        "javascript:1",
        "http://a b/",
        "http://x:0x50/",
        "http://x:70000/",
        "http://u@x/",
        "http://u:p@x/",
        "http://x/\r\nHost: y",
        "http://x/\x7f",
        "http://[::1/",
        "http://x\\y/",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        daub_status status = daub_url_parse(&url, bad[i]);
        CHECK(status == DAUB_DECODE && !url.text);
        if (status != DAUB_DECODE) printf("  of %s\n", bad[i]);
        daub_url_free(&url);
    }
}

static void test_sink(void) {
    char folder[] = "/tmp/daub-test-http-XXXXXX", path[64];
    struct stat st;
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);

    daub_sink *sink = daub_sink_open(NULL, false, 5, true);
    CHECK_STATUS(DAUB_OK, daub_sink_write(sink, "ab", 2));
    CHECK_STATUS(DAUB_INVALID, daub_sink_write(sink, "cdef", 4));
    CHECK_STATUS(DAUB_OK, daub_sink_write(sink, "c", 1));
    CHECK_STATUS(DAUB_OK, daub_sink_finish(sink));
    CHECK(sink->bytes == 3 && !memcmp(sink->data, "abc", 3));
    CHECK(!strncmp(sink->sha256, "ba7816bf8f01cfea", 16));
    daub_sink_free(sink);

    sink = daub_sink_open(path, true, 100, true);
    CHECK_STATUS(DAUB_OK, daub_sink_write(sink, "abc", 3));
    CHECK(stat(path, &st) != 0); // not there before it is whole
    CHECK_STATUS(DAUB_OK, daub_sink_finish(sink));
    CHECK(stat(path, &st) == 0 && st.st_size == 3);
    daub_sink_free(sink);

    sink = daub_sink_open(path, false, 100, true);
    CHECK_STATUS(DAUB_OK, daub_sink_write(sink, "x", 1));
    daub_sink_free(sink); // given up: the old file stays, nothing else does
    CHECK(stat(path, &st) == 0 && st.st_size == 3);
    unlink(path);
    CHECK(rmdir(folder) == 0);
    CHECK(!daub_sink_open("/no/such/folder/file", false, 1, true));
}

// Nobody listens on port 1: every transfer ends at once.
static void test_queues(void) {
    daub_http *http;
    int64_t id, last = 0;
    int ended = 0;
    daub_http_request request = {.url = "http://127.0.0.1:1/x?secret=1"};
    CHECK_STATUS(DAUB_OK, daub_http_open(&http, &(daub_http_options){.per_host = 2}));
    for (int i = 0; i < 200; i++) CHECK_STATUS(DAUB_OK, daub_http_add(http, &request, &id));
    CHECK(daub_http_pending(http) == 200);
    CHECK(daub_http_cancel(http, 100) && !daub_http_cancel(http, 100));
    while (daub_http_pending(http)) {
        CHECK_STATUS(DAUB_OK, daub_http_poll(http, 1));
        for (daub_http_result *r; (r = daub_http_take(http)); daub_http_result_free(r)) {
            ended++;
            last = r->id > last ? r->id : last;
            CHECK(r->error && !strcmp(r->code, "connect") && r->retryable && !r->status);
            CHECK(!strstr(r->error, "secret"));
        }
    }
    CHECK(ended == 199 && last == 200);
    CHECK_STATUS(DAUB_OK, daub_http_poll(http, 60)); // nothing pending: no wait

    request.delay = 60;
    CHECK_STATUS(DAUB_OK, daub_http_add(http, &request, &id));
    CHECK_STATUS(DAUB_OK, daub_http_poll(http, 0.01));
    CHECK(!daub_http_take(http));
    request.delay = 0;
    CHECK_STATUS(DAUB_OK, daub_http_hold(http, request.url, 60));
    CHECK_STATUS(DAUB_OK, daub_http_add(http, &request, &id));
    CHECK_STATUS(DAUB_OK, daub_http_poll(http, 0.01));
    CHECK(!daub_http_take(http));
    CHECK_STATUS(DAUB_OK, daub_http_hold(http, request.url, 0));
    CHECK_STATUS(DAUB_OK, daub_http_poll(http, 5));
    daub_http_result *r = daub_http_take(http);
    CHECK(r && r->id == id);
    daub_http_result_free(r);

    daub_interrupt_set();
    CHECK_STATUS(DAUB_INTERRUPTED, daub_http_poll(http, 60));
    daub_interrupt_hold();
    CHECK_STATUS(DAUB_OK, daub_http_poll(http, 60));
    daub_interrupt_release();
    daub_interrupt_clear();
    CHECK(daub_http_pending(http) == 1);
    daub_http_close(http);
    daub_http_close(NULL);
}

static void test_requests(void) {
    daub_http *http;
    int64_t id;
    daub_http_pair split = {"X-A", "1\r\nX-B: 2"}, host = {"host", "y"}, fine = {"X-A", "1"};
    daub_http_part part = {.name = "a", .data = "b", .size = 1}, odd = {.name = "a\n", .data = ""};
    daub_http_request good = {.url = "http://x/", .headers = &fine, .header_count = 1, .delay = 99};
    CHECK_STATUS(DAUB_OK, daub_http_open(&http, &(daub_http_options){0}));
    CHECK_STATUS(DAUB_OK, daub_http_add(http, &good, &id));
    daub_http_request r = good;
    r.headers = &split;
    CHECK_STATUS(DAUB_INVALID, daub_http_add(http, &r, &id));
    r.headers = &host;
    CHECK_STATUS(DAUB_INVALID, daub_http_add(http, &r, &id));
    r = good;
    r.method = "CONNECT";
    CHECK_STATUS(DAUB_INVALID, daub_http_add(http, &r, &id));
    r = good;
    r.parts = &part;
    r.part_count = 1;
    CHECK_STATUS(DAUB_OK, daub_http_add(http, &r, &id));
    r.body = "b";
    CHECK_STATUS(DAUB_INVALID, daub_http_add(http, &r, &id));
    r.body = NULL;
    r.method = "GET";
    CHECK_STATUS(DAUB_INVALID, daub_http_add(http, &r, &id));
    r = good;
    r.parts = &odd;
    r.part_count = 1;
    CHECK_STATUS(DAUB_INVALID, daub_http_add(http, &r, &id));
    r = good;
    r.url = "gopher://x/";
    CHECK_STATUS(DAUB_DECODE, daub_http_add(http, &r, &id));
    CHECK(daub_http_pending(http) == 2);
    daub_http_close(http);
}

int main(void) {
    test_zones();
    test_hosts();
    test_lists_of_hosts();
    test_past_the_proxy();
    test_urls();
    test_sink();
    test_queues();
    test_requests();
    return check_summary();
}
