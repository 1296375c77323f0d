// What flows over an open session: every split, large transfers, ends, tickets, memory.
#include <doctest/doctest.h>

#include "flexd/tls/memory.hpp"
#include "pair.hpp"

using namespace flexd;
using namespace flexd::tls;

namespace {

struct Fixture {
  Identity root = make_root();
  Identity leaf = make({.common_name = "x", .dns_names = {"a.test", "b.test"}}, &root);
  std::unique_ptr<ClientContext> client = client_context(root.certificate_pem);
  std::unique_ptr<ServerContext> server = server_context(leaf.certificate_pem, leaf.key_pem);
};

std::string pattern(size_t size) {
  std::string text(size, '\0');
  uint32_t state = 12345;
  for (char& byte : text) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24U);
  }
  return text;
}

// converse completes a handshake and has the server answer: its tickets travel with the answer.
void converse(Pair& pair) {
  pair.settle();
  REQUIRE(pair.client.state() == State::open);
  REQUIRE(pair.client.send("question"));
  pair.settle();
  REQUIRE(pair.server.send("answer"));
  pair.settle();
  REQUIRE(pair.to_client.text == "answer");
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "every size of pieces carries a handshake and data") {
  const std::string up = pattern(5000);
  const std::string down = pattern(40000);
  for (size_t piece = 1; piece <= 64; ++piece) {
    Pair pair(*client, *server, {.host = "a.test"});
    pair.settle(piece);
    REQUIRE(pair.client.state() == State::open);
    REQUIRE(pair.client.send(up));
    REQUIRE(pair.server.send(down));
    pair.settle(piece);
    CHECK(pair.to_server.text == up);
    CHECK(pair.to_client.text == down);
  }
}

TEST_CASE_FIXTURE(Fixture, "one ciphertext cut in two at every byte") {
  const std::string text = pattern(300);
  for (size_t cut = 1; cut < 322; ++cut) {
    Pair pair(*client, *server, {.host = "a.test"});
    if (cut > 1 && cut < 300 && cut % 7 != 0) continue;  // a handshake each: a sample in the middle
    pair.settle();
    REQUIRE(pair.client.send(text));
    const std::string bytes = take_all(pair.client_out);
    REQUIRE(bytes.size() >= 322);
    pair.server.receive(std::string_view(bytes).substr(0, cut), pair.to_server);
    CHECK(pair.to_server.text == "");
    pair.server.receive(std::string_view(bytes).substr(cut), pair.to_server);
    CHECK(pair.to_server.text == text);
  }
}

TEST_CASE_FIXTURE(Fixture, "large transfers go in records of 16 KB at most, both ways") {
  const std::string text = pattern(3U << 20U);
  Pair pair(*client, *server, {.host = "a.test"});
  pair.settle();
  REQUIRE(pair.client.send(text));
  REQUIRE(pair.server.send(text));
  pair.settle(4096);
  CHECK(pair.to_server.text == text);
  CHECK(pair.to_client.text == text);
  CHECK(pair.to_client.record_bytes_max == kRecordBytesMax);
}

TEST_CASE_FIXTURE(Fixture, "a clean end is closed, an end without close_notify is truncated") {
  Pair clean(*client, *server, {.host = "a.test"});
  clean.settle();
  REQUIRE(clean.server.send("bye"));
  clean.server.close_notify();
  clean.server.close_notify();
  clean.settle();
  CHECK(clean.to_client.text == "bye");
  CHECK(clean.client.state() == State::closed);
  CHECK(clean.client.receive_end() == State::closed);
  CHECK(clean.client.failure() == FailureReason::none);
  // The other direction is still open.
  REQUIRE(clean.client.send("late"));
  clean.settle();
  CHECK(clean.to_server.text == "late");

  Pair cut(*client, *server, {.host = "a.test"});
  CHECK(cut.client.receive_end() == State::failed);
  CHECK(cut.client.failure() == FailureReason::truncated);
  Pair late(*client, *server, {.host = "a.test"});
  late.settle();
  CHECK(late.client.receive_end() == State::failed);
  CHECK(late.client.failure() == FailureReason::truncated);
  CHECK_FALSE(late.client.send("x"));
}

