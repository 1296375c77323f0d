// sim_backend.hpp: the Backend of a simulated world.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "flexd/io/backend.hpp"
#include "random.hpp"
#include "state.hpp"

namespace flexd::io::sim {

class SimBackend final : public Backend {
 public:
  SimBackend(State& state, std::string host_ip, const ReactorOptions& options);
  ~SimBackend() override;

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
  void poll_hang_up(int fd, Token token) override;
  void watch(int fd, Token token) override;
  void cancel(Token target, Token token) override;
  int accept_now(int fd) override;
  void shutdown_write(int fd) override;
  void set_reset(int fd) override;
  void close(int fd) override;
  void return_buffer(uint32_t buffer) override;
  bool buffers_available() const override { return !buffers_free_.empty(); }
  size_t wait(uint64_t deadline_ns, std::span<Completion> out) override;
  void wake() override { woken_.store(true, std::memory_order_release); }
  void resolve(uint64_t key, std::string_view host, uint16_t port) override;
  bool poll_resolved(Resolved& out) override;
  uint64_t system_calls() const override;

  // For State and World.
  uint64_t number() const { return number_; }
  const std::string& host_ip() const { return host_ip_; }
  void touched(int fd) { touched_.push_back(fd); }
  void resolved(Resolved answer);
  // has_work: `wait` would return something, or has operations to submit.
  bool has_work() const;
  // had_work: the last `wait` handed out completions or was woken.
  bool had_work() const { return had_work_; }
  // deadline_ns is what the last `wait` was given.
  uint64_t deadline_ns() const { return deadline_ns_; }
  void list_leftovers(std::vector<std::string>& out) const;

 private:
  struct Submission {
    Operation operation;
    int fd = -1;
    Token token{};
    Token target{};
    const Address* address = nullptr;
  };
  struct Ready {
    int fd;
    Operation operation;
    Completion completion;
  };

  size_t poll(std::span<Completion> out);
  Socket& start(int fd, Operation operation, Token token);
  void submit(const Submission& submission);
  void submit_cancel(const Submission& submission);
  void cancel_later(int fd, Operation operation);
  void progress(Socket& socket);
  void progress_connect(Socket& socket);
  void progress_accept(Socket& socket);
  bool accept_one(Socket& socket);
  int take_accepted(Socket& listener);
  void progress_receive(Socket& socket);
  bool receive_one(Socket& socket);
  void progress_send(Socket& socket);
  void progress_hang_up(Socket& socket);
  void progress_watch(Socket& socket);
  void take_send_bytes(Socket& socket, Side& side, size_t count);
  void complete(Socket& socket, Operation operation, int32_t result, bool more);
  void mix_ready(size_t from);
  void reap(const Ready& ready);
  uint32_t take_buffer(std::string_view bytes);
  static uint64_t key_of(Token token);

  State& state_;
  uint64_t number_;
  std::string host_ip_;
  Random random_;
  uint32_t buffer_bytes_;
  std::unique_ptr<char[]> memory_;
  std::vector<uint32_t> buffers_free_;
  std::vector<uint32_t> buffer_sizes_;  // bytes lent in each; 0: free
  std::vector<Submission> submissions_;
  std::vector<int> touched_;
  std::deque<Ready> ready_;
  std::map<uint64_t, std::pair<int, Operation>> tokens_;
  std::deque<Resolved> answers_;
  bool answers_new_ = false;
  bool had_work_ = false;
  std::atomic<bool> woken_{false};
  uint64_t deadline_ns_ = UINT64_MAX;
  uint64_t system_calls_ = 0;
};

}  // namespace flexd::io::sim
