// Client and server sessions back to back: exchanges, flow control, endings, limits.
#include "h2_pair.hpp"

using namespace flexd;
using namespace flexd::http;
using namespace flexd::http::h2;

namespace {

std::string pattern(size_t size) {
  std::string text(size, '\0');
  uint32_t state = 99;
  for (char& byte : text) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24U);
  }
  return text;
}

constexpr uint32_t kCancel = 8;
constexpr uint32_t kRefusedStream = 7;

}  // namespace

TEST_CASE("an exchange comes through whatever the pieces") {
  const std::string body = pattern(3000);
  for (size_t piece = 1; piece <= 80; ++piece) {
    Pair pair;
    FieldList fields;
    REQUIRE(fields.push("authorization", "Bearer sk-1"));
    REQUIRE(fields.push("content-type", "application/json"));
    StreamRecord record;
    REQUIRE(pair.ask(record, body, &fields));
    pair.settle(piece);
    CHECK(pair.connection.settings == 1);
    CHECK(record.heads == 1);
    CHECK(record.status == 200);
    CHECK(record.framing == Framing::chunked);
    CHECK(record.fields == "content-type=text/plain;");
    CHECK(record.body == body);
    CHECK(record.ends == 1);
    CHECK(record.closes == 1);
    CHECK(record.reset.kind == ResetKind::ok);
    CHECK(pair.client.streams_open() == 0);
    CHECK(pair.server.streams_open() == 0);
    const auto& seen = pair.server_record.exchanges.at(record.id);
    CHECK(seen.method == "POST");
    CHECK(seen.target == "/v1/responses");
    CHECK(seen.query == "x=1");
    CHECK(seen.authority == "api.example.com");
    CHECK(seen.framing == Framing::length);
    CHECK(seen.fields ==
          "content-length=3000;authorization=Bearer sk-1;content-type=application/json;");
    CHECK(seen.body == body);
    CHECK(seen.closes == 1);
    CHECK(seen.code == 0);
  }
}

