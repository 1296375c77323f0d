#include "flexd/surface/events.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/block_pool.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/surface/fold.hpp"
#include "flexd/surface/start_signal.hpp"

namespace flexd::surface {
namespace {

constexpr std::string_view kCreated =
    R"({"type":"response.created","sequence_number":0,"response":{"id":"resp_68a1",)"
    R"("object":"response","created_at":1790000000,"status":"in_progress",)"
    R"("background":false,"error":null,"model":"gpt-5.5-2026-03-01","output":[],)"
    R"("service_tier":"flex","usage":null,"user":null,"metadata":{}}})";
constexpr std::string_view kQueued =
    R"({"type":"response.queued","sequence_number":1,"response":{"id":"resp_68a1",)"
    R"("status":"queued"}})";
constexpr std::string_view kInProgress =
    R"({"type":"response.in_progress","sequence_number":2,"response":{"id":"resp_68a1",)"
    R"("status":"in_progress"}})";
constexpr std::string_view kKeepalive = R"({"type":"keepalive","sequence_number":3})";
constexpr std::string_view kItemAdded =
    R"({"type":"response.output_item.added","sequence_number":4,"output_index":0,)"
    R"("item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant",)"
    R"("content":[]}})";
constexpr std::string_view kDelta =
    R"({"type":"response.output_text.delta","sequence_number":6,"item_id":"msg_1",)"
    R"("output_index":0,"content_index":0,"delta":"Hel","logprobs":[],)"
    R"("obfuscation":"x1"})";
constexpr std::string_view kResponse =
    R"({"id":"resp_68a1", "object":"response","created_at":1790000000,)"
    R"("status":"completed","error":null,"model":"gpt-5.5-2026-03-01",)"
    R"("output":[{"id":"msg_1","type":"message","content":[{"type":"output_text",)"
    R"("text":"\"response\": {\u00e9"}]}],"service_tier":"default","temperature":1.0,)"
    R"("usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":3},)"
    R"("output_tokens":4,"output_tokens_details":{"reasoning_tokens":2},)"
    R"("total_tokens":13}})";
constexpr std::string_view kFailed =
    R"({"type":"response.failed","sequence_number":9,"response":{"id":"resp_68a1",)"
    R"("status":"failed","error":{"code":"server_error",)"
    R"("message":"The server had an error"},"output":[]}})";

std::string completed() {
  return R"({"type":"response.completed","sequence_number":11,"response":)" +
         std::string(kResponse) + "}";
}

std::string failed_with(const std::string& error) {
  return R"({"type":"response.failed","sequence_number":9,"response":{"id":"r","error":)" + error +
         "}}";
}

constexpr auto kOpenai = errors::Provider::openai;

Event event_of(std::string_view data) {
  return read_event(kOpenai, {}, data);
}

// final_response is what a Fold makes of a terminal event.
std::string final_response(const Event& event) {
  BlockPool pool(size_t{64} << 20U);
  Fold fold(pool);
  Buffer out(pool);
  CHECK(fold.feed(event));
  CHECK(fold.write(event, out));
  return std::string(out.view());
}

// signals feeds all events and gives what each of them meant, by a letter: n s r f x.
std::string signals(const std::vector<std::string>& events) {
  StartSignal signal;
  std::string out;
  for (const std::string& data : events) {
    out += "nsrfx"[static_cast<size_t>(signal.feed(event_of(data)))];
  }
  return out;
}

std::string typed(const char* type) {
  return std::string(R"({"type":")") + type + "\"}";
}

TEST_CASE("openai events: kinds of events") {
  CHECK(event_of(kCreated).kind == EventKind::created);
  CHECK(event_of(kKeepalive).kind == EventKind::keepalive);
  CHECK(event_of(kDelta).kind == EventKind::progress);
  CHECK(event_of(completed()).kind == EventKind::completed);
  CHECK(event_of(typed("response.incomplete")).kind == EventKind::incomplete);
  CHECK(event_of(kFailed).kind == EventKind::failed);
  CHECK(event_of(typed("response.cancelled")).kind == EventKind::failed);
  CHECK(event_of(typed("response.mcp_call.failed")).kind == EventKind::part_failed);
  CHECK(event_of(typed("error")).kind == EventKind::error);
  CHECK(event_of(typed("something.new")).kind == EventKind::progress);
  // The data's own type wins over the name of the frame; without one the name counts.
  CHECK(read_event(kOpenai, "response.completed", kKeepalive).kind == EventKind::keepalive);
  CHECK(read_event(kOpenai, "response.queued", R"({"sequence_number":1})").kind ==
        EventKind::queued);
  CHECK(read_event(kOpenai, "keepalive", "{}").kind == EventKind::keepalive);
  CHECK(read_event(kOpenai, "", R"({"error":{"message":"m"}})").kind == EventKind::error);
  CHECK(read_event(kOpenai, "", R"({"error":null})").kind == EventKind::none);
  CHECK(read_event(kOpenai, "error", "overloaded").kind == EventKind::error);
  for (const char* data : {"", "[DONE]", "{}", "null", "{\"type\":5}", "{", "\"x\""}) {
    CAPTURE(data);
    CHECK(event_of(data).kind == EventKind::none);
  }
  CHECK(read_event(kOpenai, "response.output_item.added", "").kind == EventKind::none);
  CHECK(!event_of(kKeepalive).is_meaningful());
  CHECK(event_of(kQueued).is_meaningful());
}

