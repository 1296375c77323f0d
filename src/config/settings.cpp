#include "flexd/config/settings.hpp"

#include <charconv>

namespace flexd::config {
namespace {

struct Unit {
  std::string_view word;
  uint64_t ns;
};
constexpr Unit kUnits[] = {
    {"ms", kMillisecondNs},
    {"s", kSecondNs},
    {"m", 60 * kSecondNs},
    {"h", 3600 * kSecondNs},
};

// split_port cuts ":1234" off `host_port`, minding brackets.
Result<void> split_port(std::string_view host_port, OriginUrl& url) {
  std::string_view host = host_port;
  std::string_view port;
  if (!host_port.empty() && host_port.front() == '[') {
    const size_t end = host_port.find(']');
    if (end == std::string_view::npos) return fail_with("a '[' without its ']'");
    host = host_port.substr(1, end - 1);
    const std::string_view rest = host_port.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return fail_with("something odd after ']'");
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return fail_with("an empty port");
  } else if (const size_t colon = host_port.find(':'); colon != std::string_view::npos) {
    host = host_port.substr(0, colon);
    port = host_port.substr(colon + 1);
    if (port.empty()) return fail_with("an empty port");
  }
  if (host.empty()) return fail_with("no host");
  if (!port.empty()) {
    uint32_t value = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (error != std::errc{} || end != port.data() + port.size() || value == 0 || value > 65535) {
      return fail_with("the port is not a number from 1 to 65535");
    }
    url.port = static_cast<uint16_t>(value);
  }
  for (const char c : host) {
    if (c <= ' ' || c == '@' || c == '?' || c == '#' || c == 0x7f) {
      return fail_with("the host has a character that does not belong there");
    }
  }
  url.host = std::string(host);
  return {};
}

}  // namespace

Result<uint64_t> parse_duration(std::string_view text) {
  uint64_t count = 0;
  const char* const begin = text.data();
  const auto [end, error] = std::from_chars(begin, begin + text.size(), count);
  if (error != std::errc{}) return fail_with("durations are written like 250ms, 30s or 10m");
  const std::string_view word = text.substr(static_cast<size_t>(end - begin));
  if (word.empty() && count == 0) return 0;
  for (const Unit& unit : kUnits) {
    if (word != unit.word) continue;
    // A year is more than any clock here needs, and keeps sums of durations far from overflow.
    if (count > 366ULL * 86'400 * kSecondNs / unit.ns) return fail_with("longer than a year");
    return count * unit.ns;
  }
  return fail_with("durations are written like 250ms, 30s or 10m");
}

std::string OriginUrl::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  const uint16_t own = scheme == Scheme::https ? 443 : 80;
  if (port != own) text += ":" + std::to_string(port);
  return text;
}

Result<OriginUrl> parse_origin_url(std::string_view text) {
  OriginUrl url;
  if (text.starts_with("https://")) {
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    url.scheme = OriginUrl::Scheme::http;
    url.port = 80;
    text.remove_prefix(7);
  } else if (text.starts_with("h2c://")) {
    url.scheme = OriginUrl::Scheme::h2c;
    url.port = 80;
    text.remove_prefix(6);
  } else {
    return fail_with("it must start with https:// (or http:// or h2c:// for a local peer)");
  }
  const size_t slash = text.find('/');
  std::string_view path = slash == std::string_view::npos ? "" : text.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  for (const char c : path) {
    if (c <= ' ' || c == '?' || c == '#' || static_cast<unsigned char>(c) >= 0x7f) {
      return fail_with("its path may not have a query, a fragment, spaces or non-ASCII bytes");
    }
  }
  url.path_prefix = std::string(path);
  if (auto split = split_port(text.substr(0, slash), url); !split) return fail(split.error());
  return url;
}

}  // namespace flexd::config
