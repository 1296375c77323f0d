#include "flexd/base/ip.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace flexd {
namespace {

IpBytes ip(std::string_view text) {
  const auto parsed = parse_ip(text);
  CAPTURE(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

TEST_CASE("addresses are read and written") {
  CHECK(ip("192.0.2.1") == IpBytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1});
  CHECK(ip("::1") == IpBytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  CHECK(ip("::ffff:192.0.2.1") == ip("192.0.2.1"));
  CHECK(ip("::ffff:c000:201") == ip("192.0.2.1"));
  CHECK(is_v4(ip("0.0.0.0")));
  CHECK_FALSE(is_v4(ip("::")));
  CHECK_FALSE(is_v4(ip("::192.0.2.1")));
  for (const char* text : {"0.0.0.0", "255.255.255.255", "10.1.2.3", "::", "2001:db8::1",
                           "2001:db8:1111:2222:3333:4444:5555:6666"}) {
    CHECK(IpText(ip(text)).view() == text);
  }
  CHECK(IpText(ip("::ffff:10.1.2.3")).view() == "10.1.2.3");
}

TEST_CASE("what is no address is refused") {
  const std::vector<std::string> bad = {"",
                                        " ",
                                        "1.2.3",
                                        "1.2.3.4.5",
                                        "1.2.3.256",
                                        "01.2.3.4",
                                        "1.2.3.4 ",
                                        "1.2.3.4:80",
                                        "[::1]",
                                        "::1%lo",
                                        ":::",
                                        "1:2:3:4:5:6:7",
                                        "12345::",
                                        "localhost",
                                        std::string("1.2.3.4\0", 8),
                                        std::string("::1\0x", 5),
                                        std::string(46, ':'),
                                        std::string(100, '1')};
  for (const std::string& text : bad) {
    CAPTURE(text);
    CHECK_FALSE(parse_ip(text).has_value());
  }
}

struct Membership {
  const char* network;
  const char* ip;
  bool inside;
};

TEST_CASE("a network holds the addresses that share its prefix") {
  const Membership cases[] = {
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.1.2.3/8", "10.200.0.1", true},
      {"172.16.0.0/12", "172.31.255.255", true},
      {"172.16.0.0/12", "172.32.0.0", false},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"192.0.2.128/25", "192.0.2.128", true},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.0", false},
      {"192.0.2.1/32", "192.0.2.1", true},
      {"192.0.2.0/31", "192.0.2.2", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "::1", false},
      {"2001:db8::/32", "2001:db8:ffff::", true},
      {"2001:db8::/32", "2001:db9::", false},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"2001:db8::1", "2001:db8::1", true},
      {"2001:db8::1/128", "2001:db8::", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "192.0.2.1", false},
      {"::/1", "192.0.2.1", false},
      // A v4-mapped network is the IPv4 one, however either is spelt.
      {"::ffff:10.0.0.0/104", "10.9.9.9", true},
      {"::ffff:10.0.0.0/104", "11.9.9.9", false},
      {"10.0.0.0/8", "::ffff:10.9.9.9", true},
      {"::ffff:0:0/96", "192.0.2.1", true},
      {"::ffff:0:0/95", "192.0.2.1", false},
  };
  for (const Membership& one : cases) {
    CAPTURE(one.network);
    CAPTURE(one.ip);
    const auto network = Network::parse(one.network);
    REQUIRE(network.has_value());
    CHECK(network->contains(ip(one.ip)) == one.inside);
  }
}

TEST_CASE("what is no network is refused in one line that quotes it") {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8",
                           "10.0.0.0/255.0.0.0", "10.0.0.0 /8", "10.0.0.0/ 8", "10/8", "::/129",
                           "[::]/0", "::1/x", "example.com", "10.0.0.0/18446744073709551616"}) {
    CAPTURE(text);
    const auto network = Network::parse(text);
    REQUIRE_FALSE(network.has_value());
    CHECK(network.error().message.starts_with("'" + std::string(text) + "'"));
    CHECK(network.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("one of several networks is enough, and none holds nothing") {
  const std::vector<Network> networks = {*Network::parse("10.0.0.0/8"), *Network::parse("::1")};
  CHECK(any_contains(networks, ip("10.0.0.1")));
  CHECK(any_contains(networks, ip("::1")));
  CHECK_FALSE(any_contains(networks, ip("::2")));
  CHECK_FALSE(any_contains({}, ip("10.0.0.1")));
}

}  // namespace
}  // namespace flexd
