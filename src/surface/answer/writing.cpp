#include "writing.hpp"

#include <algorithm>
#include <chrono>
#include <span>

#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::surface {

namespace {

// write_number fills `out` with a number's last digits.
void write_number(std::span<char> out, uint64_t number) {
  for (size_t at = out.size(); at > 0; --at) {
    out[at - 1] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
}

bool is_object(std::string_view document) {
  const auto type = json::validate(document);
  return type && *type == json::Type::kObject;
}

}  // namespace

bool append_parts(Buffer& out, Parts parts) {
  char* at = out.extend(bytes_of(parts));
  if (at == nullptr) return false;
  for (const std::string_view part : parts) at = copy_text(part, at);
  return true;
}

std::string_view code_of(const AnswerFailure& failure) {
  if (!failure.code.empty()) return failure.code;
  if (failure.status == 429) return "rate_limit_exceeded";
  return failure.status == 400 ? "invalid_request" : "server_error";
}

std::string_view message_of(const AnswerFailure& failure) {
  if (!failure.message.empty()) return failure.message;
  return "The provider's answer failed, and the provider does not say why.";
}

bool append_arguments(Buffer& out, std::string_view string) {
  const json::Value quoted{string};
  const size_t begin = out.size();
  // The raw text makes the room: unescaped it is not longer.
  if (!append_parts(out, {quoted.contents(), "{}"})) return false;
  const auto text = json::decode(quoted, {out.data() + begin, out.size() - begin});
  if (text && is_object(*text)) {
    // Without escapes it is a view of `string`, which stands there already.
    out.truncate(begin + text->size());
    return true;
  }
  out.truncate(begin);
  return append_parts(out, {"{}"});
}

std::array<char, kTimeBytes> format_time(uint64_t unix_s) {
  constexpr uint64_t kLast = 253'402'300'799;  // 9999-12-31T23:59:59Z
  const std::chrono::sys_seconds time{
      std::chrono::seconds(static_cast<int64_t>(std::min(unix_s, kLast)))};
  const auto midnight = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss clock(time - midnight);

  std::array<char, kTimeBytes> out;
  std::string_view("0000-00-00T00:00:00Z").copy(out.data(), out.size());
  const std::span all(out);
  write_number(all.subspan(0, 4), static_cast<uint64_t>(static_cast<int>(date.year())));
  write_number(all.subspan(5, 2), static_cast<unsigned>(date.month()));
  write_number(all.subspan(8, 2), static_cast<unsigned>(date.day()));
  write_number(all.subspan(11, 2), static_cast<uint64_t>(clock.hours().count()));
  write_number(all.subspan(14, 2), static_cast<uint64_t>(clock.minutes().count()));
  write_number(all.subspan(17, 2), static_cast<uint64_t>(clock.seconds().count()));
  return out;
}

}  // namespace flexd::surface
