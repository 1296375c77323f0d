#include "flexd/io/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "flexd/base/ascii.hpp"

namespace flexd::io {

namespace {

constexpr std::string_view kUnixPrefix = "unix:";

// read_as copies the stored bytes into a sockaddr of one family.
template <typename T>
T read_as(const sockaddr* address) {
  T value{};
  std::memcpy(&value, address, sizeof(value));
  return value;
}

Result<Address> unix_address(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty()) return fail_with("a unix socket needs a path");
  if (path.size() >= sizeof(address.sun_path)) {
    return fail_with("a unix socket path is at most 107 bytes long");
  }
  if (path.find('\0') != std::string_view::npos) return fail_with("a path with a zero byte");
  std::memcpy(address.sun_path, path.data(), path.size());
  return Address::from_sockaddr(
      reinterpret_cast<const sockaddr*>(&address),
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1));
}

Address v6_address(const IpBytes& ip, uint16_t port) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, ip.data(), ip.size());
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) return unix_address(text.substr(kUnixPrefix.size()));
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail_with("'" + std::string(text) + "' is not ADDRESS:PORT");
  }
  std::string_view ip = text.substr(0, colon);
  const auto port = parse_u64(text.substr(colon + 1));
  if (!port || *port > 65535) {
    return fail_with("'" + std::string(text) + "' has no port from 0 to 65535");
  }
  if (ip.starts_with('[') && ip.ends_with(']')) {
    ip = ip.substr(1, ip.size() - 2);
  } else if (ip.find(':') != std::string_view::npos) {
    return fail_with("'" + std::string(text) + "': an IPv6 address stands in [brackets]");
  }
  return from_ip(ip, static_cast<uint16_t>(*port));
}

Result<Address> Address::from_ip(std::string_view ip, uint16_t port) {
  const std::optional<IpBytes> bytes = parse_ip(ip);
  if (!bytes) return fail_with("'" + std::string(ip) + "' is not an IP address");
  // Who writes a v4-mapped address means a socket of IPv6.
  return ip.find(':') == std::string_view::npos ? from_ip(*bytes, port) : v6_address(*bytes, port);
}

Address Address::from_ip(const IpBytes& ip, uint16_t port) {
  if (!is_v4(ip)) return v6_address(ip, port);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  std::memcpy(&v4.sin_addr, ip.data() + kV4PrefixBits / 8, sizeof(v4.sin_addr));
  return from_sockaddr(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
}

Address Address::from_sockaddr(const sockaddr* address, socklen_t length) {
  Address result;
  result.length_ = std::min(length, static_cast<socklen_t>(result.storage_.size()));
  std::memcpy(result.storage_.data(), address, result.length_);
  return result;
}

int Address::family() const {
  return length_ == 0 ? AF_UNSPEC : data()->sa_family;
}

uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(read_as<sockaddr_in>(data()).sin_port);
  if (family() == AF_INET6) return ntohs(read_as<sockaddr_in6>(data()).sin6_port);
  return 0;
}

void Address::set_port(uint16_t port) {
  // The port stands at the same place in both families.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  if (family() != AF_INET && family() != AF_INET6) return;
  const uint16_t network_order = htons(port);
  std::memcpy(storage_.data() + offsetof(sockaddr_in, sin_port), &network_order,
              sizeof(network_order));
}

IpBytes Address::ip() const {
  if (family() == AF_INET) {
    const auto v4 = read_as<sockaddr_in>(data());
    return make_v4(std::span<const char, 4>(reinterpret_cast<const char*>(&v4.sin_addr), 4));
  }
  IpBytes bytes{};
  if (family() == AF_INET6) {
    const auto v6 = read_as<sockaddr_in6>(data());
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  }
  return bytes;
}

std::string Address::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family() == AF_INET) {
    const auto v4 = read_as<sockaddr_in>(data());
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(port());
  }
  if (family() == AF_INET6) {
    const auto v6 = read_as<sockaddr_in6>(data());
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + std::to_string(port());
  }
  if (family() == AF_UNIX) {
    const char* path = storage_.data() + offsetof(sockaddr_un, sun_path);
    const size_t room = length_ - std::min<size_t>(length_, offsetof(sockaddr_un, sun_path));
    return std::string(kUnixPrefix) + std::string(path, strnlen(path, room));
  }
  return "";
}

bool Address::operator==(const Address& other) const {
  return length_ == other.length_ &&
         std::memcmp(storage_.data(), other.storage_.data(), length_) == 0;
}

}  // namespace flexd::io
