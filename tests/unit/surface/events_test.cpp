// The events of Gemini and Anthropic; OpenAI's are in openai_events_test.cpp.
#include "flexd/surface/events.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "flexd/surface/start_signal.hpp"

namespace flexd::surface {
namespace {

constexpr auto kGemini = errors::Provider::gemini;
constexpr auto kAnthropic = errors::Provider::anthropic;

constexpr std::string_view kCreated =
    R"({"interaction":{"id":"v1_1","status":"in_progress","object":"interaction",)"
    R"("model":"gemini-3-flash"},"event_type":"interaction.created"})";
constexpr std::string_view kStatus =
    R"({"interaction_id":"v1_1","status":"in_progress","event_type":"interaction.status_update"})";
constexpr std::string_view kStart =
    R"({"index":0,"step":{"type":"model_output"},"event_type":"step.start"})";
constexpr std::string_view kDelta =
    R"({"index":0,"delta":{"type":"text","text":"Hel"},"event_type":"step.delta"})";
constexpr std::string_view kStop =
    R"({"index":0,"usage":{"total_input_tokens":5,"total_output_tokens":1},)"
    R"("event_type":"step.stop"})";
constexpr std::string_view kGeminiUsage =
    R"({"total_input_tokens":9,"total_cached_tokens":3,"total_output_tokens":4,)"
    R"("total_thought_tokens":6,"total_tool_use_tokens":2,"total_tokens":21})";

std::string ended(std::string_view status, std::string_view more = "") {
  return R"({"interaction":{"id":"v1_1","status":")" + std::string(status) +
         R"(","model":"gemini-3-flash","service_tier":"flex","usage":)" +
         std::string(kGeminiUsage) + std::string(more) +
         R"(},"event_type":"interaction.completed"})";
}

std::string gemini_error(std::string_view error) {
  return R"({"error":)" + std::string(error) + R"(,"event_type":"error"})";
}

Event gemini(std::string_view data) {
  return read_event(kGemini, {}, data);
}

Event anthropic(std::string_view data) {
  return read_event(kAnthropic, {}, data);
}

// signals feeds all events and gives what each of them meant, by a letter: n s r f x.
std::string signals(errors::Provider provider, const std::vector<std::string_view>& events) {
  StartSignal signal;
  std::string out;
  for (const std::string_view data : events) {
    out += "nsrfx"[static_cast<size_t>(signal.feed(read_event(provider, {}, data)))];
  }
  return out;
}

TEST_CASE("gemini events: kinds") {
  CHECK(gemini(kCreated).kind == EventKind::created);
  CHECK(gemini(kStatus).kind == EventKind::in_progress);
  CHECK(gemini(R"({"status":"queued","event_type":"interaction.status_update"})").kind ==
        EventKind::queued);
  CHECK(gemini(kStart).kind == EventKind::progress);
  CHECK(gemini(kDelta).kind == EventKind::progress);
  CHECK(gemini(kStop).kind == EventKind::usage);
  struct Case {
    const char* status;
    EventKind kind;
  };
  for (const Case test :
       {Case{"completed", EventKind::completed}, Case{"requires_action", EventKind::completed},
        Case{"never_heard_of", EventKind::completed}, Case{"incomplete", EventKind::incomplete},
        Case{"budget_exceeded", EventKind::incomplete}, Case{"failed", EventKind::failed},
        Case{"cancelled", EventKind::failed}}) {
    CAPTURE(test.status);
    CHECK(gemini(ended(test.status)).kind == test.kind);
  }
  // The name may come first, and may be missing inside or outside.
  CHECK(
      gemini(R"({"event_type":"interaction.completed","interaction":{"status":"failed"}})").kind ==
      EventKind::failed);
  CHECK(read_event(kGemini, "interaction.completed", R"({"interaction":{"status":"incomplete"}})")
            .kind == EventKind::incomplete);
  CHECK(read_event(kGemini, "error", kDelta).kind == EventKind::progress);
  CHECK(gemini(R"({"event_type":"interaction.completed"})").kind == EventKind::completed);
  CHECK(gemini(gemini_error("{}")).kind == EventKind::error);
  CHECK(gemini(R"({"error":{"code":503}})").kind == EventKind::error);
  CHECK(gemini(R"([{"error":{"code":503}}])").kind == EventKind::error);
  CHECK(gemini(R"({"event_type":"something.new"})").kind == EventKind::other);
  CHECK(gemini(R"({"type":"response.completed"})").kind == EventKind::none);
  CHECK(read_event(kGemini, "done", "[DONE]").kind == EventKind::none);
  CHECK(read_event(kGemini, "step.delta", "").kind == EventKind::none);
  CHECK(gemini("[]").kind == EventKind::none);
  CHECK(kind_of(kGemini, "interaction.completed") == EventKind::completed);
  CHECK(kind_of(kGemini, "") == EventKind::none);
}