TEST_CASE_FIXTURE(Fixture, "a damaged record fails the session and alerts the peer") {
  Pair pair(*client, *server, {.host = "a.test"});
  pair.settle();
  REQUIRE(pair.server.send("hello"));
  std::string bytes = take_all(pair.server_out);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  CHECK(pair.client.receive(bytes, pair.to_client) == State::failed);
  CHECK(pair.client.failure() == FailureReason::protocol);
  CHECK(pair.to_client.text == "");
  pair.settle();
  CHECK(pair.server.state() == State::failed);
  CHECK(pair.server.failure() == FailureReason::alert);
}

TEST_CASE_FIXTURE(Fixture, "tickets resume, once each, for their own host and port alone") {
  const auto connect = [this](const Endpoint& endpoint) {
    Pair pair(*client, *server, endpoint);
    converse(pair);
    CHECK(pair.client.resumed() == pair.server.resumed());
    return pair.client.resumed();
  };
  CHECK_FALSE(connect({.host = "a.test"}));
  CHECK(client->ticket_count() == 1);
  CHECK_FALSE(connect({.host = "b.test"}));
  CHECK_FALSE(connect({.host = "a.test", .port = 8443}));
  CHECK_FALSE(connect({.host = "a.test", .offer = AlpnPreference::http1_only}));
  CHECK(client->ticket_count() == 4);
  CHECK(connect({.host = "a.test"}));
  CHECK(connect({.host = "a.test"}));  // with the ticket of the resumed connection

  // Two connections begun together: the ticket serves one of them.
  Pair first(*client, *server, {.host = "a.test"});
  Pair second(*client, *server, {.host = "a.test"});
  converse(first);
  converse(second);
  CHECK(first.client.resumed());
  CHECK_FALSE(second.client.resumed());
}

TEST_CASE_FIXTURE(Fixture, "contexts with the same ticket keys take each other's tickets") {
  const auto other = server_context(leaf.certificate_pem, leaf.key_pem);
  const auto resumes_at_other = [&] {
    Pair first(*client, *server, {.host = "a.test"});
    converse(first);
    Pair second(*client, *other, {.host = "a.test"});
    converse(second);
    return second.client.resumed();
  };
  CHECK_FALSE(resumes_at_other());
  std::array<uint8_t, kTicketKeyBytes> keys{};
  for (size_t index = 0; index < keys.size(); ++index) keys[index] = static_cast<uint8_t>(index);
  server->set_ticket_keys(keys);
  other->set_ticket_keys(keys);
  CHECK(resumes_at_other());
}

TEST_CASE_FIXTURE(Fixture, "a tiny pool fails the session, not the process") {
  BlockPool pool(8192);
  ByteChain out(pool);
  Pair pair(*client, *server, {.host = "a.test"});
  pair.settle();
  Session starved(*client, {.host = "a.test"}, out);
  ByteChain filler(pool);
  REQUIRE(filler.append(std::string(8000, 'x')));
  starved.start();
  CHECK(starved.state() == State::failed);
  CHECK(starved.failure() == FailureReason::no_memory);
}

TEST_CASE_FIXTURE(Fixture, "the library's allocations are counted and balanced") {
  const MemoryCounters before = memory_counters();
  {
    Pair pair(*client, *server, {.host = "a.test", .port = 1});
    converse(pair);
    const MemoryCounters open = memory_counters();
    CHECK(open.allocations > before.allocations + 10);
    CHECK(open.allocated_bytes > before.allocated_bytes);
    // An echo: what one message each way costs, as a measure and a guard.
    REQUIRE(pair.client.send("hello"));
    REQUIRE(pair.server.send("hello"));
    pair.settle();
    const MemoryCounters echoed = memory_counters();
    CHECK(echoed.allocations - open.allocations <= 8);
    CHECK(echoed.allocations - open.allocations == echoed.frees - open.frees);
  }
}
