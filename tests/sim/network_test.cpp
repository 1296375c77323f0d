// The simulated kernel and network, through the Backend interface alone.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "driver.hpp"
#include "flexd/base/poison.hpp"

namespace flexd::io::sim {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kHour = 3600 * kSecond;

// aborts: `action` in a child process ends by an assert.
template <typename Action>
bool aborts(Action action) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);
    close(STDERR_FILENO);
    close(STDOUT_FILENO);
    action();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

struct Outcome {
  uint64_t hash = 0;
  uint64_t ended_ns = 0;
  std::string wrong;
};

// Some connections, bytes both ways, everything closed at the end.
Outcome run_exchange(uint64_t seed, const Faults& faults, bool harmless) {
  WorldOptions options;
  options.send_buffer_bytes = 8192;
  options.receive_buffer_bytes = 16'384;
  World world(seed, options);
  world.faults() = faults;
  Outcome outcome;
  {
    Driver server(world, "127.0.0.1", 4, 512);
    Driver client(world, "127.0.0.1", 8, 256);
    const Address address = server.listen();
    server.set_answer(text(20'000, seed + 1));
    std::vector<std::string> sent;
    for (size_t i = 0; i < 4; i++) {
      sent.push_back(text(static_cast<size_t>(world.random(40'000)), seed + 2 + i));
      client.connect(address, sent.back());
    }
    drive(world, {&server, &client}, kHour);
    server.stop_listening();
    drive(world, {&server, &client}, kHour);
    if (!server.finished() || !client.finished()) outcome.wrong += "not finished\n";
    size_t complete = 0;
    for (const auto& end : server.ends()) {
      for (const std::string& each : sent) complete += end->received == each ? 1 : 0;
    }
    if (harmless && complete != sent.size()) outcome.wrong += "the server lacks bytes\n";
    for (const auto& end : client.ends()) {
      const std::string answer = text(20'000, seed + 1);
      if (!answer.starts_with(end->received)) outcome.wrong += "disorder\n";
      if (harmless && end->received != answer) outcome.wrong += "the client lacks bytes\n";
    }
    outcome.wrong += join(world.check_quiescent());
    outcome.hash = world.hash();
    outcome.ended_ns = world.now_ns();
  }
  return outcome;
}

}  // namespace

TEST_CASE("the same seed gives the same run, another seed another one") {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    const Outcome first = run_exchange(seed, Faults::harmful(0.2, 0.02), false);
    const Outcome again = run_exchange(seed, Faults::harmful(0.2, 0.02), false);
    const Outcome other = run_exchange(seed + 1000, Faults::harmful(0.2, 0.02), false);
    CAPTURE(seed);
    CHECK(first.hash == again.hash);
    CHECK(first.ended_ns == again.ended_ns);
    CHECK(first.hash != other.hash);
  }
}

TEST_CASE("without faults bytes arrive complete and in order") {
  const Outcome outcome = run_exchange(1, Faults{}, true);
  CHECK(outcome.wrong == "");
}

TEST_CASE("under harmless faults bytes arrive complete and in order") {
  for (uint64_t seed = 1; seed <= seeds_max(); seed++) {
    CAPTURE(seed);
    const double p = seed % 3 == 0 ? 0.9 : 0.2;
    const Outcome outcome = run_exchange(seed, Faults::harmless(p), true);
    REQUIRE(outcome.wrong == "");
  }
}

TEST_CASE("under harmful faults what arrives is a prefix and everything ends") {
  for (uint64_t seed = 1; seed <= seeds_max(); seed++) {
    CAPTURE(seed);
    const Outcome outcome = run_exchange(seed, Faults::harmful(0.2, 0.05), false);
    REQUIRE(outcome.wrong == "");
  }
}

TEST_CASE("a reader that does not read bounds what a sender gets rid of") {
  WorldOptions options;
  options.send_buffer_bytes = 10'000;
  options.receive_buffer_bytes = 20'000;
  World world(7, options);
  Driver server(world);
  Driver client(world);
  server.accept_paused();
  const Address address = server.listen();
  End& end = *client.connect(address, text(100'000, 1));
  // A send that is done when part of it was taken.
  world.faults().short_send = 1;
  drive(world, {&server, &client}, 60 * kSecond);
  CHECK(end.sending);
  CHECK(end.sent <= 30'000);
  CHECK(end.sent > 29'000);
  server.end(0).wants_receive = true;
  drive(world, {&server, &client}, 60 * kSecond);
  CHECK(server.end(0).received == text(100'000, 1));
  CHECK(end.sends > 3);
}

TEST_CASE("half-close: the other direction goes on") {
  World world(3);
  Driver server(world);
  Driver client(world);
  const Address address = server.listen();
  server.set_answer(text(300'000, 2));
  server.close_when_done = false;
  client.close_when_done = false;
  End& end = *client.connect(address, "GET");
  drive(world, {&server, &client}, 60 * kSecond);
  CHECK(server.end(0).received == "GET");
  CHECK(server.end(0).ended);
  CHECK(server.end(0).receive_error == 0);
  CHECK(end.received == text(300'000, 2));
  CHECK(end.receive_error == 0);
}

TEST_CASE("close with unread bytes resets: the peer is told once") {
  World world(3);
  Driver server(world);
  Driver client(world);
  server.accept_paused();
  server.close_when_done = false;
  const Address address = server.listen();
  client.close_when_done = false;
  End& end = *client.connect(address, text(1000, 1));
  server.set_answer("");
  drive(world, {&server, &client}, kSecond);
  client.poll_hang_up(end);
  server.close(server.end(0));
  // The server had shut down before: the client has seen FIN, so that it is EPIPE by now.
  drive(world, {&server, &client}, kSecond);
  CHECK(end.ended);
  CHECK((end.hang_up & POLLRDHUP) != 0);
  end.to_send += "more";
  drive(world, {&server, &client}, kSecond);
  CHECK(end.send_error == EPIPE);
}

TEST_CASE("a reset by the peer ends a receive with ECONNRESET, later sends with EPIPE") {
  World world(3);
  Driver server(world);
  Driver client(world);
  server.shut_when_sent = client.shut_when_sent = client.close_when_done = false;
  const Address address = server.listen();
  End& end = *client.connect(address, "");
  drive(world, {&client, &server}, kSecond);
  CHECK(world.count_connections(address) == 1);
  CHECK(world.kill_connections(address) == 1);
  CHECK(world.kill_connections(address) == 0);
  drive(world, {&client}, kSecond);
  CHECK(end.receive_error == ECONNRESET);
  end.to_send = "more";
  drive(world, {&client}, kSecond);
  CHECK(end.send_error == EPIPE);
}

TEST_CASE("bytes for a closed socket are answered with a reset") {
  World world(5);
  Driver server(world);
  Driver client(world);
  server.accept_paused();
  server.close_when_done = client.shut_when_sent = client.close_when_done = false;
  const Address address = server.listen();
  End& end = *client.connect(address, "");
  drive(world, {&client, &server}, kSecond);
  REQUIRE(server.ends().size() == 1);
  CHECK(end.ended);  // the server's shutdown
  server.close(server.end(0));
  end.to_send = "late";
  drive(world, {&client, &server}, kSecond);
  CHECK(end.sent == 4);
  end.to_send += "later";
  drive(world, {&client, &server}, kSecond);
  CHECK(end.send_error == EPIPE);
}

TEST_CASE("a dry ring of receive buffers ends receives with ENOBUFS") {
  World world(2);
  Driver client(world);
  const World::Scope scope(world);
  ReactorOptions options;
  options.recv_buffers = 2;
  options.recv_buffer_bytes = 100;
  auto backend = std::move(Backend::create(options).value());
  Address address = Address::from_ip("127.0.0.1", 0).value();
  const int listener = backend->open_listener(address).value();
  backend->accept_multishot(listener, {Operation::accept, 1, 0});
  client.connect(address, text(1000, 1));
  std::array<Completion, 8> out;
  size_t count = 0;
  while ((count = backend->wait(0, out)) == 0) drive(world, {&client}, 1'000'000);
  REQUIRE(count == 1);
  const int fd = out[0].result;
  backend->receive_multishot(fd, {Operation::receive, 0x1000001, 5});
  drive(world, {&client}, kSecond);
  REQUIRE(backend->wait(0, out) == 3);
  CHECK(out[0].result == 100);
  CHECK(out[0].more);
  CHECK(out[0].token.generation == 1);  // 24 bits
  CHECK(out[1].result == 100);
  CHECK(out[2].result == -ENOBUFS);
  CHECK_FALSE(out[2].more);
  CHECK_FALSE(backend->buffers_available());
  const std::array<Completion, 2> lent = {out[0], out[1]};
  // Armed while the ring is dry, a receive fails at once.
  backend->receive_multishot(fd, {Operation::receive, 2, 5});
  REQUIRE(backend->wait(0, out) == 1);
  CHECK(out[0].result == -ENOBUFS);
  CHECK(lent[0].bytes == text(1000, 1).substr(0, 100));
  CHECK(world.check_quiescent(Leftovers::listeners).size() >= 2);
  CHECK(aborts([&] {
    backend->return_buffer(lent[0].buffer);
    backend->return_buffer(lent[0].buffer);
  }));
  backend->return_buffer(lent[0].buffer);
  CHECK(backend->buffers_available());
#ifndef FLEXD_HAS_ASAN
  CHECK(lent[0].bytes == std::string(100, '\xdd'));
#endif
  backend->return_buffer(lent[1].buffer);
}

TEST_CASE("connect: refused, unreachable, timed out, cut off and healed") {
  World world(9);
  Driver server(world, "10.0.0.1");
  Driver client(world, "10.0.0.2");
  const Address address = server.listen();
  const Address nobody = Address::from_ip("10.9.9.9", 81).value();
  CHECK(client.connect(nobody, "")->connect_result == 1);
  drive(world, {&client, &server}, kSecond);
  CHECK(client.end(0).connect_result == -ECONNREFUSED);
  world.faults().connect_unreachable = 1;
  client.connect(address, "");
  drive(world, {&client, &server}, kSecond);
  CHECK(client.end(1).connect_result == -EHOSTUNREACH);
  world.faults().connect_unreachable = 0;
  world.partition("10.0.0.2");
  client.connect(address, "hello");
  const uint64_t before_ns = world.now_ns();
  drive(world, {&client, &server}, 100 * kSecond);
  CHECK(client.end(2).connect_result == 1);
  drive(world, {&client, &server}, 100 * kSecond);
  CHECK(client.end(2).connect_result == -ETIMEDOUT);
  CHECK(world.now_ns() >= before_ns + 127 * kSecond);
  client.connect(address, "hello");
  drive(world, {&client, &server}, 3 * kSecond);
  world.heal("10.0.0.2");
  drive(world, {&client, &server}, 3 * kSecond);
  CHECK(client.end(3).connect_result == 0);
  REQUIRE(server.ends().size() == 1);
  CHECK(server.end(0).received == "hello");
}

TEST_CASE("a partition holds bytes, and resets after the stall time") {
  for (const bool heals : {true, false}) {
    World world(4);
    Driver server(world, "10.0.0.1");
    Driver client(world, "10.0.0.2");
    const Address address = server.listen();
    client.close_when_done = false;
    End& end = *client.connect(address, "");
    end.shut = true;
    drive(world, {&client, &server}, kSecond);
    world.partition("10.0.0.2");
    end.to_send = "held";
    drive(world, {&client, &server}, 600 * kSecond);
    CHECK(server.end(0).received.empty());
    if (heals) world.heal("10.0.0.2");
    drive(world, {&client, &server}, 600 * kSecond);
    CHECK(server.end(0).received == (heals ? "held" : ""));
  }
}

TEST_CASE("latency is per host and time is virtual") {
  World world(6);
  Driver server(world, "10.0.0.1");
  Driver client(world, "10.0.0.2");
  const Address address = server.listen();
  world.set_latency("10.0.0.2", 50'000'000);
  client.connect(address, "");
  const auto start = std::chrono::steady_clock::now();
  const uint64_t start_ns = world.now_ns();
  const uint64_t start_ms = world.unix_ms();
  while (client.end(0).connect_result != 0) {
    client.turn();
    server.turn();
    REQUIRE(world.advance(start_ns + kSecond));
    client.turn();
  }
  CHECK(world.now_ns() == start_ns + 100'000'000);
  drive(world, {&client, &server}, 600 * kSecond);
  CHECK(world.now_ns() >= start_ns + 600 * kSecond);
  CHECK(world.unix_ms() - start_ms == (world.now_ns() - start_ns) / 1'000'000);
  world.step_wall_clock(-5000);
  CHECK(world.unix_ms() - start_ms == (world.now_ns() - start_ns) / 1'000'000 - 5000);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("names: table, literals, failures, delays") {
  World world(8);
  Driver driver(world);
  Backend& backend = driver.backend();
  world.set_name("api.example", {.ips = {"10.0.0.1", "10.0.0.2"}, .delay_ns = 2 * kSecond});
  world.set_name("broken.example", {.error = "server failure"});
  const auto ask = [&](std::string_view host) {
    backend.resolve(42, host, 443);
    Resolved answer;
    const uint64_t start_ns = world.now_ns();
    while (!backend.poll_resolved(answer)) REQUIRE(world.advance(start_ns + 10 * kSecond));
    CHECK(answer.key == 42);
    return answer;
  };
  const uint64_t start_ns = world.now_ns();
  const Resolved both = ask("api.example");
  REQUIRE(both.addresses.size() == 2);
  CHECK(both.addresses[1].to_string() == "10.0.0.2:443");
  CHECK(world.now_ns() == start_ns + 2 * kSecond);
  CHECK(ask("::1").addresses.at(0).to_string() == "[::1]:443");
  CHECK(ask("localhost").addresses.size() == 1);
  CHECK(ask("broken.example").error == "server failure");
  CHECK(ask("unknown.example").addresses.empty());
  CHECK_FALSE(ask("unknown.example").error.empty());
  world.faults().resolve_failure = 1;
  CHECK(ask("api.example").addresses.empty());
}

TEST_CASE("accept errors end the accept and lose nothing that was not aborted") {
  World world(11);
  Driver server(world);
  Driver client(world);
  const Address address = server.listen();
  world.faults().accept_full = 0.5;
  for (int i = 0; i < 10; i++) client.connect(address, "x");
  drive(world, {&server, &client}, kSecond);
  CHECK(server.ends().size() == 10);
  CHECK(server.accept_errors > 0);
  world.faults().accept_aborted = 1;
  client.connect(address, "x");
  drive(world, {&server, &client}, kSecond);
  CHECK(server.ends().size() == 10);
  CHECK(client.end(10).receive_error == ECONNRESET);
}

TEST_CASE("accept_now takes what is queued once the accept has ended") {
  World world(11);
  Driver client(world);
  const World::Scope scope(world);
  auto backend = std::move(Backend::create({.recv_buffers = 2}).value());
  Address address = Address::from_ip("127.0.0.1", 0).value();
  const int listener = backend->open_listener(address).value();
  client.connect(address, "x");
  client.connect(address, "x");
  drive(world, {&client}, kSecond);
  const int first = backend->accept_now(listener);
  const int second = backend->accept_now(listener);
  CHECK(first >= 0);
  CHECK(second > first);
  CHECK(backend->peer_address(first).port() != backend->peer_address(second).port());
  CHECK(backend->accept_now(listener) == -EAGAIN);
  backend->accept_multishot(listener, {Operation::accept, 1, 0});
  CHECK(aborts([&] { backend->accept_now(listener); }));
}

TEST_CASE("cancels: found, not found, late") {
  World world(12);
  Driver server(world);
  const World::Scope scope(world);
  auto backend = std::move(Backend::create({.recv_buffers = 2}).value());
  const Address address = server.listen();
  const int fd = backend->open_socket(AF_INET);
  backend->connect(fd, address, {Operation::connect, 1, 0});
  backend->cancel({Operation::connect, 1, 0}, {Operation::cancel, 1, 0});
  backend->cancel({Operation::connect, 2, 0}, {Operation::cancel, 2, 0});
  std::array<Completion, 8> out;
  REQUIRE(backend->wait(0, out) == 3);
  CHECK(out[0].result == 0);
  CHECK(out[1].result == -ENOENT);
  CHECK(out[2].token.operation == Operation::connect);
  CHECK(out[2].result == -ECANCELED);
  backend->close(fd);
  const int late = backend->open_socket(AF_INET);
  CHECK(late == fd);  // reused at once
  world.faults().late_cancel = 1;
  backend->connect(late, address, {Operation::connect, 3, 0});
  backend->cancel({Operation::connect, 3, 0}, {Operation::cancel, 3, 0});
  REQUIRE(backend->wait(0, out) == 1);
  CHECK(out[0].result == -EALREADY);
  CHECK(aborts([&] { backend->close(late); }));
  while (backend->wait(0, out) == 0) REQUIRE(world.advance(world.now_ns() + kSecond));
  CHECK((out[0].result == 0 || out[0].result == -ECANCELED));
  backend->close(late);
  world.faults().late_cancel = 0;
  drive(world, {&server}, kSecond);
  CHECK(world.check_quiescent(Leftovers::listeners).empty());
}

TEST_CASE("the simulated kernel refuses what a program must not do") {
  World world(13);
  Driver server(world);
  Driver client(world);
  server.close_when_done = client.close_when_done = false;
  const Address address = server.listen();
  End& end = *client.connect(address, "");
  end.shut = true;
  drive(world, {&server, &client}, kSecond);
  Backend& backend = client.backend();
  CHECK(aborts([&] { backend.close(end.fd + 1000); }));
  CHECK(aborts([&] { server.backend().close(end.fd); }));
  CHECK_FALSE(end.receiving);
  CHECK(aborts([&] {
    backend.receive_multishot(end.fd, {Operation::receive, 1, 1});
    backend.receive_multishot(end.fd, {Operation::receive, 2, 1});
  }));
  char byte = 'x';
  const std::array<iovec, 1> parts = {iovec{&byte, 1}};
  CHECK(aborts([&] {
    backend.send(end.fd, parts, {Operation::send, 1, 1});
    backend.send(end.fd, parts, {Operation::send, 2, 1});
  }));
  CHECK_FALSE(aborts([&] { backend.send(end.fd, parts, {Operation::send, 1, 1}); }));
  CHECK_FALSE(world.check_quiescent().empty());
}

TEST_CASE("a watched descriptor of the process is readable when a test says so") {
  World world(14);
  Driver driver(world);
  Backend& backend = driver.backend();
  backend.watch(2, {Operation::watch, 1, 9});
  std::array<Completion, 2> out;
  CHECK(backend.wait(0, out) == 0);
  world.set_readable(2);
  REQUIRE(backend.wait(0, out) == 1);
  CHECK(out[0].token.slot == 9);
  CHECK(out[0].more);
  CHECK(backend.wait(0, out) == 0);
  CHECK(world.check_quiescent(Leftovers::listeners).empty());
}

TEST_CASE("without a current world there is no backend") {
  const auto made = Backend::create({});
  CHECK_FALSE(made.has_value());
}

}  // namespace flexd::io::sim
