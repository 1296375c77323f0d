#include "access_log.hpp"

namespace flexd::front {
namespace {

// milliseconds keeps three decimals: the log has microseconds.
double milliseconds(uint64_t ns) {
  const uint64_t microseconds = ns / 1000;
  return static_cast<double>(microseconds) / 1000.0;
}

}  // namespace

void write_access_line(Log& log, uint64_t unix_ms, const AccessRecord& r) {
  if (!log.enabled(LogLevel::info)) return;
  const IpText client(r.client.ip());
  LogLine line(log.ring(), log.format(), LogLevel::info, unix_ms, "request");
  const auto text = [&line](std::string_view name, std::string_view value) {
    if (!value.empty()) line.field({name, value});
  };
  text("request_id", r.request_id);
  text("client", r.client.family() == AF_UNIX ? "unix" : client.view());
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
