// Reactors in a simulated world: an echo server and its clients under faults, timers, names, mail.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "driver.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/io/sim.hpp"

namespace flexd::io::sim {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kHour = 3600 * kSecond;

std::unique_ptr<Reactor> make_reactor(World& world, std::string_view host, uint32_t buffers = 16) {
  const World::Scope scope(world, host);
  ReactorOptions options;
  options.recv_buffers = buffers;
  options.recv_buffer_bytes = 512;
  auto made = Reactor::create(options);
  REQUIRE(made.has_value());
  world.add(**made);
  return std::move(*made);
}

// EchoSession sends back what comes, and stops reading while too much is unsent.
class EchoSession final : public SocketHandler {
 public:
  EchoSession(Reactor& reactor, SocketId socket, size_t& live)
      : reactor_(reactor), socket_(socket), live_(live) {
    live_++;
  }
  ~EchoSession() { live_--; }

  void on_data(std::string_view bytes) override {
    ByteChain& out = reactor_.out(socket_);
    if (!out.append(bytes)) FAIL("no memory");
    reactor_.touch(socket_);
    if (out.size() > kOutHighBytes) reactor_.pause(socket_);
  }
  void on_peer_closed() override { reactor_.close(socket_); }
  void on_drained() override { reactor_.resume(socket_); }
  void on_closed(int /*error*/) override { delete this; }

 private:
  Reactor& reactor_;
  SocketId socket_;
  size_t& live_;
};

class EchoServer final : public AcceptHandler {
 public:
  explicit EchoServer(Reactor& reactor) : reactor_(reactor) {}
  SocketHandler* on_accept(SocketId socket, const Address& /*peer*/) override {
    accepted++;
    if (socket.slot % 16 == 15 && refuses) return nullptr;
    return new EchoSession(reactor_, socket, live);
  }
  size_t accepted = 0;
  size_t live = 0;
  bool refuses = false;

 private:
  Reactor& reactor_;
};

// EchoClient sends a text in pieces and closes when all of it came back.
class EchoClient final : public SocketHandler {
 public:
  EchoClient(Reactor& reactor, std::string to_send)
      : reactor_(reactor), to_send_(std::move(to_send)) {}

  void start(const Address& address) {
    socket_ = reactor_.connect(address, *this);
    if (!socket_) closed = true;
  }
  void on_connected() override {
    connected = true;
    reactor_.touch(socket_);
  }
  void on_flush() override {
    while (sent_ < to_send_.size() && reactor_.out(socket_).size() < 4096) {
      const size_t count =
          std::min<size_t>(1 + reactor_.random_u64() % 3000, to_send_.size() - sent_);
      if (!reactor_.out(socket_).append({to_send_.data() + sent_, count})) FAIL("no memory");
      sent_ += count;
    }
  }
  void on_data(std::string_view bytes) override {
    received += bytes;
    reactor_.touch(socket_);
    if (received.size() == to_send_.size()) reactor_.close(socket_);
  }
  void on_peer_closed() override {
    peer_closed = true;
    reactor_.close(socket_);
  }
  void on_closed(int error_in) override {
    CHECK_FALSE(closed);
    closed = true;
    error = error_in;
  }
  void abort() { reactor_.abort(socket_); }

  bool connected = false;
  bool closed = false;
  bool peer_closed = false;
  int error = 0;
  std::string received;
  const std::string& sent() const { return to_send_; }

