// uring_backend.hpp: the backend of production: one io_uring, used by the thread that made it.
//
// liburing 2.3. Every operation is queued and submitted by the next `wait`, which enters the kernel
// once. Received bytes come in buffers of one provided ring, shared by all sockets: an idle
// connection holds none. io_uring(7), io_uring_setup(2), io_uring_enter(2).
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "flexd/io/backend.hpp"
#include "resolver.hpp"
#include "uring_abi.hpp"

namespace flexd::io {

// ReceiveBuffers is the ring of provided buffers (group 0).
class ReceiveBuffers {
 public:
  ReceiveBuffers() = default;
  ~ReceiveBuffers();
  ReceiveBuffers(const ReceiveBuffers&) = delete;
  ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;

  // open maps the memory and gives it to the kernel; `count` is a power of two. 0 or -errno.
  int open(io_uring& ring, uint32_t count, uint32_t bytes);
  // taken is called for each completion that carries a buffer; the bytes are ours until `give`.
  const char* taken(uint32_t index);
  void give(uint32_t index);
  bool available() const { return free_ > 0; }

 private:
  char* at(uint32_t index) { return memory_ + static_cast<size_t>(index) * bytes_; }

  io_uring_buf_ring* ring_ = nullptr;
  char* memory_ = nullptr;
  size_t ring_bytes_ = 0;
  size_t memory_bytes_ = 0;
  uint32_t count_ = 0;
  uint32_t bytes_ = 0;
  uint32_t free_ = 0;  // with the kernel, as far as we have seen
};

class UringBackend final : public Backend {
 public:
  UringBackend() = default;
  ~UringBackend() override;

  // open makes the ring; on failure the message names the likely cause.
  Result<void> open(const ReactorOptions& options);

  uint64_t now_ns() override;
  uint64_t unix_ms() override;
  void random_bytes(std::span<uint8_t> out) override;
  Result<int> open_listener(Address& address) override;
  int open_socket(int family) override;
  Address peer_address(int fd) override;
  void accept_multishot(int fd, Token token) override;
  void connect(int fd, const Address& address, Token token) override;
  void receive_multishot(int fd, Token token) override;
  void send(int fd, std::span<const iovec> iovecs, Token token) override;
  void send_quietly(int fd, std::span<const iovec> iovecs, Token token) override;
  void poll_hang_up(int fd, Token token) override;
  void watch(int fd, Token token) override;
  void cancel(Token target, Token token) override;
  int accept_now(int fd) override;
  void shutdown_write(int fd) override;
  void set_reset(int fd) override;
  void close(int fd) override;
  void return_buffer(uint32_t buffer) override { buffers_.give(buffer); }
  bool buffers_available() const override { return buffers_.available(); }
  size_t wait(uint64_t deadline_ns, std::span<Completion> out) override;
  void wake() override;
  void resolve(uint64_t key, std::string_view host, uint16_t port) override;
  bool poll_resolved(Resolved& out) override { return inbox_->poll(out); }
  uint64_t system_calls() const override { return system_calls_; }

 private:
  static constexpr uint32_t kQueueEntries = 1024;
  static constexpr size_t kIovecsMax = 16;
  // SendHeader is what sendmsg reads at submission.
  struct SendHeader {
    msghdr header;
    std::array<iovec, kIovecsMax> iovecs;
  };

  // QuietSend is a send that was queued with send_quietly and has not been told of.
  struct QuietSend {
    uint64_t user_data;
    int32_t bytes;
  };

  int open_ring(uint32_t completion_entries);
  io_uring_sqe* next_entry(Token token);
  io_uring_sqe* prepare_send(int fd, std::span<const iovec> iovecs, Token token, int flags);
  void forget_quiet(uint64_t user_data);
  size_t collect_quiet(std::span<Completion> out);
  uint64_t yield(uint64_t deadline_ns);
  void submit();
  void enter(uint64_t deadline_ns);
  size_t collect(std::span<Completion> out);
  bool translate(const io_uring_cqe& entry, Completion& out);
  void arm_wake();
  void shed(int listener_fd);

  io_uring ring_{};
  bool ring_open_ = false;
  bool yield_each_turn_ = false;
  bool waits_in_poll_ = false;
  ReceiveBuffers buffers_;
  std::unique_ptr<SendHeader[]> send_headers_;
  size_t next_send_header_ = 0;
  std::vector<QuietSend> quiet_;
  size_t quiet_told_ = 0;          // of quiet_, from its front
  bool quiet_is_late_ = false;     // some found no room among the last wait's completions
  std::vector<Completion> stash_;  // copied early, because the submission queue was full
  size_t stash_at_ = 0;
  std::vector<int> accepting_fds_;  // by slot of the accept token
  int wake_fd_ = -1;
  uint64_t wake_count_ = 0;  // what the read of wake_fd_ fills
  bool wake_armed_ = false;
  int spare_fd_ = -1;
  std::shared_ptr<ResolveInbox> inbox_;
  std::array<uint8_t, 512> random_{};
  size_t random_used_ = sizeof(random_);
  uint64_t system_calls_ = 0;
};

}  // namespace flexd::io
