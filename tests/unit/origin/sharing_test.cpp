// Which connection an attempt goes to, and when another one is opened.
#include "net.hpp"

namespace flexd::origin::test {
namespace {

// hold makes the provider keep every request open.
void hold(Net& net) {
  net.h2.when_whole = nullptr;
}

std::vector<std::unique_ptr<Call>> start_many(Net& net, size_t count) {
  std::vector<std::unique_ptr<Call>> calls;
  for (size_t i = 0; i < count; i++) {
    calls.push_back(std::make_unique<Call>());
    calls.back()->start(*net.pool);
  }
  return calls;
}

}  // namespace

TEST_CASE("an attempt is answered") {
  Net net;
  Call call("{\"model\":\"m\"}");
  call.start(*net.pool);
  CHECK(call.is_open());
  CHECK_FALSE(call.attempt->is_sent());
  CHECK(net.pool->waiting_count() == 1);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.status == 200);
  CHECK(call.body == "ok");
  CHECK(call.ends == 1);
  const Seen& seen = net.h2.link(0).seen.at(0);
  CHECK(seen.path == "/v1/responses");
  CHECK(seen.authority == net.pool->authority());
  CHECK(seen.body_bytes == 13);
  CHECK(seen.whole);
  CHECK_FALSE(net.pool->is_quiet());
}

TEST_CASE(
    "a request goes out when the connection stands, without waiting for the peer's SETTINGS") {
  Net net;
  Call call;
  call.start(*net.pool);
  uint64_t began_ns = net.world.now_ns();
  net.until([&] { return net.h2.seen_count() == 1; });
  // Name 1 ms, then SYN, SYN-ACK and the request, 0.1 ms each.
  CHECK(net.world.now_ns() - began_ns < 1'400'000);
  net.until([&] { return call.endings() == 1; });
}

