// Answers over HTTP/1.1: framing, and what a connection is good for after each.
#include "net.hpp"

namespace flexd::origin::test {
namespace {

struct H1Net : Net {
  static NetOptions over_http(NetOptions options) {
    options.scheme = Scheme::http;
    return options;
  }
  explicit H1Net(const NetOptions& options = {}) : Net(over_http(options)) {}
  // reply answers every whole request with these bytes.
  void reply(std::string bytes, bool closes = false) {
    h1.when_whole = [bytes = std::move(bytes), closes](H1Link& link) {
      link.send(bytes);
      if (closes) link.close();
    };
  }
  // held waits for the first request and answers nothing.
  H1Link& held() {
    until([this] { return !h1.links.empty() && h1.link(0).requests.size() == 1; });
    return h1.link(0);
  }
};

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("HTTP/1.1: the request is written as it should be, and answered") {
  H1Net net;
  net.reply(std::string(kOk));
  Call call("{\"a\":1}");
  REQUIRE(call.fields.push("authorization", "Bearer k"));
  call.start(*net.pool);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.body == "ok");
  CHECK(net.h1.link(0).requests.at(0) ==
        "POST /v1/responses HTTP/1.1\r\nhost: " + net.pool->authority() +
            "\r\nauthorization: Bearer k\r\ncontent-length: 7\r\n\r\n{\"a\":1}");
}

TEST_CASE("HTTP/1.1: every framing, cut at every byte") {
  struct Case {
    std::string bytes;
    std::string body;
    bool closes;
    bool reused;
  };
  const std::array<Case, 7> cases = {{
      {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello", false, true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", false, true},
      {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nt: "
       "u\r\n\r\n",
       "hello", false, true},
      {"HTTP/1.1 200 OK\r\n\r\nhello", "hello", true, false},
      {"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello", "hello", false,
       false},
      {"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello", false, false},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
       "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
       "hello", false, true},
  }};
  for (const Case& one : cases) {
    CAPTURE(one.bytes);
    for (size_t cut = 0; cut <= one.bytes.size(); cut++) {
      CAPTURE(cut);
      H1Net net;
      Call call;
      call.start(*net.pool);
      H1Link& link = net.held();
      link.send(std::string_view(one.bytes).substr(0, cut));
      net.run(kMs);
      // Most answers are whole only with their last byte.
      if (cut + 5 < one.bytes.size()) CHECK(call.endings() == 0);
      link.send(std::string_view(one.bytes).substr(cut));
      if (one.closes) link.close();
      net.until([&] { return call.endings() == 1; }, 100 * kMs);
      REQUIRE(call.ends == 1);
      CHECK(call.heads == 1);
      CHECK(call.status == 200);
      CHECK(call.body == one.body);
      net.reply(std::string(kOk));
      net.run(kMs);
      Call next;
      next.start(*net.pool);
      net.until([&] { return next.endings() == 1; }, 100 * kMs);
      CHECK(next.ends == 1);
      CHECK(net.h1.links.size() == (one.reused ? 1 : 2));
    }
  }
}

