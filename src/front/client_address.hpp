// client_address.hpp: whom a request comes from, where trusted proxies stand before flexd.
//
// The address is what failed authentications are counted by and what the access log shows. Without
// --trusted-proxy it is the peer's, or what the peer's PROXY header said.
#pragma once

#include "flexd/config/settings.hpp"
#include "flexd/http/message.hpp"
#include "flexd/io/address.hpp"

namespace flexd::front {

// is_trusted_proxy: `peer` may speak for others. A peer on a unix socket has no address; it got
// past the permissions of the socket's path, and counts as trusted where anyone is.
[[nodiscard]] bool is_trusted_proxy(const config::Settings& settings, const io::Address& peer);

// client_address is the client of a request with these fields: the peer, unless it is a trusted
// proxy and tells another in X-Forwarded-For (http/forwarded_for.hpp).
[[nodiscard]] io::Address client_address(const config::Settings& settings, const io::Address& peer,
                                         const http::FieldList& fields);

}  // namespace flexd::front