TEST_CASE("anthropic events: kinds") {
  struct Case {
    const char* name;
    EventKind kind;
  };
  for (const Case test :
       {Case{"message_start", EventKind::created}, Case{"ping", EventKind::keepalive},
        Case{"content_block_start", EventKind::progress},
        Case{"content_block_delta", EventKind::progress},
        Case{"content_block_stop", EventKind::progress}, Case{"message_delta", EventKind::usage},
        Case{"message_stop", EventKind::completed}, Case{"error", EventKind::error},
        Case{"something_new", EventKind::other}, Case{"", EventKind::none}}) {
    CAPTURE(test.name);
    CHECK(kind_of(kAnthropic, test.name) == test.kind);
    CHECK(read_event(kAnthropic, test.name, "{}").kind == test.kind);
    CHECK(anthropic(std::string(R"({"type":")") + test.name + R"("})").kind == test.kind);
  }
  CHECK(anthropic(R"({"type":"ping"})").is_meaningful() == false);
}

TEST_CASE("start_signal: what proves a start at Gemini") {
  const std::string completed = ended("completed");
  const std::string action = ended("requires_action");
  const std::string incomplete = ended("incomplete");
  const std::string failed = ended("failed");
  const std::string error = gemini_error(R"({"code":"unavailable"})");
  constexpr std::string_view kUnknown = R"({"event_type":"something.new"})";
  struct Case {
    const char* id;
    std::vector<std::string_view> events;
    const char* signals;
  };
  const Case cases[] = {
      {"plain", {kCreated, kStatus, kStart, kDelta, kStop, completed, "[DONE]"}, "nnsrrfn"},
      {"no-status", {kStart}, "s"},
      {"delta-alone", {kCreated, kDelta}, "ns"},
      {"status-proves-nothing", {kCreated, kStatus, kStatus, kUnknown, kStop, ""}, "nnnnnn"},
      {"completed-at-once", {completed}, "f"},
      {"action-at-once", {kCreated, action}, "nf"},
      {"incomplete-at-once", {kCreated, incomplete}, "nf"},
      {"failed-before", {kCreated, kStatus, failed, kStart}, "nnxn"},
      {"failed-after", {kStart, failed}, "sx"},
      {"error-before", {kStatus, error}, "nx"},
      {"unknown-after", {kStart, kUnknown, kStatus, kCreated}, "srrr"},
  };
  for (const Case& test : cases) {
    CAPTURE(test.id);
    CHECK(signals(kGemini, test.events) == test.signals);
  }
}

TEST_CASE("start_signal: what proves a start at Anthropic") {
  CHECK(signals(kAnthropic, {R"({"type":"message_start"})", R"({"type":"ping"})",
                             R"({"type":"content_block_start"})", R"({"type":"ping"})",
                             R"({"type":"content_block_delta"})", R"({"type":"message_delta"})",
                             R"({"type":"message_stop"})", R"({"type":"ping"})"}) == "nnsrrrfn");
  CHECK(signals(kAnthropic, {R"({"type":"error","error":{"type":"overloaded_error"}})"}) == "x");
}

TEST_CASE("start_signal: refusals of Gemini by status and body") {
  const std::string plain =
      R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[)"
      R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"30s"}]}})";
  const std::string quota =
      R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[)"
      R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"30s"},)"
      R"({"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"x":1}]}]}})";
  // Words about a quota are not the detail.
  const std::string words =
      R"({"error":{"code":"too_many_requests","message":"\"QuotaFailure\" QuotaFailure"}})";
  struct Case {
    const char* id;
    unsigned status;
    std::string body;
    Refusal refusal;
  };
  const Case cases[] = {
      {"503", 503, R"({"error":{"code":503,"status":"UNAVAILABLE"}})", Refusal::capacity},
      {"503-quota", 503, quota, Refusal::capacity},
      {"503-empty", 503, "", Refusal::capacity},
      {"429", 429, plain, Refusal::capacity},
      {"429-words", 429, words, Refusal::capacity},
      {"429-html", 429, "<html>QuotaFailure</html>", Refusal::capacity},
      {"429-empty", 429, "", Refusal::capacity},
      {"429-gzip", 429, "\x1f\x8b\x08{\x01", Refusal::capacity},
      {"429-string", 429, R"({"error":"QuotaFailure"})", Refusal::capacity},
      {"quota", 429, quota, Refusal::upstream_error},
      {"quota-array", 429, "[" + quota + "]", Refusal::upstream_error},
      {"quota-cut", 429, quota.substr(0, quota.size() - 8), Refusal::upstream_error},
      {"quota-cut-before", 429, quota.substr(0, quota.find("QuotaF")), Refusal::capacity},
      {"words-cut", 429, words.substr(0, words.size() - 2), Refusal::capacity},
      {"400", 400, R"({"error":{"code":"invalid_request"}})", Refusal::upstream_error},
      {"500", 500, plain, Refusal::upstream_error},
      {"no-lock", 400, R"({"error":{"code":"conversation_locked"}})", Refusal::upstream_error},
  };
  for (const Case& test : cases) {
    CAPTURE(test.id);
    CHECK(judge_response(kGemini, test.status, test.body) == test.refusal);
  }
  CHECK(judge_response(kAnthropic, 529, "") == Refusal::upstream_error);
}

