// The reactor over io_uring: connections, flow, closing.
#include <algorithm>
#include <numeric>

#include "io_test.hpp"

using namespace flexd;
using namespace flexd::io;
using namespace flexd::io::test;

TEST_CASE("reactor: echo over many connections") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  acceptor.echo = true;
  acceptor.prepare = [](Peer& peer) { peer.close_on_fin = true; };
  const auto address = reactor->listen(loopback(), acceptor);
  REQUIRE(address.has_value());
  CHECK(address->port() != 0);
  std::vector<std::unique_ptr<Peer>> clients;
  constexpr size_t kClients = 200;
  for (size_t i = 0; i < kClients; i++) {
    clients.push_back(std::make_unique<Peer>(*reactor));
    clients.back()->id = reactor->connect(*address, *clients.back());
    REQUIRE(static_cast<bool>(clients.back()->id));
    CHECK_FALSE(clients.back()->connected);
  }
  const auto connected = [](const auto& client) { return client->connected; };
  turn_until(*reactor, [&] { return std::ranges::all_of(clients, connected); });
  std::vector<std::string> sent(kClients);
  for (size_t i = 0; i < kClients; i++) {
    sent[i] = "client " + std::to_string(i) + std::string(i * 50, 'x');
    clients[i]->send(sent[i]);
  }
  turn_until(*reactor, [&] {
    for (size_t i = 0; i < kClients; i++) {
      if (clients[i]->received < sent[i].size()) return false;
    }
    return true;
  });
  for (size_t i = 0; i < kClients; i++) {
    CHECK(clients[i]->data == sent[i]);
    CHECK(reactor->bytes_received(clients[i]->id) == sent[i].size());
  }
  CHECK(reactor->live_sockets() == 2 * kClients);
  for (auto& client : clients) reactor->close(client->id);
  turn_until(*reactor, [&] { return reactor->live_sockets() == 0; });
  for (const auto& client : clients) CHECK(client->closed == 1);
  for (const auto& peer : acceptor.peers) {
    CHECK(peer->closed == 1);
    CHECK(peer->error == 0);
    CHECK(peer->peer_closed == 1);
  }
  CHECK(acceptor.addresses.front().port() != 0);
  reactor->stop_listening();
  turn_until(*reactor, [&] { return reactor->operations_in_flight() == 0; });
}

TEST_CASE("reactor: two touches, one flush and one send") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  const Raw raw(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  Peer& peer = *acceptor.peers[0];
  const uint64_t sends = reactor->stats().sends;
  peer.send("one ");
  peer.send("two ");
  reactor->touch(peer.id);
  const uint64_t calls = reactor->system_calls();
  reactor->turn(false);
  reactor->turn(false);  // nobody waits for the end of a send: it does not end a sleep
  CHECK(peer.flushes == 1);
  CHECK(reactor->stats().sends == sends + 1);
  CHECK(reactor->system_calls() == calls + 2);  // one entry a turn
  std::string got;
  CHECK(raw.read(got) == 8);
  CHECK(got == "one two ");
}

TEST_CASE("reactor: a socket touched in another's flush goes out in the same turn") {
  auto reactor = make_reactor();
  struct Relay : Peer {
    using Peer::Peer;
    void on_flush() override {
      Peer::on_flush();
      if (other != nullptr && flushes == 1) other->send("relayed");
    }
    Peer* other = nullptr;
  };
  struct : AcceptHandler {
    SocketHandler* on_accept(SocketId socket, const Address&) override {
      peers[count]->id = socket;
      return peers[count++];
    }
    Relay* peers[2];
    size_t count = 0;
  } acceptor;
  Relay first(*reactor);
  Relay second(*reactor);
  acceptor.peers[0] = &first;
  acceptor.peers[1] = &second;
  const auto address = reactor->listen(loopback(), acceptor);
  const Raw a(*address);
  const Raw b(*address);
  turn_until(*reactor, [&] { return acceptor.count == 2; });
  first.other = &second;
  first.send("x");
  const uint64_t sends = reactor->stats().sends;
  reactor->turn(false);
  CHECK(reactor->stats().sends == sends + 2);
  CHECK(second.flushes == 1);
}

