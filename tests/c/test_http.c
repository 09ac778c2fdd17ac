// Address zones, URL parsing and what a request may not contain. Transfers themselves are tested
// from Lua, against a server with faults.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "check.h"
#include "http/address.h"

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

int main(void) {
    test_zones();
    test_hosts();
    return check_summary();
}
