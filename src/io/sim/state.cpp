#include "state.hpp"

#include <algorithm>
#include <cstring>

#include "flexd/base/assert.hpp"
#include "sim_backend.hpp"

namespace flexd::io::sim {
namespace {

constexpr int kFirstDescriptor = 1'000'000;  // far from the real ones of the process

}  // namespace

State*& current_state() {
  thread_local State* state = nullptr;
  return state;
}

std::string& current_host() {
  thread_local std::string host;
  return host;
}

std::string Bytes::take(size_t count) {
  FLEXD_ASSERT(count <= size());
  std::string taken = data_.substr(at_, count);
  at_ += count;
  if (at_ == data_.size()) {
    clear();
  } else if (at_ > 65'536 && at_ > data_.size() / 2) {
    data_.erase(0, at_);
    at_ = 0;
  }
  return taken;
}

void Bytes::clear() {
  data_.clear();
  at_ = 0;
}

bool Socket::operations_in_flight() const {
  return std::ranges::any_of(pending, [](const Pending& p) { return p.armed; });
}

State::State(uint64_t seed_in, const WorldOptions& options_in)
    : seed(seed_in),
      options(options_in),
      random(seed_in),
      now_ns(options_in.start_ns),
      fd_next_(kFirstDescriptor) {}

void State::schedule_at(uint64_t time_ns, std::function<void()> action) {
  events_.push_back(Event{std::max(time_ns, now_ns), sequence_++, std::move(action)});
  std::ranges::push_heap(events_, Later{});
}

uint64_t State::next_event_ns() const {
  return events_.empty() ? UINT64_MAX : events_.front().at_ns;
}

void State::fire_due() {
  while (!events_.empty() && events_.front().at_ns <= now_ns) {
    std::ranges::pop_heap(events_, Later{});
    const Event event = std::move(events_.back());
    events_.pop_back();
    event.action();
  }
}

uint64_t State::unix_ms() const {
  const uint64_t elapsed_ms = (now_ns - options.start_ns) / 1'000'000;
  return options.start_unix_ms + elapsed_ms + static_cast<uint64_t>(wall_delta_ms);
}

void State::note(const char* what, uint64_t a, uint64_t b, std::string_view bytes) {
  const auto mix = [this](uint64_t value) {
    hash = (hash ^ value) * 0x100000001b3U;
    hash ^= hash >> 29U;
  };
  mix(now_ns);
  for (const char* at = what; *at != '\0'; at++) mix(static_cast<unsigned char>(*at));
  mix(a);
  mix(b);
  mix(bytes.size());
  for (size_t at = 0; at < bytes.size(); at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min(sizeof(word), bytes.size() - at));
    mix(word);
  }
  if (trace == nullptr) return;
  const uint64_t elapsed_ns = now_ns - options.start_ns;
  std::fprintf(trace, "%6llu.%09llu %-12s %llu %lld (%zu bytes)\n",
               static_cast<unsigned long long>(elapsed_ns / 1'000'000'000),
               static_cast<unsigned long long>(elapsed_ns % 1'000'000'000), what,
               static_cast<unsigned long long>(a), static_cast<long long>(b), bytes.size());
}

Socket* State::open(SimBackend* owner, Socket::Kind kind) {
  if (sockets.size() >= options.descriptors_max) return nullptr;
  int fd = fd_next_;
  if (free_.empty()) {
    fd_next_++;
  } else {
    // The lowest free number, as the kernel does it: numbers are reused at once.
    fd = *free_.begin();
    free_.erase(free_.begin());
  }
  auto socket = std::make_unique<Socket>();
  socket->fd = fd;
  socket->serial = ++serial_;
  socket->kind = kind;
  socket->owner = owner;
  Socket* made = socket.get();
  sockets.emplace(fd, std::move(socket));
  note("open", static_cast<uint64_t>(fd));
  return made;
}

Socket* State::find(int fd) {
  const auto found = sockets.find(fd);
  return found == sockets.end() ? nullptr : found->second.get();
}

Socket& State::socket(int fd, const SimBackend* owner) {
  Socket* found = find(fd);
  FLEXD_ASSERT(found != nullptr && "an operation on a closed descriptor");
  FLEXD_ASSERT(found->owner == owner && "an operation on another reactor's descriptor");
  return *found;
}

void State::touch(Socket& socket) {
  if (socket.touched) return;
  if (!random.chance(faults.delay_completion)) {
    touch_now(socket);
    return;
  }
  socket.touched = true;
  const auto noticed = [this, fd = socket.fd, serial = socket.serial] {
    Socket* found = find(fd);
    if (found == nullptr || found->serial != serial) return;
    found->owner->touched(fd);
  };
  schedule_at(now_ns + jitter_ns(), noticed);
}

void State::touch_now(Socket& socket) {
  // A delayed notice may still come; looking at a socket twice does no harm.
  socket.touched = true;
  socket.owner->touched(socket.fd);
}

uint64_t State::jitter_ns() {
  return faults.delay_ns_max == 0 ? 0 : random.below(faults.delay_ns_max);
}

uint64_t State::latency_ns(const Address& a, const Address& b) const {
  uint64_t latency = 0;
  bool found = false;
  for (const Address* address : {&a, &b}) {
    const auto own = latencies.find(address->ip());
    if (own == latencies.end()) continue;
    latency = std::max(latency, own->second);
    found = true;
  }
  return found ? latency : options.latency_ns;
}

void State::resolve(SimBackend& backend, uint64_t key, std::string_view host, uint16_t port) {
  Resolved answer{.key = key, .addresses = {}, .error = {}};
  uint64_t delay_ns = 0;
  auto literal = Address::from_ip(host, port);
  const auto named = names.find(host);
  if (random.chance(faults.resolve_failure)) {
    answer.error = "temporary failure in name resolution";
    delay_ns = jitter_ns();
  } else if (literal.has_value()) {
    answer.addresses.push_back(*literal);
  } else if (named != names.end()) {
    delay_ns = named->second.delay_ns;
    answer.error = named->second.error;
    for (const std::string& ip : named->second.ips) {
      auto address = Address::from_ip(ip, port);
      FLEXD_ASSERT(address.has_value() && "the name table holds IP literals");
      answer.addresses.push_back(*address);
    }
    if (answer.addresses.empty() && answer.error.empty()) answer.error = "no address";
  } else if (host == "localhost") {
    answer.addresses.push_back(Address::from_ip("127.0.0.1", port).value());
  } else {
    answer.error = "name or service not known";
  }
  note("resolve", key, answer.addresses.size(), host);
  if (random.chance(faults.delay)) delay_ns += jitter_ns();
  const auto arrive = [this, number = backend.number(), answer] {
    const auto found = backends.find(number);
    if (found != backends.end()) found->second->resolved(answer);
  };
  schedule_at(now_ns + delay_ns, arrive);
}

}  // namespace flexd::io::sim
