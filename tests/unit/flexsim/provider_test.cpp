// The simulated provider over connections; built once for io_uring with real sockets and once for
// the simulated network.
#include <doctest/doctest.h>

#include "client.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"
#include "flexsim/canned.hpp"

using namespace flexd;
using namespace flexd::flexsim;
using http::h2::ResetKind;

namespace {

// event_data is the data of the first event of that name.
std::string event_data(const std::string& body, const std::string& name) {
  const size_t at = body.find("event: " + name + "\ndata: ");
  if (at == std::string::npos) return "";
  const size_t begin = body.find("data: ", at) + 6;
  return body.substr(begin, body.find('\n', begin) - begin);
}

// check_events holds every event of a stream to the rules of the format.
void check_events(const std::string& body) {
  int64_t number = 0;
  size_t at = 0;
  while (at < body.size()) {
    REQUIRE(body.compare(at, 7, "event: ") == 0);
    const size_t end = body.find("\n\n", at);
    REQUIRE(end != std::string::npos);
    const std::string frame = body.substr(at, end - at);
    const std::string name = frame.substr(7, frame.find('\n') - 7);
    const std::string data = frame.substr(frame.find("\ndata: ") + 7);
    CAPTURE(data);
    REQUIRE(json::validate(data).has_value());
    const json::Value event{data};
    CHECK(event["type"].equals(name));
    CHECK(event["sequence_number"].to_int64() == number++);
    at = end + 2;
  }
}

Answer& ask(Client& client, std::string_view marker, bool stream = true) {
  Answer& answer = client.post(request(marker, stream));
  CHECK(client.wait_closed(answer));
  return answer;
}

}  // namespace

TEST_CASE("a stream over TLS and HTTP/2 is a whole answer") {
  Provider provider;
  Client& client = provider.connect();
  Answer& answer = ask(client, "hi");
  CHECK(client.alpn() == tls::Alpn::h2);
  CHECK(answer.status == 200);
  CHECK(answer.ended);
  CHECK(answer.field("content-type") == "text/event-stream; charset=utf-8");
  for (const char* name : {"x-request-id", "x-ratelimit-remaining-requests", "openai-version",
                           "set-cookie", "alt-svc", "cf-ray", "server", "date"}) {
    CAPTURE(name);
    CHECK(answer.fields.count(name) == 1);
  }
  check_events(answer.body);
  const std::string completed = event_data(answer.body, "response.completed");
  const json::Value response = json::Value{completed}["response"];
  CHECK(response["service_tier"].equals("flex"));
  CHECK(response["status"].equals("completed"));
  CHECK(response["metadata"]["trace"].equals("t1"));
  CHECK(response["usage"]["output_tokens"].to_int64() == 9);
  CHECK(completed.find(kDefaultText) != std::string::npos);
  CHECK(answer.count("event: response.output_text.delta\n") == 5);
  const Record record = provider.record();
  CHECK(record.ending == Ending::completed);
  CHECK(record.start_ns != 0);
  CHECK(record.trace.view() == "t1");
  CHECK(record.body_bytes == answer.body.size());
}

TEST_CASE("without stream the answer is one JSON object with its length") {
  Provider provider;
  Answer& answer = ask(provider.connect(), "[flexsim:ok bytes=1000]", false);
  CHECK(answer.field("content-type") == "application/json");
  CHECK(answer.field("content-length") == std::to_string(answer.body.size()));
  REQUIRE(json::validate(answer.body).has_value());
  std::string text;
  answer_text(1000, text);
  CHECK(answer.has(text));
}

TEST_CASE("every scenario that ends writes well-formed events") {
  Provider provider;
  Client& client = provider.connect();
  for (const char* marker :
       {"ok bytes=100 events=20 gap=1ms", "start-after 5ms", "queue 10ms every=3ms",
        "failed-before-start", "failed-after-start", "error-event-before",
        "error-event-after nested", "end-without-terminal", "end-before-start", "split-bytes",
        "goaway-mid", "echo 1000", "huge-event 300000", "incomplete", "tool-call", "reasoning"}) {
    CAPTURE(marker);
    Client& fresh = std::string_view(marker) == "goaway-mid" ? provider.connect() : client;
    Answer& answer = ask(fresh, "[flexsim:" + std::string(marker) + "]");
    CHECK(answer.status == 200);
    CHECK(answer.ended);
    check_events(answer.body);
  }
}

TEST_CASE("split-bytes sends each byte in a frame of its own") {
  Provider provider;
  Answer& answer = ask(provider.connect(), "[flexsim:split-bytes]");
  CHECK(answer.pieces == answer.body.size());
}

TEST_CASE("start-after proves the start late") {
  Provider provider;
  Client& client = provider.connect();
  Answer& answer = client.post(request("[flexsim:start-after 60ms]"));
  CHECK(client.wait([&] { return answer.has("response.in_progress"); }));
  CHECK_FALSE(answer.has("output_item.added"));
  CHECK(client.wait_closed(answer));
  const Record record = provider.record();
  CHECK(record.start_ns - record.head_ns >= 60'000'000);
}

