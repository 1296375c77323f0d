#include "uring_backend.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "flexd/base/assert.hpp"

namespace flexd::io {

namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
// kSleepMaxNs keeps a wait's timeout inside what every clock type holds.
constexpr uint64_t kSleepMaxNs = 3600 * kSecondNs;
// kYieldWaitNs and kYieldPollMs are how long a thread waits that has to give way to others.
constexpr uint64_t kYieldWaitNs = 10'000'000;
constexpr int kYieldPollMs = 20;
// kShedMax bounds the connections dropped at once when descriptors run out.
constexpr int kShedMax = 64;
constexpr short kPeerLeft = POLLRDHUP;  // POLLHUP and POLLERR are always reported

// An operation's user_data is {operation:8, generation:24, slot:32}.
uint64_t pack(Token token) {
  return static_cast<uint64_t>(token.operation) << 56U |
         static_cast<uint64_t>(token.generation & 0xffffffU) << 32U | token.slot;
}

Token unpack(uint64_t word) {
  return {static_cast<Operation>(word >> 56U), static_cast<uint32_t>(word >> 32U) & 0xffffffU,
          static_cast<uint32_t>(word)};
}

uint64_t read_clock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecondNs + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

uint64_t UringBackend::now_ns() {
  return read_clock(CLOCK_MONOTONIC);
}
uint64_t UringBackend::unix_ms() {
  return read_clock(CLOCK_REALTIME) / 1'000'000;
}

void UringBackend::random_bytes(std::span<uint8_t> out) {
  while (!out.empty()) {
    if (random_used_ == random_.size()) {
      system_calls_++;
      FLEXD_ASSERT(::getrandom(random_.data(), random_.size(), 0) ==
                   static_cast<ssize_t>(random_.size()));
      random_used_ = 0;
    }
    const size_t count = std::min(out.size(), random_.size() - random_used_);
    uint8_t* const bytes = random_.data() + random_used_;
    std::memcpy(out.data(), bytes, count);
    // What was handed out is forgotten here.
    std::memset(bytes, 0, count);
    random_used_ += count;
    out = out.subspan(count);
  }
}

Address UringBackend::peer_address(int fd) {
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  system_calls_++;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) != 0) return {};
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&peer), length);
}

// next_entry is the one place that meets a full submission queue: it submits and tries again.
io_uring_sqe* UringBackend::next_entry(Token token) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  for (int tries = 0; entry == nullptr; tries++) {
    FLEXD_ASSERT(tries < 1000);
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  // liburing's preparations leave user_data alone.
  io_uring_sqe_set_data64(entry, pack(token));
  return entry;
}

void UringBackend::submit() {
  system_calls_++;
  const int result = io_uring_submit(&ring_);
  if (result >= 0) return;
  // The kernel takes nothing while completions overflow: they are copied out of its way.
  FLEXD_ASSERT(result == -EBUSY || result == -EAGAIN || result == -EINTR);
  Completion completion;
  while (collect({&completion, 1}) == 1) stash_.push_back(completion);
}

void UringBackend::accept_multishot(int fd, Token token) {
  if (accepting_fds_.size() <= token.slot) accepting_fds_.resize(token.slot + 1, -1);
  accepting_fds_[token.slot] = fd;
  io_uring_prep_multishot_accept(next_entry(token), fd, nullptr, nullptr, SOCK_CLOEXEC);
}

void UringBackend::connect(int fd, const Address& address, Token token) {
  io_uring_prep_connect(next_entry(token), fd, address.data(), address.size());
}