TEST_CASE("both attempts of a pair are streams of one connection, open at the same time") {
  Net net;
  hold(net);
  Call flex, standard;
  flex.start(*net.pool);
  standard.start(*net.pool);
  CHECK(net.pool->connection_count() == 1);
  net.until([&] { return net.h2.seen_count() == 2; });
  CHECK(net.h2.links.size() == 1);
  CHECK(net.pool->stream_count() == 2);
  CHECK(flex.attempt->is_sent());
  CHECK(standard.attempt->is_sent());
  H2Link& link = net.h2.link(0);
  CHECK(link.seen[0].stream != link.seen[1].stream);
  flex.cancel();
  CHECK_FALSE(flex.is_open());
  const uint64_t cancelled_ns = net.world.now_ns();
  net.until([&] { return link.seen[0].closed; });
  CHECK(link.seen[0].code == 8);  // CANCEL
  // The turn of the cancel sends it; the path takes 0.1 ms.
  CHECK(link.seen[0].closed_ns - cancelled_ns < 200'000);
  CHECK_FALSE(link.seen[1].closed);
  link.answer(link.seen[1].stream);
  net.until([&] { return standard.endings() == 1; });
  CHECK(standard.ends == 1);
  CHECK(flex.endings() == 0);
  CHECK(flex.heads == 0);
}

TEST_CASE("a second connection is opened only when the first is full") {
  NetOptions options;
  options.pool.streams_per_connection_max = 4;
  Net net(options);
  hold(net);
  auto calls = start_many(net, 4);
  net.until([&] { return net.h2.seen_count() == 4; });
  CHECK(net.h2.links.size() == 1);
  CHECK(net.pool->connection_count() == 1);
  auto more = start_many(net, 1);
  CHECK(net.pool->waiting_count() == 1);
  net.until([&] { return net.h2.seen_count() == 5; });
  CHECK(net.h2.links.size() == 2);
  // Room on the fuller connection is taken first.
  net.h2.link(0).answer(net.h2.link(0).seen[1].stream);
  net.until([&] { return calls[1]->endings() == 1; });
  auto last = start_many(net, 1);
  net.until([&] { return net.h2.seen_count() == 6; });
  CHECK(net.h2.link(0).seen.size() == 5);
  CHECK(net.h2.link(1).seen.size() == 1);
}

TEST_CASE("as many connections are opened at once as the waiting attempts need") {
  NetOptions options;
  options.pool.streams_per_connection_max = 10;
  Net net(options);
  hold(net);
  auto calls = start_many(net, 25);
  CHECK(net.pool->connection_count() == 3);
  CHECK(net.pool->waiting_count() == 25);
  net.until([&] { return net.h2.seen_count() == 25; });
  CHECK(net.h2.links.size() == 3);
  CHECK(net.pool->stream_count() == 25);
}

TEST_CASE("the peer's limit of streams is kept") {
  Net net;
  net.h2.options.streams_max = 3;
  // The first request waits until the peer's SETTINGS have come.
  Call first;
  first.start(*net.pool);
  net.until([&] { return first.endings() == 1; });
  hold(net);
  auto calls = start_many(net, 8);
  net.until([&] { return net.h2.seen_count() == 9; });
  CHECK(net.h2.links.size() == 3);
  for (const auto& link : net.h2.links) CHECK(link->session().streams_open() <= 3);
  for (const auto& call : calls) CHECK(call->endings() == 0);
}

TEST_CASE("attempts beyond all connections wait, and take the room that an end makes") {
  NetOptions options;
  options.pool.streams_per_connection_max = 2;
  options.pool.connections_max = 1;
  Net net(options);
  hold(net);
  auto calls = start_many(net, 4);
  net.until([&] { return net.h2.seen_count() == 2; });
  net.run(kSecond);
  CHECK(net.pool->waiting_count() == 2);
  H2Link& link = net.h2.link(0);
  link.answer(link.seen[0].stream);
  net.until([&] { return link.seen.size() == 3; }, 100 * kMs);
  CHECK(calls[0]->ends == 1);
  CHECK(calls[2]->attempt->is_sent());
  CHECK(net.pool->waiting_count() == 1);
}

TEST_CASE("the room that a cancel makes is taken at once") {
  NetOptions options;
  options.pool.streams_per_connection_max = 1;
  options.pool.connections_max = 1;
  Net net(options);
  hold(net);
  auto calls = start_many(net, 2);
  net.until([&] { return net.h2.seen_count() == 1; });
  net.run(kSecond);
  CHECK(net.pool->waiting_count() == 1);
  calls[0]->cancel();
  net.until([&] { return net.h2.seen_count() == 2; }, 10 * kMs);
  CHECK(net.h2.links.size() == 1);
  CHECK(net.h2.link(0).seen[0].code == 8);
}

TEST_CASE("an attempt that is cancelled while it waits is never sent") {
  NetOptions options;
  options.pool.streams_per_connection_max = 1;
  options.pool.connections_max = 1;
  Net net(options);
  hold(net);
  auto calls = start_many(net, 4);
  net.until([&] { return net.h2.seen_count() == 1; });
  calls[2]->cancel();
  calls[1]->cancel();
  CHECK(net.pool->waiting_count() == 1);
  H2Link& link = net.h2.link(0);
  link.answer(link.seen[0].stream);
  net.until([&] { return link.seen.size() == 2; });
  CHECK(calls[3]->attempt->is_sent());
  CHECK(calls[1]->endings() == 0);
  CHECK(calls[2]->endings() == 0);
  // Cancelling twice, or after the end, does nothing.
  calls[1]->cancel();
  calls[0]->cancel();
}

TEST_CASE("a cancel before the connection stands leaves it idle") {
  Net net;
  Call call;
  call.start(*net.pool);
  call.cancel();
  CHECK(net.pool->waiting_count() == 0);
  net.run(kSecond);
  CHECK(net.h2.seen_count() == 0);
  CHECK(net.pool->connection_count() == 1);
  call.start(*net.pool);
  CHECK(call.attempt->is_sent());
  net.until([&] { return call.endings() == 1; });
  CHECK(net.h2.links.size() == 1);
}

TEST_CASE("too many waiting attempts are told so, in a later turn") {
  NetOptions options;
  options.pool.waiting_max = 2;
  options.pool.streams_per_connection_max = 1;
  options.pool.connections_max = 1;
  Net net(options);
  hold(net);
  auto calls = start_many(net, 5);
  CHECK(net.pool->waiting_count() == 2);
  for (const auto& call : calls) CHECK(call->endings() == 0);
  calls[4]->cancel();
  net.until([&] { return calls[3]->endings() == 1; }, kMs);
  CHECK(calls[2]->failure().kind == FailureKind::overloaded);
  CHECK(calls[3]->failure().kind == FailureKind::overloaded);
  CHECK(calls[4]->endings() == 0);
  CHECK(calls[0]->endings() == 0);
}

TEST_CASE("an overloaded attempt that is started again each time does not hold the loop") {
  NetOptions options;
  options.pool.waiting_max = 1;
  options.pool.connections_max = 0;
  Net net(options);
  Call waiting, restless;
  size_t tries = 0;
  restless.when_failure = [&] {
    if (++tries < 1000) restless.start(*net.pool);
  };
  waiting.start(*net.pool);
  restless.start(*net.pool);
  const uint64_t turns = net.world.turns();
  net.until([&] { return tries == 1000; });
  CHECK(net.world.turns() - turns >= 999);
}

TEST_CASE("a destroyed attempt is cancelled") {
  Net net;
  hold(net);
  Call sent;
  sent.start(*net.pool);
  net.until([&] { return net.h2.seen_count() == 1; });
  sent.attempt.reset();
  net.until([&] { return net.h2.link(0).seen[0].closed; }, 10 * kMs);
  CHECK(net.h2.link(0).seen[0].code == 8);
  CHECK(sent.endings() == 0);
}

}  // namespace flexd::origin::test
