// How Gemini and Anthropic fail: error bodies, failure events, waiting, keys. OpenAI's ways are in
// provider_test.cpp.
#include <doctest/doctest.h>

#include "client.hpp"
#include "flexsim/canned.hpp"
#include "said.hpp"

using namespace flexd;
using namespace flexd::flexsim;
using http::h2::ResetKind;

namespace {

std::string body_of(Vendor vendor, const std::string& marker, bool stream) {
  const std::string last = stream ? R"("stream":true})" : R"("stream":false})";
  if (vendor == Vendor::gemini) {
    return R"({"model":"gemini-x","service_tier":"flex","input":"[flexsim:)" + marker + "]\"," +
           last;
  }
  return R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"[flexsim:standard )" +
         marker + "]\"}]," + last;
}

Answer& ask(Client& client, Vendor vendor, const std::string& marker, bool stream = true) {
  Answer& answer = client.post_to(vendor, body_of(vendor, marker, stream));
  CHECK(client.wait_closed(answer));
  return answer;
}

}  // namespace

TEST_CASE("error bodies of every provider can be computed") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  for (const Vendor vendor : {Vendor::gemini, Vendor::anthropic}) {
    for (const char* marker :
         {"refuse", "refuse 429", "error 400", "error 401", "error 404 NOT_FOUND", "error 418",
          "error 429", "error 429 RESOURCE_EXHAUSTED", "error 429 insufficient_quota", "error 500",
          "error 503", "error 529", "error-html 502", "error-empty 500", "error-gzip 500",
          "error-big 500", "error-badjson 500"}) {
      CAPTURE(vendor_name(vendor));
      CAPTURE(marker);
      Answer& answer = ask(client, vendor, marker);
      Scope scope = Scope::flex;
      const CannedAnswer expected = error_answer(parse_marker(marker, scope), "gemini-x", vendor);
      CHECK(answer.status == expected.status);
      CHECK((answer.body == expected.body));
      CHECK(answer.field("content-type") == expected.content_type);
      CHECK(answer.field("retry-after") == expected.retry_after);
    }
  }
}

TEST_CASE("Gemini tells capacity from quota by QuotaFailure") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  struct Case {
    const char* marker;
    unsigned status;
    const char* has;
    bool has_quota;
  };
  for (const Case& c : {
           Case{"refuse", 503, R"("status": "UNAVAILABLE")", false},
           Case{"refuse 429", 429, R"("status": "RESOURCE_EXHAUSTED")", false},
           Case{"error 429", 429, R"("retryDelay": "30s")", true},
           Case{"error 429 quota", 429, R"("code": 429)", true},
           Case{"error 429 rate_limit_exceeded", 429, R"("status": "RESOURCE_EXHAUSTED")", true},
           Case{"error 429 resource_exhausted", 429, R"("code":"resource_exhausted")", false},
           Case{"error 400", 400, R"("code":"invalid_request")", false},
           Case{"error 400 FAILED_PRECONDITION", 400, R"("status": "FAILED_PRECONDITION")", false},
       }) {
    CAPTURE(c.marker);
    Answer& answer = ask(client, Vendor::gemini, c.marker);
    CHECK(answer.status == c.status);
    CHECK(answer.has(c.has));
    CHECK(answer.has("QuotaFailure") == c.has_quota);
    CHECK(json::validate(answer.body).has_value());
  }
}

TEST_CASE("Anthropic's errors name their type and their request") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  Answer& limit = ask(client, Vendor::anthropic, "error 429");
  CHECK(json::Value{limit.body}["error"]["type"].equals("rate_limit_error"));
  CHECK(limit.field("anthropic-ratelimit-requests-remaining") == "0");
  CHECK(limit.field("x-should-retry") == "true");
  Answer& other = ask(client, Vendor::anthropic, "error 400 billing_error");
  CHECK(json::Value{other.body}["error"]["type"].equals("billing_error"));
  Answer& refused = ask(client, Vendor::anthropic, "refuse");
  CHECK(refused.status == 529);
  CHECK(json::Value{refused.body}["request_id"].equals("req_flexsim"));
}

