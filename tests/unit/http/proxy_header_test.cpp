#include "flexd/http/proxy_header.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace flexd::http {
namespace {

using State = ProxyHeader::State;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

// block is a version 2 header.
std::string block(unsigned version_command, unsigned family, const std::string& rest) {
  std::string bytes = kSignature;
  bytes += static_cast<char>(version_command);
  bytes += static_cast<char>(family);
  bytes += static_cast<char>(rest.size() >> 8U);
  bytes += static_cast<char>(rest.size() & 0xffU);
  return bytes + rest;
}

// Addresses with ports 0x1234 and 443.
const std::string kPorts("\x12\x34\x01\xbb", 4);
const std::string kV4 = std::string("\xc0\x00\x02\x01\x0a\x00\x00\x02", 8) + kPorts;
const std::string kV6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x07" +
                        std::string(15, '\0') + "\x01" + kPorts;

std::string said(const ProxyHeader& header) {
  switch (header.state) {
    case State::incomplete:
      return "incomplete";
    case State::refused:
      return "refused";
    case State::complete:
      break;
  }
  if (!header.has_source) return "own";
  return std::string(IpText(header.source).view()) + " " + std::to_string(header.source_port);
}

// check_cuts gives a header in pieces and with something behind it: the answer is the same.
void check_cuts(const std::string& bytes, const std::string& expected) {
  CAPTURE(bytes);
  bool decided = false;
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const ProxyHeader header = parse_proxy_header(std::string_view(bytes).substr(0, size));
    CAPTURE(size);
    if (decided) {
      CHECK(said(header) == expected);
    } else if (header.state != State::incomplete) {
      decided = true;
      CHECK(said(header) == expected);
      if (header.state == State::complete) CHECK(header.consumed == bytes.size());
    }
  }
  CHECK(decided);
  for (const char* next : {"GET / HTTP/1.1\r\n", "\r\n", "\n", "PROXY "}) {
    const ProxyHeader header = parse_proxy_header(bytes + next);
    CHECK(said(header) == expected);
    if (header.state == State::complete) CHECK(header.consumed == bytes.size());
  }
}

