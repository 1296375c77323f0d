#include "report.hpp"

#include <fmt/format.h>

#include <iterator>

namespace flexd::bench {
namespace {

double to_us(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000.0;
}

double per_second(std::uint64_t count, std::uint64_t elapsed_ns) {
  return elapsed_ns == 0 ? 0 : static_cast<double>(count) * 1e9 / static_cast<double>(elapsed_ns);
}

void text_line(std::string& out, const char* name, const Histogram& histogram) {
  if (histogram.count() == 0) return;
  fmt::format_to(std::back_inserter(out),
                 "{:<12} p50 {:.1f}  p90 {:.1f}  p99 {:.1f}  p99.9 {:.1f}  max {:.1f} us\n", name,
                 to_us(histogram.percentile(50)), to_us(histogram.percentile(90)),
                 to_us(histogram.percentile(99)), to_us(histogram.percentile(99.9)),
                 to_us(histogram.max()));
}

std::string json_histogram(const Histogram& histogram) {
  return fmt::format(
      R"({{"count":{},"min":{:.3f},"mean":{:.3f},"p50":{:.3f},"p90":{:.3f},"p99":{:.3f},)"
      R"("p999":{:.3f},"max":{:.3f}}})",
      histogram.count(), to_us(histogram.min()), histogram.mean() / 1000.0,
      to_us(histogram.percentile(50)), to_us(histogram.percentile(90)),
      to_us(histogram.percentile(99)), to_us(histogram.percentile(99.9)), to_us(histogram.max()));
}

// A provider's error text may hold anything, so it is reduced to printable ASCII.
std::string json_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= ' ' && c < 127 ? c : '?';
  }
  return out;
}

template <typename Map>
std::string json_counts(const Map& counts) {
  std::string out;
  for (const auto& [name, count] : counts) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\":{}", out.empty() ? "" : ",", name, count);
  }
  return "{" + out + "}";
}

}  // namespace

std::string render_text(const Options& options, const Report& report) {
  std::string out = fmt::format(
      "{} connections, {}\n{} answers in {:.3f} s: {:.0f}/s, {} errors, {} reconnects\n",
      options.connections,
      options.rate_per_s > 0 ? fmt::format("open loop at {}/s", options.rate_per_s)
                             : std::string("closed loop"),
      report.requests, static_cast<double>(report.elapsed_ns) / 1e9,
      per_second(report.requests, report.elapsed_ns), report.errors, report.reconnects);
  text_line(out, "latency", report.latency);
  text_line(out, "first event", report.first_event);
  text_line(out, "event gap", report.event_gap);
  text_line(out, "send delay", report.send_delay);
  if (report.events != 0) {
    out += fmt::format("{} events: {:.0f}/s\n", report.events,
                       per_second(report.events, report.elapsed_ns));
  }
  if (!report.aborts.empty()) out += fmt::format("{} aborted on purpose\n", report.aborts.size());
  for (const auto& [kind, count] : report.error_kinds) {
    out += fmt::format("error {}: {}\n", kind, count);
  }
  if (!report.first_error.empty()) out += fmt::format("first error: {}\n", report.first_error);
  return out;
}

std::string render_json(const Options& options, const Report& report) {
  std::string aborts;
  for (const AbortTime& time : report.aborts) {
    fmt::format_to(std::back_inserter(aborts), R"({}{{"monotonic_ns":{},"realtime_ns":{}}})",
                   aborts.empty() ? "" : ",", time.monotonic_ns, time.realtime_ns);
  }
  return fmt::format(
      R"({{"connections":{},"rate_per_s":{:.3f},"requests":{},"errors":{},"statuses":{},)"
      R"("error_kinds":{},"first_error":"{}","events":{},"body_bytes":{},"reconnects":{},)"
      R"("elapsed_s":{:.6f},"requests_per_s":{:.1f},"events_per_s":{:.1f},"latency_us":{},)"
      R"("first_event_us":{},"event_gap_us":{},"send_delay_us":{},"aborts":[{}]}})"
      "\n",
      options.connections, options.rate_per_s, report.requests, report.errors,
      json_counts(report.statuses), json_counts(report.error_kinds), json_text(report.first_error),
      report.events, report.body_bytes, report.reconnects,
      static_cast<double>(report.elapsed_ns) / 1e9, per_second(report.requests, report.elapsed_ns),
      per_second(report.events, report.elapsed_ns), json_histogram(report.latency),
      json_histogram(report.first_event), json_histogram(report.event_gap),
      json_histogram(report.send_delay), aborts);
}

}  // namespace flexd::bench