TEST_CASE("failure events end a stream in each provider's way") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  struct Case {
    Vendor vendor;
    const char* marker;
    const char* last;  // in the last event
    bool has_output;
  };
  for (const Case& c : {
           Case{Vendor::gemini, "failed-before-start", R"("status":"failed")", false},
           Case{Vendor::gemini, "failed-after-start flex_unavailable", R"("code":"unavailable")",
                true},
           Case{Vendor::gemini, "error-event-before", R"("error":{"code":"internal")", false},
           Case{Vendor::gemini, "error-event-after empty", R"("error":{},)", true},
           Case{Vendor::gemini, "end-without-terminal", "step.stop", true},
           Case{Vendor::gemini, "end-before-start", "interaction.status_update", false},
           Case{Vendor::anthropic, "failed-before-start", R"("type":"api_error")", false},
           Case{Vendor::anthropic, "error-event-after flex_unavailable",
                R"("type":"overloaded_error")", true},
           Case{Vendor::anthropic, "error-event-before rate_limit_error",
                R"("type":"rate_limit_error")", false},
           Case{Vendor::anthropic, "end-without-terminal", "content_block_stop", true},
           Case{Vendor::anthropic, "end-before-start", "ping", false},
       }) {
    CAPTURE(c.marker);
    Answer& answer = ask(client, c.vendor, c.marker);
    CHECK(answer.status == 200);
    CHECK(answer.ended);
    const auto list = data_of(c.vendor, answer.body);
    CHECK(list.back().find(c.last) != std::string::npos);
    CHECK((answer.has("step.start") || answer.has("content_block_start")) == c.has_output);
    // [DONE] ends what has a last event, and only that.
    const bool is_done = std::string_view(c.marker).starts_with("failed-");
    CHECK(answer.has("[DONE]") == (is_done && c.vendor == Vendor::gemini));
    CHECK((provider.record().start_ns != 0) == c.has_output);
  }
}

TEST_CASE("without stream a failure is a status") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  CHECK(ask(client, Vendor::gemini, "failed-after-start", false).status == 500);
  CHECK(ask(client, Vendor::gemini, "error-event-before flex_unavailable", false).status == 503);
  CHECK(ask(client, Vendor::gemini, "failed-before-start rate_limit_exceeded", false).status ==
        429);
  CHECK(ask(client, Vendor::anthropic, "failed-before-start flex_unavailable", false).status ==
        529);
  CHECK(ask(client, Vendor::anthropic, "early-json").field("content-type") == "application/json");
}

TEST_CASE("waiting says nothing that proves a start") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  Answer& gemini = ask(client, Vendor::gemini, "queue 10ms every=3ms");
  CHECK(gemini.count(": keepalive\n\n") == 3);
  const auto events = data_of(Vendor::gemini, gemini.body);
  CHECK(events.at(0).find(R"("status":"queued")") != std::string::npos);
  CHECK(events.at(1).find(R"("status":"queued","event_type":"interaction.status_update")") !=
        std::string::npos);
  CHECK(events.at(2).find(R"("status":"in_progress")") != std::string::npos);
  Answer& anthropic = ask(client, Vendor::anthropic, "queue 10ms every=3ms");
  CHECK(anthropic.count("event: ping\n") == 4);
  CHECK(json::Value{data_of(Vendor::anthropic, anthropic.body).back()}["type"].equals(
      "message_stop"));
  const std::pair<Vendor, const char*> kTicks[] = {{Vendor::gemini, ": keepalive"},
                                                   {Vendor::anthropic, "event: ping"}};
  for (const auto& [vendor, tick] : kTicks) {
    Answer& waiting = client.post_to(vendor, body_of(vendor, "queue-forever every=2ms", true));
    CHECK(client.wait([&] { return waiting.count(tick) > 3; }));
    CHECK(provider.record().start_ns == 0);
    const uint64_t cancels = provider.simulator->report().cancels;
    client.cancel(waiting);
    CHECK(client.wait([&] { return provider.simulator->report().cancels == cancels + 1; }));
  }
  Answer& late = client.post_to(Vendor::gemini, body_of(Vendor::gemini, "start-after 60ms", true));
  CHECK(client.wait([&] { return late.has("in_progress"); }));
  CHECK_FALSE(late.has("step.start"));
  CHECK(client.wait_closed(late));
  CHECK(provider.record().start_ns - provider.record().head_ns >= 60'000'000);
}

