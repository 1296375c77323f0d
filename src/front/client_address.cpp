#include "client_address.hpp"

#include "flexd/http/forwarded_for.hpp"

namespace flexd::front {

bool is_trusted_proxy(const config::Settings& settings, const io::Address& peer) {
  if (peer.family() == AF_UNIX) return !settings.trusted_proxies.empty();
  return any_contains(settings.trusted_proxies, peer.ip());
}

io::Address client_address(const config::Settings& settings, const io::Address& peer,
                           const http::FieldList& fields) {
  if (!is_trusted_proxy(settings, peer)) return peer;
  const auto client = http::forwarded_client(fields, settings.trusted_proxies);
  return client ? io::Address::from_ip(*client, 0) : peer;
}

}  // namespace flexd::front
