// sim.hpp: a simulated world for reactors: one seed, one thread, virtual time.
//
// A program that links the simulated backend instead of the io_uring one (see backend.hpp) gets its
// clock, its network, its names and its randomness from a World. Several reactors (clients, gateway
// workers, providers) live in one World, in one thread; the World decides whose turn it is and
// moves virtual time to the next thing that happens, so that a wait of ten minutes costs
// microseconds.
//
//   sim::World world(seed);
//   sim::World::Scope on_gateway(world, "10.0.0.2");  // backends made now live on this host
//   auto reactor = Reactor::create(options);
//   world.add(**reactor);
//   world.run_for(600'000'000'000);
//
// Every choice is drawn from the seed: the same seed and the same program give the same run, and
// `hash` tells two runs apart. The simulated kernel is stricter than the real one: an operation on
// a closed descriptor, two receives or two sends in flight on one descriptor, a close with
// operations in flight, a buffer returned twice are asserts; what is left over is listed by
// check_quiescent. Returned receive buffers are overwritten with 0xDD (and poisoned under
// AddressSanitizer).
//
// The network is TCP as a program sees it: ordered bytes with latency, bounded send and receive
// buffers, FIN after the last byte, RST on close with unread bytes or on bytes for a closed socket,
// an error reported once by receive or send and end-of-stream or EPIPE after it. Unix socket paths
// connect the same way. Nothing here is thread-safe except Backend::wake.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/io/address.hpp"
#include "flexd/io/reactor.hpp"

namespace flexd::io::sim {

class State;

// Faults are probabilities, 0 to 1, each drawn where its comment says.
struct Faults {
  // Harmless: no byte is lost and no connection fails; a correct program does not notice.
  double split = 0;             // a segment is cut, down to one byte
  double delay = 0;             // a segment or a handshake comes later, by up to delay_ns_max
  double delay_completion = 0;  // the kernel notices late that a socket has something to report
  double reorder = 0;           // completions of one batch are mixed between sockets
  double short_batch = 0;       // `wait` hands out only some of the completions it has
  double short_receive = 0;     // a receive gets less than there is, down to one byte
  double end_multishot = 0;     // a multishot operation ends (no `more`) with a good result
  double starve = 0;            // a receive ends with -ENOBUFS
  double short_send = 0;        // a send completes before all its bytes were taken
  double late_cancel = 0;       // a cancel answers -EALREADY, its target goes on for a while
  double cancel_race = 0;       // a cancelled operation looks for a last result first
  double accept_full = 0;       // accept ends with -EMFILE; the connection stays in the queue
  // Harmful: connections and look-ups fail.
  double accept_aborted = 0;       // accept ends with -ECONNABORTED; the connection is reset
  double reset = 0;                // a delivered segment is followed by a reset of both ends
  double connect_refused = 0;      // -ECONNREFUSED
  double connect_unreachable = 0;  // -EHOSTUNREACH
  double connect_timeout = 0;      // no answer: -ETIMEDOUT after WorldOptions::connect_timeout_ns
  double no_socket = 0;            // open_socket gives -EMFILE
  double resolve_failure = 0;      // a look-up ends without addresses

  uint64_t delay_ns_max = 20'000'000;

