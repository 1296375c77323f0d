// The way of lines from the rings to the descriptor. Waking costs a worker a system call, so it
// happens only for the first line after a quiet time: while lines keep coming the writer looks for
// them by itself every kPauseMs.
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "flexd/base/assert.hpp"
#include "flexd/base/log.hpp"

namespace flexd {

namespace {

constexpr int kPauseMs = 5;
// kQuietRounds is how many empty looks precede sleep.
constexpr int kQuietRounds = 4;
// kStallMs is how long a descriptor may refuse bytes before a line is given up.
constexpr int kStallMs = 1000;

}  // namespace

LogRing::LogRing(size_t capacity_bytes)
    : capacity_(capacity_bytes),
      bytes_(std::make_unique_for_overwrite<char[]>(capacity_bytes + limits::kLogLineBytesMax)) {
  FLEXD_ASSERT((capacity_bytes & (capacity_bytes - 1)) == 0);
  FLEXD_ASSERT(capacity_bytes >= 2 * limits::kLogLineBytesMax);
}

char* LogRing::reserve(size_t bytes) {
  FLEXD_ASSERT(bytes <= limits::kLogLineBytesMax);
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  const uint64_t head = head_.load(std::memory_order_acquire);
  if (capacity_ - (tail - head) < bytes) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  reserved_ = bytes;
  return bytes_.get() + (tail & (capacity_ - 1));
}

void LogRing::commit(size_t bytes) {
  FLEXD_ASSERT(bytes <= reserved_);
  reserved_ = 0;
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  const size_t end = static_cast<size_t>(tail & (capacity_ - 1)) + bytes;
  if (end > capacity_) std::memcpy(bytes_.get(), bytes_.get() + capacity_, end - capacity_);
  tail_.store(tail + bytes, std::memory_order_release);
  if (writer_ == nullptr) return;
  // Pairs with the fence in LogWriter::run: either the writer sees these bytes before it sleeps, or
  // this thread sees that it sleeps.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (writer_->sleeping_.load(std::memory_order_relaxed) != 0) writer_->wake();
}

LogWriter::LogWriter(int fd, bool threaded) : fd_(fd) {
  if (threaded) thread_ = std::thread([this] { run(); });
}

LogWriter::~LogWriter() {
  stop();
}

LogRing& LogWriter::add_ring(size_t capacity_bytes) {
  while (adding_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  const uint32_t index = ring_count_.load(std::memory_order_relaxed);
  FLEXD_ASSERT(index < kRingsMax);
  rings_[index] = std::make_unique<LogRing>(capacity_bytes);
  rings_[index]->writer_ = this;
  ring_count_.store(index + 1, std::memory_order_release);
  adding_.store(false, std::memory_order_release);
  return *rings_[index];
}

void LogWriter::wake() {
  if (sleeping_.exchange(0, std::memory_order_seq_cst) != 0) sleeping_.notify_one();
}

void LogWriter::stop() {
  stopping_.store(true, std::memory_order_seq_cst);
  wake();
  if (thread_.joinable()) thread_.join();
  drain();
}

void LogWriter::run() {
  int quiet_rounds = 0;
  while (!stopping_.load(std::memory_order_seq_cst)) {
    if (drain() > 0) {
      quiet_rounds = 0;
    } else if (++quiet_rounds > kQuietRounds) {
      sleeping_.store(1, std::memory_order_seq_cst);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (drain() == 0 && !stopping_.load(std::memory_order_seq_cst)) sleeping_.wait(1);
      sleeping_.store(0, std::memory_order_seq_cst);
      quiet_rounds = 0;
      continue;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMs));
  }
}

size_t LogWriter::drain() {
  size_t total = 0;
  const uint32_t count = ring_count_.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; i++) total += drain_ring(*rings_[i]);
  return total;
}

size_t LogWriter::drain_ring(LogRing& ring) {
  const uint64_t head = ring.head_.load(std::memory_order_relaxed);
  const uint64_t tail = ring.tail_.load(std::memory_order_acquire);
  const auto bytes = static_cast<size_t>(tail - head);
  if (bytes > 0) {
    const auto offset = static_cast<size_t>(head & (ring.capacity_ - 1));
    const size_t first = std::min(bytes, ring.capacity_ - offset);
    iovec parts[2] = {{ring.bytes_.get() + offset, first}, {ring.bytes_.get(), bytes - first}};
    if (!write_all(parts, bytes > first ? 2 : 1)) {
      lost_bytes_.fetch_add(parts[0].iov_len + parts[1].iov_len, std::memory_order_relaxed);
    }
    ring.head_.store(tail, std::memory_order_release);
  }
  tell_dropped(ring);
  return bytes;
}

// tell_dropped says once how many lines a full ring has swallowed since the last time.
void LogWriter::tell_dropped(LogRing& ring) {
  const uint64_t dropped = ring.dropped();
  if (dropped == ring.dropped_told_) return;
  char text[160];
  const int length = std::snprintf(
      text, sizeof(text), "{\"level\":\"warn\",\"event\":\"log_lines_dropped\",\"count\":%llu}\n",
      static_cast<unsigned long long>(dropped - ring.dropped_told_));
  ring.dropped_told_ = dropped;
  iovec part{text, static_cast<size_t>(length)};
  if (!write_all(&part, 1)) lost_bytes_.fetch_add(part.iov_len, std::memory_order_relaxed);
}

// write_all writes everything or returns false; `parts` then says what was left.
bool LogWriter::write_all(iovec* parts, size_t count) {
  size_t at = 0;
  while (at < count) {
    const ssize_t written = ::writev(fd_, parts + at, static_cast<int>(count - at));
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return false;
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, kStallMs) == 0 && stopping_.load(std::memory_order_relaxed)) {
        return false;
      }
      continue;
    }
    auto left = static_cast<size_t>(written);
    while (at < count && left >= parts[at].iov_len) {
      left -= parts[at].iov_len;
      parts[at].iov_len = 0;
      at++;
    }
    if (at < count) {
      parts[at].iov_base = static_cast<char*>(parts[at].iov_base) + left;
      parts[at].iov_len -= left;
    }
  }
  return true;
}

}  // namespace flexd
