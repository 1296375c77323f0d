#include "money.hpp"

#include <fmt/format.h>

#include "flexd/store/json.hpp"

namespace flexd::ctl {
namespace {

constexpr size_t kPlacesMax = 6;

}  // namespace

Result<int64_t> parse_dollars(std::string_view text, Sign sign) {
  if (sign == Sign::positive && text.starts_with('-')) return fail_with("an amount of 0 or more");
  const size_t point = text.find('.');
  const bool precise = point != text.npos && text.size() - point - 1 > kPlacesMax;
  const auto nanos = store::parse_usd(text);
  if (!nanos || precise) {
    return fail_with("dollars, such as 25 or 0.50, with at most 6 places and below 9 billion");
  }
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