  // harmless gives every harmless fault the probability `p`.
  static Faults harmless(double p);
  // harmful gives the harmless ones `p` and the harmful ones `q`.
  static Faults harmful(double p, double q);
};

struct WorldOptions {
  uint64_t start_ns = 1'000'000'000'000;       // of the monotonic clock
  uint64_t start_unix_ms = 1'800'000'000'000;  // of the wall clock
  uint64_t latency_ns = 100'000;               // one way, between any two sockets
  size_t send_buffer_bytes = 128U << 10U;      // taken by send and not yet delivered
  size_t receive_buffer_bytes = 128U << 10U;   // under way or delivered and not yet received
  size_t backlog_max = 1024;                   // connections waiting for accept, a listener
  size_t descriptors_max = 20'000;             // in the whole world
  uint64_t connect_timeout_ns = 127'000'000'000;
  uint64_t stall_timeout_ns = 900'000'000'000;  // of unacknowledged bytes: ETIMEDOUT
};

// Name is the answer of the name table for a host.
struct Name {
  std::vector<std::string> ips;  // literals; none is a failure
  std::string error;             // the text of a failure
  uint64_t delay_ns = 1'000'000;
};

// Leftovers says what check_quiescent overlooks.
enum class Leftovers : uint8_t {
  none,
  listeners,  // open listeners, their accepts, and watched descriptors: servers still running
};

class World {
 public:
  explicit World(uint64_t seed, const WorldOptions& options = {});
  // Every backend of this world is gone by now.
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Scope makes a world current in this thread: Backend::create (and so Reactor::create) makes
  // backends of it, on the host of that address. Scopes nest.
  class Scope {
   public:
    explicit Scope(World& world, std::string_view host_ip = "127.0.0.1");
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    State* previous_state_;
    std::string previous_host_;
  };

  uint64_t seed() const;
  uint64_t now_ns() const;
  uint64_t unix_ms() const;
  // step_wall_clock moves the wall clock alone, as an administrator or NTP would.
  void step_wall_clock(int64_t delta_ms);
  // random draws from the world's generator, for a test's own choices: below `bound` (> 0).
  uint64_t random(uint64_t bound);
  // faults may be changed at any time.
  Faults& faults();

  // add gives a reactor of this world its turns. It leaves by itself when it is destroyed. A
  // reactor that is turned by anyone else moves time by itself where it would sleep; destructors
  // do.
  void add(Reactor& reactor);
  // The run functions give turns and move time. Each reactor gets at least one turn. A reactor that
  // asks for turn after turn without waiting makes time pass by a microsecond a turn.
  void run_until(uint64_t time_ns);
  void run_for(uint64_t duration_ns);
  // run_until_idle runs until nothing is under way and no timer is set; false at `limit_ns` from
  // now.
  bool run_until_idle(uint64_t limit_ns);
  // run_until_true runs until `done` holds (looked at before each turn); false at `limit_ns` from
  // now.
  bool run_until_true(const std::function<bool()>& done, uint64_t limit_ns);
  // at has `action` called at a time, between turns.
  void at(uint64_t time_ns, std::function<void()> action);
  // advance moves time to the next event and fires all events of that moment, giving no turns;
  // false (time is then `limit_ns`, absolute) if there is none before. For driving a Backend by
  // hand.
  bool advance(uint64_t limit_ns);

  // set_name adds or replaces a host in the name table. "localhost" and IP literals need none.
  void set_name(std::string_view host, Name name);
  // partition loses everything to and from an IP address until `heal`; bytes wait in their sockets.
  void partition(std::string_view ip);
  void heal(std::string_view ip);
  // set_latency makes every path to and from an IP address take this long, one way.
  void set_latency(std::string_view ip, uint64_t latency_ns);
  // kill_connections resets every connection with an end at `address` (any port if its port is 0),
  // seen by both ends at once; returns how many.
  size_t kill_connections(const Address& address);
  // count_connections counts connections with an end at `address` of which an end is still open.
  size_t count_connections(const Address& address) const;
  // set_readable makes a watched descriptor that is not the world's (a signalfd, say) readable
  // once.
  void set_readable(int fd);

  // check_quiescent lists what is left: descriptors, operations, completions, buffers. Empty: none.
  std::vector<std::string> check_quiescent(Leftovers allowed = Leftovers::none) const;
  // hash is over every event so far: times, operations, results, bytes.
  uint64_t hash() const;
  uint64_t turns() const;
  // trace prints a line an event to `file`; nullptr (as at first) prints nothing.
  void trace(std::FILE* file);

 private:
  bool step(uint64_t limit_ns);
  bool turn_one();
  void wake_all();

  struct Member;
  std::unique_ptr<State> state_;
  std::vector<Member> members_;
  uint64_t turns_ = 0;
};

}  // namespace flexd::io::sim
