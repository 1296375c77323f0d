// What can happen to one attempt on an HTTP/2 connection that stands.
#include "net.hpp"

namespace flexd::origin::test {
namespace {

constexpr uint32_t kInternalError = 2;
constexpr uint32_t kRefusedStream = 7;
constexpr uint32_t kCancel = 8;
constexpr size_t kWindow = static_cast<size_t>(http::h2::kStreamWindowBytes);

// Held is a net whose provider holds its requests, with some attempts on one connection.
struct Held : Net {
  explicit Held(size_t count, const NetOptions& options = {}) : Net(options) {
    h2.when_whole = nullptr;
    for (size_t i = 0; i < count; i++) {
      calls.push_back(std::make_unique<Call>());
      calls.back()->start(*pool);
    }
    until([this, count] { return h2.seen_count() == count; });
    REQUIRE(h2.links.size() == 1);
  }
  H2Link& link() { return h2.link(0); }
  int32_t stream(size_t index) { return link().seen.at(index).stream; }
  std::vector<std::unique_ptr<Call>> calls;
};

}  // namespace

TEST_CASE("what comes late on a cancelled stream does not use the connection up") {
  Held net(2);
  const std::string part(60'000, 'x');
  net.link().head(net.stream(0));
  // Far more than a connection of the default window could carry without credit.
  for (int i = 0; i < 60; i++) {
    net.link().send(net.stream(0), part);
    net.run(20'000);
    if (i == 3) net.calls[0]->cancel();
  }
  net.until([&] { return net.link().seen[0].closed; });
  for (int round = 0; round < 100; round++) {
    Call call;
    call.start(*net.pool);
    net.until([&] { return net.h2.seen_count() == 3U + static_cast<size_t>(round); });
    const int32_t stream = net.link().seen.back().stream;
    net.link().head(stream);
    net.link().send(stream, part);
    net.until([&] { return call.heads == 1; });
    call.cancel();
  }
  net.link().answer(net.stream(1), std::string(1'000'000, 'y'));
  net.until([&] { return net.calls[1]->endings() == 1; });
  CHECK(net.calls[1]->body.size() == 1'000'000);
}

TEST_CASE("withheld credit stalls that stream alone, until it is given") {
  Held net(2);
  net.calls[0]->consumes = false;
  net.link().answer(net.stream(0), std::string(1'000'000, 'a'));
  net.link().answer(net.stream(1), std::string(1'000'000, 'b'));
  net.until([&] { return net.calls[1]->endings() == 1; });
  CHECK(net.calls[1]->body.size() == 1'000'000);
  net.run(kSecond);
  CHECK(net.calls[0]->endings() == 0);
  CHECK(net.calls[0]->body.size() == kWindow);
  CHECK(net.link().session().queued_bytes(net.stream(0)) == 1'000'000 - kWindow);
  net.calls[0]->consumes = true;
  net.calls[0]->attempt->consume(net.calls[0]->body.size());
  net.until([&] { return net.calls[0]->endings() == 1; });
  CHECK(net.calls[0]->body == std::string(1'000'000, 'a'));
}

TEST_CASE("a request body of 1 MB arrives whole, and stops for a provider that does not read") {
  Net net;
  net.h2.consumes = false;
  Call call(std::string(1'000'000, 'q'));
  call.start(*net.pool);
  net.run(kSecond);
  REQUIRE(net.h2.seen_count() == 1);
  H2Link& link = net.h2.link(0);
  CHECK(link.seen[0].body_bytes == kWindow);
  net.h2.consumes = true;
  link.session().consume(link.seen[0].stream, link.seen[0].body_bytes);
  link.touch();
  net.until([&] { return call.endings() == 1; });
  CHECK(link.seen[0].body_bytes == 1'000'000);
}

TEST_CASE("an answer before the request was sent whole is an answer, and ends the stream") {
  Net net;
  net.h2.consumes = false;
  net.h2.when_request = [](H2Link& link, int32_t stream) { link.answer(stream, "early"); };
  net.h2.when_whole = nullptr;
  auto call = std::make_unique<Call>(std::string(1'000'000, 'q'));
  call->start(*net.pool);
  // The owner may let go of everything as soon as it was told.
  std::string body;
  call->when_end = [&] { body = call->body; };
  net.until([&] { return call->endings() == 1; });
  call.reset();
  CHECK(body == "early");
  H2Link& link = net.h2.link(0);
  net.until([&] { return link.seen[0].closed; });
  CHECK_FALSE(link.seen[0].whole);
  net.run(kSecond);
  CHECK(net.pool->stream_count() == 0);
  net.h2.when_request = nullptr;
  net.h2.consumes = true;
  net.h2.when_whole = [](H2Link& one, int32_t stream) { one.answer(stream); };
  Call next;
  next.start(*net.pool);
  net.until([&] { return next.endings() == 1; });
  CHECK(next.ends == 1);
  CHECK(net.h2.links.size() == 1);
}

TEST_CASE("REFUSED_STREAM before an answer means never processed") {
  Held net(2);
  net.link().reset(net.stream(0), kRefusedStream);
  net.until([&] { return net.calls[0]->endings() == 1; });
  CHECK(net.calls[0]->failure().kind == FailureKind::reset);
  CHECK(net.calls[0]->failure().never_processed);
  CHECK_FALSE(net.calls[0]->failure().head_seen);
  // After a head it proves nothing.
  net.link().head(net.stream(1));
  net.until([&] { return net.calls[1]->heads == 1; });
  net.link().reset(net.stream(1), kRefusedStream);
  net.until([&] { return net.calls[1]->endings() == 1; });
  CHECK_FALSE(net.calls[1]->failure().never_processed);
  CHECK(net.calls[1]->failure().head_seen);
}

TEST_CASE("a reset before and after the head") {
  Held net(3);
  net.link().reset(net.stream(0), kInternalError);
  net.link().head(net.stream(1));
  net.link().send(net.stream(1), "half");
  net.until([&] { return net.calls[1]->body == "half"; });
  net.link().reset(net.stream(1), kCancel);
  net.until([&] { return net.calls[0]->endings() + net.calls[1]->endings() == 2; });
  CHECK(net.calls[0]->failure().kind == FailureKind::reset);
  CHECK_FALSE(net.calls[0]->failure().never_processed);
  CHECK_FALSE(net.calls[0]->failure().head_seen);
  CHECK(net.calls[1]->failure().kind == FailureKind::reset);
  CHECK(net.calls[1]->failure().head_seen);
  // The connection and the third attempt are untouched.
  net.link().answer(net.stream(2));
  net.until([&] { return net.calls[2]->endings() == 1; });
  CHECK(net.calls[2]->ends == 1);
}

TEST_CASE("streams above the last id of a GOAWAY were never processed, the others finish") {
  Held net(3);
  net.link().goaway(net.stream(1));
  net.until([&] { return net.calls[2]->endings() == 1; });
  CHECK(net.calls[2]->failure().never_processed);
  CHECK(net.calls[0]->endings() == 0);
  CHECK(net.calls[1]->endings() == 0);
  // A new attempt goes to a new connection.
  Call next;
  next.start(*net.pool);
  net.until([&] { return net.h2.links.size() == 2 && net.h2.link(1).seen.size() == 1; });
  net.h2.link(1).answer(net.h2.link(1).seen[0].stream);
  net.until([&] { return next.endings() == 1; });
  net.link().answer(net.stream(0));
  net.link().answer(net.stream(1));
  net.until([&] { return net.calls[0]->endings() + net.calls[1]->endings() == 2; });
  CHECK(net.calls[0]->ends == 1);
  CHECK(net.calls[1]->ends == 1);
  net.until([&] { return net.pool->connection_count() == 1; });
}

TEST_CASE("the first GOAWAY of a graceful end refuses nothing that was sent") {
  Held net(2);
  net.link().session().shutdown_notice();
  net.link().touch();
  net.run(10 * kMs);
  CHECK(net.calls[0]->endings() + net.calls[1]->endings() == 0);
  Call next;
  next.start(*net.pool);
  net.until([&] { return net.h2.links.size() == 2; });
  for (size_t i = 0; i < 2; i++) net.link().answer(net.stream(i));
  net.until([&] { return net.calls[0]->ends + net.calls[1]->ends == 2; });
}

TEST_CASE("a connection that ends cuts its attempts off") {
  Held net(2);
  net.link().head(net.stream(1));
  net.link().send(net.stream(1), "half");
  net.until([&] { return net.calls[1]->body == "half"; });
  FailureKind expected = FailureKind::truncated;
  SUBCASE("by FIN") {
    net.link().close();
  }
  SUBCASE("by RST") {
    expected = FailureKind::reset;
    net.link().abort();
  }
  net.until([&] { return net.calls[0]->endings() + net.calls[1]->endings() == 2; }, 100 * kMs);
  for (size_t i = 0; i < 2; i++) {
    CHECK(net.calls[i]->failure().kind == expected);
    CHECK_FALSE(net.calls[i]->failure().never_processed);
    CHECK(net.calls[i]->failure().head_seen == (i == 1));
  }
  net.until([&] { return net.pool->is_quiet(); });
}

TEST_CASE("an attempt placed while the connection breaks ends once, and never in silence") {
  size_t elsewhere = 0;
  for (uint64_t offset_ns = 0; offset_ns <= 200'000; offset_ns += 10'000) {
    CAPTURE(offset_ns);
    Held net(1);
    Call late;
    net.world.at(net.world.now_ns() + offset_ns, [&] { late.start(*net.pool); });
    net.link().abort();
    net.run(kSecond);
    CHECK(net.calls[0]->endings() == 1);
    const bool moved = net.h2.links.size() == 2 && net.h2.link(1).seen.size() == 1;
    CHECK(late.endings() == (moved ? 0 : 1));
    if (!moved) CHECK(late.failure().kind == FailureKind::reset);
    elsewhere += moved ? 1 : 0;
  }
  CHECK(elsewhere > 0);
}

TEST_CASE("a peer that breaks HTTP/2 is told from one that leaves") {
  NetOptions options;
  options.listens = false;
  Net net(options);
  // As an HTTP/1.1 server does that gets the preface.
  net.h1.when_accepted = [](H1Link& link) { link.send("HTTP/1.1 400 Bad Request\r\n\r\n"); };
  net.h1.listen(net.address());
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.failure().kind == FailureKind::protocol);
  net.until([&] { return net.pool->is_quiet(); });
}

TEST_CASE("a silent connection is probed, and an answered PING keeps it") {
  Held net(1);
  // Nothing but PINGs and their answers for an hour.
  net.run(3600 * kSecond);
  CHECK(net.calls[0]->endings() == 0);
  CHECK(net.h2.links.size() == 1);
  net.link().answer(net.stream(0));
  net.until([&] { return net.calls[0]->endings() == 1; });
  CHECK(net.calls[0]->ends == 1);
}

TEST_CASE("a dead connection is noticed by its unanswered PING") {
  Held net(2);
  net.run(5 * kSecond);
  net.world.partition(kProviderIp);
  const uint64_t began_ns = net.world.now_ns();
  net.until([&] { return net.calls[0]->endings() == 1; }, 60 * kSecond);
  for (const auto& call : net.calls) {
    CHECK(call->failure().kind == FailureKind::unanswered_ping);
    CHECK_FALSE(call->failure().never_processed);
  }
  // 20 s of silence, 5 s for the answer, checked each second.
  CHECK(net.world.now_ns() - began_ns >= 19 * kSecond);
  CHECK(net.world.now_ns() - began_ns <= 28 * kSecond);
  net.world.heal(kProviderIp);
}

TEST_CASE("a connection that dies with a PING under way is noticed whatever came last") {
  Held net(1);
  net.world.set_latency(kProviderIp, 400 * kMs);
  net.link().head(net.stream(0));
  net.until([&] { return net.calls[0]->heads == 1; });
  // The connection stands since about 1 ms, the answer's head came at 400 ms: the check at 21 s
  // sends a PING, after which a byte comes that was sent before. The PING itself is lost.
  const uint64_t heard_ns = net.world.now_ns();
  net.world.at(heard_ns + 20'300 * kMs, [&] { net.link().send(net.stream(0), "."); });
  net.world.at(heard_ns + 20'900 * kMs, [&] { net.world.partition(kProviderIp); });
  net.until([&] { return net.calls[0]->endings() == 1; }, 120 * kSecond);
  CHECK(net.calls[0]->failure().kind == FailureKind::unanswered_ping);
  net.world.heal(kProviderIp);
}

TEST_CASE("old connections are replaced, each at an age of its own") {
  NetOptions options;
  options.pool.age_max_ns = 100 * kSecond;
  options.pool.streams_per_connection_max = 1;
  Net net(options);
  net.h2.when_whole = nullptr;
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 8; i++) {
    calls.push_back(std::make_unique<Call>());
    calls.back()->start(*net.pool);
  }
  net.until([&] { return net.h2.seen_count() == 8; });
  REQUIRE(net.h2.links.size() == 8);
  const uint64_t began_ns = net.world.now_ns();
  for (const auto& link : net.h2.links) link->answer(link->seen[0].stream);
  net.until([&] { return net.pool->connection_count() < 8; }, 200 * kSecond);
  CHECK(net.world.now_ns() - began_ns >= 74 * kSecond);
  CHECK(net.pool->connection_count() >= 5);  // not all in one moment
  net.until([&] { return net.pool->connection_count() == 0; }, 200 * kSecond);
  CHECK(net.world.now_ns() - began_ns <= 103 * kSecond);
}

TEST_CASE("an old connection lets its attempts finish") {
  NetOptions options;
  options.pool.age_max_ns = 10 * kSecond;
  Held net(1, options);
  net.run(60 * kSecond);
  CHECK(net.calls[0]->endings() == 0);
  Call next;
  next.start(*net.pool);
  net.until([&] { return net.h2.links.size() == 2; });
  net.link().answer(net.stream(0));
  net.until([&] { return net.calls[0]->ends == 1; });
  net.until([&] { return net.pool->connection_count() == 1; }, 100 * kMs);
}

TEST_CASE("a connection on which many attempts were cancelled is replaced") {
  NetOptions options;
  options.pool.resets_max = 5;
  Net net(options);
  net.h2.when_whole = nullptr;
  for (size_t i = 0; i < 12; i++) {
    Call call;
    call.start(*net.pool);
    net.until([&] { return net.h2.seen_count() == i + 1; });
    call.cancel();
    net.run(kMs);
  }
  CHECK(net.h2.links.size() == 3);
  CHECK(net.h2.link(0).seen.size() == 5);
  CHECK(net.h2.link(1).seen.size() == 5);
  // Those that are used up do not stay.
  net.until([&] { return net.pool->connection_count() == 1; }, 3 * kSecond);
}

}  // namespace flexd::origin::test
