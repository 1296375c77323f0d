// The body: the cutoff at 1,000,000 bytes, answers before the end of a request, keep-alive,
// pipelining, 100-continue.
#include <doctest/doctest.h>

#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

constexpr size_t kMost = 1'000'000;

// body_of makes a good body of exactly `size` bytes.
std::string body_of(size_t size) {
  const std::string empty = body(R"("start_within":"default")", "");
  return body(R"("start_within":"default")", std::string(size - empty.size(), 'a'));
}

std::string chunked(std::string_view text, size_t chunk) {
  std::string all;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, chunk);
    text.remove_prefix(piece.size());
    std::array<char, 32> head;
    const int size = std::snprintf(head.data(), head.size(), "%zx\r\n", piece.size());
    all.append(head.data(), static_cast<size_t>(size)).append(piece).append("\r\n");
  }
  return all + "0\r\n\r\n";
}

void check_too_large(const Reply& reply) {
  CHECK(reply.status == 413);
  CHECK(reply.code() == "request_too_large");
  CHECK(reply.whole);
}

}  // namespace

TEST_CASE("body: exactly 1,000,000 bytes are accepted, declared or chunked") {
  Sim sim;
  sim.provider.standard_play.json(200, "{}");
  const std::string text = body_of(kMost);
  CHECK(sim.ask(text).status == 200);
  Client& client = sim.connect();
  client.send(sim.head_of("Transfer-Encoding: chunked\r\n") + "\r\n" + chunked(text, 60'000));
  CHECK(sim.wait(client).status == 200);
  for (const Seen& seen : sim.provider.seen()) CHECK(seen.body.size() > 999'990);
}

TEST_CASE("body: a declared length above the cutoff is refused before a byte is read") {
  Sim sim;
  Client& client = sim.connect();
  client.send(sim.head_of("Content-Length: 1000001\r\n") + "\r\n");
  check_too_large(sim.wait(client));
  CHECK(sim.provider.seen().empty());
}

TEST_CASE("body: a chunked body is cut at byte 1,000,001") {
  Sim sim;
  Client& client = sim.connect();
  const std::string text = body_of(kMost + 1);
  client.send(sim.head_of("Transfer-Encoding: chunked\r\n") + "\r\n");
  client.send(chunked(text.substr(0, kMost), 50'000).substr(0, 0));
  const std::string all = chunked(text, 50'000);
  // All but the last byte of the text: no answer yet.
  const size_t last_chunk = all.rfind("\r\n1\r\n") + 2;
  client.send(all.substr(0, last_chunk));
  sim.run(5 * kSecond);
  CHECK(client.replies().empty());
  client.send(all.substr(last_chunk, 4));
  check_too_large(sim.wait(client));
  CHECK(sim.provider.seen().empty());
}

TEST_CASE("body: a lying length does not smuggle anything") {
  Sim sim;
  sim.provider.standard_play.json(200, "{}");
  // What comes after the declared length is the next request, and not a good one.
  Client& longer = sim.connect();
  const std::string text = body(R"("start_within":"default")");
  longer.send(sim.post(text) + std::string(100, 'x') + "\r\n\r\n");
  CHECK(sim.wait(longer, 1).status == 200);
  const Reply& second = sim.wait(longer, 2);
  CHECK(second.status == 400);
  CHECK(second.code() == "malformed_request");
  // A body that never becomes whole is a slow one.
  Client& shorter = sim.connect();
  shorter.send(sim.head_of("Content-Length: 500\r\n") + "\r\n" + text);
  const Reply& slow = sim.wait(shorter);
  CHECK(slow.status == 408);
  CHECK(slow.code() == "request_timeout");
  CHECK(sim.provider.seen().size() == 1);
}

TEST_CASE("body: a client that is still sending can read the 413") {
  for (const bool declared : {true, false}) {
    CAPTURE(declared);
    Sim sim;
    Client& client = sim.connect();
    const std::string text(1'900'000, 'z');
    client.send(declared ? sim.head_of("Content-Length: 1900000\r\n") + "\r\n" + text
                         : sim.head_of("Transfer-Encoding: chunked\r\n") + "\r\n" +
                               chunked(text, 100'000));
    check_too_large(sim.wait(client));
    CHECK(client.error() == 0);
    CHECK(sim.requests(metrics::Outcome::own_error, metrics::Reason::none) == 1);
  }
}

TEST_CASE("body: a connection survives errors where HTTP allows it") {
  Sim sim;
  sim.provider.standard_play.json(200, "{}");
  const std::string text = body(R"("start_within":"default")");
  const std::string rest =
      "Content-Type: application/json\r\nContent-Length: " + std::to_string(text.size()) +
      "\r\n\r\n" + text;
  Client& client = sim.connect();
  client.send("POST /v1/responses HTTP/1.1\r\nHost: g\r\n" + rest);
  CHECK(sim.wait(client, 1).code() == "missing_api_key");
  client.send("POST /v1/nothing HTTP/1.1\r\nHost: g\r\n" + rest);
  CHECK(sim.wait(client, 2).code() == "unknown_url");
  client.send("PUT /v1/responses HTTP/1.1\r\nHost: g\r\n" + rest);
  CHECK(sim.wait(client, 3).code() == "method_not_allowed");
  CHECK(client.reply(2).field("allow") == "POST");
  client.send("GET /v1/responses HTTP/1.1\r\nHost: g\r\n\r\n");
  CHECK(sim.wait(client, 4).status == 405);
  client.send(sim.post("{\"model\""));
  CHECK(sim.wait(client, 5).code() == "invalid_json");
  client.send(sim.post("[1]"));
  CHECK(sim.wait(client, 6).code() == "invalid_body");
  client.send(sim.post(text));
  CHECK(sim.wait(client, 7).status == 200);
  CHECK(!client.is_closed());
  CHECK(sim.lines().size() == 7);
}

TEST_CASE("body: pipelined requests are answered in order, one at a time") {
  Sim sim;
  size_t open_max = 0;
  sim.provider.choose = [&](const Seen& seen) {
    open_max = std::max(open_max, sim.provider.open_streams());
    return Play().wait(kSecond).json(200, "{\"trace\":\"" + seen.trace + "\"}");
  };
  std::string all;
  for (int i = 0; i < 8; ++i) {
    all += sim.post(body(R"("start_within":"default")", "trace:" + std::to_string(i)));
  }
  Client& client = sim.connect();
  client.send(all);
  sim.wait(client, 8);
  REQUIRE(client.replies().size() == 8);
  for (size_t i = 0; i < 8; ++i) {
    CHECK(client.reply(i).body == "{\"trace\":\"" + std::to_string(i) + "\"}");
  }
  CHECK(open_max == 1);
}

TEST_CASE("body: requests byte by byte") {
  Sim sim;
  sim.provider.standard_play.json(200, "{}");
  const std::string request = sim.post(body(R"("start_within":"default")"));
  Client& client = sim.connect();
  for (int round = 1; round <= 2; ++round) {
    for (const char byte : request) {
      client.send({&byte, 1});
      sim.run(kMs);
    }
    CHECK(sim.wait(client, static_cast<size_t>(round)).status == 200);
  }
}

TEST_CASE("body: 100-continue is said only where the body is wanted") {
  Sim sim;
  sim.provider.standard_play.json(200, "{}");
  const std::string text = body(R"("start_within":"default")");
  Client& good = sim.connect();
  good.send(sim.head_of("Expect: 100-continue\r\nContent-Length: " + std::to_string(text.size()) +
                        "\r\n") +
            "\r\n");
  sim.run(kMs);
  CHECK(good.interims() == 1);
  CHECK(good.replies().empty());
  good.send(text);
  CHECK(sim.wait(good).status == 200);
  CHECK(good.interims() == 1);
  Client& large = sim.connect();
  large.send(sim.head_of("Expect: 100-continue\r\nContent-Length: 1000001\r\n") + "\r\n");
  check_too_large(sim.wait(large));
  CHECK(large.interims() == 0);
  Client& odd = sim.connect();
  odd.send(sim.head_of("Expect: a-miracle\r\nContent-Length: 5\r\n") + "\r\n");
  CHECK(sim.wait(odd).status == 417);
}
