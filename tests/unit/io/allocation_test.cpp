// Once warm, the reactor takes no memory from the system: counted through operator new.
#include <atomic>
#include <cstdlib>
#include <new>

#include "flexd/metrics/core.hpp"
#include "io_test.hpp"

using namespace flexd;
using namespace flexd::io;
using namespace flexd::io::test;

namespace {

std::atomic<uint64_t> allocations{0};

// Ping sends a few kilobytes back and forth and counts the rounds.
struct Ping : SocketHandler {
  void on_data(std::string_view bytes) override {
    received += bytes.size();
    if (received < size) return;
    received = 0;
    rounds++;
    ready = true;
    reactor->touch(id);
  }
  void on_flush() override {
    if (!ready) return;
    ready = false;
    FLEXD_ASSERT(reactor->out(id).append({text, size}));
  }
  void on_peer_closed() override { reactor->close(id); }
  void on_closed(int) override { closed = true; }

  static constexpr size_t size = 10'000;
  static inline char text[size] = {};
  Reactor* reactor = nullptr;
  SocketId id;
  size_t received = 0;
  size_t rounds = 0;
  bool ready = false;
  bool closed = false;
};

struct Pool : AcceptHandler {
  SocketHandler* on_accept(SocketId socket, const Address&) override {
    Ping& ping = pings[used++];
    ping = Ping{};
    ping.reactor = reactor;
    ping.id = socket;
    return &ping;
  }
  Reactor* reactor = nullptr;
  Ping pings[20];
  size_t used = 0;
};

}  // namespace

#ifndef FLEXD_SANITIZE
void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
#endif

TEST_CASE("allocation: none once warm, for traffic and for connections") {
  metrics::Core core;
  ReactorOptions options;
  options.metrics = &core;
  auto reactor = make_reactor(options);
  Pool pool;
  pool.reactor = reactor.get();
  const auto address = reactor->listen(loopback(), pool);
  constexpr size_t kClients = 20;
  Ping clients[kClients];
  const auto round_trips = [&](size_t count) {
    pool.used = 0;
    for (Ping& client : clients) {
      client = Ping{};
      client.reactor = reactor.get();
      client.id = reactor->connect(*address, client);
      client.ready = true;
    }
    while (clients[kClients - 1].rounds < count) reactor->turn(true);
    for (Ping& client : clients) reactor->close(client.id);
    while (reactor->live_sockets() > 0) reactor->turn(true);
  };
  round_trips(200);
  round_trips(50);
  const uint64_t before = allocations.load();
  const uint64_t blocks_before = reactor->blocks().system_takes();
  round_trips(300);
  round_trips(50);
  const uint64_t after = allocations.load();
  CHECK(after == before);
  CHECK(reactor->blocks().system_takes() == blocks_before);
  // The metrics tell the same story.
  CHECK(core.value(metrics::Counter::turns) == reactor->stats().turns);
  CHECK(core.value(metrics::Counter::accepted_connections) == 4 * kClients);
  CHECK(core.value(metrics::Counter::sent_bytes, metrics::at(0)) > 100 * Ping::size);
  CHECK(core.value(metrics::Counter::received_bytes, metrics::at(1)) > 100 * Ping::size);
  CHECK(core.value(metrics::Counter::system_calls) > 0);
}
