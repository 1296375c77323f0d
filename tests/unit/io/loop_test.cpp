// The reactor over io_uring: listeners, mail, timers, names, descriptors.
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <set>
#include <thread>
#include <vector>

#include "../../../src/io/resolver.hpp"
#include "io_test.hpp"

using namespace flexd;
using namespace flexd::io;
using namespace flexd::io::test;

namespace {

struct Names : ResolveHandler {
  virtual ~Names() = default;
  void on_resolved(std::span<const Address> found, std::string_view text) override {
    calls++;
    addresses.assign(found.begin(), found.end());
    error = text;
  }
  int calls = 0;
  std::vector<Address> addresses;
  std::string error;
};

}  // namespace

TEST_CASE("loop: out of descriptors, connections are shed and accepting goes on later") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  Raw shed(*address);  // queued before anything is accepted
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = ::dup(0);
  REQUIRE(next >= 0);
  ::close(next);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  while (reactor->stats().accept_errors == 0) reactor->turn(true);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(acceptor.peers.empty());
  std::string got;
  CHECK(shed.read(got) == -ECONNRESET);
  const Raw later(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  later.send("hello");
  turn_until(*reactor, [&] { return acceptor.peers[0]->data == "hello"; });
}

TEST_CASE("loop: stop_listening takes what is queued, then refuses") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  reactor->turn(false);
  std::vector<Raw> raws;
  for (int i = 0; i < 50; i++) raws.emplace_back(*address);
  reactor->stop_listening();
  CHECK(acceptor.peers.empty());
  turn_until(*reactor, [&] { return acceptor.peers.size() == 50; });
  for (int i = 0; i < 5; i++) reactor->turn(false);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(::connect(fd, address->data(), address->size()) == -1);
  CHECK(errno == ECONNREFUSED);
  ::close(fd);
  raws[7].send("alive");
  turn_until(*reactor, [&] {
    for (const auto& peer : acceptor.peers) {
      if (peer->data == "alive") return true;
    }
    return false;
  });
}

TEST_CASE("loop: a busy address, and a unix socket whose owner is gone") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Address any = loopback();
  REQUIRE(::bind(fd, any.data(), any.size()) == 0);
  REQUIRE(::listen(fd, 1) == 0);
  sockaddr_in bound{};
  socklen_t length = sizeof(bound);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  const Address busy = Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&bound), length);
  const auto refused = reactor->listen(busy, acceptor);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find(busy.to_string()) != std::string::npos);
  ::close(fd);

  std::string folder = "/tmp/flexd_io_test_XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const auto path = Address::parse("unix:" + folder + "/s");
  REQUIRE(path.has_value());
  const int stale = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(stale, path->data(), path->size()) == 0);
  ::close(stale);
  REQUIRE(reactor->listen(*path, acceptor).has_value());
  CHECK_FALSE(reactor->listen(*path, acceptor).has_value());  // this one is in use
  const Raw raw(*path);
  raw.send("over unix");
  // The second listen asked by a connection whether somebody answers; that one is here too.
  turn_until(*reactor,
             [&] { return !acceptor.peers.empty() && acceptor.peers.back()->data == "over unix"; });
  ::unlink((folder + "/s").c_str());
  ::rmdir(folder.c_str());
}

TEST_CASE("loop: mail from several threads, every message once, each sender's in order") {
  auto reactor = make_reactor();
  constexpr uint32_t kSenders = 2;
  constexpr uint32_t kMessages = 100'000;
  struct Reader : MailHandler {
    virtual ~Reader() = default;
    void on_mail(const Mail& mail) override {
      in_order = in_order && next[mail.kind] == mail.number;
      next[mail.kind]++;
    }
    uint32_t next[kSenders] = {};
    bool in_order = true;
  } reader;
  reactor->set_mail_handler(reader);
  std::vector<std::thread> threads;
  for (uint32_t sender = 0; sender < kSenders; sender++) {
    threads.emplace_back([&, sender] {
      for (uint32_t i = 0; i < kMessages; i++) {
        while (!reactor->post({sender, i, nullptr})) std::this_thread::yield();
      }
    });
  }
  turn_until(*reactor, [&] { return reader.next[0] + reader.next[1] == kSenders * kMessages; });
  for (std::thread& thread : threads) thread.join();
  CHECK(reader.in_order);
}