TEST_CASE("start_signal: what proves a start") {
  const std::string created(kCreated);
  const std::string queued(kQueued);
  const std::string in_progress(kInProgress);
  const std::string keepalive(kKeepalive);
  const std::string added(kItemAdded);
  const std::string delta(kDelta);
  const std::string failed(kFailed);
  struct Case {
    const char* id;
    std::vector<std::string> events;
    const char* signals;
  };
  const Case cases[] = {
      {"plain", {created, in_progress, added, delta, completed()}, "nnsrf"},
      {"queued-for-long",
       {created, queued, keepalive, keepalive, in_progress, keepalive, added},
       "nnnnnns"},
      {"never-picked-up",
       {created, queued, keepalive, in_progress, keepalive, in_progress},
       "nnnnnn"},
      {"unknown-event-before-in-progress",
       {created, typed("response.new_thing"), in_progress},
       "nnn"},
      {"known-event-before-in-progress", {created, added, in_progress, delta}, "nnns"},
      {"unknown-event-after-in-progress",
       {created, in_progress, typed("response.new_thing")},
       "nns"},
      {"created-after-in-progress", {in_progress, created, queued, added}, "nnns"},
      {"completed-at-once", {created, completed()}, "nf"},
      {"incomplete-at-once", {created, in_progress, typed("response.incomplete")}, "nnf"},
      {"failed-before", {created, in_progress, failed, added}, "nnxn"},
      {"failed-after", {created, in_progress, added, failed}, "nnsx"},
      {"flat-error", {R"({"type":"error","code":"flex_unavailable","message":"m"})", added}, "xn"},
      {"part-failed",
       {created, in_progress, typed("response.mcp_list_tools.failed"), added},
       "nnns"},
      {"done-marker-and-noise", {created, in_progress, "[DONE]", "", "{", added}, "nnnnns"},
      {"keepalive-after-start", {in_progress, added, keepalive, delta}, "nsrr"},
  };
  for (const Case& test : cases) {
    CAPTURE(test.id);
    CHECK(signals(test.events) == test.signals);
  }
}

TEST_CASE("start_signal: reset forgets") {
  StartSignal signal;
  signal.feed(event_of(kInProgress));
  signal.feed(event_of(kFailed));
  CHECK(signal.ended());
  signal.reset();
  CHECK(signal.feed(event_of(kItemAdded)) == Signal::nothing);
  CHECK(signal.feed(event_of(completed())) == Signal::finished);
  CHECK(signal.started());
}

