// forwarded_for.hpp: X-Forwarded-For, in which proxies pass on their caller's address.
//
// Each proxy appends the address it was called from, so that only the right end of the list can be
// believed: it was written by the peer, which the operator trusts, and what is left of an address
// was written by who has that address, or further out. Read from the right, the first address that
// is no trusted proxy is therefore the client. What it says of itself further left is ignored.
#pragma once

#include <optional>
#include <span>

#include "flexd/base/ip.hpp"
#include "flexd/http/message.hpp"

namespace flexd::http {

// forwarded_client is the client by the X-Forwarded-For fields of a request whose peer is a trusted
// proxy. All lines are one list, in order. Where every address is of a trusted proxy, it is the
// leftmost. An element that cannot be read, an empty one included, ends the walk: the client is
// then the proxy that wrote it. Nothing is returned if that is the peer itself, or no field came.
//
// Elements are addresses, with a port or without: 192.0.2.1, 192.0.2.1:80, 2001:db8::1,
// [2001:db8::1], [2001:db8::1]:80.
[[nodiscard]] std::optional<IpBytes> forwarded_client(const FieldList& fields,
                                                      std::span<const Network> trusted);

}  // namespace flexd::http
