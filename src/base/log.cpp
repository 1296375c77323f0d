#include "flexd/base/log.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <ctime>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/base/copy.hpp"

namespace flexd {

namespace {

constexpr std::string_view kLevelNames[] = {"error", "warn", "info", "debug"};
constexpr std::string_view kLevelMarks[] = {"ERROR", "WARN", "INFO", "DEBUG"};
// kTailBytes is kept free in a line for what closes it: a quote, a brace, the newline.
constexpr size_t kTailBytes = 8;
// kValueRoom is enough for a name's punctuation, quotes, and the longest number.
constexpr size_t kValueRoom = 40;
constexpr size_t kDigitsMax = 20;
// kEscapeRoom is enough for the longest escape of one byte.
constexpr size_t kEscapeRoom = 7;

thread_local Log* current_log = nullptr;

void put_digits(char* out, uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; i--) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

// kTimeBytes is the length of a time, RFC 3339 in UTC with milliseconds.
constexpr size_t kTimeBytes = 24;

// write_second writes a time with the milliseconds 000. The date is from days since 1970 by the
// proleptic Gregorian calendar, counted in eras of 400 years that begin in March.
void write_second(char* out, uint64_t unix_s) {
  const uint64_t days = unix_s / 86'400 + 719'468;
  const uint64_t era = days / 146'097;
  const uint64_t day_of_era = days % 146'097;
  const uint64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const uint64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint64_t month_from_march = (5 * day_of_year + 2) / 153;
  const uint64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const uint64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const uint64_t second = unix_s % 86'400;
  std::string_view("0000-00-00T00:00:00.000Z").copy(out, kTimeBytes);
  put_digits(out, year, 4);
  put_digits(out + 5, month, 2);
  put_digits(out + 8, day, 2);
  put_digits(out + 11, second / 3600, 2);
  put_digits(out + 14, second / 60 % 60, 2);
  put_digits(out + 17, second % 60, 2);
}

// time_text is the time as text, valid until the thread's next call. The lines of one second differ
// in their milliseconds only.
std::string_view time_text(uint64_t unix_ms) {
  thread_local uint64_t told_s = UINT64_MAX;
  thread_local char text[kTimeBytes];
  const uint64_t unix_s = unix_ms / 1000;
  if (unix_s != told_s) {
    write_second(text, unix_s);
    told_s = unix_s;
  }
  put_digits(text + kTimeBytes - 4, unix_ms % 1000, 3);
  return {text, kTimeBytes};
}

bool needs_quotes(std::string_view text) {
  return text.empty() || std::any_of(text.begin(), text.end(), [](char c) {
           return c == ' ' || c == '"' || c == '=' || c == '\\' || static_cast<uint8_t>(c) < 0x20;
         });
}

// is_plain says that a text has no byte that JSON escapes: eight at a time.
bool is_plain(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  const auto has_less = [](uint64_t word, uint64_t n) {
    return (word - kOnes * n) & ~word & kHighs;
  };
  const auto has_byte = [&](uint64_t word, uint64_t byte) {
    return has_less(word ^ (kOnes * byte), 1);
  };
  const auto is_odd = [&](uint64_t word) {
    return (has_less(word, 0x20) | has_byte(word, '"') | has_byte(word, '\\') |
            has_byte(word, 0x7f)) != 0;
  };
  const char* at = text.data();
  uint64_t word = 0;
  for (size_t left = text.size(); left >= 8; left -= 8, at += 8) {
    std::memcpy(&word, at, 8);
    if (is_odd(word)) return false;
  }
  if (text.size() >= 8) {
    // The last eight bytes, some of them again.
    std::memcpy(&word, text.data() + text.size() - 8, 8);
    return !is_odd(word);
  }
  // What is missing counts as a plain letter.
  word = kOnes * 'a';
  copy_text(text, reinterpret_cast<char*>(&word));
  return !is_odd(word);
}

}  // namespace

LogLine::LogLine(LogRing& ring, LogFormat format, LogLevel level, uint64_t unix_ms,
                 std::string_view event)
    : ring_(ring), format_(format), start_(ring.reserve(limits::kLogLineBytesMax)) {
  at_ = start_;
  end_ = start_;
  if (start_ == nullptr) return;
  end_ = start_ + limits::kLogLineBytesMax - kTailBytes;
  const auto index = static_cast<size_t>(level);
  const std::string_view time = time_text(unix_ms);
  if (format_ == LogFormat::json) {
    put("{\"time\":\"");
    put(time);
    put("\",\"level\":\"");
    put(kLevelNames[index]);
    put("\",\"event\":");
    put_text(event, true);
  } else {
    put(time);
    put(" ");
    put(kLevelMarks[index]);
    put(" ");
    put_text(event, false);
  }
}

LogLine::~LogLine() {
  if (start_ == nullptr) return;
  if (format_ == LogFormat::json) *at_++ = '}';
  *at_++ = '\n';
  ring_.commit(static_cast<size_t>(at_ - start_));
}

// begin_field writes a name, if there is room for it and `value_room` more.
bool LogLine::begin_field(std::string_view name, size_t value_room) {
  if (start_ == nullptr || room() < name.size() + value_room) return false;
  if (format_ == LogFormat::json) {
    at_[0] = ',';
    at_[1] = '"';
    at_ = copy_text(name, at_ + 2);
    at_[0] = '"';
    at_[1] = ':';
    at_ += 2;
  } else {
    *at_++ = ' ';
    at_ = copy_text(name, at_);
    *at_++ = '=';
  }
  return true;
}

void LogLine::text(std::string_view name, std::string_view value) {
  if (begin_field(name, kValueRoom))
    put_text(value, format_ == LogFormat::json || needs_quotes(value));
}

void LogLine::word(std::string_view name, std::string_view value) {
  if (!begin_field(name, value.size() + kValueRoom)) return;
  const bool quoted = format_ == LogFormat::json;
  if (quoted) *at_++ = '"';
  at_ = copy_text(value, at_);
  if (quoted) *at_++ = '"';
}

void LogLine::number(std::string_view name, uint64_t value) {
  if (begin_field(name, kValueRoom)) put_number(value);
}

void LogLine::thousandths(std::string_view name, uint64_t count) {
  if (begin_field(name, kValueRoom)) put_thousandths(count);
}

void LogLine::field(const LogField& field) {
  if (const auto* words = std::get_if<std::string_view>(&field.value)) {
    text(field.name, *words);
    return;
  }
  if (!begin_field(field.name, kValueRoom)) return;
  if (const auto* count = std::get_if<uint64_t>(&field.value)) {
    put_number(*count);
  } else if (const auto* number = std::get_if<int64_t>(&field.value)) {
    put(DecimalText(*number).view());
  } else if (const auto* real = std::get_if<double>(&field.value)) {
    put_real(*real);
  } else {
    put(std::get<bool>(field.value) ? "true" : "false");
  }
}

void LogLine::put(std::string_view text) {
  const size_t count = std::min(text.size(), room());
  at_ = copy_text(text.substr(0, count), at_);
}

// put_text writes a text where there is room for quotes.
void LogLine::put_text(std::string_view text, bool quoted) {
  if (quoted) *at_++ = '"';
  // Nearly every text is short and plain: it is copied as it is.
  if (room() >= text.size() + kEscapeRoom && is_plain(text)) {
    at_ = copy_text(text, at_);
  } else {
    put_escaped(text);
  }
  // The room kept at the end always holds the closing quote.
  if (quoted) *at_++ = '"';
}

// put_escaped keeps UTF-8 as it is (a cut may fall inside a character only at the bound of a line).
void LogLine::put_escaped(std::string_view text) {
  for (const char c : text) {
    if (room() < kEscapeRoom) break;
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      *at_++ = '\\';
      *at_++ = c;
    } else if (byte < 0x20 || byte == 0x7f) {
      std::memcpy(at_, "\\u00", 4);
      write_hex({&byte, 1}, at_ + 4);
      at_ += 6;
    } else {
      *at_++ = c;
    }
  }
}

