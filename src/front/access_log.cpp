#include "access_log.hpp"

namespace flexd::front {
namespace {

constexpr uint64_t kMicrosecondNs = 1000;

}  // namespace

void write_access_line(Log& log, uint64_t unix_ms, const AccessRecord& r) {
  if (!log.enabled(LogLevel::info)) return;
  const IpText client(r.client.ip());
  LogLine line(log.ring(), log.format(), LogLevel::info, unix_ms, "request");
  const auto text = [&line](std::string_view name, std::string_view value) {
    if (!value.empty()) line.text(name, value);
  };
  const auto word = [&line](std::string_view name, std::string_view value) {
    if (!value.empty()) line.word(name, value);
  };
  const auto milliseconds = [&line](std::string_view name, uint64_t ns) {
    line.thousandths(name, ns / kMicrosecondNs);
  };
  word("request_id", r.request_id);
  word("client", r.client.family() == AF_UNIX ? "unix" : client.view());
  word("path", r.path);
  line.number("status", r.status);
  word("outcome", r.outcome);
  word("code", r.code);
  text("key", r.key_id);
  text("organization", r.organization);
  text("model", r.model);
  word("routing_reason", r.routing_reason);
  word("provider", r.provider);
  word("tier", r.tier);
  text("reported_tier", r.reported_tier);
  word("flex_loss", r.flex_loss);
  text("upstream_request_id", r.upstream_request_id);
  if (r.stream) line.field({"stream", true});
  if (r.retry_count != 0) line.number("retry_count", r.retry_count);
  line.number("bytes_in", r.bytes_in);
  line.number("bytes_out", r.bytes_out);
  milliseconds("duration_ms", r.duration_ns);
  if (r.start_ns != 0) milliseconds("start_ms", r.start_ns);
  if (r.first_byte_ns != 0) milliseconds("first_byte_ms", r.first_byte_ns);
  if (r.usage.known) {
    line.number("input_tokens", r.usage.input_tokens);
    line.number("cached_tokens", r.usage.cached_tokens);
    line.number("output_tokens", r.usage.output_tokens);
    line.number("reasoning_tokens", r.usage.reasoning_tokens);
  }
}

}  // namespace flexd::front