TEST_CASE("streams break off in the same places") {
  flexsim::Provider provider;
  for (const Vendor vendor : {Vendor::gemini, Vendor::anthropic}) {
    Answer& torn = ask(provider.connect(), vendor, "die-mid 2");
    CHECK(torn.reset->kind == ResetKind::reset);
    CHECK(torn.count(R"("text":")") == (vendor == Vendor::gemini ? 2 : 3));
    Answer& before = ask(provider.connect(), vendor, "die-before-headers close");
    CHECK(before.reset->kind == ResetKind::connection_lost);
    CHECK(ask(provider.connect(), vendor, "refused-stream").reset->kind == ResetKind::refused);
    Client& last = provider.connect();
    CHECK(ask(last, vendor, "goaway-mid").reset->kind == ResetKind::ok);
    CHECK(last.goaways.size() == 2);
    Answer& pieces = ask(provider.connect(), vendor, "split-bytes");
    CHECK(pieces.pieces == pieces.body.size());
    Answer& locked = ask(provider.connect(), vendor, "error 409");
    CHECK(locked.status == 409);
  }
  Client& client = provider.connect();
  CHECK(ask(client, Vendor::gemini, "echo 1000").count(R"("system_instruction":"The quick)") == 2);
}

TEST_CASE("keys are checked, and hold scenarios") {
  flexsim::Provider provider;
  Client& client = provider.connect();
  struct Case {
    Vendor vendor;
    const char* key;
    unsigned status;
    const char* has;
  };
  const std::string gemini = R"({"model":"m","input":"x","service_tier":"flex"})";
  const std::string anthropic =
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]})";
  for (const Case& c : {
           Case{Vendor::gemini, "AIzaSyX", 200, "completed"},
           Case{Vendor::gemini, "sk-flexsim", 200, "completed"},
           Case{Vendor::gemini, "sk-other", 400, "API_KEY_INVALID"},
           Case{Vendor::gemini, "AIza-bad", 400, "API_KEY_INVALID"},
           Case{Vendor::gemini, "AIza-flexsim-flex_refuse", 503, "UNAVAILABLE"},
           Case{Vendor::gemini, "sk-flexsim-error_404", 404, "not_found"},
           Case{Vendor::anthropic, "sk-ant-api03", 200, "end_turn"},
           Case{Vendor::anthropic, "sk-ant-bad", 401, "authentication_error"},
           Case{Vendor::anthropic, "sk-test", 401, "authentication_error"},
           Case{Vendor::anthropic, "sk-ant-flexsim-error_529", 529, "overloaded_error"},
           Case{Vendor::anthropic, "sk-ant-flexsim-typo", 400, "no such flexsim scenario"},
       }) {
    CAPTURE(c.key);
    Answer& answer =
        client.post_to(c.vendor, c.vendor == Vendor::gemini ? gemini : anthropic, c.key);
    CHECK(client.wait_closed(answer));
    CHECK(answer.status == c.status);
    CHECK(answer.has(c.has));
  }
  Answer& missing = client.submit("POST", "/v1/interactions", gemini, {});
  CHECK(client.wait_closed(missing));
  CHECK(missing.status == 401);
  CHECK(missing.has("UNAUTHENTICATED"));
  Answer& bearer =
      client.submit("POST", "/v1/messages", anthropic,
                    {{"authorization", "Bearer sk-ant-x"}, {"anthropic-version", "2026-10-21"}});
  CHECK(client.wait_closed(bearer));
  CHECK(bearer.status == 200);
  Answer& method = client.submit("GET", "/v1/messages", "", {});
  CHECK(client.wait_closed(method));
  CHECK(method.status == 405);
  CHECK(method.has("\"type\":\"error\""));
}
