// alpn.hpp: protocol lists as ALPN writes them (RFC 7301 3.1); private to src/tls.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/tls/context.hpp"

namespace flexd::tls {

// alpn_wire is the ProtocolNameList of a preference: each name with its length before it.
[[nodiscard]] constexpr std::string_view alpn_wire(AlpnPreference preference) {
  switch (preference) {
    case AlpnPreference::h2_only:
      return "\x02h2";
    case AlpnPreference::http1_only:
      return "\x08http/1.1";
    case AlpnPreference::h2_then_http1:
      break;
  }
  return "\x02h2\x08http/1.1";
}

// as_bytes sees a text as the library wants it.
[[nodiscard]] inline const uint8_t* as_bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

}  // namespace flexd::tls
