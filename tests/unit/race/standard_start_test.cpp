#include "flexd/race/standard_start.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>

namespace flexd::race {
namespace {

constexpr uint64_t kMs = 1'000'000;

TEST_CASE("standard_start: nothing is said until twenty starts have been seen") {
  auto starts = std::make_unique<StandardStarts>();
  CHECK(starts->lead_ns("gpt-5.5") == 0);
  for (int i = 0; i < 19; ++i) starts->record("gpt-5.5", 700 * kMs);
  CHECK(starts->lead_ns("gpt-5.5") == 0);
  starts->record("gpt-5.5", 700 * kMs);
  CHECK(starts->lead_ns("gpt-5.5") == 700 * kMs);
  CHECK(starts->lead_ns("gpt-5.4") == 0);
}

TEST_CASE("standard_start: the 95th percentile by nearest rank, in any order") {
  auto starts = std::make_unique<StandardStarts>();
  // 37 is prime to 100: each of 1..100 ms once, scattered.
  for (uint64_t i = 0; i < 100; ++i) starts->record("m", (i * 37 % 100 + 1) * kMs);
  CHECK(starts->lead_ns("m") == 95 * kMs);
  auto twenty = std::make_unique<StandardStarts>();
  for (uint64_t i = 1; i <= 20; ++i) twenty->record("m", i * kMs);
  CHECK(twenty->lead_ns("m") == 19 * kMs);
}

TEST_CASE("standard_start: only the last 128 starts count") {
  auto starts = std::make_unique<StandardStarts>();
  for (int i = 0; i < 500; ++i) starts->record("m", 9'000 * kMs);
  for (int i = 0; i < 121; ++i) starts->record("m", 100 * kMs);
  CHECK(starts->lead_ns("m") == 9'000 * kMs);  // 7 of 128 are still slow: more than 5 %
  starts->record("m", 100 * kMs);
  CHECK(starts->lead_ns("m") == 100 * kMs);  // 6 of 128
}

TEST_CASE("standard_start: times are rounded up and bounded") {
  auto starts = std::make_unique<StandardStarts>();
  for (int i = 0; i < 20; ++i) starts->record("m", 1);
  CHECK(starts->lead_ns("m") == kMs);
  for (int i = 0; i < 128; ++i) starts->record("m", UINT64_MAX);
  CHECK(starts->lead_ns("m") == UINT32_MAX * kMs);
}

TEST_CASE("standard_start: the table is bounded and keeps the models in use") {
  auto starts = std::make_unique<StandardStarts>();
  for (int i = 0; i < 20; ++i) starts->record("busy", 50 * kMs);
  for (int model = 0; model < 20'000; ++model) {
    starts->record("model-" + std::to_string(model), kMs);
    if (model % 4 == 0) starts->record("busy", 50 * kMs);
  }
  CHECK(starts->lead_ns("busy") == 50 * kMs);
  // A model that was pushed out begins anew.
  for (int i = 0; i < 19; ++i) starts->record("model-0", kMs);
  CHECK(starts->lead_ns("model-0") == 0);
  starts->record("model-0", kMs);
  CHECK(starts->lead_ns("model-0") == kMs);
}

}  // namespace
}  // namespace flexd::race