TEST_CASE("error bodies are those that a test can compute") {
  Provider provider;
  Client& client = provider.connect();
  for (const char* marker :
       {"error 400", "error 401", "error 403", "error 404", "error 429",
        "error 429 insufficient_quota", "error 500", "error 503", "error-html 502",
        "error-empty 500", "error-gzip 500", "error-big 500", "error-badjson 500", "refuse"}) {
    for (const bool stream : {false, true}) {
      CAPTURE(marker);
      Answer& answer = ask(client, "[flexsim:" + std::string(marker) + "]", stream);
      Scope scope = Scope::flex;
      const CannedAnswer expected = error_answer(parse_marker(marker, scope), "gpt-5.4");
      CHECK(answer.status == expected.status);
      CHECK((answer.body == expected.body));
      CHECK(answer.field("content-type") == expected.content_type);
      CHECK(answer.field("content-encoding") == expected.content_encoding);
      CHECK(answer.field("retry-after") == expected.retry_after);
    }
  }
}

TEST_CASE("requests are checked as the provider does") {
  Provider provider;
  Client& client = provider.connect();
  struct Case {
    const char* body;
    unsigned status;
    const char* code;
    const char* key = "sk-test";
  };
  for (const Case& c : {
           Case{R"({"model":"m","input":"x","start_within":"5s"})", 400, "unknown_parameter"},
           Case{R"({"model":"m","st\u0061rt_within":null})", 400, "unknown_parameter"},
           Case{R"({"input":"x"})", 400, "missing_required_parameter"},
           Case{R"({"model":"m","stream":"yes"})", 400, "invalid_type"},
           Case{R"({"model":"m","service_tier":"cheap"})", 400, "invalid_value"},
           Case{"{", 400, "could not parse"},
           Case{R"({"model":"m","input":"[flexsim:typo]"})", 400, "flexsim_scenario"},
           Case{R"({"model":"m","input":"x"})", 401, "invalid_api_key", "sk-bad-key"},
           Case{R"({"model":"m","input":"x"})", 200, "response"},
           Case{R"({"model":"m","input":"x","service_tier":null,"stream":null})", 200, "response"},
       }) {
    CAPTURE(c.body);
    Answer& answer = client.post(c.body, c.key);
    CHECK(client.wait_closed(answer));
    CHECK(answer.status == c.status);
    CHECK(answer.has(c.code));
  }
  Answer& unknown = client.send("POST", "/v1/nothing", "{}", "sk-test");
  CHECK(client.wait_closed(unknown));
  CHECK(unknown.status == 404);
}

TEST_CASE("attempts die where the scenario says") {
  Provider provider;
  struct Case {
    const char* marker;
    ResetKind kind;
    bool has_head;
    const char* last;
    const char* never;
  };
  for (const Case& c : {
           Case{"die-before-headers", ResetKind::reset, false, "", "event"},
           Case{"die-before-headers close", ResetKind::connection_lost, false, "", "event"},
           Case{"die-before-headers abort", ResetKind::connection_lost, false, "", "event"},
           Case{"die-before-start", ResetKind::reset, true, "in_progress", "output_item"},
           Case{"die-mid 2", ResetKind::reset, true, "output_text.delta", "output_text.done"},
           Case{"die-mid close", ResetKind::connection_lost, true, "delta", "output_text.done"},
           Case{"die-mid abort", ResetKind::connection_lost, true, "delta", "output_text.done"},
       }) {
    CAPTURE(c.marker);
    Answer& answer = ask(provider.connect(), "[flexsim:" + std::string(c.marker) + "]");
    REQUIRE(answer.closed());
    CHECK(answer.reset->kind == c.kind);
    CHECK((answer.status == 200) == c.has_head);
    CHECK(answer.has(c.last));
    CHECK_FALSE(answer.has(c.never));
    CHECK_FALSE(answer.ended);
    CHECK(provider.record().ending == Ending::died);
  }
}

TEST_CASE("refused-stream, goaway-before and conversation-locked give way to a later try") {
  Provider provider;
  Client& client = provider.connect();
  CHECK(ask(client, "[flexsim:refused-stream 2]").reset->kind == ResetKind::refused);
  CHECK(ask(client, "[flexsim:refused-stream 2]").reset->kind == ResetKind::refused);
  CHECK(ask(client, "[flexsim:refused-stream 2]").reset->kind == ResetKind::ok);
  Answer& refused = ask(client, "[flexsim:goaway-before]");
  CHECK(refused.reset->kind == ResetKind::refused);
  CHECK(client.goaways.back() < refused.stream);
  CHECK(ask(provider.connect(), "[flexsim:goaway-before]").status == 200);

  Client& other = provider.connect();
  const std::string locked = request("[flexsim:conversation-locked 1]", true, "default");
  Answer& first = other.post(locked);
  CHECK(other.wait_closed(first));
  CHECK(first.status == 409);
  CHECK(first.has("conversation_locked"));
  Answer& second = other.post(locked);
  CHECK(other.wait_closed(second));
  CHECK(second.status == 200);
}

