// What an owner may do from inside callbacks, and the end of a pool.
#include "net.hpp"

namespace flexd::origin::test {
namespace {

enum class Where : uint8_t { head, body, end, failure };
constexpr std::array kEverywhere = {Where::head, Where::body, Where::end, Where::failure};

void hook(Call& call, Where where, const std::function<void()>& action) {
  // Once: bodies come in pieces.
  auto done = std::make_shared<bool>(false);
  const auto once = [done, action] {
    if (!std::exchange(*done, true)) action();
  };
  if (where == Where::head) call.when_head = once;
  if (where == Where::body) call.when_body = once;
  if (where == Where::end) call.when_end = once;
  if (where == Where::failure) call.when_failure = once;
}

// play answers a request, or begins to and breaks off, so that all four callbacks can be had.
void play(Net& net, Where where) {
  const bool fails = where == Where::failure;
  net.h2.when_whole = [fails](H2Link& link, int32_t stream) {
    if (fails && link.index() == 0 && stream == 1) {
      link.reset(stream, 2);
    } else {
      link.answer(stream, "answer");
    }
  };
  net.h1.when_whole = [fails](H1Link& link) {
    if (fails && link.index() == 0) {
      link.abort();
    } else {
      link.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer");
    }
  };
}

NetOptions over(Scheme scheme) {
  NetOptions options;
  options.scheme = scheme;
  return options;
}

constexpr std::array kSchemes = {Scheme::h2c, Scheme::http};

}  // namespace

TEST_CASE("an attempt can be started from every callback") {
  for (const Scheme scheme : kSchemes) {
    for (const Where where : kEverywhere) {
      CAPTURE(static_cast<int>(where));
      CAPTURE(static_cast<int>(scheme));
      Net net(over(scheme));
      play(net, where);
      Call first, second;
      hook(first, where, [&] { second.start(*net.pool); });
      first.start(*net.pool);
      net.until([&] { return first.endings() == 1 && second.endings() == 1; });
      CHECK(second.body == "answer");
      CHECK(first.ends == (where == Where::failure ? 0 : 1));
    }
  }
}

TEST_CASE("an attempt can be started anew from its own last callback") {
  for (const Scheme scheme : kSchemes) {
    for (const Where where : {Where::end, Where::failure}) {
      CAPTURE(static_cast<int>(where));
      Net net(over(scheme));
      play(net, where);
      Call call;
      hook(call, where, [&] { call.start(*net.pool); });
      call.start(*net.pool);
      net.until([&] { return call.endings() == 2; });
      net.run(kSecond);
      CHECK(call.endings() == 2);
    }
  }
}

TEST_CASE("an attempt can be started anew again and again on one connection") {
  for (const Scheme scheme : kSchemes) {
    Net net(over(scheme));
    play(net, Where::end);
    Call call;
    call.when_end = [&] {
      if (call.ends < 100) call.start(*net.pool);
    };
    call.start(*net.pool);
    net.until([&] { return call.ends == 100; });
    CHECK(net.h2.links.size() + net.h1.links.size() == 1);
  }
}

TEST_CASE("an attempt can be cancelled from its own callbacks, and destroyed") {
  for (const Scheme scheme : kSchemes) {
    for (const Where where : kEverywhere) {
      for (const bool destroys : {false, true}) {
        CAPTURE(static_cast<int>(where));
        CAPTURE(destroys);
        Net net(over(scheme));
        play(net, where);
        Call call;
        hook(call, where, [&] {
          if (destroys) {
            call.attempt.reset();
          } else {
            call.cancel();
          }
        });
        call.start(*net.pool);
        const bool last = where == Where::end || where == Where::failure;
        net.until([&] { return last ? call.endings() == 1 : call.heads == 1; });
        net.run(100 * kMs);
        CHECK(call.endings() == (last ? 1 : 0));
        CHECK(call.body == (where == Where::head || where == Where::failure ? "" : "answer"));
        CHECK(net.pool->stream_count() == 0);
        Call next;
        next.start(*net.pool);
        net.until([&] { return next.endings() == 1; });
        CHECK(next.ends == 1);
      }
    }
  }
}

TEST_CASE("another attempt can be cancelled from every callback") {
  for (const Scheme scheme : kSchemes) {
    for (const Where where : kEverywhere) {
      CAPTURE(static_cast<int>(where));
      Net net(over(scheme));
      play(net, where);
      Call first, other, waiting;
      hook(first, where, [&] {
        other.attempt.reset();
        waiting.cancel();
      });
      // Begun together, their answers come in one turn.
      first.start(*net.pool);
      other.start(*net.pool);
      waiting.start(*net.pool);
      net.until([&] { return first.endings() == 1; });
      net.run(100 * kMs);
      CHECK(other.endings() <= 1);
      CHECK(waiting.endings() <= 1);
      CHECK(net.pool->stream_count() == 0);
    }
  }
}

TEST_CASE("attempts that fail together can cancel each other") {
  Net net;
  net.h2.when_whole = nullptr;
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 10; i++) {
    calls.push_back(std::make_unique<Call>());
    calls.back()->start(*net.pool);
  }
  size_t failures = 0;
  for (size_t i = 0; i < 10; i++) {
    calls[i]->when_failure = [&, i] {
      failures++;
      calls[i ^ 1U]->attempt.reset();
      calls[i]->attempt.reset();
    };
  }
  net.until([&] { return net.h2.seen_count() == 10; });
  net.h2.link(0).abort();
  net.run(kSecond);
  CHECK(failures == 5);
}

