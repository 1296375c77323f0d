#include "flexd/store/bounds.hpp"

#include <doctest/doctest.h>

#include <string>

namespace flexd::store {
namespace {

TEST_CASE("bounds hold both of their ends, and their words name them") {
  for (const Bounds& bounds : {kRequestsPerMinuteBounds, kBudgetRequestsBounds,
                               kRequestsPerSecondBounds, kRaceSlotsBounds, kRetryAfterBounds}) {
    CAPTURE(bounds.words);
    CHECK(bounds.words == "a whole number from " + std::to_string(bounds.least) + " to " +
                              std::to_string(bounds.most));
    CHECK(bounds.hold(bounds.least));
    CHECK(bounds.hold(bounds.most));
    CHECK_FALSE(bounds.hold(bounds.least - 1));
    CHECK_FALSE(bounds.hold(bounds.most + 1));
  }
  constexpr int64_t kNanosPerDollar = 1'000'000'000;
  CHECK(std::string(kBudgetNanosBounds.words)
            .find("from " + std::to_string(kBudgetNanosBounds.least) + " to " +
                  std::to_string(kBudgetNanosBounds.most / kNanosPerDollar)) != std::string::npos);
}

TEST_CASE("the words stand whole in an error of the API") {
  constexpr size_t kDetailBytesMax = 64;  // errors/render.hpp
  for (const Bounds& bounds :
       {kRequestsPerMinuteBounds, kBudgetRequestsBounds, kBudgetNanosBounds}) {
    CHECK(bounds.words.size() <= kDetailBytesMax);
  }
}

TEST_CASE("amounts have six places at most, and budgets no sign") {
  CHECK(parse_amount("-3") == -3'000'000'000);
  CHECK(parse_amount("12.500000") == 12'500'000'000);
  CHECK(parse_amount("9223372036.854775") == 9'223'372'036'854'775'000);
  for (const char* bad : {"12.5000000", "9223372036.854776", "1e3", ".5", "5.", "", "+1", " 1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_amount(bad).has_value());
  }
  CHECK(parse_budget("1000000000") == kBudgetNanosBounds.most);
  for (const char* bad : {"1000000000.000001", "-1", "-0", "0.0000001"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_budget(bad).has_value());
  }
}

}  // namespace
}  // namespace flexd::store
