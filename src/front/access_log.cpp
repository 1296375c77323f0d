#include "access_log.hpp"

#include <arpa/inet.h>

#include <array>

namespace flexd::front {
namespace {

// write_ip spells an address without allocating; IPv4-mapped addresses as IPv4.
std::string_view write_ip(const io::Address& address, std::array<char, INET6_ADDRSTRLEN>& space) {
  if (address.family() == AF_UNIX) return "unix";
  const std::array<uint8_t, 16> ip = address.ip();
  const bool v4 = address.family() == AF_INET;
  const char* const text = inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip.data() + 12 : ip.data(),
                                     space.data(), static_cast<socklen_t>(space.size()));
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// milliseconds keeps three decimals: the log has microseconds.
double milliseconds(uint64_t ns) {
  const uint64_t microseconds = ns / 1000;
  return static_cast<double>(microseconds) / 1000.0;
}

}  // namespace

void write_access_line(Log& log, uint64_t unix_ms, const AccessRecord& r) {
  if (!log.enabled(LogLevel::info)) return;
  std::array<char, INET6_ADDRSTRLEN> space;
  LogLine line(log.ring(), log.format(), LogLevel::info, unix_ms, "request");
  const auto text = [&line](std::string_view name, std::string_view value) {
    if (!value.empty()) line.field({name, value});
  };
  text("request_id", r.request_id);
  text("client", write_ip(r.client, space));
  text("path", r.path);
  line.field({"status", r.status});
  text("outcome", r.outcome);
  text("code", r.code);
  text("key", r.key_id);
  text("organization", r.organization);
  text("model", r.model);
  text("routing_reason", r.routing_reason);
  text("provider", r.provider);
  text("tier", r.tier);
  text("reported_tier", r.reported_tier);
  text("flex_loss", r.flex_loss);
  text("upstream_request_id", r.upstream_request_id);
  if (r.stream) line.field({"stream", true});
  if (r.retry_count != 0) line.field({"retry_count", r.retry_count});
  line.field({"bytes_in", r.bytes_in});
  line.field({"bytes_out", r.bytes_out});
  line.field({"duration_ms", milliseconds(r.duration_ns)});
  if (r.start_ns != 0) line.field({"start_ms", milliseconds(r.start_ns)});
  if (r.first_byte_ns != 0) line.field({"first_byte_ms", milliseconds(r.first_byte_ns)});
  if (r.usage.known) {
    line.field({"input_tokens", r.usage.input_tokens});
    line.field({"cached_tokens", r.usage.cached_tokens});
    line.field({"output_tokens", r.usage.output_tokens});
    line.field({"reasoning_tokens", r.usage.reasoning_tokens});
  }
}

}  // namespace flexd::front