TEST_CASE("reactor: pause stops bytes, resume brings them") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  acceptor.prepare = [](Peer& peer) { peer.keep = true; };
  const auto address = reactor->listen(loopback(), acceptor);
  Raw raw(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  Peer& peer = *acceptor.peers[0];
  reactor->pause(peer.id);
  // The receive's end and the start of the hang-up poll: then the socket is quiet.
  for (int i = 0; i < 3; i++) reactor->turn(false);
  raw.send("hello");
  for (int i = 0; i < 5; i++) reactor->turn(false);
  CHECK(peer.data.empty());
  reactor->resume(peer.id);
  turn_until(*reactor, [&] { return peer.data == "hello"; });
  // Fast changes of mind end in the last state, with every byte once.
  for (int i = 0; i < 50; i++) {
    reactor->pause(peer.id);
    if (i % 3 == 0) reactor->turn(false);
    raw.send("x");
    reactor->resume(peer.id);
    if (i % 5 == 0) reactor->turn(false);
  }
  turn_until(*reactor, [&] { return peer.received == 55; });
  CHECK(peer.data == "hello" + std::string(50, 'x'));
  CHECK(peer.peer_closed == 0);
}

TEST_CASE("reactor: a peer that leaves while paused is reported, its bytes are kept") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  Raw raw(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  Peer& peer = *acceptor.peers[0];
  reactor->pause(peer.id);
  for (int i = 0; i < 3; i++) reactor->turn(false);
  raw.send("last words");
  raw.close();
  turn_until(*reactor, [&] { return peer.peer_closed == 1; });
  CHECK(peer.data.empty());
  CHECK(peer.closed == 0);
  reactor->resume(peer.id);
  turn_until(*reactor, [&] { return peer.peer_closed == 2; });
  CHECK(peer.data == "last words");
  reactor->close(peer.id);
  turn_until(*reactor, [&] { return peer.closed == 1; });
  CHECK(peer.error == 0);
}

TEST_CASE("reactor: abort resets the peer") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  const Raw raw(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  Peer& peer = *acceptor.peers[0];
  peer.send("never sent");
  reactor->abort(peer.id);
  CHECK(peer.closed == 0);  // never inside the call
  CHECK_FALSE(reactor->is_open(peer.id));
  turn_until(*reactor, [&] { return peer.closed == 1; });
  CHECK(peer.error == 0);
  CHECK(peer.flushes == 0);
  reactor->turn(false);  // the close is submitted
  std::string got;
  CHECK(raw.read(got) == -ECONNRESET);
  CHECK(got.empty());
  CHECK(reactor->blocks().in_use_bytes() == 0);
}

TEST_CASE("reactor: a reset by the peer is an error") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  Raw raw(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  const linger immediately{1, 0};
  ::setsockopt(raw.fd, SOL_SOCKET, SO_LINGER, &immediately, sizeof(immediately));
  raw.close();
  Peer& peer = *acceptor.peers[0];
  turn_until(*reactor, [&] { return peer.closed == 1; });
  CHECK(peer.error == ECONNRESET);
  CHECK(peer.peer_closed == 0);
}