TEST_CASE("start_signal: refusals of Gemini by event") {
  struct Case {
    const char* error;
    Refusal refusal;
  };
  const Case cases[] = {
      {R"({"code":"unavailable","message":"m"})", Refusal::capacity},
      {R"({"code":"Resource_Exhausted"})", Refusal::capacity},
      {R"({"code":503})", Refusal::capacity},
      {R"({"code":429,"status":"RESOURCE_EXHAUSTED"})", Refusal::capacity},
      {R"({"code":"429"})", Refusal::capacity},
      {R"({"status":"UNAVAILABLE"})", Refusal::capacity},
      {R"({"code":429,"details":[{"@type":"x/google.rpc.QuotaFailure"}]})",
       Refusal::upstream_error},
      {R"({"code":"invalid_request"})", Refusal::upstream_error},
      {R"({"code":"internal"})", Refusal::upstream_error},
      {R"({"code":null})", Refusal::upstream_error},
      {"{}", Refusal::upstream_error},
      {"null", Refusal::upstream_error},
  };
  for (const Case& test : cases) {
    CAPTURE(test.error);
    CHECK(judge_event(gemini(gemini_error(test.error))) == test.refusal);
    const std::string failed = ended("failed", R"(,"errors":[)" + std::string(test.error) + "]");
    CHECK(judge_event(gemini(failed)) == test.refusal);
  }
  CHECK(judge_event(gemini(ended("cancelled"))) == Refusal::upstream_error);
  CHECK(judge_event(anthropic(R"({"type":"error","error":{"type":"rate_limit_error"}})")) ==
        Refusal::upstream_error);
}

