#include "flexd/metrics/exposition.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace flexd::metrics {
namespace {

constexpr std::string_view kPrefix = "flexd_";

void append_head(const Family& family, std::string_view type, std::string& out) {
  fmt::format_to(std::back_inserter(out), "# HELP {}{} ", kPrefix, family.name);
  append_help_escaped(family.help, out);
  fmt::format_to(std::back_inserter(out), "\n# TYPE {}{} {}\n", kPrefix, family.name, type);
}

// series_at is the series of slot `index` in its family: the reverse of slot_of.
Series series_at(const Family& family, size_t index) {
  Series series;
  for (size_t i = kLabelsMax; i-- > 0;) {
    const Label& label = family.labels[i];
    if (label.name.empty()) continue;
    series.at[i] = static_cast<uint8_t>(index % label.values.size());
    index /= label.values.size();
  }
  return series;
}

void append_label(std::string_view name, std::string_view value, bool first, std::string& out) {
  if (!first) out += ',';
  out += name;
  out += "=\"";
  append_label_escaped(value, out);
  out += '"';
}

// append_name writes the name and the labels of one series; `bucket` is the value of `le` or empty.
void append_name(const Family& family, Series series, std::string_view suffix,
                 std::string_view bucket, std::string& out) {
  out += kPrefix;
  out += family.name;
  out += suffix;
  const bool labelled = !family.labels[0].name.empty();
  if (!labelled && bucket.empty()) return;
  out += '{';
  bool first = true;
  for (size_t i = 0; i < kLabelsMax && !family.labels[i].name.empty(); ++i) {
    append_label(family.labels[i].name, family.labels[i].values[series.at[i]], first, out);
    first = false;
  }
  if (!bucket.empty()) append_label("le", bucket, first, out);
  out += '}';
}

template <typename Name, typename Value>
void append_values(std::span<const Core* const> cores, const Family& family, Name name, Value zero,
                   std::string& out) {
  const bool labelled = !family.labels[0].name.empty();
  for (size_t index = 0; index < family.series_count(); ++index) {
    const Series series = series_at(family, index);
    Value total = zero;
    for (const Core* core : cores) total += core->value(name, series);
    if (labelled && total == zero) continue;
    append_name(family, series, "", "", out);
    fmt::format_to(std::back_inserter(out), " {}\n", total);
  }
}

void append_histogram(std::span<const Core* const> cores, const Family& family, Histogram name,
                      Series series, std::string& out) {
  std::array<uint64_t, kBucketCount> buckets{};
  uint64_t sum_ns = 0;
  uint64_t count = 0;
  for (const Core* core : cores) {
    for (size_t i = 0; i < kBucketCount; ++i) buckets[i] += core->bucket(name, series, i);
    sum_ns += core->sum_ns(name, series);
  }
  for (const uint64_t bucket : buckets) count += bucket;
  if (count == 0 && !family.labels[0].name.empty()) return;
  uint64_t cumulated = 0;
  for (size_t i = 0; i < kBucketCount; ++i) {
    cumulated += buckets[i];
    append_name(family, series, "_bucket", i < kBucketWords.size() ? kBucketWords[i] : "+Inf", out);
    fmt::format_to(std::back_inserter(out), " {}\n", cumulated);
  }
  append_name(family, series, "_sum", "", out);
  fmt::format_to(std::back_inserter(out), " {}.{:09}\n", sum_ns / 1'000'000'000,
                 sum_ns % 1'000'000'000);
  append_name(family, series, "_count", "", out);
  fmt::format_to(std::back_inserter(out), " {}\n", count);
}

}  // namespace

void append_help_escaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

void append_label_escaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

void write_text(std::span<const Core* const> cores, std::string_view version, std::string& out) {
  for (size_t i = 0; i < kCounterCount; ++i) {
    append_head(kCounters[i], "counter", out);
    append_values(cores, kCounters[i], static_cast<Counter>(i), uint64_t{0}, out);
  }
  for (size_t i = 0; i < kGaugeCount; ++i) {
    append_head(kGauges[i], "gauge", out);
    append_values(cores, kGauges[i], static_cast<Gauge>(i), int64_t{0}, out);
  }
  for (size_t i = 0; i < kHistogramCount; ++i) {
    append_head(kHistograms[i], "histogram", out);
    for (size_t index = 0; index < kHistograms[i].series_count(); ++index) {
      append_histogram(cores, kHistograms[i], static_cast<Histogram>(i),
                       series_at(kHistograms[i], index), out);
    }
  }
  out += "# HELP flexd_build_info The version of the program; always 1.\n";
  out += "# TYPE flexd_build_info gauge\nflexd_build_info{version=\"";
  append_label_escaped(version, out);
  out += "\"} 1\n";
}

}  // namespace flexd::metrics