TEST_CASE("HTTP/1.1: an answer cut short is truncated, reset or broken") {
  struct Case {
    std::string_view bytes;
    bool resets;
    FailureKind kind;
    bool head_seen;
  };
  const std::array<Case, 9> cases = {{
      {"", false, FailureKind::truncated, false},
      {"", true, FailureKind::reset, false},
      {"HTTP/1.1 200 OK\r\nconte", false, FailureKind::truncated, false},
      {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", false, FailureKind::truncated, true},
      {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", true, FailureKind::reset, true},
      {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", false,
       FailureKind::truncated, true},
      // A reset does not end a body that lasts until the connection closes.
      {"HTTP/1.1 200 OK\r\n\r\nhel", true, FailureKind::reset, true},
      {"junk\r\n\r\n", false, FailureKind::protocol, false},
      {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", false, FailureKind::protocol,
       true},
  }};
  for (const Case& one : cases) {
    CAPTURE(one.bytes);
    CAPTURE(one.resets);
    H1Net net;
    Call call;
    call.start(*net.pool);
    H1Link& link = net.held();
    link.send(one.bytes);
    net.run(kMs);
    if (one.resets) {
      link.abort();
    } else {
      link.close();
    }
    net.until([&] { return call.endings() == 1; });
    CHECK(call.failure().kind == one.kind);
    CHECK(call.failure().head_seen == one.head_seen);
    CHECK_FALSE(call.failure().never_processed);
    net.until([&] { return net.pool->is_quiet(); });
  }
}

TEST_CASE("HTTP/1.1: one attempt a connection, and the latest is used again first") {
  H1Net net;
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 4; i++) {
    calls.push_back(std::make_unique<Call>());
    calls.back()->start(*net.pool);
  }
  CHECK(net.pool->connection_count() == 4);
  net.until([&] {
    size_t whole = 0;
    for (const auto& link : net.h1.links) whole += link->requests.size();
    return whole == 4;
  });
  for (const size_t index : {3U, 0U, 2U, 1U}) {
    net.h1.link(index).send(kOk);
    net.run(kMs);
  }
  for (const auto& call : calls) CHECK(call->ends == 1);
  CHECK(net.pool->stream_count() == 0);
  // The one that was used last serves all that follows.
  net.reply(std::string(kOk));
  for (int i = 0; i < 5; i++) {
    Call next;
    next.start(*net.pool);
    net.until([&] { return next.ends == 1; });
  }
  CHECK(net.h1.links.size() == 4);
  CHECK(net.h1.link(1).requests.size() == 6);
}

TEST_CASE("HTTP/1.1: idle connections are let go") {
  H1Net net;
  net.reply(std::string(kOk));
  Call call;
  call.start(*net.pool);
  net.until([&] { return call.ends == 1; });
  net.run(28 * kSecond);
  CHECK(net.pool->connection_count() == 1);
  net.until([&] { return net.pool->is_quiet(); }, 4 * kSecond);
  CHECK(net.h1.link(0).peer_closed);
}

TEST_CASE("HTTP/1.1: a connection that its peer ends while idle is replaced") {
  H1Net net;
  net.reply(std::string(kOk));
  Call call, next;
  call.start(*net.pool);
  net.until([&] { return call.ends == 1; });
  net.h1.link(0).close();
  net.run(kMs);
  next.start(*net.pool);
  net.until([&] { return next.ends == 1; });
  CHECK(net.h1.links.size() == 2);
}

TEST_CASE("HTTP/1.1: a cancel closes the connection at once") {
  H1Net net;
  Call call;
  call.start(*net.pool);
  H1Link& link = net.held();
  SUBCASE("before the head") {}
  SUBCASE("in the body") {
    link.send("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf");
    net.until([&] { return call.heads == 1; });
  }
  call.cancel();
  net.until([&] { return link.error != -1; }, 2 * kMs);
  CHECK(link.error == ECONNRESET);
  CHECK(net.pool->is_quiet());
  CHECK(call.endings() == 0);
}

TEST_CASE("HTTP/1.1: bytes after an answer are never an answer") {
  const std::string poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
  for (const bool chained : {false, true}) {
    for (const bool empty : {false, true}) {
      CAPTURE(chained);
      CAPTURE(empty);
      H1Net net;
      Call call, next;
      if (chained) call.when_end = [&] { next.start(*net.pool); };
      call.start(*net.pool);
      H1Link& link = net.held();
      const std::string first =
          empty ? "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" : std::string(kOk);
      link.send(first + poison);
      net.reply(std::string(kOk));
      net.until([&] { return call.endings() == 1; });
      CHECK(call.body == (empty ? "" : "ok"));
      if (!chained) {
        net.run(kMs);
        next.start(*net.pool);
      }
      net.until([&] { return next.endings() == 1; });
      CHECK(next.body == "ok");
      CHECK(net.h1.links.size() == 2);
      CHECK(link.requests.size() == 1);
    }
  }
}

TEST_CASE("HTTP/1.1: bytes on an idle connection end it") {
  H1Net net;
  net.reply(std::string(kOk));
  Call call, next;
  call.start(*net.pool);
  net.until([&] { return call.ends == 1; });
  net.h1.link(0).send("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n");
  uint64_t start_ns = 0;
  SUBCASE("before the next attempt") {
    start_ns = kMs;
  }
  // Bytes and attempt meet in one turn of the client.
  SUBCASE("when the next attempt was placed and not written") {
    start_ns = 100'000;
  }
  net.world.at(net.world.now_ns() + start_ns, [&] { next.start(*net.pool); });
  net.until([&] { return next.endings() == 1; });
  if (next.ends == 1) {
    CHECK(next.body == "ok");
    CHECK(next.status == 200);
  } else {
    CHECK(next.failure().never_processed);
  }
}

TEST_CASE("HTTP/1.1: 1 MB each way") {
  H1Net net;
  std::string answer(1'000'000, '\0');
  for (size_t i = 0; i < answer.size(); i++) answer[i] = static_cast<char>('a' + i % 23);
  net.reply("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + answer);
  const std::string request(1'000'000, 'q');
  for (int round = 0; round < 3; round++) {
    Call call(request);
    call.start(*net.pool);
    net.until([&] { return call.endings() == 1; });
    CHECK(call.body == answer);
  }
  CHECK(net.h1.links.size() == 1);
  CHECK(net.h1.link(0).requests.back().ends_with("\r\n\r\n" + request));
}

TEST_CASE("HTTP/1.1: an answer that is not consumed stops the provider, and goes on") {
  constexpr size_t kBytes = 4'000'000;
  H1Net net;
  const std::string body(kBytes, 'x');
  bool closes = false;
  std::string head = "HTTP/1.1 200 OK\r\ncontent-length: 4000000\r\n\r\n";
  SUBCASE("with a length") {}
  SUBCASE("until the connection closes") {
    head = "HTTP/1.1 200 OK\r\n\r\n";
    closes = true;
  }
  SUBCASE("with a length, and a peer that closes") {
    closes = true;
  }
  net.reply(head + body, closes);
  Call call;
  call.consumes = false;
  call.start(*net.pool);
  net.run(5 * kSecond);
  CHECK(call.endings() == 0);
  const size_t first = call.body.size();
  CHECK(first > 256U << 10U);
  CHECK(first < 1'000'000);
  // Part of it, above the low mark: nothing comes yet.
  call.attempt->consume(10'000);
  net.run(kSecond);
  CHECK(call.body.size() == first);
  call.consumes = true;
  call.attempt->consume(first - 10'000);
  net.until([&] { return call.endings() == 1; });
  CHECK(call.ends == 1);
  CHECK(call.body == body);
}

TEST_CASE("HTTP/1.1: the end of an answer that the peer closes behind is read when it was paused") {
  // All of it fits into the kernel's buffers, so that the FIN stands behind unread bytes.
  constexpr size_t kBytes = 300'000;
  H1Net net;
  net.reply("HTTP/1.1 200 OK\r\n\r\n" + std::string(kBytes, 'x'), true);
  Call call;
  call.consumes = false;
  call.start(*net.pool);
  net.run(kSecond);
  CHECK(call.endings() == 0);
  call.consumes = true;
  call.attempt->consume(call.body.size());
  net.until([&] { return call.endings() == 1; });
  CHECK(call.ends == 1);
  CHECK(call.body.size() == kBytes);
}

TEST_CASE("HTTP/1.1: a cancel while paused, and a next attempt") {
  H1Net net;
  net.reply("HTTP/1.1 200 OK\r\n\r\n" + std::string(4'000'000, 'x'));
  Call call;
  call.consumes = false;
  call.start(*net.pool);
  net.run(kSecond);
  call.cancel();
  net.reply(std::string(kOk));
  Call next;
  next.start(*net.pool);
  net.until([&] { return next.ends == 1; });
}

TEST_CASE("HTTP/1.1: an early answer leaves the connection unusable") {
  H1Net net;
  net.h1.when_accepted = [](H1Link& link) { link.pause(); };
  Call call(std::string(3'000'000, 'q'));
  call.start(*net.pool);
  net.run(kSecond);
  REQUIRE(net.h1.links.size() == 1);
  net.h1.link(0).send("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\n\r\nslow");
  net.until([&] { return call.endings() == 1; });
  CHECK(call.ends == 1);
  CHECK(call.status == 429);
  CHECK(call.body == "slow");
  net.h1.when_accepted = nullptr;
  net.reply(std::string(kOk));
  Call next;
  next.start(*net.pool);
  net.until([&] { return next.ends == 1; });
  CHECK(net.h1.links.size() == 2);
  net.h1.link(0).resume();
  net.until([&] { return net.pool->connection_count() == 1; }, 60 * kSecond);
}

TEST_CASE("HTTP/1.1: a flood of interim answers is read in bounded memory") {
  NetOptions options;
  options.recv_buffer_bytes = 1U << 20U;
  H1Net net(options);
  Call call;
  call.start(*net.pool);
  H1Link& link = net.held();
  std::string flood;
  for (int i = 0; i < 7'000; i++) flood += "HTTP/1.1 100 \r\n\r\n";
  link.send(flood + std::string(kOk));
  net.until([&] { return call.endings() == 1; });
  CHECK(call.ends == 1);
  CHECK(call.heads == 1);
}

}  // namespace flexd::origin::test