TEST_CASE("reactor: a lingering close lets the peer read the last bytes") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  Raw raw(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  Peer& peer = *acceptor.peers[0];
  reactor->pause(peer.id);
  for (int i = 0; i < 3; i++) reactor->turn(false);
  raw.send(std::string(200'000, 'u'));  // nobody wants it
  peer.send("the answer");
  reactor->close(peer.id);
  std::string got;
  ssize_t last = -EAGAIN;
  turn_until(*reactor, [&] {
    reactor->turn(false);
    last = raw.read(got);
    return last == 0;
  });
  CHECK(got == "the answer");
  CHECK(peer.closed == 0);  // still reading away
  CHECK(::send(raw.fd, "more", 4, MSG_NOSIGNAL) == 4);
  raw.close();
  turn_until(*reactor, [&] { return peer.closed == 1; });
  CHECK(peer.error == 0);
  CHECK(peer.data.empty());
}

TEST_CASE("reactor: lingering is bounded in time and bytes") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  const Raw patient(*address);
  const Raw talker(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 2; });
  const uint64_t start_ns = reactor->now_ns();
  reactor->close(acceptor.peers[0]->id, 30'000'000, 1U << 20U);
  reactor->close(acceptor.peers[1]->id, 10'000'000'000, 1000);
  talker.send(std::string(5000, 'x'));
  turn_until(*reactor, [&] { return acceptor.peers[1]->closed == 1; });
  CHECK(reactor->now_ns() - start_ns < 5'000'000'000);
  turn_until(*reactor, [&] { return acceptor.peers[0]->closed == 1; });
  CHECK(reactor->now_ns() - start_ns >= 30'000'000);
}

TEST_CASE("reactor: few buffers, many senders") {
  ReactorOptions options;
  options.recv_buffers = 4;
  auto reactor = make_reactor(options);
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  std::vector<Raw> raws;
  constexpr size_t kSenders = 200;
  constexpr size_t kBytes = 20'000;
  for (size_t i = 0; i < kSenders; i++) raws.emplace_back(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == kSenders; });
  for (size_t i = 0; i < kSenders; i++) raws[i].send(std::string(kBytes, 'x'));
  turn_until(*reactor, [&] {
    return std::ranges::all_of(acceptor.peers,
                               [](const auto& peer) { return peer->received == kBytes; });
  });
  CHECK(reactor->stats().starvations > 0);
  // A starved socket that is paused, closed or resumed meanwhile finds its way too.
  for (size_t i = 0; i < kSenders; i++) raws[i].send(std::string(kBytes, 'y'));
  reactor->turn(true);
  for (size_t i = 0; i < kSenders; i += 2) reactor->pause(acceptor.peers[i]->id);
  reactor->turn(true);
  for (size_t i = 0; i < kSenders; i += 4) reactor->resume(acceptor.peers[i]->id);
  for (size_t i = 1; i < kSenders; i += 4) reactor->abort(acceptor.peers[i]->id);
  turn_until(*reactor, [&] {
    for (size_t i = 0; i < kSenders; i++) {
      const Peer& peer = *acceptor.peers[i];
      const bool done = i % 4 == 1   ? peer.closed == 1
                        : i % 4 == 2 ? true
                                     : peer.received == 2 * kBytes;
      if (!done) return false;
    }
    return true;
  });
}

TEST_CASE("reactor: a slow reader gets megabytes whole, in order, and on_drained comes") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  const Raw raw(*address, 4096);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  Peer& peer = *acceptor.peers[0];
  std::string sent(6'000'000, '\0');
  for (size_t i = 0; i < sent.size(); i++) sent[i] = static_cast<char>(i * 31 / 7);
  peer.send(sent);
  reactor->close(peer.id, 1'000'000'000);
  std::string got;
  size_t turns = 0;
  while (got.size() < sent.size()) {
    raw.read(got);
    reactor->turn(false);
    REQUIRE(++turns < 5'000'000);
  }
  CHECK((got == sent));
  turn_until(*reactor, [&] {
    std::string rest;
    return raw.read(rest) == 0;
  });
  Raw second(*address, 4096);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 2; });
  Peer& other = *acceptor.peers[1];
  other.send(sent);
  CHECK(other.drained == 0);
  got.clear();
  while (other.drained == 0) {
    second.read(got);
    reactor->turn(false);
    REQUIRE(++turns < 10'000'000);
  }
  CHECK(reactor->out(other.id).size() < kOutLowBytes);
}

TEST_CASE("reactor: abort in the middle of a send frees everything") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  const Raw raw(*address, 4096);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  Peer& peer = *acceptor.peers[0];
  peer.send(std::string(20'000'000, 'x'));
  for (int i = 0; i < 20; i++) reactor->turn(false);
  CHECK(reactor->out(peer.id).size() > 1'000'000);
  reactor->abort(peer.id);
  turn_until(*reactor, [&] { return peer.closed == 1; });
  CHECK(reactor->blocks().in_use_bytes() == 0);
}

