#include "money.hpp"

#include <fmt/format.h>

#include "flexd/store/bounds.hpp"
#include "flexd/store/types.hpp"

namespace flexd::ctl {
Result<int64_t> parse_dollars(std::string_view text) {
  const auto nanos = store::parse_amount(text);
  if (!nanos) {
    return fail_with("dollars, such as 25 or -0.50, with at most 6 places and below 9 billion");
  }
  return *nanos;
}

Result<int64_t> parse_budget(std::string_view text) {
  const auto nanos = store::parse_budget(text);
  if (!nanos) return fail_with(std::string(store::kBudgetNanosBounds.words));
  return *nanos;
}

std::string dollars_text(int64_t nanos) {
  // The magnitude of INT64_MIN is no int64.
  const auto bits = static_cast<uint64_t>(nanos);
  const uint64_t magnitude = nanos < 0 ? ~bits + 1 : bits;
  const uint64_t micros = (magnitude + store::kNanosPerMicro / 2) / store::kNanosPerMicro;
  const char* const sign = nanos < 0 && micros > 0 ? "-" : "";
  return fmt::format("{}${}.{:06}", sign, micros / 1'000'000, micros % 1'000'000);
}

}  // namespace flexd::ctl
