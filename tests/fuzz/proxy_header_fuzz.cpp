// Any bytes before a request, as a PROXY header, and any text as X-Forwarded-For. What is decided
// does not depend on how the bytes were cut; a header lies within its bound and within what came.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/http/forwarded_for.hpp"
#include "flexd/http/proxy_header.hpp"

using namespace flexd;

namespace {

using State = http::ProxyHeader::State;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "proxy_header_fuzz: %s\n", what);
  std::abort();
}

bool same(const http::ProxyHeader& a, const http::ProxyHeader& b) {
  return a.state == b.state && a.has_source == b.has_source && a.source == b.source &&
         a.source_port == b.source_port && a.consumed == b.consumed;
}

void check_header(std::string_view bytes) {
  const http::ProxyHeader whole = http::parse_proxy_header(bytes);
  require(whole.consumed <= bytes.size(), "it consumes more than came");
  require((whole.consumed > 0) == (whole.state == State::complete), "complete is consumed");
  require(whole.state != State::incomplete || bytes.size() < http::kProxyBlockBytesMax,
          "it waits past every bound");
  require(!whole.has_source || whole.state == State::complete, "an address of half a header");
  bool decided = false;
  for (size_t size = 0; size <= bytes.size() && size <= 2 * http::kProxyBlockBytesMax; ++size) {
    const http::ProxyHeader part = http::parse_proxy_header(bytes.substr(0, size));
    decided = decided || part.state != State::incomplete;
    require(decided ? same(part, whole) : part.state == State::incomplete, "a cut matters");
    require(whole.state != State::complete || decided == (size >= whole.consumed),
            "it is decided before its end, or later");
  }
}

void check_forwarded(std::string_view text) {
  static const std::vector<Network> kTrusted = {*Network::parse("10.0.0.0/8"),
                                                *Network::parse("2001:db8::/32")};
  const size_t cut = text.find('\n');
  const bool two = cut != std::string_view::npos;
  http::FieldList lines;
  require(lines.push("x-forwarded-for", text.substr(0, cut)), "there is room");
  if (two) require(lines.push("x-forwarded-for", text.substr(cut + 1)), "there is room");
  const auto client = http::forwarded_client(lines, kTrusted);
  if (two) {
    // Two lines are one list.
    std::string joined(text);
    joined[cut] = ',';
    http::FieldList line;
    require(line.push("x-forwarded-for", joined), "there is room");
    require(http::forwarded_client(line, kTrusted) == client, "lines are no list");
  }
  if (!client) return;
  // What a proxy that is trusted appends changes nothing; what another appends is all that counts.
  http::FieldList more = lines;
  require(more.push("x-forwarded-for", "10.0.0.1"), "there is room");
  require(http::forwarded_client(more, kTrusted) == client, "a trusted proxy matters");
  require(more.push("x-forwarded-for", "192.0.2.1"), "there is room");
  require(http::forwarded_client(more, kTrusted) == parse_ip("192.0.2.1"), "a client is forged");
  const auto again = parse_ip(IpText(*client).view());
  require(again == client, "the text of an address is another");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_header(bytes);
  check_forwarded(bytes);
  return 0;
}