void UringBackend::receive_multishot(int fd, Token token) {
  io_uring_sqe* entry = next_entry(token);
  io_uring_prep_recv_multishot(entry, fd, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = 0;
}

io_uring_sqe* UringBackend::prepare_send(int fd, std::span<const iovec> iovecs, Token token,
                                         int flags) {
  FLEXD_ASSERT(!iovecs.empty() && iovecs.size() <= kIovecsMax);
  io_uring_sqe* entry = next_entry(token);
  if (iovecs.size() == 1) {
    io_uring_prep_send(entry, fd, iovecs[0].iov_base, iovecs[0].iov_len, flags);
    return entry;
  }
  // The kernel reads a header at submission, so there are as many as entries, used in turn.
  SendHeader& header = send_headers_[next_send_header_++ % kQueueEntries];
  std::copy(iovecs.begin(), iovecs.end(), header.iovecs.begin());
  header.header = msghdr{};
  header.header.msg_iov = header.iovecs.data();
  header.header.msg_iovlen = iovecs.size();
  io_uring_prep_sendmsg(entry, fd, &header.header, static_cast<unsigned>(flags));
  return entry;
}

void UringBackend::send(int fd, std::span<const iovec> iovecs, Token token) {
  prepare_send(fd, iovecs, token, MSG_NOSIGNAL | MSG_WAITALL);
}

// A quiet send is carried out whole while it is submitted, or not at all: MSG_DONTWAIT keeps the
// kernel from waiting for room, MSG_WAITALL makes a short send a failure, and failures are told
// although successes are not. So once a submission is over, a quiet send that no completion speaks
// of has succeeded, and no completion of it wakes a loop that would have nothing to do.
void UringBackend::send_quietly(int fd, std::span<const iovec> iovecs, Token token) {
  int32_t bytes = 0;
  for (const iovec& piece : iovecs) bytes += static_cast<int32_t>(piece.iov_len);
  io_uring_sqe* entry = prepare_send(fd, iovecs, token, MSG_NOSIGNAL | MSG_WAITALL | MSG_DONTWAIT);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  quiet_.push_back({pack(token), bytes});
}

// collect_quiet tells of quiet sends. To be called when all completions have been collected.
size_t UringBackend::collect_quiet(std::span<Completion> out) {
  size_t count = 0;
  while (quiet_told_ < quiet_.size() && count < out.size()) {
    const QuietSend& sent = quiet_[quiet_told_++];
    if (sent.bytes == 0) continue;  // a completion spoke of it
    out[count++] = {.token = unpack(sent.user_data), .result = sent.bytes};
  }
  quiet_is_late_ = quiet_told_ < quiet_.size();
  if (!quiet_is_late_) {
    quiet_.clear();
    quiet_told_ = 0;
  }
  return count;
}

void UringBackend::poll_hang_up(int fd, Token token) {
  io_uring_prep_poll_add(next_entry(token), fd, static_cast<unsigned>(kPeerLeft));
}

void UringBackend::watch(int fd, Token token) {
  // Single-shot, armed again after each callback: so it fires as long as there is something to
  // read.
  io_uring_prep_poll_add(next_entry(token), fd, POLLIN);
}

void UringBackend::cancel(Token target, Token token) {
  io_uring_prep_cancel64(next_entry(token), pack(target), 0);
}

int UringBackend::accept_now(int fd) {
  // Not set before: a ring does not wait on a non-blocking listener.
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
  system_calls_ += 2;
  return accepted < 0 ? -errno : accepted;
}

void UringBackend::shutdown_write(int fd) {
  // By a system call: as a ring operation it would go to a kernel thread.
  system_calls_++;
  ::shutdown(fd, SHUT_WR);
}

void UringBackend::set_reset(int fd) {
  const linger immediately{1, 0};
  system_calls_++;
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &immediately, sizeof(immediately));
}