TEST_CASE("PROXY version 1: a line names the caller") {
  const std::pair<const char*, const char*> cases[] = {
      {"PROXY TCP4 192.0.2.1 10.0.0.2 56324 443\r\n", "192.0.2.1 56324"},
      {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255 65535"},
      {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0 0"},
      {"PROXY TCP6 2001:db8::7 ::1 1 2\r\n", "2001:db8::7 1"},
      {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"},
      {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.2 1 2\r\n", "192.0.2.1 1"},
      {"PROXY UNKNOWN\r\n", "own"},
      {"PROXY UNKNOWN \r\n", "own"},
      {"PROXY UNKNOWN anything: at all  \r\r\n", "own"},
  };
  for (const auto& [line, expected] : cases) check_cuts(line, expected);
}

TEST_CASE("PROXY version 1: anything else is refused") {
  for (const char* line : {
           "PROXY TCP4 192.0.2.1 10.0.0.2 56324 443\n",
           "PROXY TCP4 192.0.2.1 10.0.0.2 56324 443 \r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.2 56324 443 1\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.2 56324\r\n",
           "PROXY TCP4  192.0.2.1 10.0.0.2 56324 443\r\n",
           "PROXY  TCP4 192.0.2.1 10.0.0.2 56324 443\r\n",
           "PROXY TCP4\t192.0.2.1 10.0.0.2 56324 443\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.2 056324 443\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.2 56324 00\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.2 65536 443\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.2 1 65536\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.2 -1 443\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.2 x 443\r\n",
           "PROXY TCP4 192.0.2.256 10.0.0.2 1 443\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0 1 443\r\n",
           "PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
           "PROXY TCP4 192.0.2.1 ::1 1 2\r\n",
           "PROXY TCP6 192.0.2.1 10.0.0.2 1 2\r\n",
           "PROXY TCP5 192.0.2.1 10.0.0.2 1 2\r\n",
           "PROXY TCP4\r\n",
           "PROXY \r\n",
           "PROXY \n",
           "PROXY unknown\r\n",
           "PROXY UNKNOWNX\r\n",
           "PROXY UDP4 192.0.2.1 10.0.0.2 1 2\r\n",
           "proxy TCP4 192.0.2.1 10.0.0.2 1 2\r\n",
           "PROXYTCP4 192.0.2.1 10.0.0.2 1 2\r\n",
           "GET / HTTP/1.1\r\n",
           "POST /v1/responses HTTP/1.1\r\n",
           " PROXY UNKNOWN\r\n",
           "PRI * HTTP/2.0\r\n",
           "\x16\x03\x01",
       }) {
    check_cuts(line, "refused");
  }
  const std::string with_zero("PROXY TCP4 192.0.2.1\0 10.0.0.2 1 2\r\n", 36);
  check_cuts(with_zero, "refused");
}

TEST_CASE("PROXY version 1: a line has 107 bytes at most") {
  const auto line = [](size_t size) {
    const std::string start = "PROXY UNKNOWN ";
    return start + std::string(size - start.size() - 2, 'x') + "\r\n";
  };
  check_cuts(line(kProxyLineBytesMax), "own");
  check_cuts(line(kProxyLineBytesMax + 1), "refused");
  CHECK(said(parse_proxy_header("PROXY " + std::string(100, 'x'))) == "incomplete");
  CHECK(said(parse_proxy_header("PROXY " + std::string(101, 'x'))) == "refused");
}

TEST_CASE("PROXY version 2: a block names the caller") {
  const std::string tlv("\x03\x00\x04\x01\x02\x03\x04\x20\x00\x00", 10);
  check_cuts(block(0x21, 0x11, kV4), "192.0.2.1 4660");
  check_cuts(block(0x21, 0x12, kV4), "192.0.2.1 4660");
  check_cuts(block(0x21, 0x11, kV4 + tlv), "192.0.2.1 4660");
  check_cuts(block(0x21, 0x21, kV6), "2001:db8::7 4660");
  check_cuts(block(0x21, 0x22, kV6 + tlv), "2001:db8::7 4660");
  const std::string mapped = std::string(10, '\0') + std::string("\xff\xff\xc0\x00\x02\x01", 6) +
                             std::string(16, '\0') + kPorts;
  check_cuts(block(0x21, 0x21, mapped), "192.0.2.1 4660");
}

TEST_CASE("PROXY version 2: without an address the peer's own stands") {
  check_cuts(block(0x20, 0x00, ""), "own");
  check_cuts(block(0x20, 0x11, kV4), "own");
  check_cuts(block(0x20, 0xff, "xyz"), "own");  // LOCAL: the family is not looked at
  check_cuts(block(0x21, 0x00, ""), "own");
  check_cuts(block(0x21, 0x00, kV4), "own");
  check_cuts(block(0x21, 0x01, ""), "own");
  check_cuts(block(0x21, 0x10, kV4), "own");
  check_cuts(block(0x21, 0x31, std::string(216, 'p')), "own");
  check_cuts(block(0x21, 0x32, std::string(300, 'p')), "own");
}

TEST_CASE("PROXY version 2: anything else is refused") {
  for (const unsigned version_command : {0x01U, 0x11U, 0x31U, 0xf1U, 0x22U, 0x2fU}) {
    check_cuts(block(version_command, 0x11, kV4), "refused");
  }
  for (const unsigned family : {0x41U, 0xf1U, 0x13U, 0x1fU, 0x23U, 0x03U}) {
    check_cuts(block(0x21, family, kV6), "refused");
  }
  check_cuts(block(0x21, 0x11, kV4.substr(0, 11)), "refused");
  check_cuts(block(0x21, 0x11, ""), "refused");
  check_cuts(block(0x21, 0x21, kV6.substr(0, 35)), "refused");
  check_cuts(block(0x21, 0x31, std::string(215, 'p')), "refused");
  std::string wrong = block(0x21, 0x11, kV4);
  for (size_t i = 0; i < kSignature.size(); ++i) {
    std::string bytes = wrong;
    bytes[i] ^= 0x20;
    check_cuts(bytes, "refused");
  }
}

TEST_CASE("PROXY version 2: a block has 4096 bytes at most") {
  const size_t most = kProxyBlockBytesMax - 16;
  check_cuts(block(0x21, 0x11, kV4 + std::string(most - kV4.size(), 't')), "192.0.2.1 4660");
  // Refused as soon as the length is there: nothing of it is waited for.
  const std::string long_one = block(0x21, 0x11, kV4 + std::string(most + 1 - kV4.size(), 't'));
  CHECK(said(parse_proxy_header(long_one.substr(0, 15))) == "incomplete");
  CHECK(said(parse_proxy_header(long_one.substr(0, 16))) == "refused");
  CHECK(said(parse_proxy_header(long_one)) == "refused");
}

}  // namespace
}  // namespace flexd::http