 private:
  Reactor& reactor_;
  SocketId socket_;
  std::string to_send_;
  size_t sent_ = 0;
};

struct Echo {
  std::string wrong;
  size_t complete = 0;
  uint64_t hash = 0;
};

Echo run_echo(uint64_t seed, const Faults& faults) {
  Echo result;
  WorldOptions options;
  options.send_buffer_bytes = 4096;
  options.receive_buffer_bytes = 8192;
  World world(seed, options);
  world.faults() = faults;
  {
    auto server = make_reactor(world, "10.0.0.1", 4);
    auto client = make_reactor(world, "10.0.0.2", 8);
    EchoServer echo(*server);
    const Address any = Address::from_ip("10.0.0.1", 0).value();
    const auto address = server->listen(any, echo);
    REQUIRE(address.has_value());
    std::vector<std::unique_ptr<EchoClient>> clients;
    const bool rude = faults.reset > 0;
    for (uint64_t i = 0; i < 6; i++) {
      const size_t size = 1 + static_cast<size_t>(world.random(20'000));
      clients.push_back(std::make_unique<EchoClient>(*client, text(size, seed + i)));
      EchoClient* one = clients.back().get();
      world.at(world.now_ns() + world.random(50'000'000),
               [one, &address] { one->start(*address); });
      if (!rude || i % 3 != 0) continue;
      world.at(world.now_ns() + world.random(200'000'000), [one] {
        if (!one->closed) one->abort();
      });
    }
    const bool ended = world.run_until_true(
        [&] {
          for (const auto& one : clients) {
            if (!one->closed) return false;
          }
          return true;
        },
        kHour);
    if (!ended) result.wrong += "a client did not end\n";
    // A harmful world may hold an orphan of the server's for a while: it ends by itself.
    world.faults() = Faults{};
    world.run_for(600 * kSecond);
    server->stop_listening();
    if (!world.run_until_idle(kHour)) result.wrong += "not idle\n";
    for (const auto& one : clients) {
      if (!one->sent().starts_with(one->received)) result.wrong += "disorder\n";
      if (one->received == one->sent()) result.complete++;
    }
    if (echo.live != 0) result.wrong += "a session is left\n";
    if (server->live_sockets() != 0 || client->live_sockets() != 0) result.wrong += "a socket\n";
    result.wrong += join(world.check_quiescent(Leftovers::none));
    result.hash = world.hash();
  }
  return result;
}

}  // namespace

TEST_CASE("echo under harmless faults: every byte comes back") {
  for (uint64_t seed = 1; seed <= seeds_max(); seed++) {
    CAPTURE(seed);
    const Echo echo = run_echo(seed, Faults::harmless(seed % 4 == 0 ? 0.7 : 0.15));
    REQUIRE(echo.wrong == "");
    REQUIRE(echo.complete == 6);
  }
}

TEST_CASE("echo under harmful faults: prefixes, and all quiescent at the end") {
  for (uint64_t seed = 1; seed <= seeds_max(); seed++) {
    CAPTURE(seed);
    const Echo echo = run_echo(seed, Faults::harmful(0.15, 0.03));
    REQUIRE(echo.wrong == "");
  }
}

TEST_CASE("reactors are deterministic in a world") {
  for (uint64_t seed = 1; seed <= 5; seed++) {
    const Echo first = run_echo(seed, Faults::harmful(0.15, 0.03));
    const Echo again = run_echo(seed, Faults::harmful(0.15, 0.03));
    const Echo other = run_echo(seed + 500, Faults::harmful(0.15, 0.03));
    CHECK(first.hash == again.hash);
    CHECK(first.hash != other.hash);
  }
}

TEST_CASE("a timer of ten minutes takes no time and fires within a tick") {
  World world(1);
  auto reactor = make_reactor(world, "10.0.0.1");
  struct Alarm {
    Reactor& reactor;
    uint64_t fired_ns = 0;
    Timer timer{timer_callback<Alarm, &Alarm::on_timer>, this};
    void on_timer() { fired_ns = reactor.now_ns(); }
  } alarm{*reactor};
  const uint64_t due_ns = world.now_ns() + 600 * kSecond;
  const auto start = std::chrono::steady_clock::now();
  reactor->timers().set(alarm.timer, due_ns);
  CHECK(world.run_until_idle(kHour));
  CHECK(alarm.fired_ns >= due_ns);
  CHECK(alarm.fired_ns <= due_ns + TimerWheel::kTickNs);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  CHECK(world.turns() < 1000);
}

TEST_CASE("names reach a reactor's handler") {
  World world(1);
  auto reactor = make_reactor(world, "10.0.0.1");
  struct Names final : ResolveHandler {
    std::string seen;
    void on_resolved(std::span<const Address> addresses, std::string_view error) override {
      seen += error;
      for (const Address& address : addresses) seen += address.to_string() + " ";
    }
  } good, bad;
  world.set_name("api.example", {.ips = {"10.0.0.1", "::1"}});
  reactor->resolve("api.example", 443, good);
  reactor->resolve("no.example", 443, bad);
  world.run_for(kSecond);
  CHECK(good.seen == "10.0.0.1:443 [::1]:443 ");
  CHECK(bad.seen == "name or service not known");
}

TEST_CASE("mail wakes a reactor that waits") {
  World world(1);
  auto reactor = make_reactor(world, "10.0.0.1");
  struct Box final : MailHandler {
    uint32_t number = 0;
    void on_mail(const Mail& mail) override { number = mail.number; }
  } box;
  reactor->set_mail_handler(box);
  world.run_for(kSecond);
  CHECK(reactor->post({.kind = 1, .number = 7}));
  world.run_for(kSecond);
  CHECK(box.number == 7);
}

TEST_CASE("a paused socket learns that its peer left") {
  struct Paused final : SocketHandler, AcceptHandler {
    explicit Paused(Reactor& reactor_in) : reactor(reactor_in) {}
    SocketHandler* on_accept(SocketId socket_in, const Address& /*peer*/) override {
      socket = socket_in;
      if (pauses_at_once) reactor.pause(socket);
      return this;
    }
    void on_data(std::string_view /*bytes*/) override { reactor.pause(socket); }
    void on_peer_closed() override {
      peer_closed = true;
      reactor.close(socket);
    }
    void on_closed(int /*error*/) override { closed = true; }
    Reactor& reactor;
    SocketId socket;
    bool pauses_at_once = false;
    bool peer_closed = false;
    bool closed = false;
  };
  for (uint64_t seed = 1; seed <= seeds_max(); seed++) {
    CAPTURE(seed);
    World world(seed);
    world.faults() = Faults::harmless(0.3);
    auto server = make_reactor(world, "10.0.0.1");
    auto client = make_reactor(world, "10.0.0.2");
    Paused paused(*server);
    paused.pauses_at_once = seed % 2 == 0;
    const auto address = server->listen(Address::from_ip("10.0.0.1", 0).value(), paused);
    REQUIRE(address.has_value());
    EchoClient one(*client, text(2000, seed));
    one.start(*address);
    world.run_for(kSecond);
    REQUIRE(one.connected);
    REQUIRE_FALSE(paused.peer_closed);
    one.abort();
    world.run_for(kSecond);
    REQUIRE(one.closed);
    REQUIRE((paused.peer_closed || paused.closed));
    world.run_for(10 * kSecond);
    REQUIRE(paused.closed);
    server->stop_listening();
    REQUIRE(world.run_until_idle(kHour));
    REQUIRE(join(world.check_quiescent()) == "");
  }
}

TEST_CASE("a reader that pauses bounds what its peer gets rid of") {
  struct Slow final : SocketHandler {
    void on_data(std::string_view bytes) override { received += bytes.size(); }
    void on_peer_closed() override {}
    void on_closed(int /*error*/) override { closed = true; }
    size_t received = 0;
    bool closed = false;
  } slow;
  struct Source final : SocketHandler, AcceptHandler {
    explicit Source(Reactor& reactor_in) : reactor(reactor_in) {}
    SocketHandler* on_accept(SocketId socket_in, const Address& /*peer*/) override {
      socket = socket_in;
      reactor.touch(socket);
      return this;
    }
    void on_flush() override {
      const std::string piece(10'000, 'x');
      while (made < 3'000'000 && reactor.out(socket).size() <= kOutHighBytes) {
        REQUIRE(reactor.out(socket).append(piece));
        made += piece.size();
      }
    }
    void on_drained() override {
      drained++;
      reactor.touch(socket);
    }
    void on_data(std::string_view /*bytes*/) override {}
    void on_peer_closed() override {}
    void on_closed(int /*error*/) override { closed = true; }
    Reactor& reactor;
    SocketId socket;
    size_t made = 0;
    size_t drained = 0;
    bool closed = false;
  };
  World world(1);
  world.faults() = Faults::harmless(0.2);
  auto server = make_reactor(world, "10.0.0.1");
  auto client = make_reactor(world, "10.0.0.2");
  Source source(*server);
  const auto address = server->listen(Address::from_ip("10.0.0.1", 0).value(), source);
  REQUIRE(address.has_value());
  const SocketId socket = client->connect(*address, slow);
  client->pause(socket);
  world.run_for(60 * kSecond);
  // The output up to its mark, one more piece, and the two buffers of the simulated kernel.
  CHECK(source.made <= kOutHighBytes + 10'000 + (256U << 10U));
  CHECK(source.made > kOutHighBytes);
  CHECK(slow.received < 16'384);
  client->resume(socket);
  CHECK(world.run_until_true([&] { return slow.received == 3'000'000; }, 600 * kSecond));
  CHECK(source.drained > 3);
  client->abort(socket);
  world.run_for(60 * kSecond);
  CHECK(slow.closed);
  CHECK(source.closed);
}

TEST_CASE("a connection killed in the middle reaches both handlers") {
  World world(1);
  auto server = make_reactor(world, "10.0.0.1");
  auto client = make_reactor(world, "10.0.0.2");
  EchoServer echo(*server);
  const auto address = server->listen(Address::from_ip("10.0.0.1", 0).value(), echo);
  REQUIRE(address.has_value());
  EchoClient one(*client, text(100'000, 1));
  world.set_latency("10.0.0.1", 100'000'000);
  one.start(*address);
  world.run_for(350'000'000);
  CHECK(one.connected);
  CHECK_FALSE(one.closed);
  CHECK(echo.live == 1);
  CHECK(world.kill_connections(*address) == 1);
  world.run_for(kSecond);
  CHECK(one.closed);
  CHECK(one.error == ECONNRESET);
  CHECK(echo.live == 0);
  server->stop_listening();
  CHECK(world.run_until_idle(kHour));
  CHECK(join(world.check_quiescent()) == "");
}

}  // namespace flexd::io::sim