TEST_CASE("gemini events: failures and their status") {
  const std::string error =
      gemini_error(R"({ "code":"resource_exhausted","message":"slow \u00e9"})");
  const EventFailure failure = read_failure(gemini(error));
  CHECK(failure.object == R"({ "code":"resource_exhausted","message":"slow \u00e9"})");
  CHECK(failure.code == "resource_exhausted");
  CHECK(failure.message == R"(slow \u00e9)");
  CHECK(failure.status == 429);
  struct Case {
    const char* code;
    unsigned status;
  };
  for (const Case test :
       {Case{R"("too_many_requests")", 429}, Case{"429", 429}, Case{R"("429")", 429},
        Case{R"("rate_limit_exceeded")", 429}, Case{R"("invalid_request")", 400},
        Case{R"("INVALID_ARGUMENT")", 400}, Case{"400", 400}, Case{"503", 500},
        Case{R"("unavailable")", 500}, Case{"null", 500}, Case{R"("never_heard_of")", 500}}) {
    CAPTURE(test.code);
    const std::string data = gemini_error(std::string(R"({"code":)") + test.code + "}");
    CHECK(read_failure(gemini(data)).status == test.status);
  }
  // Google's general shape: the word is the code.
  const std::string google =
      R"([{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}])";
  CHECK(read_failure(gemini(google)).code == "INVALID_ARGUMENT");
  CHECK(read_failure(gemini(google)).object ==
        R"({"code":400,"message":"m","status":"INVALID_ARGUMENT"})");
  const std::string number = gemini_error(R"({"code":500})");
  CHECK(read_failure(gemini(number)).code == "500");
  // An empty error names none.
  const std::string empty = gemini_error("{}");
  CHECK(read_failure(gemini(empty)).object.empty());
  CHECK(read_failure(gemini(empty)).status == 500);
  const std::string flat = R"({"event_type":"error","code":"internal","message":"m"})";
  CHECK(read_failure(gemini(flat)).object == flat);
  const std::string listed = ended("failed", R"(,"errors":[{"code":"a"},{"code":"b"}])");
  CHECK(read_failure(gemini(listed)).code == "a");
  const std::string single = ended("cancelled", R"(,"errors":[],"error":{"code":"c"})");
  CHECK(read_failure(gemini(single)).code == "c");
  const std::string silent = ended("failed");
  CHECK(read_failure(gemini(silent)).object.empty());
  CHECK(read_failure(gemini(kDelta)).object.empty());
}

