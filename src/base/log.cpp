#include "flexd/base/log.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <ctime>

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"

namespace flexd {

namespace {

constexpr std::string_view kLevelNames[] = {"error", "warn", "info", "debug"};
constexpr std::string_view kLevelMarks[] = {"ERROR", "WARN", "INFO", "DEBUG"};
// kTailBytes is kept free in a line for what closes it: a quote, a brace, the newline.
constexpr size_t kTailBytes = 8;

thread_local Log* current_log = nullptr;

void put_digits(char* out, uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; i--) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

// write_time writes 24 characters, RFC 3339 in UTC. The date is from days since 1970 by the
// proleptic Gregorian calendar, counted in eras of 400 years that begin in March.
void write_time(char* out, uint64_t unix_ms) {
  const uint64_t days = unix_ms / 86'400'000 + 719'468;
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
  const uint64_t ms = unix_ms % 86'400'000;
  std::string_view("0000-00-00T00:00:00.000Z").copy(out, 24);
  put_digits(out, year, 4);
  put_digits(out + 5, month, 2);
  put_digits(out + 8, day, 2);
  put_digits(out + 11, ms / 3'600'000, 2);
  put_digits(out + 14, ms / 60'000 % 60, 2);
  put_digits(out + 17, ms / 1000 % 60, 2);
  put_digits(out + 20, ms % 1000, 3);
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
  const char* const end = text.data() + text.size();
  if (text.size() >= 8) {
    // The last eight bytes, some of them again.
    std::memcpy(&word, end - 8, 8);
    return !is_odd(word);
  }
  for (; at != end; ++at) word = word << 8U | static_cast<uint8_t>(*at);
  // What is missing counts as a plain letter.
  return !is_odd(text.empty() ? kOnes * 'a' : word | (kOnes * 'a') << (8 * text.size()));
}

// copy copies a text that is short as a rule, without a call, and returns where it ends.
char* copy(std::string_view text, char* to) {
  const char* const from = text.data();
  const size_t size = text.size();
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    std::memcpy(to, from, 16);
    std::memcpy(to + size - 16, from + size - 16, 16);
  } else if (size >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + size - 8, from + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + size - 4, from + size - 4, 4);
  } else {
    for (size_t i = 0; i < size; ++i) to[i] = from[i];
  }
  return to + size;
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
  char time[24];
  write_time(time, unix_ms);
  if (format_ == LogFormat::json) {
    put("{\"time\":\"");
    put({time, sizeof(time)});
    put("\",\"level\":\"");
    put(kLevelNames[index]);
    put("\",\"event\":");
    put_escaped(event, true);
  } else {
    put({time, sizeof(time)});
    put(" ");
    put(kLevelMarks[index]);
    put(" ");
    put_escaped(event, false);
  }
}

LogLine::~LogLine() {
  if (start_ == nullptr) return;
  if (format_ == LogFormat::json) *at_++ = '}';
  *at_++ = '\n';
  ring_.commit(static_cast<size_t>(at_ - start_));
}

void LogLine::field(const LogField& field) {
  // A name goes in only with room for the longest number after it.
  if (start_ == nullptr || room() < field.name.size() + 40) return;
  if (format_ == LogFormat::json) {
    *at_++ = ',';
    *at_++ = '"';
    at_ = copy(field.name, at_);
    *at_++ = '"';
    *at_++ = ':';
  } else {
    *at_++ = ' ';
    at_ = copy(field.name, at_);
    *at_++ = '=';
  }
  put_value(field.value);
}

void LogLine::put(std::string_view text) {
  const size_t count = std::min(text.size(), room());
  at_ = copy(text.substr(0, count), at_);
}

// put_escaped keeps UTF-8 as it is (a cut may fall inside a character only at the bound of a line).
void LogLine::put_escaped(std::string_view text, bool quoted) {
  if (quoted) put("\"");
  // Nearly every text is short and plain: it is copied as it is.
  if (room() >= text.size() + 7 && is_plain(text)) {
    at_ = copy(text, at_);
    text = {};
  }
  for (const char c : text) {
    if (room() < 7) break;
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
  // The room kept at the end always holds the closing quote.
  if (quoted) *at_++ = '"';
}

// put_thousandths writes a number with up to three decimals, such as a time in milliseconds,
// without the long way that shortest-digits printing takes. False if it is not one.
bool LogLine::put_thousandths(double value) {
  constexpr double kMax = 1e12;
  if (!(value >= 0 && value < kMax)) return false;
  const auto thousandths = static_cast<uint64_t>(std::llround(value * 1000));
  if (static_cast<double>(thousandths) / 1000 != value) return false;
  put(DecimalText(thousandths / 1000).view());
  uint64_t rest = thousandths % 1000;
  if (rest == 0) return true;
  char decimals[4] = {'.', static_cast<char>('0' + rest / 100),
                      static_cast<char>('0' + rest / 10 % 10), static_cast<char>('0' + rest % 10)};
  size_t count = 4;
  while (decimals[count - 1] == '0') count--;
  put({decimals, count});
  return true;
}

void LogLine::put_value(const LogField::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    put_escaped(*text, format_ == LogFormat::json || needs_quotes(*text));
  } else if (const auto* count = std::get_if<uint64_t>(&value)) {
    put(DecimalText(*count).view());
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    put(DecimalText(*number).view());
  } else if (const auto* real = std::get_if<double>(&value)) {
    if (put_thousandths(*real)) return;
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof(digits), *real);
    const bool finite = std::isfinite(*real) && end.ec == std::errc();
    put(finite ? std::string_view(digits, static_cast<size_t>(end.ptr - digits)) : "null");
  } else {
    put(std::get<bool>(value) ? "true" : "false");
  }
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
