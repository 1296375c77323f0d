#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "flexd/base/ascii.hpp"
#include "flexd/base/log.hpp"

using namespace flexd;

namespace {

struct Pipe {
  Pipe() { REQUIRE(::pipe2(fds, O_CLOEXEC) == 0); }
  ~Pipe() {
    ::close(fds[0]);
    close_write();
  }
  void close_write() {
    if (fds[1] >= 0) ::close(fds[1]);
    fds[1] = -1;
  }
  // read_all reads until the writing end is closed.
  std::string read_all() const {
    std::string text;
    char bytes[65536];
    ssize_t count = 0;
    while ((count = ::read(fds[0], bytes, sizeof(bytes))) > 0) {
      text.append(bytes, static_cast<size_t>(count));
    }
    return text;
  }
  int fds[2] = {-1, -1};
};

std::string one_line(LogFormat format, std::initializer_list<LogField> fields) {
  Pipe pipe;
  {
    LogWriter writer(pipe.fds[1], false);
    LogRing& ring = writer.add_ring();
    {
      LogLine line(ring, format, LogLevel::warn, 1'767'323'045'678, "the event");
      for (const LogField& field : fields) line.field(field);
    }
    writer.drain();
  }
  pipe.close_write();
  return pipe.read_all();
}

}  // namespace

TEST_CASE("log: a JSON line") {
  CHECK(one_line(LogFormat::json, {{"text", "a\"b\\c\n\x01é"},
                                   {"count", 42U},
                                   {"less", -7},
                                   {"half", 0.5},
                                   {"small", 0.0001},
                                   {"below", -0.5},
                                   {"huge", 1e300},
                                   {"yes", true}}) ==
        "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"event\":\"the event\","
        "\"text\":\"a\\\"b\\\\c\\u000a\\u0001é\",\"count\":42,\"less\":-7,\"half\":0.5,"
        "\"small\":1e-04,\"below\":-0.5,\"huge\":1e+300,\"yes\":true}\n");
}

