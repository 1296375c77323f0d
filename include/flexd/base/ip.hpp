// ip.hpp: IP addresses as bytes, their text, and networks of them.
//
// One form holds both families: the 16 bytes of IPv6, IPv4 as v4-mapped (RFC 4291 2.5.5.2). An
// IPv4 address therefore equals its v4-mapped spelling, as it should: balancers that listen on
// [::] call the caller 192.0.2.1 ::ffff:192.0.2.1. Nothing here allocates but what Network::parse
// says of a bad text, so that workers may use it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "flexd/base/result.hpp"

namespace flexd {

// IpBytes is an address in network order.
using IpBytes = std::array<uint8_t, 16>;

// kV4PrefixBits is where the IPv4 address begins in a v4-mapped one.
inline constexpr uint8_t kV4PrefixBits = 96;

// is_v4 tells whether an address is IPv4.
[[nodiscard]] bool is_v4(const IpBytes& ip);
// make_v4 is the IPv4 address of these bytes, in network order.
[[nodiscard]] IpBytes make_v4(std::span<const char, 4> bytes);

// parse_ip reads "192.0.2.1" or "2001:db8::1": no brackets, no port, no zone.
[[nodiscard]] std::optional<IpBytes> parse_ip(std::string_view text);

// IpText is the text of an address, IPv4 as such: IpText(ip).view() is "192.0.2.1".
class IpText {
 public:
  explicit IpText(const IpBytes& ip);
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 46> text_{};  // INET6_ADDRSTRLEN
  size_t size_ = 0;
};

// Network is a block of addresses in CIDR notation (RFC 4632 3.1, RFC 4291 2.3).
class Network {
 public:
  // parse reads "10.0.0.0/8", "2001:db8::/32" or an address, which is a network of one. Bits past
  // the prefix are ignored: 10.1.2.3/8 is 10.0.0.0/8.
  static Result<Network> parse(std::string_view text);

  // contains: an IPv6 network holds no IPv4 addresses, so that ::/0 does not say more than it
  // seems to.
  [[nodiscard]] bool contains(const IpBytes& ip) const;

 private:
  IpBytes prefix_{};
  uint8_t bits_ = 0;  // of the 128
};

// any_contains tells whether one of the networks holds the address.
[[nodiscard]] bool any_contains(std::span<const Network> networks, const IpBytes& ip);

}  // namespace flexd
