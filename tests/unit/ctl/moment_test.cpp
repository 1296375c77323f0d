#include "moment.hpp"

#include <doctest/doctest.h>

using flexd::ctl::kSpanMaxS;
using flexd::ctl::parse_date;
using flexd::ctl::parse_day;
using flexd::ctl::parse_expiry;
using flexd::ctl::parse_span;
using flexd::ctl::time_text;

namespace {

constexpr int64_t kNow = 1'795'266'000;  // 2026-11-21T13:00:00Z

}  // namespace

TEST_CASE("spans") {
  CHECK(*parse_span("2s") == 2);
  CHECK(*parse_span("90m") == 5'400);
  CHECK(*parse_span("12h") == 43'200);
  CHECK(*parse_span("30d") == 2'592'000);
  CHECK(*parse_span("36500d") == kSpanMaxS);
  for (const char* bad : {"", "d", "0d", "-1d", "+1d", "1.5h", "30", "30 d", "30D", "1w", "36501d",
                          "99999999999999999999s", "9223372036854775807d", "1d2h"}) {
    CAPTURE(bad);
    CHECK(!parse_span(bad));
  }
}

TEST_CASE("dates and times") {
  CHECK(*parse_date("1970-01-01") == 0);
  CHECK(*parse_date("2026-11-21") == kNow - 13 * 3'600);
  CHECK(*parse_date("2024-02-29") == 1'709'164'800);
  CHECK(*parse_date("2026-11-21T13:00:00Z") == kNow);
  CHECK(*parse_date("2026-11-21t13:00:00z") == kNow);
  CHECK(*parse_date("2026-11-21 13:00:00.999Z") == kNow);
  CHECK(*parse_date("2026-11-21T14:30:00+01:30") == kNow);
  CHECK(*parse_date("2026-11-20T23:00:00-14:00") == kNow);
  for (const char* bad : {"",
                          "2026",
                          "2026-11",
                          "2026-13-01",
                          "2026-02-29",
                          "2026-11-31",
                          "2026-00-10",
                          "2026-11-00",
                          "26-11-21",
                          "2026/11/21",
                          "2026-11-21T",
                          "2026-11-21T13:00:00",
                          "2026-11-21T13:00Z",
                          "2026-11-21T24:00:00Z",
                          "2026-11-21T13:60:00Z",
                          "2026-11-21T13:00:60Z",
                          "2026-11-21T13:00:00+1",
                          "2026-11-21T13:00:00+24:00",
                          "2026-11-21T13:00:00Zx",
                          "2026-11-21T13:00:00.Z",
                          "2026-11-21x",
                          "1969-12-31",
                          "1970-01-01T00:00:00+01:00",
                          "-2026-1-01",
                          "tomorrow"}) {
    CAPTURE(bad);
    CHECK(!parse_date(bad));
  }
}

TEST_CASE("an expiry lies in the future") {
  CHECK(*parse_expiry("2s", kNow) == kNow + 2);
  CHECK(*parse_expiry("2026-11-21T13:00:01Z", kNow) == kNow + 1);
  CHECK(!parse_expiry("2026-11-21T13:00:00Z", kNow));
  CHECK(!parse_expiry("2026-11-21", kNow));
  CHECK(!parse_expiry("0s", kNow));
  CHECK(!parse_expiry("soon", kNow));
}

TEST_CASE("days of the past") {
  CHECK(*parse_day("2026-11-21", kNow) == 20'778);
  CHECK(*parse_day("2026-11-21T23:59:59Z", kNow) == 20'778);
  CHECK(*parse_day("13h", kNow) == 20'778);
  CHECK(*parse_day("46801s", kNow) == 20'777);
  CHECK(*parse_day("7d", kNow) == 20'771);
  CHECK(*parse_day("36500d", kNow) == 0);
  CHECK(!parse_day("yesterday", kNow));
}

TEST_CASE("times for people") {
  CHECK(time_text(kNow) == "2026-11-21 13:00");
  CHECK(time_text(kNow + 59) == "2026-11-21 13:00");
  CHECK(time_text(0) == "1970-01-01 00:00");
  CHECK(time_text(-1) == "1969-12-31 23:59");
}
