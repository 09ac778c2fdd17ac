#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool within(uint32_t address, uint32_t network, int bits) {
    return (address ^ network) >> (32 - bits) == 0;
}

// IANA's special-purpose registry; everything not globally reachable counts as private.
static daub_zone zone_v4(uint32_t a) {
    static const struct {
        uint32_t network;
        int bits;
    } nearby[] = {
        {0x0a000000, 8},  // 10/8
        {0x64400000, 10}, // 100.64/10, carriers' shared space
        {0xa9fe0000, 16}, // 169.254/16, link-local, where clouds keep their metadata
        {0xac100000, 12}, // 172.16/12
        {0xc0000000, 24}, // 192.0.0/24
        {0xc0000200, 24}, // 192.0.2/24, documentation
        {0xc0a80000, 16}, // 192.168/16
        {0xc6120000, 15}, // 198.18/15, benchmarks
        {0xc6336400, 24}, // 198.51.100/24
        {0xcb007100, 24}, // 203.0.113/24
        {0xe0000000, 3},  // multicast, reserved, broadcast
    };
    if (within(a, 0x7f000000, 8) || within(a, 0, 8)) return DAUB_ZONE_LOOPBACK;
    for (size_t i = 0; i < sizeof nearby / sizeof *nearby; i++)
        if (within(a, nearby[i].network, nearby[i].bits)) return DAUB_ZONE_PRIVATE;
    return DAUB_ZONE_PUBLIC;
}

static uint32_t four_bytes(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static daub_zone zone_v6(const uint8_t a[16]) {
    static const uint8_t zero[16];
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (!memcmp(a, zero, 15) && a[15] <= 1) return DAUB_ZONE_LOOPBACK; // :: and ::1
    if (!memcmp(a, mapped, 12) || !memcmp(a, nat64, 12) || !memcmp(a, zero, 12))
        return zone_v4(four_bytes(a + 12));
    if (a[0] == 0x20 && a[1] == 0x02) return zone_v4(four_bytes(a + 2)); // 6to4
    return (a[0] & 0xe0) == 0x20 ? DAUB_ZONE_PUBLIC
                                 : DAUB_ZONE_PRIVATE; // 2000::/3 is the public net
}

daub_zone daub_address_zone(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return zone_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        return zone_v6(v6.sin6_addr.s6_addr);
    }
    return DAUB_ZONE_LOOPBACK;
}

daub_zone daub_address_zone_of_host(const char *host) {
    char bare[64];
    struct in_addr v4;
    struct in6_addr v6;
    size_t length = strlen(host);
    if (length && host[length - 1] == '.') length--;
    if (length >= 9 && !strncasecmp(host + length - 9, "localhost", 9) &&
        (length == 9 || host[length - 10] == '.'))
        return DAUB_ZONE_LOOPBACK;
    if (length >= sizeof bare) return DAUB_ZONE_PUBLIC;
    if (length > 1 && host[0] == '[') {
        size_t inside = strcspn(host + 1, "]%"); // without the scope of a link-local address
        memcpy(bare, host + 1, inside);
        bare[inside] = '\0';
        if (inet_pton(AF_INET6, bare, &v6) == 1) return zone_v6(v6.s6_addr);
        return DAUB_ZONE_LOOPBACK;
    }
    memcpy(bare, host, length);
    bare[length] = '\0';
    if (inet_pton(AF_INET6, bare, &v6) == 1) return zone_v6(v6.s6_addr);
    if (inet_pton(AF_INET, bare, &v4) == 1) return zone_v4(ntohl(v4.s_addr));
    return DAUB_ZONE_PUBLIC;
}

bool daub_host_listed(const char *list, const char *host) {
    size_t host_length = strlen(host);
    if (host_length && host[host_length - 1] == '.') host_length--;
    for (const char *at = list ? list : ""; *at;) {
        at += strspn(at, ", \t");
        size_t length = strcspn(at, ", \t");
        const char *name = at;
        at += length;
        if (length == 1 && *name == '*') return true;
        while (length && *name == '.') name++, length--;
        if (length && name[length - 1] == '.') length--;
        if (!length || length > host_length) continue;
        const char *tail = host + host_length - length;
        if (!strncasecmp(tail, name, length) && (tail == host || tail[-1] == '.')) return true;
    }
    return false;
}

const char *daub_zone_name(daub_zone zone) {
    static const char *const names[] = {"loopback", "private", "public"};
    return names[zone];
}