TEST_CASE("goaway-mid lets the stream finish and then closes") {
  Provider provider;
  Client& client = provider.connect();
  Answer& answer = ask(client, "[flexsim:goaway-mid]");
  CHECK(answer.reset->kind == ResetKind::ok);
  REQUIRE(client.goaways.size() == 2);
  CHECK(client.goaways[0] == INT32_MAX);
  CHECK(client.goaways[1] == answer.stream);
  CHECK(client.wait([&] { return client.is_closed(); }));
}

TEST_CASE("two attempts on one connection: the loser's cancel is seen, with its time") {
  Provider provider;
  Client& client = provider.connect();
  Answer& flex = client.post(request("[flexsim:flex queue-forever]"));
  Answer& standard =
      client.post(request("[flexsim:standard ok events=3 gap=10ms]", false, "default"));
  CHECK(client.wait_closed(standard));
  CHECK(client.wait([&] { return flex.has("response.queued"); }));
  const uint64_t cancelled_ns = provider.reactor->now_ns();
  client.cancel(flex);
  CHECK(client.wait([&] { return provider.simulator->report().cancels == 1; }));
  const Report report = provider.simulator->report();
  CHECK(report.streams_open_max == 2);
  const Record& first = report.records[0];
  CHECK(first.tier == Tier::flex);
  CHECK(first.ending == Ending::cancelled);
  CHECK(first.reset_code == 8);
  CHECK(first.end_ns >= cancelled_ns);
  CHECK(first.start_ns == 0);
  CHECK(report.possible_double_bills() == 0);
  CHECK(report.tiers[static_cast<size_t>(Tier::flex)].attempts == 1);
  CHECK(report.tiers[static_cast<size_t>(Tier::standard)].endings[1] == 1);
}

TEST_CASE("two attempts that both started are a possible double bill") {
  Provider provider;
  Client& client = provider.connect();
  Answer& flex = client.post(request("[flexsim:stall-mid]"));
  Answer& standard = client.post(request("ok", true, "default"));
  CHECK(client.wait_closed(standard));
  CHECK(client.wait([&] { return flex.has("output_text.delta"); }));
  client.cancel(flex);
  CHECK(client.wait([&] { return provider.simulator->report().cancels == 1; }));
  CHECK(provider.simulator->report().possible_double_bills() == 1);
}

TEST_CASE("a client that leaves is seen") {
  Provider provider;
  Client& client = provider.connect();
  Answer& answer = client.post(request("[flexsim:queue-forever]"));
  CHECK(client.wait([&] { return answer.has("response.queued"); }));
  client.abort();
  CHECK(client.wait([&] { return provider.record().ending == Ending::connection_closed; }));
}

TEST_CASE("the report and its reset are served too") {
  Provider provider;
  Client& client = provider.connect();
  ask(client, "hi");
  Answer& report = client.send("GET", "/flexsim/report", "", "none");
  CHECK(client.wait_closed(report));
  REQUIRE(json::validate(report.body).has_value());
  CHECK(json::Value{report.body}["tiers"]["flex"]["completed"].to_int64() == 1);
  Answer& reset = client.send("POST", "/flexsim/reset", "", "none");
  CHECK(client.wait_closed(reset));
  CHECK(reset.status == 200);
  CHECK(provider.simulator->report().requests == 0);
  CHECK(provider.simulator->report().records.empty());
  ask(client, "again");
  CHECK(provider.simulator->report().records.size() == 1);
}

TEST_CASE("HTTP/1.1: pipelined requests, chunked bodies, a big answer, 100-continue") {
  for (const Transport transport : {Transport::plain, Transport::tls_http1}) {
    Provider provider(transport);
    Client& client = provider.connect(true);
    const std::string body = request("[flexsim:huge-event 2000000]");
    client.send_raw(
        "POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-x\r\n"
        "Expect: 100-continue\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body +
        "POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
        "c\r\n{\"model\":\"m\"\r\n1\r\n}\r\n0\r\n\r\n"
        "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(client.wait([&] { return client.is_closed(); }));
    const std::string& in = client.raw_in;
    CHECK(in.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    CHECK(in.find("response.completed") != std::string::npos);
    CHECK(in.find("content-type: application/json") != std::string::npos);
    CHECK(in.find("HTTP/1.1 404 Not Found") != std::string::npos);
    CHECK(in.size() > 10'000'000);
  }
}

TEST_CASE("HTTP/1.1: an answer that dies is cut without its last chunk") {
  Provider provider(Transport::plain_http1);
  Client& client = provider.connect(true);
  const std::string body = request("[flexsim:die-mid]");
  client.send_raw(
      "POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-x\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  CHECK(client.wait([&] { return client.is_closed(); }));
  CHECK(client.raw_in.find("output_text.delta") != std::string::npos);
  CHECK(client.raw_in.find("\r\n0\r\n\r\n") == std::string::npos);
}

TEST_CASE("a plain listener speaks HTTP/2 to a client that begins with it") {
  Provider provider(Transport::plain, "refuse");
  Answer& answer = ask(provider.connect(), "hi");
  CHECK(answer.status == 429);
}