TEST_CASE("loop: mail is bounded, and a handler may post") {
  auto reactor = make_reactor();
  struct Reader : MailHandler {
    virtual ~Reader() = default;
    void on_mail(const Mail& mail) override {
      count++;
      if (mail.kind == 7) discard(reactor->post({8, 0, nullptr}), "there is room");
    }
    Reactor* reactor = nullptr;
    size_t count = 0;
  } reader;
  reader.reactor = reactor.get();
  reactor->set_mail_handler(reader);
  for (size_t i = 0; i < kMailMax; i++) REQUIRE(reactor->post({1, 0, nullptr}));
  CHECK_FALSE(reactor->post({1, 0, nullptr}));
  turn_until(*reactor, [&] { return reader.count == kMailMax; });
  REQUIRE(reactor->post({7, 0, nullptr}));
  turn_until(*reactor, [&] { return reader.count == kMailMax + 2; });
}

TEST_CASE("loop: timers fire through turns, none early") {
  auto reactor = make_reactor();
  struct Clock {
    explicit Clock(Reactor& owner)
        : reactor(owner), timer(timer_callback<Clock, &Clock::on_timer>, this) {}
    void on_timer() {
      fired++;
      early = early || reactor.now_ns() < timer.expiry_ns();
      if (fired < 20) reactor.timers().set(timer, reactor.now_ns() + 1'234'567);
    }
    Reactor& reactor;
    Timer timer;
    int fired = 0;
    bool early = false;
  } clock(*reactor);
  reactor->timers().set(clock.timer, reactor->now_ns() + 500'000);
  const uint64_t turns = reactor->stats().turns;
  turn_until(*reactor, [&] { return clock.fired == 20; });
  CHECK_FALSE(clock.early);
  CHECK(reactor->stats().turns - turns < 100);  // it slept, it did not spin
}

TEST_CASE("loop: names") {
  auto reactor = make_reactor();
  Names literal;
  reactor->resolve("127.0.0.9", 99, literal);
  CHECK(literal.calls == 0);
  turn_until(*reactor, [&] { return literal.calls == 1; });
  REQUIRE(literal.addresses.size() == 1);
  CHECK(literal.addresses[0].to_string() == "127.0.0.9:99");
  Names local;
  reactor->resolve("localhost", 80, local);
  turn_until(*reactor, [&] { return local.calls == 1; });
  REQUIRE_FALSE(local.addresses.empty());
  CHECK(local.addresses[0].port() == 80);
  Names gone;
  reactor->resolve("localhost", 80, gone);
  reactor->resolve("::1", 80, gone);
  reactor->cancel_resolve(gone);
  Names after;
  reactor->resolve("localhost", 81, after);
  turn_until(*reactor, [&] { return after.calls == 1; });
  CHECK(gone.calls == 0);
}

TEST_CASE("loop: the resolver keeps answers, and old ones when it fails") {
  int asked = 0;
  bool works = true;
  uint64_t now_ns = 1;
  Resolver resolver(
      [&](const std::string& host, std::vector<Address>& addresses, std::string& error) {
        asked++;
        if (!works || host == "nowhere") {
          error = "not found";
          return false;
        }
        addresses.push_back(*Address::from_ip("10.0.0.1", 0));
        return true;
      },
      [&] { return now_ns; });
  int notified = 0;
  auto inbox = std::make_shared<ResolveInbox>([&] { notified++; });
  const auto ask = [&](const char* host) {
    Resolved resolved;
    resolver.ask(inbox, 5, host, 443);
    resolver.answer_all();
    REQUIRE(inbox->poll(resolved));
    CHECK(resolved.key == 5);
    CHECK_FALSE(inbox->poll(resolved));
    return resolved.addresses.empty() ? resolved.error : resolved.addresses[0].to_string();
  };
  CHECK(ask("a") == "10.0.0.1:443");
  CHECK(ask("a") == "10.0.0.1:443");
  CHECK(asked == 1);
  now_ns += kFreshNs;
  CHECK(ask("a") == "10.0.0.1:443");
  CHECK(asked == 2);
  works = false;
  now_ns += kFreshNs;
  CHECK(ask("a") == "10.0.0.1:443");
  CHECK(asked == 3);
  CHECK(ask("nowhere") == "not found");
  CHECK(notified == 5);
  inbox->close();
  works = true;
  CHECK(ask("a") == "10.0.0.1:443");
  CHECK(notified == 5);
}

TEST_CASE("loop: watch_fd fires as long as there is something to read") {
  auto reactor = make_reactor();
  const int fd = ::eventfd(3, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK);
  int ready = 0;
  reactor->watch_fd(fd, [&] {
    uint64_t count = 0;
    if (::read(fd, &count, sizeof(count)) == sizeof(count)) ready++;
  });
  turn_until(*reactor, [&] { return ready == 3; });
  for (int i = 0; i < 5; i++) reactor->turn(false);
  CHECK(ready == 3);
  const uint64_t two = 2;
  REQUIRE(::write(fd, &two, sizeof(two)) == sizeof(two));
  turn_until(*reactor, [&] { return ready == 5; });
  reactor.reset();
  ::close(fd);
}

TEST_CASE("loop: run and stop, random numbers, yielding turns") {
  ReactorOptions options;
  options.yield_each_turn = true;
  auto reactor = make_reactor(options);
  struct Stopper : MailHandler {
    virtual ~Stopper() = default;
    void on_mail(const Mail&) override { reactor->stop(); }
    Reactor* reactor = nullptr;
  } stopper;
  stopper.reactor = reactor.get();
  reactor->set_mail_handler(stopper);
  std::thread poster([&] { discard(reactor->post({}), "there is room"); });
  reactor->run();
  poster.join();
  CHECK(reactor->random_u64() != reactor->random_u64());
  CHECK(reactor->unix_ms() > 1'600'000'000'000);
}

TEST_CASE("loop: random bytes fill a span of any size, and do not come again") {
  auto reactor = make_reactor();
  std::set<std::vector<uint8_t>> seen;
  for (const size_t size : {8U, 511U, 13U, 512U, 1300U, 16U, 513U}) {
    std::vector<uint8_t> bytes(size);
    reactor->random_bytes(bytes);
    // Of eight good ones in a row all are zero once in many lives of this test.
    for (size_t at = 0; at + 8 <= size; at += 8) {
      const std::vector<uint8_t> word(bytes.begin() + static_cast<ptrdiff_t>(at),
                                      bytes.begin() + static_cast<ptrdiff_t>(at) + 8);
      CHECK(word != std::vector<uint8_t>(8));
      CHECK(seen.insert(word).second);
    }
  }
}

TEST_CASE("loop: a full submission queue is submitted in between") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  acceptor.echo = true;
  const auto address = reactor->listen(loopback(), acceptor);
  std::vector<std::unique_ptr<Peer>> peers;
  constexpr size_t kPeers = 3000;  // more operations in one turn than the queue has entries
  for (size_t i = 0; i < kPeers; i++) {
    peers.push_back(std::make_unique<Peer>(*reactor));
    peers.back()->id = reactor->connect(*address, *peers.back());
    REQUIRE(static_cast<bool>(peers.back()->id));
  }
  size_t connected = 0;
  turn_until(*reactor, [&] {
    connected = 0;
    for (const auto& peer : peers) connected += peer->connected ? 1 : 0;
    return connected == kPeers;
  });
  const std::string large(20'000, 'z');  // several pieces: each send has a header of its own
  for (const auto& peer : peers) peer->send(large);
  turn_until(*reactor, [&] {
    for (const auto& peer : peers) {
      if (peer->received != large.size()) return false;
    }
    return true;
  });
}
