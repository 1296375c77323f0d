#include "flexd/base/ip.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

#include "flexd/base/ascii.hpp"

namespace flexd {
namespace {

constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

bool is_v4(const IpBytes& ip) {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), ip.begin());
}

IpBytes make_v4(std::span<const char, 4> bytes) {
  IpBytes ip{};
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), ip.begin());
  std::memcpy(ip.data() + kV4Prefix.size(), bytes.data(), bytes.size());
  return ip;
}

std::optional<IpBytes> parse_ip(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> space{};
  // inet_pton reads up to a zero byte, and would take what is before it for the whole.
  if (text.size() >= space.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), space.begin());
  std::array<char, 4> v4;
  if (inet_pton(AF_INET, space.data(), v4.data()) == 1) return make_v4(v4);
  IpBytes v6;
  if (inet_pton(AF_INET6, space.data(), v6.data()) == 1) return v6;
  return std::nullopt;
}

IpText::IpText(const IpBytes& ip) {
  static_assert(sizeof(text_) == INET6_ADDRSTRLEN);
  if (!is_v4(ip)) {
    if (inet_ntop(AF_INET6, ip.data(), text_.data(), sizeof(text_)) != nullptr) {
      size_ = std::strlen(text_.data());
    }
    return;
  }
  // Most addresses, one for each line of the access log; inet_ntop prints them by printf.
  char* at = text_.data();
  for (size_t i = kV4Prefix.size(); i < ip.size(); ++i) {
    if (i > kV4Prefix.size()) *at++ = '.';
    at = std::to_chars(at, text_.data() + text_.size(), ip[i]).ptr;
  }
  size_ = static_cast<size_t>(at - text_.data());
}

Result<Network> Network::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<IpBytes> ip = parse_ip(text.substr(0, slash));
  const std::string quoted = "'" + std::string(text) + "'";
  if (!ip) return fail_with(quoted + " is not a network such as 10.0.0.0/8 or 2001:db8::/32");
  // How an address is spelt says what its prefix counts: that of ::ffff:10.0.0.0 has 128 bits.
  const bool counts_v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  const uint64_t bits_max = counts_v4 ? 32 : 128;
  uint64_t bits = bits_max;
  if (slash != std::string_view::npos) {
    const std::optional<uint64_t> given = parse_u64(text.substr(slash + 1));
    if (!given || *given > bits_max) {
      return fail_with(quoted + ": after the '/' stands a number of bits from 0 to " +
                       std::to_string(bits_max));
    }
    bits = *given;
  }
  Network network;
  network.prefix_ = *ip;
  network.bits_ = static_cast<uint8_t>(bits + (counts_v4 ? kV4PrefixBits : 0));
  return network;
}

bool Network::contains(const IpBytes& ip) const {
  if (bits_ < kV4PrefixBits && is_v4(ip)) return false;
  const size_t whole = bits_ / 8;
  if (!std::equal(ip.begin(), ip.begin() + whole, prefix_.begin())) return false;
  const unsigned rest = bits_ % 8;
  if (rest == 0) return true;
  const unsigned differing = static_cast<unsigned>(ip[whole]) ^ prefix_[whole];
  return differing >> (8 - rest) == 0;
}

bool any_contains(std::span<const Network> networks, const IpBytes& ip) {
  return std::any_of(networks.begin(), networks.end(),
                     [&ip](const Network& network) { return network.contains(ip); });
}

}  // namespace flexd
