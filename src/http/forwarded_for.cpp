#include "flexd/http/forwarded_for.hpp"

#include <cstdint>

#include "flexd/base/ascii.hpp"

namespace flexd::http {
namespace {

constexpr std::string_view kName = "x-forwarded-for";

bool is_port(std::string_view text) {
  const std::optional<uint64_t> value = parse_u64(text);
  return value && *value <= UINT16_MAX;
}

// parse_element reads an address that may have brackets and a port.
std::optional<IpBytes> parse_element(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view after = text.substr(end + 1);
    if (!after.empty() && (after.front() != ':' || !is_port(after.substr(1)))) return std::nullopt;
    const std::optional<IpBytes> ip = parse_ip(text.substr(1, end - 1));
    // Brackets are for IPv6, which has colons.
    return text.substr(0, end).find(':') == std::string_view::npos ? std::nullopt : ip;
  }
  const size_t colon = text.find(':');
  const bool has_port = colon != std::string_view::npos && colon == text.rfind(':');
  if (has_port && !is_port(text.substr(colon + 1))) return std::nullopt;
  return parse_ip(has_port ? text.substr(0, colon) : text);
}

// Walk is the way from the right end of the list to the left.
class Walk {
 public:
  explicit Walk(std::span<const Network> trusted) : trusted_(trusted) {}

  // take_line walks the elements of one field; false if the client is known.
  bool take_line(std::string_view line) {
    for (;;) {
      const size_t comma = line.rfind(',');
      const bool last = comma == std::string_view::npos;
      const std::string_view element = trim(last ? line : line.substr(comma + 1));
      const std::optional<IpBytes> ip = parse_element(element);
      if (!ip) return false;
      client_ = ip;
      if (!any_contains(trusted_, *ip)) return false;
      if (last) return true;
      line = line.substr(0, comma);
    }
  }
  const std::optional<IpBytes>& client() const { return client_; }

 private:
  std::span<const Network> trusted_;
  std::optional<IpBytes> client_;
};

}  // namespace

std::optional<IpBytes> forwarded_client(const FieldList& fields, std::span<const Network> trusted) {
  Walk walk(trusted);
  for (size_t i = fields.size(); i-- > 0;) {
    const Field& field = fields[i];
    if (iequals(field.name, kName) && !walk.take_line(field.value)) break;
  }
  return walk.client();
}

}  // namespace flexd::http