TEST_CASE("start_signal: refusals by status and body") {
  const auto error = [](const char* type, const char* code) {
    return std::string(R"({"error":{"message":"m","type":")") + type + R"(","param":null,"code":)" +
           code + "}}";
  };
  struct Case {
    const char* id;
    unsigned status;
    std::string body;
    Refusal refusal;
  };
  const Case cases[] = {
      {"flex", 429, error("resource_unavailable", R"("flex_unavailable")"), Refusal::capacity},
      {"code-null", 429, error("rate_limit_error", "null"), Refusal::capacity},
      {"code-unknown", 429, error("requests", R"("overloaded")"), Refusal::capacity},
      {"html", 429, "<html>Too Many Requests</html>", Refusal::capacity},
      {"empty", 429, "", Refusal::capacity},
      {"cut", 429, R"({"error":{"message":"Resource Unav)", Refusal::capacity},
      {"rate", 429, error("tokens", R"("rate_limit_exceeded")"), Refusal::upstream_error},
      {"quota", 429, error("insufficient_quota", R"("insufficient_quota")"),
       Refusal::upstream_error},
      {"quota-type", 429, error("insufficient_quota", "null"), Refusal::upstream_error},
      {"credit", 429, error("x", R"("credit_balance_exhausted")"), Refusal::upstream_error},
      {"slow", 429, error("x", R"("slow_down")"), Refusal::upstream_error},
      {"spend", 429, error("x", R"("project_spend_limit_exceeded")"), Refusal::upstream_error},
      {"no-flex", 400, error("invalid_request_error", R"("service_tier_not_supported")"),
       Refusal::upstream_error},
      {"not-429", 503, error("x", R"("flex_unavailable")"), Refusal::upstream_error},
      {"500", 500, error("server_error", "null"), Refusal::upstream_error},
      {"locked", 400, error("invalid_request_error", R"("conversation_locked")"),
       Refusal::conversation_locked},
      {"locked-409", 409, error("conflict", R"("conversation_locked")"),
       Refusal::conversation_locked},
  };
  for (const Case& test : cases) {
    CAPTURE(test.id);
    CHECK(judge_response(kOpenai, test.status, test.body) == test.refusal);
  }
}

TEST_CASE("start_signal: refusals by event") {
  const auto judge = [](const std::string& data) { return judge_event(event_of(data)); };
  CHECK(judge(R"({"type":"error","code":"flex_unavailable","message":"m","param":null})") ==
        Refusal::capacity);
  CHECK(judge(R"({"type":"error","error":{"type":"x","code":"flex_unavailable"}})") ==
        Refusal::capacity);
  CHECK(judge(failed_with(R"({"code":"flex_unavailable","message":"m"})")) == Refusal::capacity);
  CHECK(judge(R"({"type":"error","error":{"type":"rate_limit_error","code":null}})") ==
        Refusal::capacity);
  CHECK(judge(failed_with(R"({"code":"rate_limit_exceeded","message":"m"})")) ==
        Refusal::upstream_error);
  CHECK(judge(R"({"type":"error","error":{"type":"insufficient_quota","code":null}})") ==
        Refusal::upstream_error);
  CHECK(judge(R"({"type":"error","error":{"type":"invalid_request_error","code":null}})") ==
        Refusal::upstream_error);
  CHECK(judge(failed_with("null")) == Refusal::upstream_error);
  CHECK(judge(std::string(kFailed)) == Refusal::upstream_error);
  CHECK(judge(failed_with(R"({"code":"conversation_locked"})")) == Refusal::conversation_locked);
}

TEST_CASE("openai events: the exact bytes of the answer") {
  const std::string data = completed();
  CHECK(final_response(event_of(data)) == kResponse);
  CHECK(final_response(event_of("  {\"response\" : {\"a\" : [ 1 ]} , \"type\":"
                                "\"response.incomplete\"} ")) == R"({"a" : [ 1 ]})");
  CHECK(final_response(event_of(kCreated)).empty());
  CHECK(final_response(event_of(kFailed)).empty());
  CHECK(final_response(event_of(typed("response.completed"))).empty());
  CHECK(final_response(event_of(R"({"type":"response.completed","response":"x"})")).empty());
}

TEST_CASE("openai events: failures and their status") {
  const std::string failed = failed_with(R"({ "code" : "server_error","message":"\u00e9"})");
  const EventFailure failure = read_failure(event_of(failed));
  CHECK(failure.object == R"({ "code" : "server_error","message":"\u00e9"})");
  CHECK(failure.code == "server_error");
  CHECK(failure.status == 500);
  const std::string flat =
      R"({"type":"error","code":"rate_limit_exceeded","message":"m","param":null,)"
      R"("sequence_number":3})";
  CHECK(read_failure(event_of(flat)).object == flat);
  CHECK(read_failure(event_of(flat)).status == 429);
  const std::string nested =
      R"({"type":"error","sequence_number":2,"error":{"type":"invalid_request_error",)"
      R"("code":null,"message":"m","param":"input"}})";
  CHECK(read_failure(event_of(nested)).object ==
        R"({"type":"invalid_request_error","code":null,"message":"m","param":"input"})");
  CHECK(read_failure(event_of(nested)).status == 400);
  const std::string silent = failed_with("null");
  CHECK(read_failure(event_of(silent)).object.empty());
  const std::string quota = R"({"type":"error","error":{"type":"insufficient_quota","code":null}})";
  CHECK(read_failure(event_of(quota)).status == 429);
  CHECK(read_failure(event_of(silent)).status == 500);
  CHECK(read_failure(event_of(kDelta)).object.empty());
  struct Case {
    const char* code;
    unsigned status;
  };
  for (const Case test :
       {Case{"rate_limit_exceeded", 429}, Case{"flex_unavailable", 429},
        Case{"insufficient_quota", 429}, Case{"slow_down", 429}, Case{"invalid_prompt", 400},
        Case{"invalid_image_url", 400}, Case{"image_too_large", 400},
        Case{"context_length_exceeded", 400}, Case{"server_error", 500},
        Case{"vector_store_timeout", 500}, Case{"never_heard_of", 500}}) {
    CAPTURE(test.code);
    const std::string data = failed_with(std::string(R"({"code":")") + test.code + "\"}");
    CHECK(read_failure(event_of(data)).status == test.status);
  }
}

TEST_CASE("openai events: facts for the log and for a failure event") {
  StreamFacts facts;
  CHECK(facts.next_sequence_number() == 0);
  facts.note(event_of(kCreated));
  CHECK(facts.id() == "resp_68a1");
  CHECK(facts.model() == "gpt-5.5-2026-03-01");
  CHECK(facts.created_at_s() == 1'790'000'000);
  CHECK(facts.service_tier() == "flex");
  CHECK(!facts.usage().known);
  CHECK(facts.next_sequence_number() == 1);
  for (const std::string_view data : {kQueued, kInProgress, kKeepalive, kItemAdded, kDelta}) {
    facts.note(event_of(data));
  }
  CHECK(facts.next_sequence_number() == 7);
  facts.note(event_of("[DONE]"));
  facts.note(event_of(completed()));
  CHECK(facts.next_sequence_number() == 12);
  CHECK(facts.service_tier() == "default");
  CHECK(facts.usage().known);
  CHECK(facts.usage().input_tokens == 9);
  CHECK(facts.usage().cached_tokens == 3);
  CHECK(facts.usage().output_tokens == 4);
  CHECK(facts.usage().reasoning_tokens == 2);
  CHECK(facts.usage().total_tokens == 13);
}

TEST_CASE("openai events: facts of an answer that is not a stream, and of odd ones") {
  StreamFacts facts;
  facts.note_object(kOpenai, kResponse);
  CHECK(facts.id() == "resp_68a1");
  CHECK(facts.usage().total_tokens == 13);
  StreamFacts odd;
  odd.note_object(kOpenai, "<html>");
  odd.note_object(kOpenai,
                  R"({"id":")" + std::string(129, 'x') + R"(","usage":{"input_tokens":-1}})");
  CHECK(odd.id().empty());
  CHECK(odd.usage().input_tokens == 0);
  odd.note(event_of(R"({"type":"response.created","sequence_number":-4,"response":7})"));
  CHECK(odd.next_sequence_number() == 0);
}

// Any prefix of a good event is read without a fault, and proves no end.
TEST_CASE("openai events: broken data yields less") {
  const std::string whole = completed();
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    const Event event = event_of(cut);
    StreamFacts facts;
    facts.note(event);
    CHECK(final_response(event).size() <= kResponse.size());
    CHECK(read_failure(event).object.empty());
  }
}

}  // namespace
}  // namespace flexd::surface

