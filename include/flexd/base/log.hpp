// log.hpp: lines for operators and the access log, written off the workers.
//
// Each thread that logs has a LogRing: bounded, lock-free, one producer. A LogWriter drains all
// rings to one descriptor with writev, on a thread of its own. A worker therefore never waits for a
// disk or a pipe: if nobody reads the log the ring fills, lines are dropped, and the count of
// dropped lines is itself logged once there is room. Below the bound nothing is lost: `stop` (and
// the destructor) write what is left.
//
//   LogWriter writer(STDERR_FILENO);           // before the threads start
//   Log log(writer.add_ring(), LogFormat::json, LogLevel::info);   // in each thread
//   set_thread_log(&log);
//   log_line(LogLevel::warn, "origin_refused", {{"provider", "openai"}, {"status", 429}});
//
// JSON lines are {"time":"2026-01-02T03:04:05.678Z","level":"warn","event":"...",fields...}; text
// lines are "2026-01-02T03:04:05.678Z WARN event key=value ...". Control characters are escaped in
// both, so that one line is always one line.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <thread>
#include <type_traits>
#include <variant>

#include "flexd/base/limits.hpp"

namespace flexd {

enum class LogLevel : uint8_t { error, warn, info, debug };
enum class LogFormat : uint8_t { json, text };

class LogWriter;

// LogRing carries finished lines from one thread to the writer.
class LogRing {
 public:
  // `capacity_bytes` is a power of two, at least 2 * kLogLineBytesMax.
  explicit LogRing(size_t capacity_bytes = limits::kLogRingBytes);
  LogRing(const LogRing&) = delete;
  LogRing& operator=(const LogRing&) = delete;

  // reserve gives contiguous room for a line of at most `bytes` (<= kLogLineBytesMax), or nullptr,
  // counting a dropped line, if the ring is full. The producer's thread only.
  [[nodiscard]] char* reserve(size_t bytes);
  // commit publishes the first `bytes` of what was reserved: whole lines with their newline.
  void commit(size_t bytes);
  // dropped counts lines that found no room; from any thread.
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  friend class LogWriter;
  size_t capacity_;
  std::unique_ptr<char[]> bytes_;  // capacity_, and room for a line that runs over the end
  size_t reserved_ = 0;
  LogWriter* writer_ = nullptr;
  uint64_t dropped_told_ = 0;                  // the writer's
  alignas(64) std::atomic<uint64_t> head_{0};  // read up to here, by the writer
  alignas(64) std::atomic<uint64_t> tail_{0};  // written up to here, by the producer
  std::atomic<uint64_t> dropped_{0};
};

// LogWriter writes all rings to a descriptor, which it does not own. The process ignores SIGPIPE.
class LogWriter {
 public:
  static constexpr size_t kRingsMax = 256;

  // The writer's thread starts at once if `threaded`; else somebody calls `drain`.
  explicit LogWriter(int fd, bool threaded = true);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // add_ring makes a ring that lives as long as the writer; from any thread. At most kRingsMax.
  LogRing& add_ring(size_t capacity_bytes = limits::kLogRingBytes);
  // drain writes what the rings hold now; returns how many bytes that was. Not beside the thread.
  size_t drain();
  // stop ends the thread and writes what is left. Lines logged afterwards wait for `drain`.
  void stop();
  // lost_bytes counts what the descriptor refused (a closed pipe, a full disk).
  uint64_t lost_bytes() const { return lost_bytes_.load(std::memory_order_relaxed); }

 private:
  friend class LogRing;
  void run();
  void wake();
  size_t drain_ring(LogRing& ring);
  void tell_dropped(LogRing& ring);
  bool write_all(struct iovec* parts, size_t count);

  int fd_;
  std::atomic<uint32_t> ring_count_{0};
  std::atomic<bool> adding_{false};
  std::unique_ptr<LogRing> rings_[kRingsMax];
  std::atomic<uint32_t> sleeping_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> lost_bytes_{0};
  std::thread thread_;
};

// LogField is one name and value of a line. Names are plain literals.
struct LogField {
  using Value = std::variant<std::string_view, uint64_t, int64_t, double, bool>;

  LogField(std::string_view field_name, std::string_view text) : name(field_name), value(text) {}
  LogField(std::string_view field_name, const char* text)
      : name(field_name), value(std::string_view(text)) {}
  LogField(std::string_view field_name, bool truth) : name(field_name), value(truth) {}
  LogField(std::string_view field_name, double number) : name(field_name), value(number) {}
  template <typename Number>
    requires(std::is_integral_v<Number> && !std::is_same_v<Number, bool>)
  LogField(std::string_view field_name, Number number) : name(field_name) {
    if constexpr (std::is_signed_v<Number>) {
      value = static_cast<int64_t>(number);
    } else {
      value = static_cast<uint64_t>(number);
    }
  }

  std::string_view name;
  Value value;
};

// LogLine formats one line straight into a ring. Where it outgrows kLogLineBytesMax a text is cut
// and later fields are left out; the line stays well-formed.
class LogLine {
 public:
  // Starts a line with its time (milliseconds since 1970, UTC), level and event.
  LogLine(LogRing& ring, LogFormat format, LogLevel level, uint64_t unix_ms,
          std::string_view event);
  // Publishes the line.
  ~LogLine();
  LogLine(const LogLine&) = delete;
  LogLine& operator=(const LogLine&) = delete;

  void field(const LogField& field);
  // The same for a value whose kind is known, which is cheaper: for a line of every request.
  void text(std::string_view name, std::string_view value);
  // word writes a text that needs neither quotes nor escapes: one of flexd's own.
  void word(std::string_view name, std::string_view value);
  void number(std::string_view name, uint64_t value);
  // thousandths writes count / 1000 with up to three decimals: milliseconds from microseconds.
  void thousandths(std::string_view name, uint64_t count);

 private:
  size_t room() const { return static_cast<size_t>(end_ - at_); }
  bool begin_field(std::string_view name, size_t value_room);
  void put(std::string_view text);
  void put_text(std::string_view text, bool quoted);
  void put_escaped(std::string_view text);
  void put_number(uint64_t value);
  void put_thousandths(uint64_t count);
  void put_real(double value);

  LogRing& ring_;
  LogFormat format_;
  char* start_;
  char* at_;
  char* end_;  // what remains beyond it is for the closing brace and the newline
};

// Log is one thread's way to the log.
class Log {
 public:
  Log(LogRing& ring, LogFormat format, LogLevel level)
      : ring_(&ring), format_(format), level_(level) {}

  bool enabled(LogLevel level) const { return level <= level_; }
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
  LogRing& ring() { return *ring_; }
  LogFormat format() const { return format_; }

 private:
  LogRing* ring_;
  LogFormat format_;
  LogLevel level_;
};

// LogLimit keeps one kind of line from flooding the log: `allow` is true kLinesMax times in each
// kWindowNs. `suppressed` is how many were refused before the last one that was allowed.
class LogLimit {
 public:
  static constexpr uint32_t kLinesMax = 10;
  static constexpr uint64_t kWindowNs = 10'000'000'000;

  bool allow(uint64_t now_ns);
  uint64_t suppressed() const { return suppressed_; }

 private:
  uint64_t window_start_ns_ = 0;
  uint32_t lines_ = 0;
  uint64_t refused_ = 0;
  uint64_t suppressed_ = 0;
};

// set_thread_log sets the calling thread's log (nullptr: none); log_line writes to it, or nowhere.
void set_thread_log(Log* log);
Log* thread_log();
void log_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace flexd
