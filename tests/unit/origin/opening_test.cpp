// Connections that cannot be opened: every stage has its own name.
#include "flexd/tls/context.hpp"
#include "net.hpp"

namespace flexd::origin::test {
namespace {

constexpr const char* kDeadIp = "10.0.0.9";  // nothing listens there

NetOptions silent() {
  NetOptions options;
  options.listens = false;
  return options;
}

}  // namespace

TEST_CASE("a refused connection fails all attempts that wait for it") {
  Net net(silent());
  Call one, two;
  one.start(*net.pool);
  two.start(*net.pool);
  net.until([&] { return one.endings() + two.endings() == 2; });
  CHECK(one.failure().kind == FailureKind::connect);
  CHECK(two.failure().kind == FailureKind::connect);
  CHECK(one.failure().detail == "Connection refused");
  CHECK_FALSE(one.failure().head_seen);
  net.until([&] { return net.pool->is_quiet(); });
  // The pool is as before.
  net.h2.listen(net.address());
  one.failures.clear();
  one.start(*net.pool);
  net.until([&] { return one.endings() == 1; });
  CHECK(one.ends == 1);
}

TEST_CASE("the addresses of a name are tried in turn") {
  Net net;
  net.world.set_name("api.test", {.ips = {kDeadIp, "10.0.0.8", kProviderIp}});
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.ends == 1);
}

TEST_CASE("no address of several answers") {
  Net net(silent());
  net.world.set_name("api.test", {.ips = {kDeadIp, "10.0.0.8"}});
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.failure().kind == FailureKind::connect);
}

TEST_CASE("a host that does not answer is given up after the connect clock") {
  Net net;
  net.world.partition(kProviderIp);
  const uint64_t began_ns = net.world.now_ns();
  Call call;
  SUBCASE("one address") {}
  SUBCASE("several") {
    net.world.set_name("api.test", {.ips = {kProviderIp, kProviderIp, kProviderIp}});
  }
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; }, 60 * kSecond);
  CHECK(call.failure().kind == FailureKind::connect_timeout);
  const uint64_t took_ns = net.world.now_ns() - began_ns;
  CHECK(took_ns >= 4999 * kMs);
  CHECK(took_ns <= 5010 * kMs);
  net.until([&] { return net.pool->is_quiet(); });
  net.world.heal(kProviderIp);
}

TEST_CASE("a connect that the reactor gives up first has timed out, too") {
  NetOptions options;
  options.pool.connect_timeout_ns = 60 * kSecond;
  Net net(options);
  net.world.partition(kProviderIp);
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; }, 100 * kSecond);
  CHECK(call.failure().kind == FailureKind::connect_timeout);
  net.world.heal(kProviderIp);
}

TEST_CASE("a name that is not known") {
  Net net;
  net.world.set_name("api.test", {.ips = {}, .error = "Name or service not known"});
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.failure().kind == FailureKind::name);
  CHECK(call.failure().detail == "Name or service not known");
  net.until([&] { return net.pool->is_quiet(); });
}

TEST_CASE("a name server that does not answer") {
  Net net;
  net.world.set_name("api.test", {.ips = {kProviderIp}, .delay_ns = 100 * kSecond});
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.failure().kind == FailureKind::name);
  net.until([&] { return net.pool->is_quiet(); });
}

TEST_CASE("names are looked up for each connection") {
  Net net;
  net.world.set_name("api.test", {.ips = {kDeadIp}});
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.failure().kind == FailureKind::connect);
  net.world.set_name("api.test", {.ips = {kProviderIp}});
  Call next;
  next.start(*net.pool);
  net.until([&] { return next.endings() == 1; });
  CHECK(next.ends == 1);
}

TEST_CASE("no descriptor is to be had") {
  Net net;
  net.world.faults().no_socket = 1;
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.failure().kind == FailureKind::connect);
  net.until([&] { return net.pool->is_quiet(); });
}

TEST_CASE("one of several connections cannot be opened: its share fails, the rest goes on") {
  NetOptions options;
  options.pool.streams_per_connection_max = 1;
  Net net(options);
  net.h2.when_whole = nullptr;
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 3; i++) {
    calls.push_back(std::make_unique<Call>());
    calls.back()->start(*net.pool);
    if (i == 0) net.world.set_name("api.test", {.ips = {kProviderIp}, .delay_ns = 20 * kMs});
    if (i == 1) net.world.set_name("api.test", {.ips = {kProviderIp}, .delay_ns = 30 * kMs});
  }
  net.world.at(net.world.now_ns() + 10 * kMs, [&] { net.world.faults().connect_refused = 1; });
  net.world.at(net.world.now_ns() + 25 * kMs, [&] { net.world.faults().connect_refused = 0; });
  net.run(kSecond);
  CHECK(net.h2.seen_count() == 2);
  size_t failed = 0;
  for (const auto& call : calls) failed += call->failures.size();
  CHECK(failed == 1);
}

TEST_CASE("an attempt started again from a failure to connect is not lost") {
  Net net(silent());
  Call call;
  size_t tries = 0;
  std::vector<uint64_t> times_ns;
  call.when_failure = [&] {
    times_ns.push_back(net.client->now_ns());
    if (++tries == 5) net.h2.listen(net.address());
    call.start(*net.pool);
  };
  call.start(*net.pool);
  net.until([&] { return call.ends == 1; });
  CHECK(call.failures.size() == 5);
  for (const Failure& failure : call.failures) CHECK(failure.kind == FailureKind::connect);
  CHECK(times_ns.back() - times_ns.front() < 20 * kMs);
}

TEST_CASE("a handshake that is never answered") {
  auto roots = tls::ClientContext::create("");
  REQUIRE(roots.has_value());
  NetOptions options;
  options.scheme = Scheme::https;
  options.tls = roots->get();
  Net net(options);
  const uint64_t began_ns = net.world.now_ns();
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.failure().kind == FailureKind::tls_timeout);
  CHECK(net.world.now_ns() - began_ns >= 5 * kSecond);
  CHECK(net.world.now_ns() - began_ns <= 5010 * kMs);
  CHECK(net.h1.link(0).received_bytes > 0);
  net.until([&] { return net.pool->is_quiet(); });
}

TEST_CASE("a handshake that is cut off, or answered with something else") {
  auto roots = tls::ClientContext::create("");
  REQUIRE(roots.has_value());
  NetOptions options;
  options.scheme = Scheme::https;
  options.tls = roots->get();
  Net net(options);
  SUBCASE("FIN") {
    net.h1.when_bytes = [](H1Link& link) { link.close(); };
  }
  SUBCASE("RST") {
    net.h1.when_bytes = [](H1Link& link) { link.abort(); };
  }
  SUBCASE("plain HTTP") {
    net.h1.when_bytes = [](H1Link& link) { link.send("HTTP/1.1 400 Bad Request\r\n\r\n"); };
  }
  Call call, again;
  call.when_failure = [&] { again.start(*net.pool); };
  call.start(*net.pool);
  const uint64_t began_ns = net.world.now_ns();
  net.until([&] { return again.endings() == 1; });
  CHECK(call.failure().kind == FailureKind::tls);
  CHECK_FALSE(call.failure().detail.empty());
  CHECK(again.failure().kind == FailureKind::tls);
  CHECK(net.h1.links.size() == 2);
  // The second try does not wait for the first one's goodbye.
  CHECK(net.world.now_ns() - began_ns < 20 * kMs);
  net.until([&] { return net.pool->is_quiet(); });
}

}  // namespace flexd::origin::test