namespace flexd::surface {

TEST_CASE("usage: the short way and the long way read the same counts") {
  const auto read = [](std::string_view text) {
    Usage usage;
    read_usage(errors::Provider::openai, json::Value{text}, usage);
    return std::to_string(usage.known) + " " + std::to_string(usage.input_tokens) + " " +
           std::to_string(usage.cached_tokens) + " " + std::to_string(usage.cache_write_tokens) +
           " " + std::to_string(usage.output_tokens) + " " +
           std::to_string(usage.reasoning_tokens) + " " + std::to_string(usage.total_tokens);
  };
  constexpr std::string_view kAll =
      R"({"input_tokens":328,"input_tokens_details":{"cached_tokens":64,"cache_write_tokens":5},)"
      R"("output_tokens":52,"output_tokens_details":{"reasoning_tokens":11},"total_tokens":380)";
  const std::string all(kAll);
  const std::string expected = "1 328 64 5 52 11 380";
  CHECK(read(all + "}") == expected);
  // What only the long way takes: null, lists, deeper objects, escapes, odd numbers.
  for (const char* const more :
       {R"(,"x":null)", R"(,"x":[1,{"input_tokens":9}])", R"(,"x":{"y":{"total_tokens":9}})",
        R"(,"x\"":1)", R"(,"x":1.5)", R"(,"x":1e3)", R"(,"x":-1)", R"(,"x":"total_tokens")",
        R"(,"input_tokens":9)", R"(,"x":123456789012345678901234567890)", R"(,"x":{})"}) {
    CAPTURE(more);
    CHECK(read(all + more + "}") == expected);
  }
  CHECK(read(R"( {"input_tokens" : 7 , "output_tokens":3} )") == "0 0 0 0 0 0 0");  // no object
  CHECK(read("{\n \"input_tokens\" : 7 ,\n\t\"output_tokens\": 0\r\n}") == "1 7 0 0 0 0 7");
  CHECK(read(R"({"input\u005ftokens":7,"output_tokens":3})") == "1 7 0 0 3 0 10");
  CHECK(read(R"({"input_tokens":1.5,"output_tokens":3})") == "1 0 0 0 3 0 3");
  CHECK(read(R"({"input_tokens":18446744073709551615})") ==
        "1 18446744073709551615 0 0 0 0 18446744073709551615");
  CHECK(read("{}") == "0 0 0 0 0 0 0");
}

}  // namespace flexd::surface