TEST_CASE("anthropic events: failures and their status") {
  struct Case {
    const char* type;
    unsigned status;
  };
  for (const Case test :
       {Case{"rate_limit_error", 429}, Case{"invalid_request_error", 400},
        Case{"request_too_large", 400}, Case{"overloaded_error", 500}, Case{"api_error", 500}}) {
    CAPTURE(test.type);
    const std::string object = std::string(R"({"type":")") + test.type + R"(","message":"m"})";
    const std::string data = R"({"type":"error","error":)" + object + R"(,"request_id":"r"})";
    const EventFailure failure = read_failure(anthropic(data));
    CHECK(failure.object == object);
    CHECK(failure.code == test.type);
    CHECK(failure.type == test.type);
    CHECK(failure.message == "m");
    CHECK(failure.status == test.status);
  }
  CHECK(read_failure(anthropic(R"({"type":"error","error":"x"})")).object.empty());
}

TEST_CASE("usage: every provider's sums come out the same") {
  Usage usage;
  read_usage(kGemini, json::Value{kGeminiUsage}, usage);
  CHECK(usage.known);
  CHECK(usage.input_tokens == 11);
  CHECK(usage.cached_tokens == 3);
  CHECK(usage.output_tokens == 10);
  CHECK(usage.reasoning_tokens == 6);
  CHECK(usage.total_tokens == 21);
  // Read again, nothing adds up twice.
  read_usage(kGemini, json::Value{kGeminiUsage}, usage);
  CHECK(usage.input_tokens == 11);
  CHECK(usage.output_tokens == 10);
  read_usage(kGemini, json::Value{R"({"total_thought_tokens":7,"total_input_tokens":null})"},
             usage);
  CHECK(usage.input_tokens == 11);
  CHECK(usage.output_tokens == 11);
  CHECK(usage.total_tokens == 22);

  Usage parts;
  read_usage(kAnthropic,
             json::Value{R"({"input_tokens":9,"cache_creation_input_tokens":5,)"
                         R"("cache_read_input_tokens":100,"output_tokens":1})"},
             parts);
  CHECK(parts.input_tokens == 114);
  CHECK(parts.total_tokens == 115);
  read_usage(kAnthropic,
             json::Value{R"({"output_tokens":40,"output_tokens_details":{"thinking_tokens":30}})"},
             parts);
  CHECK(parts.input_tokens == 114);
  CHECK(parts.cached_tokens == 100);
  CHECK(parts.cache_write_tokens == 5);
  CHECK(parts.output_tokens == 40);
  CHECK(parts.reasoning_tokens == 30);
  CHECK(parts.total_tokens == 154);
  read_usage(kAnthropic, json::Value{R"({"input_tokens":10,"cache_read_input_tokens":0})"}, parts);
  CHECK(parts.input_tokens == 15);
  CHECK(parts.cached_tokens == 0);

  Usage openai;
  read_usage(errors::Provider::openai,
             json::Value{R"({"input_tokens":9,"input_tokens_details":{"cached_tokens":3,)"
                         R"("cache_write_tokens":2},"output_tokens":4,)"
                         R"("output_tokens_details":null})"},
             openai);
  CHECK(openai.cache_write_tokens == 2);
  CHECK(openai.total_tokens == 13);
}

TEST_CASE("usage: odd numbers") {
  for (const auto provider : {errors::Provider::openai, kGemini, kAnthropic}) {
    Usage usage;
    read_usage(provider, json::Value{}, usage);
    read_usage(provider, json::Value{"null"}, usage);
    read_usage(provider, json::Value{R"({"input_tokens":"9","total_input_tokens":-1})"}, usage);
    CHECK(!usage.known);
    CHECK(usage.total_tokens == 0);
  }
  // Sums stop at the largest number.
  Usage usage;
  read_usage(kAnthropic,
             json::Value{R"({"input_tokens":18446744073709551615,"cache_read_input_tokens":5})"},
             usage);
  CHECK(usage.input_tokens == UINT64_MAX);
}

TEST_CASE("gemini events: facts") {
  StreamFacts facts;
  for (const std::string_view data : {kCreated, kStatus, kStart, kDelta}) facts.note(gemini(data));
  CHECK(facts.id() == "v1_1");
  CHECK(facts.model() == "gemini-3-flash");
  CHECK(facts.next_sequence_number() == 0);
  CHECK(!facts.usage().known);
  facts.note(gemini(kStop));
  CHECK(facts.usage().total_tokens == 6);
  facts.note(gemini(ended("completed")));
  CHECK(facts.service_tier() == "flex");
  CHECK(facts.usage().output_tokens == 10);
  CHECK(facts.usage().total_tokens == 21);

  // An interaction that is not stored has an empty id; one may come later.
  StreamFacts nameless;
  nameless.note(
      gemini(R"({"interaction":{"id":"","model":"m1"},"event_type":"interaction.created"})"));
  CHECK(nameless.model() == "m1");
  nameless.note(gemini(ended("incomplete")));
  CHECK(nameless.id() == "v1_1");
  CHECK(nameless.model() == "m1");

  StreamFacts whole;
  whole.note_object(kGemini, R"({"id":"v1_2","service_tier":"standard","usage":)" +
                                 std::string(kGeminiUsage) + "}");
  CHECK(whole.id() == "v1_2");
  CHECK(whole.service_tier() == "standard");
  CHECK(whole.usage().input_tokens == 11);
}

TEST_CASE("anthropic events: facts") {
  StreamFacts facts;
  facts.note(anthropic(
      R"({"type":"message_start","message":{"id":"msg_1","model":"claude-x","content":[],)"
      R"("usage":{"input_tokens":9,"output_tokens":1,"service_tier":"standard"}}})"));
  CHECK(facts.id() == "msg_1");
  CHECK(facts.model() == "claude-x");
  CHECK(facts.service_tier() == "standard");
  CHECK(facts.usage().total_tokens == 10);
  facts.note(anthropic(R"({"type":"content_block_delta","usage":{"output_tokens":99}})"));
  facts.note(anthropic(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},)"
                       R"("usage":{"output_tokens":4}})"));
  facts.note(anthropic(R"({"type":"message_stop"})"));
  CHECK(facts.usage().input_tokens == 9);
  CHECK(facts.usage().output_tokens == 4);
  CHECK(facts.usage().total_tokens == 13);
  CHECK(facts.service_tier() == "standard");
}

// Any prefix of a good event is read without a fault, and is no good end unless its name says so.
TEST_CASE("gemini events: broken data yields less") {
  const std::string whole = ended("failed", R"(,"errors":[{"code":"x"}])");
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    const Event event = gemini(cut);
    StreamFacts facts;
    facts.note(event);
    CHECK(read_failure(event).object.empty());
    CHECK(event.kind == EventKind::none);
  }
}

}  // namespace
}  // namespace flexd::surface