TEST_CASE("log: fields whose kind is known") {
  const auto line_in = [](LogFormat format) {
    Pipe pipe;
    LogWriter writer(pipe.fds[1], false);
    {
      LogLine line(writer.add_ring(), format, LogLevel::warn, 1'767'323'045'678, "e");
      line.text("text", "a b");
      line.text("empty", "");
      line.word("word", "openai");
      line.number("most", UINT64_MAX);
      line.thousandths("none", 0);
      line.thousandths("one", 1);
      line.thousandths("tenth", 100);
      line.thousandths("whole", 12'000);
      line.thousandths("part", 12'340);
      line.thousandths("much", UINT64_MAX);
    }
    writer.drain();
    pipe.close_write();
    return pipe.read_all();
  };
  CHECK(
      line_in(LogFormat::json) ==
      "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"event\":\"e\",\"text\":\"a b\","
      "\"empty\":\"\",\"word\":\"openai\",\"most\":18446744073709551615,\"none\":0,\"one\":0.001,"
      "\"tenth\":0.1,"
      "\"whole\":12,\"part\":12.34,\"much\":18446744073709551.615}\n");
  CHECK(line_in(LogFormat::text) ==
        "2026-01-02T03:04:05.678Z WARN e text=\"a b\" empty=\"\" word=openai "
        "most=18446744073709551615 none=0 "
        "one=0.001 tenth=0.1 whole=12 part=12.34 much=18446744073709551.615\n");
}

TEST_CASE("log: a text line") {
  CHECK(one_line(LogFormat::text, {{"plain", "abc"}, {"spaced", "a b"}, {"empty", ""}}) ==
        "2026-01-02T03:04:05.678Z WARN the event plain=abc spaced=\"a b\" empty=\"\"\n");
}

TEST_CASE("log: a long field is cut and the line stays whole") {
  const std::string line = one_line(
      LogFormat::json, {{"long", std::string_view(std::string(20'000, 'x'))}, {"after", 1}});
  CHECK(line.size() <= limits::kLogLineBytesMax);
  CHECK(line.ends_with("\"}\n"));
  const std::string escapes =
      one_line(LogFormat::json, {{"long", std::string_view(std::string(20'000, '\x02'))}});
  CHECK(escapes.size() <= limits::kLogLineBytesMax);
  CHECK(escapes.ends_with("\"}\n"));
}

TEST_CASE("log: a word goes in whole or not at all, at any length of the line") {
  for (const LogFormat format : {LogFormat::json, LogFormat::text}) {
    bool was_in = false;
    bool was_out = false;
    for (size_t size = limits::kLogLineBytesMax - 300; size < limits::kLogLineBytesMax; ++size) {
      Pipe pipe;
      LogWriter writer(pipe.fds[1], false);
      {
        LogLine line(writer.add_ring(), format, LogLevel::warn, 0, "e");
        line.text("text", std::string(size, 'x'));
        line.word("name", "a-word-of-some-length");
      }
      writer.drain();
      pipe.close_write();
      const std::string text = pipe.read_all();
      CHECK(text.size() <= limits::kLogLineBytesMax);
      const bool is_in =
          text.ends_with(format == LogFormat::json ? "x\",\"name\":\"a-word-of-some-length\"}\n"
                                                   : "x name=a-word-of-some-length\n");
      CHECK((is_in || text.ends_with(format == LogFormat::json ? "x\"}\n" : "x\n")));
      was_in = was_in || is_in;
      was_out = was_out || !is_in;
    }
    CHECK((was_in && was_out));
  }
}

TEST_CASE("log: leap day and the end of a year") {
  Pipe pipe;
  LogWriter writer(pipe.fds[1], false);
  LogRing& ring = writer.add_ring();
  for (const uint64_t ms : {0ULL, 951'782'400'000ULL, 1'735'689'599'999ULL, 1'735'689'599'020ULL,
                            1'735'689'600'000ULL}) {
    const LogLine line(ring, LogFormat::text, LogLevel::info, ms, "e");
  }
  writer.drain();
  pipe.close_write();
  CHECK(pipe.read_all() ==
        "1970-01-01T00:00:00.000Z INFO e\n2000-02-29T00:00:00.000Z INFO e\n"
        "2024-12-31T23:59:59.999Z INFO e\n2024-12-31T23:59:59.020Z INFO e\n"
        "2025-01-01T00:00:00.000Z INFO e\n");
}

TEST_CASE("log: several threads, every line once, whole and in order") {
  constexpr int kThreads = 4;
  constexpr int kLines = 20'000;
  Pipe pipe;
  std::string text;
  std::thread reader([&] { text = pipe.read_all(); });
  uint64_t lost_bytes = 0;
  {
    LogWriter writer(pipe.fds[1]);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
      threads.emplace_back([&writer, t] {
        LogRing& ring = writer.add_ring(32'768);
        Log log(ring, LogFormat::text, LogLevel::info);
        set_thread_log(&log);
        for (int i = 0; i < kLines; i++) {
          const uint64_t before = ring.dropped();
          log_line(LogLevel::info, "n", {{"t", t}, {"i", i}});
          if (ring.dropped() != before) {  // full: this test wants every line, so try again
            std::this_thread::yield();
            i--;
          }
          log_line(LogLevel::debug, "not enabled");
        }
        set_thread_log(nullptr);
      });
    }
    for (std::thread& thread : threads) thread.join();
    writer.stop();
    lost_bytes = writer.lost_bytes();
  }
  pipe.close_write();
  reader.join();
  CHECK(lost_bytes == 0);
  std::vector<int> next(kThreads, 0);
  size_t at = 0;
  bool in_order = true;
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.find("log_lines_dropped") != std::string::npos) continue;
    const size_t t_at = line.find(" n t=");
    REQUIRE(t_at != std::string::npos);
    const auto thread = static_cast<size_t>(line[t_at + 5] - '0');
    const auto number = parse_u64(line.substr(line.find(" i=") + 3));
    in_order = in_order && number == static_cast<uint64_t>(next.at(thread)++);
  }
  CHECK(in_order);
  for (const int count : next) CHECK(count == kLines);
}

TEST_CASE("log: a full ring drops, counts and says so") {
  Pipe pipe;
  LogWriter writer(pipe.fds[1], false);
  LogRing& ring = writer.add_ring(16'384);
  Log log(ring, LogFormat::text, LogLevel::info);
  const std::string text(1000, 'x');
  for (int i = 0; i < 100; i++) log.write(LogLevel::info, "e", {{"text", std::string_view(text)}});
  CHECK(ring.dropped() > 0);
  const uint64_t dropped = ring.dropped();
  writer.drain();
  pipe.close_write();
  const std::string out = pipe.read_all();
  CHECK(std::count(out.begin(), out.end(), '\n') == static_cast<long>(100 - dropped + 1));
  CHECK(out.find("\"count\":" + std::to_string(dropped)) != std::string::npos);
}

TEST_CASE("log: levels and limits") {
  LogRing ring;
  const Log log(ring, LogFormat::json, LogLevel::warn);
  CHECK(log.enabled(LogLevel::error));
  CHECK(log.enabled(LogLevel::warn));
  CHECK_FALSE(log.enabled(LogLevel::info));
  LogLimit limit;
  int allowed = 0;
  for (int i = 0; i < 50; i++) allowed += limit.allow(1000) ? 1 : 0;
  CHECK(allowed == 10);
  CHECK(limit.allow(1000 + LogLimit::kWindowNs));
  CHECK(limit.suppressed() == 40);
}

TEST_CASE("iequals tells bytes apart as their lower-case forms do, wherever they stand") {
  for (size_t size = 1; size <= 18; ++size) {
    const std::string base(size, 'x');
    for (size_t at = 0; at < size; ++at) {
      std::string a = base;
      std::string b = base;
      for (int i = 0; i < 256; ++i) {
        a[at] = static_cast<char>(i);
        size_t equal = 0;
        size_t wrong = 0;
        for (int j = 0; j < 256; ++j) {
          b[at] = static_cast<char>(j);
          equal += iequals(a, b) ? 1 : 0;
          wrong += iequals(a, b) != (lower(a[at]) == lower(b[at])) ? 1 : 0;
        }
        CHECK(wrong == 0);
        CHECK(equal == (is_alpha(a[at]) ? 2 : 1));
      }
    }
  }
}

TEST_CASE("ascii") {
  CHECK(iequals("", ""));
  CHECK(iequals("Anthropic-RateLimit-Tokens", "anthropic-ratelimit-tokens"));
  CHECK_FALSE(iequals("anthropic-ratelimit-tokens", "anthropic-ratelimit_tokens"));
  CHECK(iequals("Content-Type", "content-tYPE"));
  CHECK_FALSE(iequals("a", "ab"));
  CHECK_FALSE(iequals("@", "`"));
  CHECK(istarts_with("Bearer x", "bearer "));
  CHECK(trim(" \t a b\t ") == "a b");
  CHECK(parse_u64("18446744073709551615") == UINT64_MAX);
  CHECK_FALSE(parse_u64("18446744073709551616").has_value());
  CHECK_FALSE(parse_u64("").has_value());
  CHECK_FALSE(parse_u64("+1").has_value());
  CHECK_FALSE(parse_u64("1 ").has_value());
  CHECK(DecimalText(uint64_t{0}).view() == "0");
  CHECK(DecimalText(INT64_MIN).view() == "-9223372036854775808");
  CHECK(hex_value('F') == 15);
  CHECK(hex_value('g') == -1);
}
