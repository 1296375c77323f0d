#include "sim_backend.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "flexd/base/assert.hpp"
#include "flexd/base/poison.hpp"

namespace flexd::io::sim {
namespace {

constexpr uint32_t kGenerationMask = 0xffffff;  // what a ring's user_data keeps
constexpr int kPoison = 0xdd;
constexpr uint64_t kCancelDelayNs = 5'000'000;
constexpr uint64_t kSleepNs = 10'000'000;  // the longest one of a reactor that turns by itself

const char* name_of(Operation operation) {
  static constexpr std::array<const char*, 9> kNames = {
      "accept", "connect", "receive", "send", "cancel", "hang_up", "watch", "close", "wake"};
  return kNames[static_cast<size_t>(operation)];
}

}  // namespace

SimBackend::SimBackend(State& state, std::string host_ip, const ReactorOptions& options)
    : state_(state),
      number_(++state.backends_made),
      host_ip_(std::move(host_ip)),
      random_(state.seed ^ (number_ * 0x9e3779b97f4a7c15U)),
      buffer_bytes_(options.recv_buffer_bytes),
      memory_(new char[size_t{options.recv_buffers} * options.recv_buffer_bytes]),
      buffer_sizes_(options.recv_buffers, 0) {
  FLEXD_ASSERT(options.recv_buffers > 0 && buffer_bytes_ > 0);
  for (uint32_t i = options.recv_buffers; i > 0; i--) buffers_free_.push_back(i - 1);
  poison(memory_.get(), size_t{options.recv_buffers} * buffer_bytes_);
  state_.backends[number_] = this;
}

// The end of a process: its descriptors are closed by the kernel.
SimBackend::~SimBackend() {
  std::vector<int> fds;
  for (const auto& [fd, socket] : state_.sockets) {
    if (socket->owner == this) fds.push_back(fd);
  }
  for (const int fd : fds) {
    Socket& socket = *state_.find(fd);
    for (Pending& pending : socket.pending) pending = Pending{};
    state_.close(socket);
  }
  state_.backends.erase(number_);
  if (state_.asked == this) state_.asked = nullptr;
  unpoison(memory_.get(), buffer_sizes_.size() * buffer_bytes_);
}

uint64_t SimBackend::now_ns() {
  return state_.now_ns;
}

uint64_t SimBackend::unix_ms() {
  return state_.unix_ms();
}

void SimBackend::random_bytes(std::span<uint8_t> out) {
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(random_.next() >> 32U);
}

uint64_t SimBackend::system_calls() const {
  state_.asked = const_cast<SimBackend*>(this);
  return system_calls_;
}

Result<int> SimBackend::open_listener(Address& address) {
  system_calls_++;
  Socket* socket = state_.open(this, Socket::Kind::listener);
  if (socket == nullptr) return fail_with("cannot listen: too many open files");
  state_.bind(*socket, address);
  return socket->fd;
}

int SimBackend::open_socket(int /*family*/) {
  system_calls_++;
  if (state_.random.chance(state_.faults.no_socket)) return -EMFILE;
  const Socket* socket = state_.open(this, Socket::Kind::fresh);
  return socket == nullptr ? -EMFILE : socket->fd;
}

Address SimBackend::peer_address(int fd) {
  system_calls_++;
  Socket& socket = state_.socket(fd, this);
  if (socket.kind != Socket::Kind::stream) return Address{};
  return socket.connection->sides[1 - socket.side].address;
}

uint64_t SimBackend::key_of(Token token) {
  return (static_cast<uint64_t>(token.operation) << 56U) |
         (static_cast<uint64_t>(token.generation & kGenerationMask) << 32U) | token.slot;
}

Socket& SimBackend::start(int fd, Operation operation, Token token) {
  Socket& socket = state_.socket(fd, this);
  Pending& pending = socket.of(operation);
  FLEXD_ASSERT(token.operation == operation && "the token names another operation");
  FLEXD_ASSERT(!pending.armed && "two operations of a kind in flight on one descriptor");
  token.generation &= kGenerationMask;
  const bool unique = tokens_.emplace(key_of(token), std::pair{fd, operation}).second;
  FLEXD_ASSERT(unique && "two operations in flight with one token");
  pending = Pending{.armed = true, .token = token};
  return socket;
}

void SimBackend::accept_multishot(int fd, Token token) {
  const Socket& socket = start(fd, Operation::accept, token);
  FLEXD_ASSERT(socket.kind == Socket::Kind::listener && "accept on what does not listen");
  submissions_.push_back({.operation = Operation::accept, .fd = fd});
}

void SimBackend::connect(int fd, const Address& address, Token token) {
  const Socket& socket = start(fd, Operation::connect, token);
  FLEXD_ASSERT(socket.kind == Socket::Kind::fresh && "connect on a used socket");
  submissions_.push_back({.operation = Operation::connect, .fd = fd, .address = &address});
}

void SimBackend::receive_multishot(int fd, Token token) {
  const Socket& socket = start(fd, Operation::receive, token);
  FLEXD_ASSERT(socket.kind == Socket::Kind::stream && "receive on what is not connected");
  submissions_.push_back({.operation = Operation::receive, .fd = fd});
}

void SimBackend::send(int fd, std::span<const iovec> iovecs, Token token) {
  Socket& socket = start(fd, Operation::send, token);
  FLEXD_ASSERT(socket.kind == Socket::Kind::stream && "send on what is not connected");
  socket.send_iovecs.assign(iovecs.begin(), iovecs.end());
  socket.send_done = 0;
  socket.send_total = 0;
  for (const iovec& part : iovecs) socket.send_total += part.iov_len;
  FLEXD_ASSERT(socket.send_total > 0 && "a send of nothing");
  submissions_.push_back({.operation = Operation::send, .fd = fd});
}

void SimBackend::poll_hang_up(int fd, Token token) {
  start(fd, Operation::hang_up, token);
  submissions_.push_back({.operation = Operation::hang_up, .fd = fd});
}

void SimBackend::watch(int fd, Token token) {
  Socket* socket = state_.find(fd);
  if (socket == nullptr) {  // a descriptor of the process, known to the world by its number only
    auto foreign = std::make_unique<Socket>();
    foreign->fd = fd;
    foreign->kind = Socket::Kind::foreign;
    foreign->owner = this;
    state_.sockets.emplace(fd, std::move(foreign));
  }
  start(fd, Operation::watch, token);
  submissions_.push_back({.operation = Operation::watch, .fd = fd});
}

void SimBackend::cancel(Token target, Token token) {
  token.generation &= kGenerationMask;
  submissions_.push_back({.operation = Operation::cancel, .token = token, .target = target});
}

void SimBackend::shutdown_write(int fd) {
  system_calls_++;
  state_.shutdown_write(state_.socket(fd, this));
}

void SimBackend::set_reset(int fd) {
  system_calls_++;
  state_.socket(fd, this).reset_on_close = true;
}

void SimBackend::close(int fd) {
  system_calls_++;
  state_.close(state_.socket(fd, this));
}

void SimBackend::return_buffer(uint32_t buffer) {
  FLEXD_ASSERT(buffer < buffer_sizes_.size() && buffer_sizes_[buffer] > 0 &&
               "a buffer that was not lent is returned");
  char* memory = memory_.get() + size_t{buffer} * buffer_bytes_;
  std::memset(memory, kPoison, buffer_sizes_[buffer]);
  poison(memory, buffer_bytes_);
  buffer_sizes_[buffer] = 0;
  // Last in, first out: the buffer is used again as soon as possible, so that stale views show.
  buffers_free_.push_back(buffer);
}

uint32_t SimBackend::take_buffer(std::string_view bytes) {
  const uint32_t buffer = buffers_free_.back();
  buffers_free_.pop_back();
  char* memory = memory_.get() + size_t{buffer} * buffer_bytes_;
  unpoison(memory, bytes.size());
  std::memcpy(memory, bytes.data(), bytes.size());
  buffer_sizes_[buffer] = static_cast<uint32_t>(bytes.size());
  return buffer;
}

bool SimBackend::has_work() const {
  return !submissions_.empty() || !touched_.empty() || !ready_.empty() || answers_new_ ||
         woken_.load(std::memory_order_acquire);
}

size_t SimBackend::wait(uint64_t deadline_ns, std::span<Completion> out) {
  system_calls_++;
  deadline_ns_ = deadline_ns;
  const size_t count = poll(out);
  // In a turn given by the World, time is the World's to move. A reactor that turns by itself (it
  // does in its destructor) would wait for ever, so it moves time as a sleep would.
  if (count > 0 || state_.turning == number_ || deadline_ns <= state_.now_ns) return count;
  const uint64_t next_ns = std::min(state_.next_event_ns(), state_.now_ns + kSleepNs);
  state_.now_ns = std::min(next_ns, deadline_ns);
  state_.fire_due();
  return poll(out);
}

size_t SimBackend::poll(std::span<Completion> out) {
  had_work_ = woken_.exchange(false, std::memory_order_acq_rel) || answers_new_;
  answers_new_ = false;
  std::vector<Submission> submissions;
  submissions.swap(submissions_);
  for (const Submission& submission : submissions) submit(submission);
  std::vector<int> touched;
  touched.swap(touched_);
  const size_t first_new = ready_.size();
  for (const int fd : touched) {
    Socket* socket = state_.find(fd);
    if (socket == nullptr || socket->owner != this) continue;  // closed meanwhile
    socket->touched = false;
    progress(*socket);
  }
  if (state_.random.chance(state_.faults.reorder)) mix_ready(first_new);
  size_t count = std::min(out.size(), ready_.size());
  if (count > 1 && state_.random.chance(state_.faults.short_batch)) {
    count = state_.random.piece(count);
  }
  for (size_t i = 0; i < count; i++) {
    reap(ready_.front());
    out[i] = ready_.front().completion;
    ready_.pop_front();
  }
  had_work_ = had_work_ || count > 0;
  return count;
}

// The completions from `from` on are dealt out anew: any order between sockets, theirs within one.
void SimBackend::mix_ready(size_t from) {
  std::vector<std::deque<Ready>> lanes;
  std::map<int, size_t> lane_of;
  for (size_t i = from; i < ready_.size(); i++) {
    const auto [lane, is_new] = lane_of.emplace(ready_[i].fd, lanes.size());
    if (is_new) lanes.emplace_back();
    lanes[lane->second].push_back(ready_[i]);
  }
  ready_.resize(from);
  while (!lanes.empty()) {
    const size_t pick = state_.random.below(lanes.size());
    ready_.push_back(lanes[pick].front());
    lanes[pick].pop_front();
    if (lanes[pick].empty()) lanes.erase(lanes.begin() + static_cast<std::ptrdiff_t>(pick));
  }
}

void SimBackend::reap(const Ready& ready) {
  const Completion& completion = ready.completion;
  state_.note(name_of(ready.operation), number_, static_cast<uint64_t>(completion.result),
              completion.bytes);
  if (completion.more || ready.operation == Operation::cancel) return;
  tokens_.erase(key_of(completion.token));
  Socket& socket = state_.socket(ready.fd, this);
  socket.of(ready.operation) = Pending{};
}

void SimBackend::complete(Socket& socket, Operation operation, int32_t result, bool more) {
  Pending& pending = socket.of(operation);
  FLEXD_ASSERT(pending.armed && !pending.finished);
  pending.finished = !more;
  ready_.push_back(Ready{.fd = socket.fd,
                         .operation = operation,
                         .completion = {.token = pending.token, .result = result, .more = more}});
}

void SimBackend::submit(const Submission& submission) {
  if (submission.operation == Operation::cancel) {
    submit_cancel(submission);
    return;
  }
  Socket& socket = state_.socket(submission.fd, this);
  Pending& pending = socket.of(submission.operation);
  FLEXD_ASSERT(pending.armed);
  pending.submitted = true;
  if (submission.operation == Operation::connect) state_.connect(socket, *submission.address);
  if (submission.operation == Operation::receive && buffers_free_.empty()) {
    complete(socket, Operation::receive, -ENOBUFS, false);  // at once, even with nothing to read
  }
  state_.touch_now(socket);
}

void SimBackend::submit_cancel(const Submission& submission) {
  const auto found = tokens_.find(key_of(submission.target));
  int32_t result = -ENOENT;
  int fd = -1;
  if (found != tokens_.end()) {
    const auto [target_fd, operation] = found->second;
    Socket& socket = state_.socket(target_fd, this);
    Pending& pending = socket.of(operation);
    if (pending.submitted && !pending.finished && !pending.cancelled) {
      if (state_.random.chance(state_.faults.late_cancel)) {
        result = -EALREADY;
        cancel_later(target_fd, operation);
      } else {
        result = 0;
        pending.cancelled = true;
        state_.touch_now(socket);
      }
    }
    fd = target_fd;
  }
  // Its own lane in mix_ready: a cancel may complete before or after its target.
  const int lane = fd < 0 ? -1 : -fd;
  ready_.push_back(Ready{.fd = lane,
                         .operation = Operation::cancel,
                         .completion = {.token = submission.token, .result = result}});
}

void SimBackend::cancel_later(int fd, Operation operation) {
  const uint64_t serial = state_.find(fd)->serial;
  const uint64_t key = key_of(state_.find(fd)->of(operation).token);
  const auto cancelled = [&state = state_, fd, serial, key, operation] {
    Socket* socket = state.find(fd);
    if (socket == nullptr || socket->serial != serial) return;
    Pending& pending = socket->of(operation);
    if (!pending.armed || pending.finished || key_of(pending.token) != key) return;
    pending.cancelled = true;
    state.touch_now(*socket);
  };
  state_.schedule_at(state_.now_ns + state_.random.below(kCancelDelayNs), cancelled);
}

void SimBackend::resolve(uint64_t key, std::string_view host, uint16_t port) {
  system_calls_++;
  state_.resolve(*this, key, host, port);
}

void SimBackend::resolved(Resolved answer) {
  answers_.push_back(std::move(answer));
  answers_new_ = true;
}

bool SimBackend::poll_resolved(Resolved& out) {
  if (answers_.empty()) return false;
  out = std::move(answers_.front());
  answers_.pop_front();
  return true;
}

void SimBackend::list_leftovers(std::vector<std::string>& out) const {
  const std::string host = "host " + host_ip_ + ": ";
  const size_t lent = buffer_sizes_.size() - buffers_free_.size();
  if (lent > 0) out.push_back(host + std::to_string(lent) + " receive buffers not returned");
  if (!submissions_.empty()) {
    out.push_back(host + std::to_string(submissions_.size()) + " operations not submitted");
  }
  if (!ready_.empty()) {
    out.push_back(host + std::to_string(ready_.size()) + " completions not taken");
  }
}

}  // namespace flexd::io::sim

namespace flexd::io {

Result<std::unique_ptr<Backend>> Backend::create(const ReactorOptions& options) {
  if (sim::current_state() == nullptr) {
    return fail_with("no simulated world is current in this thread (sim::World::Scope)");
  }
  return std::make_unique<sim::SimBackend>(*sim::current_state(), sim::current_host(), options);
}

}  // namespace flexd::io
