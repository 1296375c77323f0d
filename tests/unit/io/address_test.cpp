#include "flexd/io/address.hpp"

#include <doctest/doctest.h>

using flexd::io::Address;

TEST_CASE("address: parse and print") {
  for (const char* text :
       {"127.0.0.1:8080", "[::1]:80", "[2001:db8::1]:65535", "0.0.0.0:0", "unix:/run/flexd.sock"}) {
    CAPTURE(text);
    const auto address = Address::parse(text);
    REQUIRE(address.has_value());
    CHECK(address->to_string() == text);
    CHECK(*address == *Address::parse(text));
  }
  CHECK(Address::parse("127.0.0.1:8080")->port() == 8080);
  CHECK(Address::parse("[::1]:81")->port() == 81);
  CHECK(Address::parse("unix:/x")->port() == 0);
  CHECK_FALSE(*Address::parse("127.0.0.1:1") == *Address::parse("127.0.0.1:2"));
}

TEST_CASE("address: refused") {
  for (const char* text :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "localhost:80", "::1:80",
        "[::1]", "[::1:80", "1.2.3:80", "unix:", "127.0.0.1:80x"}) {
    CAPTURE(text);
    CHECK_FALSE(Address::parse(text).has_value());
  }
  CHECK_FALSE(Address::parse("unix:/" + std::string(107, 'x')).has_value());
  CHECK(Address::parse("unix:/" + std::string(106, 'x')).has_value());
}

TEST_CASE("address: ip bytes, ports, sockaddr") {
  const auto v4 = *Address::from_ip("10.1.2.3", 9);
  CHECK(v4.ip() == std::array<uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 2, 3});
  CHECK(Address::from_ip("::1", 9)->ip()[15] == 1);
  CHECK(Address::parse("unix:/x")->ip() == std::array<uint8_t, 16>{});
  auto moved = v4;
  moved.set_port(77);
  CHECK(moved.to_string() == "10.1.2.3:77");
  CHECK(Address::from_sockaddr(v4.data(), v4.size()) == v4);
  CHECK(Address().family() == AF_UNSPEC);
  CHECK_FALSE(Address::from_ip(std::string(200, '1'), 1).has_value());
  CHECK_FALSE(Address::from_ip(std::string_view("10.1.2.3\0x", 10), 1).has_value());
}

TEST_CASE("address: from the bytes of an address") {
  for (const char* text : {"10.1.2.3:9", "[2001:db8::1]:65535", "0.0.0.0:0", "[::]:1"}) {
    const auto address = *Address::parse(text);
    CHECK(Address::from_ip(address.ip(), address.port()) == address);
  }
  const auto mapped = *Address::from_ip("::ffff:10.1.2.3", 9);
  CHECK(mapped.family() == AF_INET6);
  CHECK(mapped.ip() == Address::from_ip("10.1.2.3", 9)->ip());
  CHECK(Address::from_ip(mapped.ip(), 9).to_string() == "10.1.2.3:9");
}