TEST_CASE("reactor: connect refused, and unreachable by the clock") {
  auto reactor = make_reactor();
  // A bound socket that does not listen refuses.
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Address any = loopback();
  REQUIRE(::bind(fd, any.data(), any.size()) == 0);
  sockaddr_in bound{};
  socklen_t length = sizeof(bound);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  Peer peer(*reactor);
  peer.id = reactor->connect(
      Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&bound), length), peer);
  REQUIRE(static_cast<bool>(peer.id));
  CHECK(peer.closed == 0);
  turn_until(*reactor, [&] { return peer.closed == 1; });
  CHECK(peer.error == ECONNREFUSED);
  CHECK_FALSE(peer.connected);
  CHECK(reactor->live_sockets() == 0);
  // With a backlog of nothing a listener's queue fills up, and further connects wait for ever.
  REQUIRE(::listen(fd, 0) == 0);
  ReactorOptions options;
  options.connect_timeout_ns = 50'000'000;
  auto impatient = make_reactor(options);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 6; i++) {
    peers.push_back(std::make_unique<Peer>(*impatient));
    peers.back()->id = impatient->connect(
        Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&bound), length), *peers.back());
  }
  turn_until(*impatient, [&] {
    return std::ranges::any_of(peers, [](const auto& each) { return each->closed == 1; });
  });
  for (const auto& each : peers) CHECK((each->closed == 0 || each->error == ETIMEDOUT));
  ::close(fd);
}

TEST_CASE("reactor: connect cancelled by close, by abort, and sockets run out") {
  ReactorOptions options;
  options.sockets_max = 2;
  auto reactor = make_reactor(options);
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  Peer a(*reactor);
  Peer b(*reactor);
  Peer c(*reactor);
  a.id = reactor->connect(*address, a);
  b.id = reactor->connect(*address, b);
  CHECK_FALSE(static_cast<bool>(reactor->connect(*address, c)));
  reactor->close(a.id);
  reactor->abort(b.id);
  turn_until(*reactor, [&] { return a.closed == 1 && b.closed == 1; });
  CHECK(a.error == 0);
  CHECK(b.error == 0);
  CHECK_FALSE(a.connected);
  CHECK(reactor->live_sockets() <= 2);
}

TEST_CASE("reactor: stale ids do nothing") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  Raw first(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  const SocketId old = acceptor.peers[0]->id;
  reactor->abort(old);
  turn_until(*reactor, [&] { return acceptor.peers[0]->closed == 1; });
  const Raw second(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 2; });
  Peer& peer = *acceptor.peers[1];
  CHECK(peer.id.slot == old.slot);
  CHECK(peer.id.generation != old.generation);
  reactor->touch(old);
  reactor->pause(old);
  reactor->resume(old);
  reactor->close(old);
  reactor->abort(old);
  CHECK_FALSE(reactor->is_open(old));
  CHECK(reactor->bytes_received(old) == 0);
  reactor->abort(SocketId{});
  second.send("still here");
  turn_until(*reactor, [&] { return peer.data == "still here"; });
  CHECK(peer.closed == 0);
}

TEST_CASE("reactor: slots are used again, thousands of times, without allocation of sockets") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  acceptor.refuse = true;
  const auto address = reactor->listen(loopback(), acceptor);
  for (int i = 0; i < 3000; i++) {
    const Raw raw(*address);
    const uint64_t sheds = reactor->stats().sheds;
    while (reactor->stats().sheds == sheds) reactor->turn(true);
  }
  turn_until(*reactor, [&] { return reactor->live_sockets() == 0; });
  acceptor.refuse = false;
  const Raw raw(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 1; });
  CHECK(acceptor.peers[0]->id.slot == 0);
  CHECK(acceptor.peers[0]->id.generation == 3001);
}

TEST_CASE("reactor: destroyed with everything under way") {
  auto reactor = make_reactor();
  Acceptor acceptor(*reactor);
  const auto address = reactor->listen(loopback(), acceptor);
  const Raw a(*address, 4096);
  const Raw b(*address);
  turn_until(*reactor, [&] { return acceptor.peers.size() == 2; });
  acceptor.peers[0]->send(std::string(10'000'000, 'x'));
  reactor->pause(acceptor.peers[1]->id);
  reactor->turn(false);
  Peer client(*reactor);
  client.id = reactor->connect(*address, client);
  reactor.reset();
  CHECK(acceptor.peers[0]->closed == 0);
  CHECK(client.closed == 0);
}