void LogLine::put_number(uint64_t value) {
  at_ = std::to_chars(at_, at_ + kDigitsMax, value).ptr;
}

void LogLine::put_thousandths(uint64_t count) {
  put_number(count / 1000);
  const uint64_t rest = count % 1000;
  if (rest == 0) return;
  at_[0] = '.';
  put_digits(at_ + 1, rest, 3);
  at_ += 4;
  while (at_[-1] == '0') --at_;
}

// put_real spares a number of up to three decimals, such as a time in milliseconds, the long way
// that shortest-digits printing takes.
void LogLine::put_real(double value) {
  constexpr double kMax = 1e12;
  if (value >= 0 && value < kMax) {
    const auto count = static_cast<uint64_t>(std::llround(value * 1000));
    if (static_cast<double>(count) / 1000 == value) {
      put_thousandths(count);
      return;
    }
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value);
  const bool finite = std::isfinite(value) && end.ec == std::errc();
  put(finite ? std::string_view(digits, static_cast<size_t>(end.ptr - digits)) : "null");
}

void Log::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!enabled(level)) return;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t unix_ms =
      static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
  LogLine line(*ring_, format_, level, unix_ms, event);
  for (const LogField& field : fields) line.field(field);
}

bool LogLimit::allow(uint64_t now_ns) {
  if (lines_ == 0 || now_ns - window_start_ns_ >= kWindowNs) {
    window_start_ns_ = now_ns;
    lines_ = 0;
  }
  if (lines_ >= kLinesMax) {
    refused_++;
    return false;
  }
  lines_++;
  suppressed_ = refused_;
  refused_ = 0;
  return true;
}

void set_thread_log(Log* log) {
  current_log = log;
}
Log* thread_log() {
  return current_log;
}

void log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (current_log != nullptr) current_log->write(level, event, fields);
}

}  // namespace flexd
