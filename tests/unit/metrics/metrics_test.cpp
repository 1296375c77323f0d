#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <thread>

#include "flexd/metrics/core.hpp"
#include "flexd/metrics/exposition.hpp"

namespace flexd::metrics {
namespace {

std::string page_of(std::span<const Core* const> cores) {
  std::string page;
  write_text(cores, "1.2.3", page);
  return page;
}

bool has_line(const std::string& page, const std::string& line) {
  return ("\n" + page).find("\n" + line + "\n") != std::string::npos;
}

template <size_t Count>
void check_families(const std::array<Family, Count>& families, const std::string& type,
                    const std::string& page, std::set<std::string_view>& names) {
  for (const Family& family : families) {
    const std::string name = "flexd_" + std::string(family.name);
    CAPTURE(name);
    CHECK(names.insert(family.name).second);
    CHECK(family.help.ends_with('.'));
    CHECK(page.find("# HELP " + name + " ") != std::string::npos);
    CHECK(has_line(page, "# TYPE " + name + " " + type));
    if (type == "counter") CHECK(family.name.ends_with("_total"));
    if (type == "histogram") CHECK(family.name.ends_with("_seconds"));
  }
}

TEST_CASE("every family of the catalog appears once, with help and type") {
  const auto core = std::make_unique<Core>();
  const std::array<const Core*, 1> cores = {core.get()};
  const std::string page = page_of(cores);
  std::set<std::string_view> names;
  check_families(kCounters, "counter", page, names);
  check_families(kGauges, "gauge", page, names);
  check_families(kHistograms, "histogram", page, names);
  CHECK(has_line(page, "flexd_turns_total 0"));
  CHECK(has_line(page, "flexd_turn_duration_seconds_count 0"));
  CHECK(has_line(page, "flexd_build_info{version=\"1.2.3\"} 1"));
  CHECK(page.ends_with('\n'));
}

TEST_CASE("every series of every family has a slot of its own") {
  const auto core = std::make_unique<Core>();
  uint64_t number = 0;
  const auto walk = [](const Family& family, auto&& use) {
    const auto size = [&](size_t i) {
      return family.labels[i].name.empty() ? size_t{1} : family.labels[i].values.size();
    };
    for (size_t a = 0; a < size(0); ++a) {
      for (size_t b = 0; b < size(1); ++b) {
        for (size_t c = 0; c < size(2); ++c) use(at(a, b, c));
      }
    }
  };
  for (size_t i = 0; i < kCounterCount; ++i) {
    walk(kCounters[i], [&](Series s) { core->add(static_cast<Counter>(i), s, ++number); });
  }
  uint64_t again = 0;
  for (size_t i = 0; i < kCounterCount; ++i) {
    walk(kCounters[i],
         [&](Series s) { CHECK(core->value(static_cast<Counter>(i), s) == ++again); });
  }
  CHECK(again == number);
}

TEST_CASE("workers are summed, with their labels") {
  const auto one = std::make_unique<Core>();
  const auto two = std::make_unique<Core>();
  one->add(Counter::requests, at(Outcome::ok, Reason::flex_won));
  two->add(Counter::requests, at(Outcome::ok, Reason::flex_won), 2);
  two->add(Counter::requests, at(Outcome::client_closed, Reason::none));
  one->add(Counter::attempts, at(0, Tier::flex, AttemptResult::cancelled), 7);
  one->set(Gauge::client_connections, 5);
  two->change(Gauge::client_connections, 3);
  two->change(Gauge::client_connections, -1);
  const std::array<const Core*, 2> cores = {one.get(), two.get()};
  const std::string page = page_of(cores);
  CHECK(has_line(page, "flexd_requests_total{outcome=\"ok\",reason=\"flex_won\"} 3"));
  CHECK(has_line(page, "flexd_requests_total{outcome=\"client_closed\",reason=\"none\"} 1"));
  CHECK(has_line(page,
                 "flexd_attempts_total{provider=\"openai\",tier=\"flex\",result=\"cancelled\"} 7"));
  CHECK(page.find("outcome=\"own_error\"") == std::string::npos);
  CHECK(has_line(page, "flexd_client_connections 7"));
}

TEST_CASE("histograms cumulate, and a bound belongs to its bucket") {
  const auto core = std::make_unique<Core>();
  core->observe(Histogram::first_byte, 0);
  core->observe(Histogram::first_byte, 50'000);
  core->observe(Histogram::first_byte, 50'001);
  core->observe(Histogram::first_byte, 1'500'000'000);
  core->observe(Histogram::first_byte, 3'600'000'000'000);
  core->observe(Histogram::start_latency, at(1, Tier::standard), 1'000'000'000);
  const std::array<const Core*, 1> cores = {core.get()};
  const std::string page = page_of(cores);
  const std::string name = "flexd_first_byte_seconds";
  CHECK(has_line(page, name + "_bucket{le=\"0.00005\"} 2"));
  CHECK(has_line(page, name + "_bucket{le=\"0.0001\"} 3"));
  CHECK(has_line(page, name + "_bucket{le=\"1\"} 3"));
  CHECK(has_line(page, name + "_bucket{le=\"2.5\"} 4"));
  CHECK(has_line(page, name + "_bucket{le=\"600\"} 4"));
  CHECK(has_line(page, name + "_bucket{le=\"+Inf\"} 5"));
  CHECK(has_line(page, name + "_count 5"));
  CHECK(has_line(page, name + "_sum 3601.500100001"));
  CHECK(has_line(page,
                 "flexd_start_latency_seconds_bucket{provider=\"gemini\",tier=\"standard\","
                 "le=\"1\"} 1"));
}

TEST_CASE("the words of the buckets are their bounds") {
  for (size_t i = 0; i < kBucketsNs.size(); ++i) {
    CHECK(std::stod(std::string(kBucketWords[i])) * 1e9 ==
          doctest::Approx(static_cast<double>(kBucketsNs[i])));
    if (i > 0) CHECK(kBucketsNs[i] > kBucketsNs[i - 1]);
  }
}

TEST_CASE("text is escaped as the format wants it") {
  std::string out;
  append_label_escaped("a\"b\\c\nd", out);
  CHECK(out == "a\\\"b\\\\c\\nd");
  out.clear();
  append_help_escaped("a\"b\\c\nd", out);
  CHECK(out == "a\"b\\\\c\\nd");
  out.clear();
  write_text({}, "v\"1\"", out);
  CHECK(has_line(out, "flexd_build_info{version=\"v\\\"1\\\"\"} 1"));
}

TEST_CASE("a page can be written while a worker counts") {
  const auto core = std::make_unique<Core>();
  const std::array<const Core*, 1> cores = {core.get()};
  std::thread worker([&] {
    for (int i = 0; i < 20'000; ++i) core->add(Counter::turns);
  });
  for (int i = 0; i < 5; ++i) CHECK(page_of(cores).find("flexd_turns_total ") != std::string::npos);
  worker.join();
  CHECK(core->value(Counter::turns) == 20'000);
}

}  // namespace
}  // namespace flexd::metrics
