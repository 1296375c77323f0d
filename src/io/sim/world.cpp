// world.cpp: whose turn it is, and what time it is.
#include <algorithm>

#include "flexd/base/assert.hpp"
#include "flexd/io/sim.hpp"
#include "sim_backend.hpp"
#include "state.hpp"

namespace flexd::io::sim {
namespace {

// What a turn costs when a reactor asks for the next one without waiting.
constexpr uint64_t kTurnNs = 1'000;
// How long a reactor is left alone whose deadline had passed already: a timer fires up to a tick
// late.
constexpr uint64_t kOverdueNs = 100'000;

std::array<uint8_t, 16> ip_of(std::string_view text) {
  const auto address = Address::from_ip(text, 0);
  FLEXD_ASSERT(address.has_value() && "an IP literal is wanted");
  return address->ip();
}

bool has_end_at(const Connection& connection, const Address& address) {
  return std::ranges::any_of(connection.sides, [&](const Side& side) {
    if (address.family() == AF_UNIX) return side.address == address;
    const bool port = address.port() == 0 || side.address.port() == address.port();
    return port && side.address.ip() == address.ip();
  });
}

}  // namespace

Faults Faults::harmless(double p) {
  Faults faults;
  for (double* chance :
       {&faults.split, &faults.delay, &faults.delay_completion, &faults.reorder,
        &faults.short_batch, &faults.short_receive, &faults.end_multishot, &faults.starve,
        &faults.short_send, &faults.late_cancel, &faults.cancel_race, &faults.accept_full}) {
    *chance = p;
  }
  return faults;
}

Faults Faults::harmful(double p, double q) {
  Faults faults = harmless(p);
  for (double* chance :
       {&faults.accept_aborted, &faults.reset, &faults.connect_refused, &faults.connect_unreachable,
        &faults.connect_timeout, &faults.no_socket, &faults.resolve_failure}) {
    *chance = q;
  }
  return faults;
}

struct World::Member {
  Reactor* reactor = nullptr;
  uint64_t backend = 0;  // its number
  bool due = true;       // owed a turn whatever its backend says
  uint64_t turned_at_ns = 0;
};

World::Scope::Scope(World& world, std::string_view host_ip)
    : previous_state_(current_state()), previous_host_(current_host()) {
  current_state() = world.state_.get();
  current_host() = host_ip;
}

World::Scope::~Scope() {
  current_state() = previous_state_;
  current_host() = previous_host_;
}

World::World(uint64_t seed, const WorldOptions& options)
    : state_(std::make_unique<State>(seed, options)) {}

World::~World() {
  FLEXD_ASSERT(state_->backends.empty() && "the world ends before its reactors");
}

uint64_t World::seed() const {
  return state_->seed;
}
uint64_t World::now_ns() const {
  return state_->now_ns;
}
uint64_t World::unix_ms() const {
  return state_->unix_ms();
}
uint64_t World::random(uint64_t bound) {
  return state_->random.below(bound);
}
Faults& World::faults() {
  return state_->faults;
}
uint64_t World::hash() const {
  return state_->hash;
}
uint64_t World::turns() const {
  return turns_;
}
void World::trace(std::FILE* file) {
  state_->trace = file;
}
void World::step_wall_clock(int64_t delta_ms) {
  state_->wall_delta_ms += delta_ms;
}

void World::add(Reactor& reactor) {
  // A reactor hides its backend; asking it for its system calls makes the backend show itself.
  state_->asked = nullptr;
  static_cast<void>(reactor.system_calls());
  FLEXD_ASSERT(state_->asked != nullptr && "the reactor is not of this world");
  members_.push_back(Member{.reactor = &reactor, .backend = state_->asked->number()});
}

void World::at(uint64_t time_ns, std::function<void()> action) {
  // What the action did to a reactor directly shows in its next turn.
  state_->schedule_at(time_ns, [this, action = std::move(action)] {
    action();
    wake_all();
  });
}

void World::wake_all() {
  for (Member& member : members_) member.due = true;
}

bool World::turn_one() {
  std::erase_if(members_, [&](const Member& m) { return !state_->backends.contains(m.backend); });
  std::vector<size_t> runnable;
  for (size_t i = 0; i < members_.size(); i++) {
    const SimBackend& backend = *state_->backends[members_[i].backend];
    if (members_[i].due || backend.has_work()) runnable.push_back(i);
  }
  if (runnable.empty()) return false;
  const bool choose = runnable.size() > 1;
  const size_t pick = runnable[choose ? state_->random.below(runnable.size()) : 0];
  members_[pick].due = false;
  members_[pick].turned_at_ns = state_->now_ns;
  turns_++;
  // The simulated `wait` notes its deadline and does not move time.
  state_->turning = members_[pick].backend;
  members_[pick].reactor->turn(true);
  state_->turning = 0;
  // It looped back to `wait` at once if there was anything to do; it may ask for a new deadline
  // then.
  const auto backend = state_->backends.find(members_[pick].backend);
  if (backend != state_->backends.end() && backend->second->had_work()) members_[pick].due = true;
  return true;
}

bool World::step(uint64_t limit_ns) {
  if (turn_one()) return true;
  uint64_t next_ns = state_->next_event_ns();
  std::vector<uint64_t> deadlines;
  for (const Member& member : members_) {
    const uint64_t wanted_ns = std::min(state_->backends[member.backend]->deadline_ns(),
                                        member.reactor->timers().next_expiry_ns());
    const uint64_t pause_ns = wanted_ns == 0 ? kTurnNs : kOverdueNs;
    const bool overdue = wanted_ns <= member.turned_at_ns;
    deadlines.push_back(overdue ? member.turned_at_ns + pause_ns : wanted_ns);
    if (wanted_ns != UINT64_MAX) next_ns = std::min(next_ns, deadlines.back());
  }
  if (next_ns > limit_ns) return false;
  state_->now_ns = std::max(state_->now_ns, next_ns);
  for (size_t i = 0; i < members_.size(); i++) {
    if (deadlines[i] <= state_->now_ns) members_[i].due = true;
  }
  state_->fire_due();
  return true;
}

void World::run_until(uint64_t time_ns) {
  wake_all();
  while (step(time_ns)) {
  }
  state_->now_ns = std::max(state_->now_ns, time_ns);
}

void World::run_for(uint64_t duration_ns) {
  run_until(state_->now_ns + duration_ns);
}

bool World::run_until_idle(uint64_t limit_ns) {
  wake_all();
  const uint64_t end_ns = state_->now_ns + limit_ns;
  while (step(end_ns)) {
  }
  // step stopped because nothing comes before the end: does anything come after it?
  bool idle = state_->next_event_ns() == UINT64_MAX;
  for (const Member& member : members_) {
    idle = idle && member.reactor->timers().count() == 0;
  }
  if (!idle) state_->now_ns = std::max(state_->now_ns, end_ns);
  return idle;
}

bool World::run_until_true(const std::function<bool()>& done, uint64_t limit_ns) {
  wake_all();
  const uint64_t end_ns = state_->now_ns + limit_ns;
  while (!done()) {
    if (step(end_ns)) continue;
    state_->now_ns = std::max(state_->now_ns, end_ns);
    return done();
  }
  return true;
}

bool World::advance(uint64_t limit_ns) {
  const uint64_t next_ns = state_->next_event_ns();
  state_->now_ns = std::max(state_->now_ns, std::min(next_ns, limit_ns));
  if (next_ns > limit_ns) return false;
  state_->fire_due();
  return true;
}

void World::set_name(std::string_view host, Name name) {
  state_->names[std::string(host)] = std::move(name);
}

void World::partition(std::string_view ip) {
  state_->partitions.insert(ip_of(ip));
}
void World::heal(std::string_view ip) {
  state_->partitions.erase(ip_of(ip));
}

void World::set_latency(std::string_view ip, uint64_t latency_ns) {
  state_->latencies[ip_of(ip)] = latency_ns;
}

size_t World::kill_connections(const Address& address) {
  size_t killed = 0;
  for (const auto& [id, weak] : state_->connections) {
    const std::shared_ptr<Connection> connection = weak.lock();
    if (connection == nullptr || !has_end_at(*connection, address)) continue;
    if (connection->sides[0].dead && connection->sides[1].dead) continue;
    state_->reset_both(*connection);
    killed++;
  }
  std::erase_if(state_->connections, [](const auto& entry) { return entry.second.expired(); });
  return killed;
}

size_t World::count_connections(const Address& address) const {
  return static_cast<size_t>(std::ranges::count_if(state_->connections, [&](const auto& entry) {
    const std::shared_ptr<Connection> connection = entry.second.lock();
    if (connection == nullptr || !has_end_at(*connection, address)) return false;
    return !connection->sides[0].closed || !connection->sides[1].closed;
  }));
}

void World::set_readable(int fd) {
  Socket* socket = state_->find(fd);
  FLEXD_ASSERT(socket != nullptr && socket->kind == Socket::Kind::foreign &&
               "only a watched descriptor can be made readable");
  socket->readable = true;
  state_->touch_now(*socket);
}

std::vector<std::string> World::check_quiescent(Leftovers allowed) const {
  std::vector<std::string> out;
  for (const auto& [fd, socket] : state_->sockets) {
    const bool server =
        socket->kind == Socket::Kind::listener || socket->kind == Socket::Kind::foreign;
    if (server && allowed == Leftovers::listeners) continue;
    const std::string name =
        "host " + socket->owner->host_ip() + ": descriptor " + std::to_string(fd);
    if (socket->kind != Socket::Kind::foreign) out.push_back(name + " is open");
    for (const Pending& pending : socket->pending) {
      if (!pending.armed) continue;
      const auto operation = static_cast<unsigned>(pending.token.operation);
      out.push_back(name + " has operation " + std::to_string(operation) + " in flight");
    }
  }
  for (const auto& [number, backend] : state_->backends) backend->list_leftovers(out);
  return out;
}

}  // namespace flexd::io::sim
