// address.hpp: a socket address, IPv4, IPv6 or a unix path, as a value.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "flexd/base/ip.hpp"
#include "flexd/base/result.hpp"

namespace flexd::io {

class Address {
 public:
  Address() = default;
  // parse reads "127.0.0.1:8080", "[::1]:8080" or "unix:/run/x.sock". No names are resolved.
  static Result<Address> parse(std::string_view text);
  // from_ip makes an address from an IP literal (no brackets) or its bytes, and a port. Bytes of
  // a v4-mapped address make one of IPv4.
  static Result<Address> from_ip(std::string_view ip, uint16_t port);
  static Address from_ip(const IpBytes& ip, uint16_t port);
  static Address from_sockaddr(const sockaddr* address, socklen_t length);

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(storage_.data()); }
  socklen_t size() const { return length_; }
  int family() const;
  uint16_t port() const;
  void set_port(uint16_t port);
  // ip is the address without its port (base/ip.hpp), all zero for unix sockets.
  IpBytes ip() const;
  // to_string gives what `parse` reads.
  std::string to_string() const;
  bool operator==(const Address& other) const;

 private:
  alignas(sockaddr_storage) std::array<char, sizeof(sockaddr_storage)> storage_{};
  socklen_t length_ = 0;
};

}  // namespace flexd::io
