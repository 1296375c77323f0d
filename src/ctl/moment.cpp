#include "moment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "flexd/store/json.hpp"

namespace flexd::ctl {
namespace {

constexpr int64_t kDayS = 86'400;
constexpr size_t kDayBytes = 10;  // 2026-11-21
constexpr const char* kDateForm = "a day (2026-12-31) or a time (2026-12-31T18:00:00Z)";

// Digits takes numbers of a fixed count of digits off the front of a text.
class Digits {
 public:
  explicit Digits(std::string_view text) : rest_(text) {}

  // number is the next `count` digits, or nullopt; after that nothing fits any more.
  std::optional<int> number(size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  // take says whether one of `letters` came next, and takes it.
  bool take(std::string_view letters) {
    if (rest_.empty() || letters.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool done() const { return rest_.empty(); }
  void skip_digits() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kDigits), size())); }
  bool at_digit() const { return !rest_.empty() && kDigits.find(rest_.front()) != kDigits.npos; }

 private:
  static constexpr std::string_view kDigits = "0123456789";
  size_t size() const { return rest_.size(); }
  std::string_view rest_;
};

// clock_part reads HH:MM, and the seconds behind it, as seconds.
std::optional<int64_t> clock_part(Digits& digits, bool with_seconds) {
  const auto hour = digits.number(2);
  if (!hour || *hour > 23 || !digits.take(":")) return std::nullopt;
  const auto minute = digits.number(2);
  if (!minute || *minute > 59) return std::nullopt;
  const int64_t seconds = int64_t{*hour} * 3600 + int64_t{*minute} * 60;
  if (!with_seconds) return seconds;
  if (!digits.take(":")) return std::nullopt;
  const auto second = digits.number(2);
  if (!second || *second > 59) return std::nullopt;
  if (digits.take(".")) {
    if (!digits.at_digit()) return std::nullopt;
    digits.skip_digits();
  }
  return seconds + *second;
}

// offset_part reads Z or +01:00, as seconds east of Greenwich.
std::optional<int64_t> offset_part(Digits& digits) {
  if (digits.take("Zz")) return 0;
  const bool east = digits.take("+");
  if (!east && !digits.take("-")) return std::nullopt;
  const auto offset = clock_part(digits, false);
  if (!offset) return std::nullopt;
  return east ? *offset : -*offset;
}

std::optional<int64_t> read_date(std::string_view text) {
  const auto day = store::parse_date(text.substr(0, kDayBytes));
  if (!day || *day < 0) return std::nullopt;
  int64_t unix_s = *day * kDayS;
  if (text.size() > kDayBytes) {
    Digits digits(text.substr(kDayBytes));
    if (!digits.take("Tt ")) return std::nullopt;
    const auto clock = clock_part(digits, true);
    if (!clock) return std::nullopt;
    const auto offset = offset_part(digits);
    if (!offset || !digits.done()) return std::nullopt;
    unix_s += *clock - *offset;
  }
  return unix_s < 0 ? std::nullopt : std::optional(unix_s);
}

}  // namespace

Result<int64_t> parse_span(std::string_view text) {
  constexpr std::string_view kUnits = "smhd";
  constexpr int64_t kSeconds[] = {1, 60, 3'600, kDayS};
  const size_t unit = text.empty() ? kUnits.npos : kUnits.find(text.back());
  int64_t count = 0;
  if (unit != kUnits.npos) {
    text.remove_suffix(1);
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error == std::errc{} && at == text.data() + text.size() && count > 0 &&
        count <= kSpanMaxS / kSeconds[unit]) {
      return count * kSeconds[unit];
    }
  }
  return fail_with("a span of time, such as 30d, 12h, 90m or 2s, of at most 36500d");
}

Result<int64_t> parse_date(std::string_view text) {
  const auto date = read_date(text);
  if (!date) return fail_with(kDateForm);
  return *date;
}

Result<int64_t> parse_expiry(std::string_view text, int64_t now_s) {
  if (const auto span = parse_span(text)) return now_s + *span;
  const auto date = read_date(text);
  if (!date) return fail_with(fmt::format("30d, 12h, 2s, {}", kDateForm));
  if (*date <= now_s) return fail_with("this time is over");
  return *date;
}

Result<int32_t> parse_day(std::string_view text, int64_t now_s) {
  int64_t unix_s = 0;
  if (const auto span = parse_span(text)) {
    unix_s = std::max<int64_t>(now_s - *span, 0);
  } else if (const auto date = read_date(text)) {
    unix_s = *date;
  } else {
    return fail_with(fmt::format("7d, {}", kDateForm));
  }
  return store::day_of(unix_s);
}

std::string time_text(int64_t unix_s) {
  const int32_t day = store::day_of(unix_s);
  const int64_t minute = (unix_s - day * kDayS) / 60;
  return fmt::format("{} {:02}:{:02}", store::date_text(day), minute / 60, minute % 60);
}

}  // namespace flexd::ctl
