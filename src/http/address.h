// How near to this machine an address is. A page on the public net must not be able to send a
// transfer to the machine's own services or to its local network.
//
//     if (daub_address_zone(address) < allowed) …      // nearer than where the transfer began
#ifndef DAUB_HTTP_ADDRESS_H
#define DAUB_HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

typedef enum daub_zone {
    DAUB_ZONE_LOOPBACK, // this machine
    DAUB_ZONE_PRIVATE,  // local networks, link-local, shared, reserved and multicast ranges
    DAUB_ZONE_PUBLIC,
} daub_zone;

// IPv4 and IPv6, IPv4 carried inside IPv6 included; other families count as loopback.
daub_zone daub_address_zone(const struct sockaddr *address);

// The zone a host name of a URL shows by itself: "127.0.0.1", "[::1]", "localhost". Other names
// count as public: what they resolve to is seen only when connecting.
daub_zone daub_address_zone_of_host(const char *host);

// Whether a list like no_proxy's ("a.org, .b.net", "*", or NULL) names `host` or a domain it is in.
bool daub_host_listed(const char *list, const char *host);

const char *daub_zone_name(daub_zone zone); // "loopback", "private", "public"

#endif