TEST_CASE("a pool without connections shuts down at once") {
  Net net;
  net.pool->shut_down();
  CHECK(net.pool->is_quiet());
}

TEST_CASE("shutting down lets idle connections go") {
  for (const Scheme scheme : kSchemes) {
    Net net(over(scheme));
    play(net, Where::end);
    Call call;
    call.start(*net.pool);
    net.until([&] { return call.ends == 1; });
    net.pool->shut_down();
    CHECK_FALSE(net.pool->is_quiet());
    net.until([&] { return net.pool->is_quiet(); }, 10 * kMs);
    net.run(kMs);
    CHECK(net.h2.open_links() + net.h1.open_links() == 0);
  }
}

TEST_CASE("shutting down lets attempts finish") {
  Net net;
  net.h2.when_whole = nullptr;
  Call one, two;
  one.start(*net.pool);
  two.start(*net.pool);
  net.until([&] { return net.h2.seen_count() == 2; });
  net.pool->shut_down();
  net.run(30 * kSecond);
  CHECK_FALSE(net.pool->is_quiet());
  H2Link& link = net.h2.link(0);
  link.answer(link.seen[0].stream);
  net.until([&] { return one.ends == 1; });
  net.run(kSecond);
  CHECK_FALSE(net.pool->is_quiet());
  two.cancel();
  net.until([&] { return net.pool->is_quiet(); }, 3 * kSecond);
}

TEST_CASE("shutting down ends connections that are being opened, and what waits for them") {
  NetOptions options;
  Net net(options);
  net.world.set_latency(kProviderIp, 100 * kMs);
  uint64_t later_ns = 0;
  SUBCASE("resolving") {
    later_ns = 500'000;
  }
  SUBCASE("connecting") {
    later_ns = 50 * kMs;
  }
  Call call;
  call.start(*net.pool);
  net.run(later_ns);
  REQUIRE_FALSE(call.attempt->is_sent());
  net.pool->shut_down();
  CHECK_FALSE(net.pool->is_quiet());
  CHECK(call.endings() == 0);
  net.until([&] { return call.endings() == 1; }, kMs);
  CHECK(call.failure().kind == FailureKind::overloaded);
  net.until([&] { return net.pool->is_quiet(); });
}

TEST_CASE("a start on a pool that was shut down fails in a later turn") {
  Net net;
  net.pool->shut_down();
  Call call;
  call.start(*net.pool);
  CHECK(call.endings() == 0);
  CHECK_FALSE(net.pool->is_quiet());
  net.until([&] { return call.endings() == 1; }, kMs);
  CHECK(call.failure().kind == FailureKind::overloaded);
  CHECK(net.pool->is_quiet());
}

TEST_CASE("a pool can be shut down from every callback") {
  for (const Scheme scheme : kSchemes) {
    for (const Where where : kEverywhere) {
      CAPTURE(static_cast<int>(where));
      Net net(over(scheme));
      play(net, where);
      Call call, other;
      hook(call, where, [&] { net.pool->shut_down(); });
      call.start(*net.pool);
      net.until([&] { return call.endings() == 1; });
      net.until([&] { return net.pool->is_quiet(); }, 3 * kSecond);
    }
  }
}

}  // namespace flexd::origin::test
