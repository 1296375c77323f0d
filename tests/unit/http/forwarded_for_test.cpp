#include "flexd/http/forwarded_for.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace flexd::http {
namespace {

// Case is the X-Forwarded-For lines of a request from a trusted proxy, and the client in them; ""
// if it is the peer.
struct Case {
  std::vector<const char*> lines;
  const char* client;
};

const std::vector<Network>& trusted() {
  static const std::vector<Network> kNetworks = {*Network::parse("10.0.0.0/8"),
                                                 *Network::parse("2001:db8:1::/48")};
  return kNetworks;
}

std::string client_of(const std::vector<const char*>& lines, std::span<const Network> networks) {
  FieldList fields;
  REQUIRE(fields.push("host", "8.8.8.8"));
  for (size_t i = 0; i < lines.size(); ++i) {
    REQUIRE(fields.push(i % 2 == 0 ? "X-Forwarded-For" : "x-forwarded-for", lines[i]));
    REQUIRE(fields.push("forwarded", "for=7.7.7.7"));
  }
  const auto client = forwarded_client(fields, networks);
  return client ? std::string(IpText(*client).view()) : "";
}

TEST_CASE("the client is the first address from the right that is no trusted proxy") {
  const Case cases[] = {
      {{}, ""},
      {{"192.0.2.1"}, "192.0.2.1"},
      {{"6.6.6.6, 192.0.2.1"}, "192.0.2.1"},
      {{"6.6.6.6, 192.0.2.1, 10.0.0.1"}, "192.0.2.1"},
      {{"6.6.6.6,192.0.2.1,10.0.0.1,10.0.0.2"}, "192.0.2.1"},
      {{"  192.0.2.1\t,\t10.0.0.1 "}, "192.0.2.1"},
      // Lines are one list, in order.
      {{"6.6.6.6, 192.0.2.1", "10.0.0.1", "10.0.0.2, 10.0.0.3"}, "192.0.2.1"},
      {{"6.6.6.6", "192.0.2.1"}, "192.0.2.1"},
      // All are trusted: the leftmost.
      {{"10.0.0.3, 10.0.0.2", "10.0.0.1"}, "10.0.0.3"},
      {{"10.0.0.3"}, "10.0.0.3"},
      // IPv6, ports, brackets.
      {{"2001:db8::7"}, "2001:db8::7"},
      {{"2001:db8::7, 2001:db8:1::1"}, "2001:db8::7"},
      {{"[2001:db8::7], [2001:db8:1::1]:443"}, "2001:db8::7"},
      {{"[2001:db8::7]:65535"}, "2001:db8::7"},
      {{"192.0.2.1:5678, 10.0.0.1:0"}, "192.0.2.1"},
      {{"::ffff:192.0.2.1, ::ffff:10.0.0.1"}, "192.0.2.1"},
      {{"6.6.6.6, [::ffff:192.0.2.1]:1, [::ffff:10.0.0.1]"}, "192.0.2.1"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.lines);
    CHECK(client_of(one.lines, trusted()) == one.client);
  }
}

TEST_CASE("what cannot be read ends the walk at the proxy that wrote it") {
  for (const char* bad : {"unknown",
                          "_hidden",
                          "",
                          " ",
                          "1.2.3",
                          "1.2.3.4.5",
                          "1.2.3.4:",
                          "1.2.3.4:x",
                          "1.2.3.4:65536",
                          "1.2.3.4:-1",
                          "1.2.3.4 5.6.7.8",
                          "[1.2.3.4]",
                          "[1.2.3.4]:80",
                          "[::1",
                          "[::1]80",
                          "[::1]:",
                          "[::1]x",
                          "::1]",
                          "[]",
                          "[]:80",
                          "fe80::1%eth0",
                          "\"[::1]:80\"",
                          "for=1.2.3.4",
                          "::1:80:",
                          "localhost",
                          "unix:"}) {
    CAPTURE(bad);
    const std::string text(bad);
    CHECK(client_of({bad}, trusted()).empty());
    CHECK(client_of({("6.6.6.6, " + text).c_str()}, trusted()).empty());
    CHECK(client_of({("6.6.6.6, " + text + ", 10.0.0.2, 10.0.0.1").c_str()}, trusted()) ==
          "10.0.0.2");
    CHECK(client_of({"6.6.6.6", bad, "10.0.0.1"}, trusted()) == "10.0.0.1");
    CHECK(client_of({(text + ", 192.0.2.1, 10.0.0.1").c_str()}, trusted()) == "192.0.2.1");
  }
}

TEST_CASE("a list as long as a head may be is walked") {
  std::string list = "192.0.2.1";
  while (list.size() < 30'000) list += ",10.0.0.1";
  CHECK(client_of({list.c_str()}, trusted()) == "192.0.2.1");
  CHECK(client_of({std::string(30'000, ',').c_str()}, trusted()).empty());
}

}  // namespace
}  // namespace flexd::http
