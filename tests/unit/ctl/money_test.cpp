#include "money.hpp"

#include <doctest/doctest.h>

#include <cstdint>

#include "flexd/store/bounds.hpp"

using flexd::ctl::dollars_text;
using flexd::ctl::parse_budget;
using flexd::ctl::parse_dollars;

TEST_CASE("dollars come in exactly") {
  CHECK(*parse_dollars("0") == 0);
  CHECK(*parse_dollars("25") == 25'000'000'000);
  CHECK(*parse_dollars("0.1") == 100'000'000);
  CHECK(*parse_dollars("0.000001") == 1'000);
  CHECK(*parse_dollars("1.234567") == 1'234'567'000);
  CHECK(*parse_dollars("00012.50") == 12'500'000'000);
  CHECK(*parse_dollars("9223372036.854775") == 9'223'372'036'854'775'000);
  CHECK(*parse_dollars("-0.5") == -500'000'000);
}

TEST_CASE("what is no amount is refused") {
  for (const char* bad : {"",
                          ".",
                          "1.",
                          ".5",
                          "-",
                          "+1",
                          "1e3",
                          "1,5",
                          " 1",
                          "1 ",
                          "$1",
                          "0x10",
                          "1.2.3",
                          "1.2345678",
                          "0.0000001",
                          "9223372036.9",
                          "99999999999999999999",
                          "nan",
                          "inf",
                          "--1",
                          "1.-5"}) {
    CAPTURE(bad);
    CHECK(!parse_dollars(bad));
  }
}

TEST_CASE("a message never repeats what was typed") {
  CHECK(parse_dollars("sk-secret").error().message.find("secret") == std::string::npos);
}

TEST_CASE("a budget is no debt, and is bounded") {
  CHECK(*parse_budget("0") == 0);
  CHECK(*parse_budget("12.5") == 12'500'000'000);
  CHECK(*parse_budget("1000000000") == 1'000'000'000'000'000'000);
  for (const char* bad : {"1000000000.000001", "9223372036", "-1", "-0", "", "0.0000001", "x"}) {
    CAPTURE(bad);
    REQUIRE(!parse_budget(bad));
    CHECK(parse_budget(bad).error().message == flexd::store::kBudgetNanosBounds.words);
  }
}

TEST_CASE("dollars for people have six places and the nearest of them") {
  CHECK(dollars_text(0) == "$0.000000");
  CHECK(dollars_text(1'234'567'000) == "$1.234567");
  CHECK(dollars_text(499) == "$0.000000");
  CHECK(dollars_text(500) == "$0.000001");
  CHECK(dollars_text(999'999'500) == "$1.000000");
  CHECK(dollars_text(-500'000'000) == "-$0.500000");
  CHECK(dollars_text(-499) == "$0.000000");
  CHECK(dollars_text(INT64_MAX) == "$9223372036.854776");
  CHECK(dollars_text(INT64_MIN) == "-$9223372036.854776");
}