TEST_CASE("a megabyte goes up under flow control, with splices") {
  std::string body = pattern(1'000'000);
  SpliceList splices;
  splices.add({.offset = 10, .length = 5, .text = "edited"});
  splices.add({.offset = 999'999, .length = 1, .text = ""});
  std::string expected = body;
  expected.erase(999'999, 1);
  expected.replace(10, 5, "edited");
  Pair pair;
  pair.server_record.echo = false;
  pair.server_record.consumes = false;
  StreamRecord record;
  REQUIRE(pair.ask(record, body, nullptr, splices));
  pair.settle();
  auto& seen = pair.server_record.exchanges[record.id];
  CHECK(seen.body.size() == static_cast<size_t>(kStreamWindowBytes));  // the window is the bound
  CHECK_FALSE(seen.ended);
  pair.server_record.consumes = true;
  pair.server.consume(record.id, seen.body.size());
  pair.settle(1000);
  CHECK(seen.ended);
  CHECK(seen.body == expected);
}

TEST_CASE("a stream that is not consumed stalls alone") {
  Pair pair;
  const std::string large = pattern(600'000);
  const std::string small = pattern(1000);
  StreamRecord slow;
  slow.consumes = false;
  REQUIRE(pair.ask(slow, large));
  pair.settle();
  CHECK(slow.body.size() == static_cast<size_t>(kStreamWindowBytes));
  CHECK(pair.server.queued_bytes(slow.id) == large.size() - slow.body.size());
  for (int round = 0; round < 20; ++round) {
    StreamRecord other;
    REQUIRE(pair.ask(other, large));
    pair.settle();
    CHECK(other.body == large);
  }
  slow.consumes = true;
  pair.client.consume(slow.id, slow.body.size());
  pair.settle();
  CHECK(slow.body == large);
  CHECK(slow.reset.kind == ResetKind::ok);
}

TEST_CASE("a hundred streams share few pieces") {
  Pair pair;
  pair.settle();
  const std::string body = pattern(100);
  std::vector<StreamRecord> records(100);
  for (StreamRecord& record : records) REQUIRE(pair.ask(record, body));
  StreamRecord extra;
  CHECK_FALSE(pair.client.can_submit());
  CHECK_FALSE(pair.ask(extra, body));
  size_t pieces = 0;
  size_t bytes = 0;
  for (;;) {
    const std::string_view piece = pair.client.pull();
    if (piece.empty()) break;
    ++pieces;
    bytes += piece.size();
    pair.server.receive(piece);
  }
  CHECK(pieces == (bytes + kPieceBytes - 1) / kPieceBytes);
  CHECK(pieces <= 2);
  pair.settle();
  for (const StreamRecord& record : records) {
    CHECK(record.body == body);
    CHECK(record.closes == 1);
  }
  CHECK(pair.client.can_submit());
}

TEST_CASE("the peer's limit on streams is kept") {
  Pair pair({.streams_max = 2});
  CHECK(pair.client.streams_max() == 100);  // until SETTINGS come
  pair.settle();
  CHECK(pair.client.streams_max() == 2);
  StreamRecord a, b, c;
  CHECK(pair.ask(a, "x"));
  CHECK(pair.ask(b, "x"));
  Request request{.authority = "a", .path = "/", .body = {}};
  CHECK(pair.client.submit(request, c).error() == Refusal::full);
}

TEST_CASE("cancel is seen with its code, and late data still counts on the connection") {
  Pair pair;
  pair.server_record.echo = false;
  StreamRecord loser;
  REQUIRE(pair.ask(loser, "hello"));
  pair.settle();
  REQUIRE(pair.server.respond(loser.id, 200, {}, true));
  REQUIRE(pair.server.send_data(loser.id, pattern(200'000)));
  const std::string late = Pair::drain(pair.server);
  pair.client.cancel(loser.id);
  pair.client.cancel(loser.id);
  CHECK(pair.client.streams_open() == 1);
  REQUIRE(pair.client.receive(late));
  pair.settle();
  CHECK(loser.heads == 0);
  CHECK(loser.body == "");
  CHECK(loser.closes == 0);
  CHECK(pair.client.streams_open() == 0);
  CHECK(pair.client.resets_sent() == 1);
  CHECK(pair.server_record.exchanges[loser.id].closes == 1);
  CHECK(pair.server_record.exchanges[loser.id].code == kCancel);
  CHECK_FALSE(pair.server.send_data(loser.id, "more"));
  // Far more than one window of cancelled data in sum: the connection does not stall.
  pair.server_record.echo = true;
  StreamRecord next;
  REQUIRE(pair.ask(next, "again"));
  pair.settle();
  CHECK(next.body == "again");
}

TEST_CASE("a request that is cancelled before it is written leaves no trace") {
  Pair pair;
  pair.settle();
  StreamRecord record;
  REQUIRE(pair.ask(record, "hello"));
  pair.client.cancel(record.id);
  pair.settle();
  CHECK(record.closes == 0);
  CHECK(pair.client.streams_open() == 0);
  CHECK(pair.client.resets_sent() == 0);
  CHECK(pair.server_record.exchanges.empty());
}

TEST_CASE("a cancel in the middle of an upload stops it") {
  const std::string body = pattern(900'000);
  Pair pair;
  pair.server_record.consumes = false;
  StreamRecord record;
  REQUIRE(pair.ask(record, body));
  pair.settle();
  pair.client.cancel(record.id);
  pair.settle();
  CHECK(pair.server_record.exchanges[record.id].code == kCancel);
  CHECK_FALSE(pair.server_record.exchanges[record.id].ended);
  StreamRecord next;
  pair.server_record.consumes = true;
  REQUIRE(pair.ask(next, body));
  pair.settle();
  CHECK(next.body == body);
}

TEST_CASE("GOAWAY: streams above the last id are refused, the others finish") {
  Pair pair;
  pair.server_record.echo = false;
  StreamRecord first, second, third;
  REQUIRE(pair.ask(first, "1"));
  REQUIRE(pair.ask(second, "2"));
  pair.settle();
  REQUIRE(pair.ask(third, "3"));  // not written when the GOAWAY comes
  pair.server.goaway(first.id, 0);
  REQUIRE(pair.client.receive(Pair::drain(pair.server)));
  CHECK(pair.connection.goaways == 1);
  CHECK(pair.connection.last_stream == first.id);
  CHECK(pair.client.is_closing());
  CHECK_FALSE(pair.client.can_submit());
  pair.settle();
  CHECK(second.reset.kind == ResetKind::refused);
  CHECK(third.reset.kind == ResetKind::refused);
  CHECK(first.closes == 0);
  REQUIRE(pair.server.respond(first.id, 200, {}, true));
  REQUIRE(pair.server.send_data(first.id, "done"));
  pair.server.finish(first.id);
  pair.settle();
  CHECK(first.body == "done");
  CHECK(first.reset.kind == ResetKind::ok);
  CHECK(pair.server.is_done());
  StreamRecord late;
  CHECK_FALSE(pair.ask(late, "x"));
}

TEST_CASE("a graceful end: notice first, then the true last id") {
  Pair pair;
  pair.settle();
  pair.server.shutdown_notice();
  StreamRecord record;
  REQUIRE(pair.ask(record, "on its way"));
  pair.settle();
  CHECK(record.body == "on its way");
  CHECK(pair.client.is_closing());
  pair.server.goaway(pair.server.last_stream(), 0);
  pair.settle();
  CHECK(pair.server.is_done());
}

TEST_CASE("resets by the peer carry their code; REFUSED_STREAM counts only before an answer") {
  Pair pair;
  pair.server_record.echo = false;
  StreamRecord refused, broken, too_late;
  REQUIRE(pair.ask(refused, "1"));
  REQUIRE(pair.ask(broken, "2"));
  REQUIRE(pair.ask(too_late, "3"));
  pair.settle();
  pair.server.reset(refused.id, kRefusedStream);
  pair.server.reset(broken.id, 2);
  REQUIRE(pair.server.respond(too_late.id, 200, {}, true));
  pair.settle();
  pair.server.reset(too_late.id, kRefusedStream);
  pair.settle();
  CHECK(refused.reset.kind == ResetKind::refused);
  CHECK(broken.reset.kind == ResetKind::reset);
  CHECK(broken.reset.code == 2);
  CHECK(too_late.reset.kind == ResetKind::reset);
  CHECK(too_late.reset.code == kRefusedStream);
  CHECK(pair.server_record.exchanges[broken.id].code == 2);
}

TEST_CASE("an early answer ends the upload") {
  const std::string body = pattern(900'000);
  Pair pair;
  pair.server_record.consumes = false;
  StreamRecord record;
  REQUIRE(pair.ask(record, body));
  pair.settle();
  REQUIRE(pair.server.respond(record.id, 413, {}, false));
  pair.settle();
  CHECK(record.status == 413);
  CHECK(record.framing == Framing::none);
  CHECK(record.ends == 1);
  CHECK(record.reset.kind == ResetKind::ok);
  CHECK(pair.client.streams_open() == 0);
  CHECK(pair.server.streams_open() == 0);
}

TEST_CASE("interim answers are skipped, queues drain, bodies defer and resume") {
  Pair pair;
  pair.server_record.echo = false;
  StreamRecord record;
  REQUIRE(pair.ask(record, "x"));
  pair.settle();
  REQUIRE(pair.server.respond(record.id, 103, {}, true));
  FieldList fields;
  REQUIRE(fields.push("content-length", "6"));
  REQUIRE(pair.server.respond(record.id, 200, fields, true));
  pair.settle();
  CHECK(record.heads == 1);
  CHECK(record.framing == Framing::length);
  REQUIRE(pair.server.send_data(record.id, "abc"));
  pair.settle();
  CHECK(record.body == "abc");
  CHECK(pair.server_record.exchanges[record.id].drains == 1);
  REQUIRE(pair.server.send_data(record.id, "def"));
  pair.server.finish(record.id);
  pair.settle();
  CHECK(record.body == "abcdef");
  CHECK(record.ends == 1);
}

TEST_CASE("a lost connection: written requests are lost, unwritten ones refused") {
  Pair pair;
  pair.settle();
  StreamRecord written, unwritten;
  REQUIRE(pair.ask(written, "1"));
  CHECK_FALSE(pair.client.pull().empty());
  REQUIRE(pair.ask(unwritten, "2"));
  pair.client.connection_lost();
  CHECK(written.reset.kind == ResetKind::connection_lost);
  CHECK(unwritten.reset.kind == ResetKind::refused);
  CHECK_FALSE(pair.client.can_submit());
  CHECK_FALSE(pair.client.receive("x"));
  CHECK_FALSE(pair.client.wants_write());
  CHECK(pair.client.pull().empty());
}

TEST_CASE("the server's streams close when the connection is lost") {
  Pair pair;
  pair.server_record.echo = false;
  StreamRecord record;
  REQUIRE(pair.ask(record, "1"));
  pair.settle();
  pair.server.connection_lost();
  CHECK(pair.server_record.exchanges[record.id].closes == 1);
  CHECK(pair.server_record.exchanges[record.id].code == 2);
}

TEST_CASE("PING comes back with its payload") {
  Pair pair;
  pair.client.ping(0x0123456789abcdefULL);
  pair.client.ping(7);
  pair.settle(1);
  CHECK(pair.connection.pings == std::vector<uint64_t>{0x0123456789abcdefULL, 7});
}

TEST_CASE("a header list over its limits resets the stream, not the connection") {
  Pair pair;
  pair.server_record.echo = false;
  const auto answer = [&](size_t count, size_t value_bytes) {
    const std::string value(value_bytes, 'v');
    FieldList fields;
    for (size_t index = 0; index < count; ++index) REQUIRE(fields.push("x-field", value));
    StreamRecord record;
    REQUIRE(pair.ask(record, "x"));
    pair.settle();
    REQUIRE(pair.server.respond(record.id, 200, fields, false));
    pair.settle();
    CHECK(record.closes == 1);
    return record.reset.kind;
  };
  CHECK(answer(100, 10) == ResetKind::ok);
  CHECK(answer(4, 9000) == ResetKind::protocol_error);  // more than 32 KB in all
  CHECK(answer(3, 9000) == ResetKind::ok);
  CHECK_FALSE(pair.client.is_failed());
}

TEST_CASE("steady state takes nothing from the system") {
  Pair pair;
  const std::string body = pattern(1000);
  FieldList fields;
  REQUIRE(fields.push("authorization", "Bearer sk-1"));
  const auto round = [&] {
    std::vector<StreamRecord> records(10);
    for (StreamRecord& record : records) REQUIRE(pair.ask(record, body, &fields));
    pair.settle();
    for (const StreamRecord& record : records) CHECK(record.body == body);
  };
  for (int warm = 0; warm < 20; ++warm) round();
  const MemoryCounters before = pair.resources.counters();
  for (int count = 0; count < 50; ++count) round();
  const MemoryCounters after = pair.resources.counters();
  CHECK(after.system_takes == before.system_takes);
  CHECK(after.object_takes == before.object_takes);
  CHECK(after.in_use_bytes == before.in_use_bytes);
  CHECK(after.allocations > before.allocations);
}