void UringBackend::close(int fd) {
  io_uring_sqe* entry = next_entry({Operation::close, 0, 0});
  io_uring_prep_close(entry, fd);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

void UringBackend::arm_wake() {
  if (wake_armed_) return;
  wake_armed_ = true;
  io_uring_prep_read(next_entry({Operation::wake, 0, 0}), wake_fd_, &wake_count_,
                     sizeof(wake_count_), 0);
}

void UringBackend::wake() {
  const uint64_t one = 1;
  // It fails only when the counter is full, and then a wake is under way.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof(one));
}

// enter submits what is queued and waits for a completion until the deadline: one system call.
void UringBackend::enter(uint64_t deadline_ns) {
  const uint64_t now = deadline_ns == 0 || deadline_ns == UINT64_MAX ? 0 : now_ns();
  int result = 0;
  system_calls_++;
  if (deadline_ns <= now) {
    result = io_uring_submit_and_get_events(&ring_);
  } else {
    const uint64_t sleep_ns = std::min(deadline_ns - now, kSleepMaxNs);
    __kernel_timespec timeout{};
    timeout.tv_sec = static_cast<int64_t>(sleep_ns / kSecondNs);
    timeout.tv_nsec = static_cast<int64_t>(sleep_ns % kSecondNs);
    io_uring_cqe* first = nullptr;
    result = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
  }
  // -EBADR would mean that the kernel lost completions for want of memory: nothing is certain then.
  FLEXD_ASSERT(result != -EBADR && result != -EBADF && result != -EEXIST && result != -EINVAL);
}

// yield lets other threads run where only one runs at a time and io_uring_enter does not give way:
// valgrind. A thread with work waits in the ring, shortly, so that its turns are as many as its
// events; one without (the control thread) waits here.
uint64_t UringBackend::yield(uint64_t deadline_ns) {
  system_calls_++;
  if (!waits_in_poll_) {
    ::poll(nullptr, 0, 0);
    return std::min(deadline_ns, now_ns() + kYieldWaitNs);
  }
  const bool idle = deadline_ns != 0 && io_uring_sq_ready(&ring_) == 0;
  ::poll(nullptr, 0, idle ? kYieldPollMs : 0);
  return 0;
}

size_t UringBackend::wait(uint64_t deadline_ns, std::span<Completion> out) {
  if (yield_each_turn_) deadline_ns = yield(deadline_ns);
  arm_wake();
  const bool pending = stash_at_ < stash_.size() || io_uring_cq_ready(&ring_) > 0 || quiet_is_late_;
  // With DEFER_TASKRUN new completions appear only inside the kernel, so it is entered each turn.
  enter(pending ? 0 : deadline_ns);
  size_t count = 0;
  while (count < out.size() && stash_at_ < stash_.size()) out[count++] = stash_[stash_at_++];
  if (stash_at_ == stash_.size()) {
    stash_.clear();
    stash_at_ = 0;
  }
  // What was stashed is older than what is in the ring.
  if (stash_.empty()) count += collect(out.subspan(count));
  const bool all_told = stash_.empty() && io_uring_cq_ready(&ring_) == 0 &&
                        io_uring_sq_ready(&ring_) == 0 && !io_uring_cq_has_overflow(&ring_);
  if (all_told) {
    count += collect_quiet(out.subspan(count));
  } else {
    quiet_is_late_ = !quiet_.empty();
  }
  return count;
}

size_t UringBackend::collect(std::span<Completion> out) {
  size_t count = 0;
  while (count < out.size()) {
    io_uring_cqe* entry = nullptr;
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring_, head, entry) {
      if (count == out.size()) break;
      seen++;
      if (translate(*entry, out[count])) count++;
    }
    if (seen == 0) break;
    io_uring_cq_advance(&ring_, seen);
  }
  return count;
}

// forget_quiet: a completion speaks of a send; if it was a quiet one, it has not taken all.
void UringBackend::forget_quiet(uint64_t user_data) {
  for (size_t at = quiet_told_; at < quiet_.size(); at++) {
    if (quiet_[at].user_data == user_data) quiet_[at].bytes = 0;
  }
}

bool UringBackend::translate(const io_uring_cqe& entry, Completion& out) {
  out.token = unpack(entry.user_data);
  out.result = entry.res;
  out.more = (entry.flags & IORING_CQE_F_MORE) != 0;
  out.buffer = UINT32_MAX;
  out.bytes = {};
  if ((entry.flags & IORING_CQE_F_BUFFER) != 0) {
    out.buffer = entry.flags >> IORING_CQE_BUFFER_SHIFT;
    const char* bytes = buffers_.taken(out.buffer);
    if (entry.res > 0) out.bytes = {bytes, static_cast<size_t>(entry.res)};
  }
  if (out.token.operation == Operation::close) return false;  // the descriptor is gone either way
  if (out.token.operation == Operation::wake) wake_armed_ = false;
  if (out.token.operation == Operation::send) forget_quiet(entry.user_data);
  if (out.token.operation == Operation::accept && (entry.res == -EMFILE || entry.res == -ENFILE)) {
    shed(accepting_fds_[out.token.slot]);
  }
  return true;
}

// shed drops connections that wait for a descriptor there is none of, instead of letting them wait:
// the spare descriptor makes room for one at a time.
void UringBackend::shed(int listener_fd) {
  for (int i = 0; i < kShedMax; i++) {
    pollfd ready{listener_fd, POLLIN, 0};
    system_calls_++;
    if (::poll(&ready, 1, 0) != 1) return;
    if (spare_fd_ >= 0) ::close(spare_fd_);
    const int accepted = ::accept4(listener_fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted >= 0) {
      set_reset(accepted);
      ::close(accepted);
    }
    spare_fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    system_calls_ += 4;
    if (accepted < 0) return;
  }
}

void UringBackend::resolve(uint64_t key, std::string_view host, uint16_t port) {
  Resolver::shared().ask(inbox_, key, host, port);
}

}  // namespace flexd::io
