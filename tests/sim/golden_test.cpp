// Errors of the provider reach the caller byte for byte: status, body and the headers that a client
// acts on. What belongs to the connection, to cookies or to the provider's front is dropped.
#include <doctest/doctest.h>

#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

struct Golden {
  std::string name;
  unsigned status;
  std::string type;  // content-type, "" for none
  std::string body;
  Fields more;
};

// kPassed travel on every error as the provider sent them.
const Fields kPassed = {{"x-request-id", "req_up_7"},
                        {"openai-processing-ms", "17"},
                        {"openai-version", "2020-10-01"},
                        {"openai-organization", "org-golden"},
                        {"openai-project", "proj_1"},
                        {"x-ratelimit-limit-requests", "5000"},
                        {"x-ratelimit-remaining-requests", "0"},
                        {"x-ratelimit-reset-requests", "6m0s"},
                        {"x-ratelimit-limit-tokens", "160000"},
                        {"x-ratelimit-remaining-tokens", "1"},
                        {"x-ratelimit-reset-tokens", "1.2s"},
                        {"x-ratelimit-limit-project-tokens", "9"}};
const Fields kDropped = {{"set-cookie", "__cf_bm=1; path=/"},
                         {"alt-svc", "h3=\":443\""},
                         {"strict-transport-security", "max-age=1"},
                         {"server", "cloudflare"},
                         {"cf-ray", "1-AMS"},
                         {"via", "1.1 x"},
                         {"proxy-authenticate", "Basic"},
                         {"access-control-expose-headers", "X"}};

std::string error(std::string_view message, std::string_view type, std::string_view param,
                  std::string_view code) {
  return "{\n  \"error\": {\n    \"message\": \"" + std::string(message) + "\",\n    \"type\": \"" +
         std::string(type) +
         "\",\n    \"param\": " + (param.empty() ? "null" : "\"" + std::string(param) + "\"") +
         ",\n    \"code\": " + (code.empty() ? "null" : "\"" + std::string(code) + "\"") +
         "\n  }\n}";
}

std::vector<Golden> goldens() {
  const std::string json = "application/json";
  const std::string html =
      "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center>cloudflare"
      "</center>\r\n</body>\r\n</html>\r\n";
  std::string gzip("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf", 16);
  std::string noise;
  for (int i = 0; i < 256; ++i) noise += static_cast<char>(i);
  const std::string invalid = "invalid_request_error";
  return {
      {"400 parameter",
       400,
       json,
       error("Unknown parameter: 'input[0].x'.", invalid, "input[0].x", "unknown_parameter"),
       {}},
      {"400 compact", 400, json, R"({"error":{"message":"bad","type":"x","param":1e2}})", {}},
      {"400 context",
       400,
       json,
       error("too long", invalid, "input", "context_length_exceeded"),
       {}},
      {"400 tier",
       400,
       json,
       error("no", invalid, "service_tier", "unsupported_service_tier"),
       {{"x-should-retry", "false"}}},
      {"401 key",
       401,
       json,
       error("Incorrect API key provided", invalid, "", "invalid_api_key"),
       {{"www-authenticate", "Bearer"}}},
      {"401 text", 401, "text/plain", "Unauthorized", {}},
      {"403 country",
       403,
       json,
       error("unsupported", "request_forbidden", "", "unsupported_country"),
       {}},
      {"403 html", 403, "text/html; charset=UTF-8", html, {}},
      {"404 model", 404, json, error("no model \\u00e9", invalid, "model", "model_not_found"), {}},
      {"404 empty", 404, "", "", {}},
      {"408", 408, json, error("timed out", "timeout", "", ""), {}},
      {"409 conflict", 409, json, error("conflict", invalid, "", "conflict"), {}},
      {"413 html", 413, "text/html", html, {}},
      {"422", 422, json, R"({"detail":[{"loc":["body"],"msg":"field required"}]})", {}},
      {"429 retry-after",
       429,
       json,
       error("slow down", "tokens", "", "rate_limit_exceeded"),
       {{"retry-after", "20"}, {"retry-after-ms", "19500"}, {"x-should-retry", "true"}}},
      {"429 date",
       429,
       json,
       error("quota", "insufficient_quota", "", "insufficient_quota"),
       {{"retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"}}},
      {"500", 500, json, error("The server had an error", "server_error", "", ""), {}},
      {"500 gzip", 500, json, gzip, {{"content-encoding", "gzip"}}},
      {"500 not JSON", 500, json, "{\"error\": {\"message\": \"cut", {}},
      {"500 empty JSON", 500, json, "", {}},
      {"500 bytes", 500, "application/octet-stream", noise, {}},
      {"502 html", 502, "text/html", html, {}},
      {"503 overloaded",
       503,
       json,
       error("overloaded", "service_unavailable", "", ""),
       {{"retry-after", "5"}}},
      {"503 no type", 503, "", "upstream connect error", {}},
      {"504", 504, "text/html", html, {}},
      {"520", 520, "text/html", html, {}},
      {"529", 529, json, error("busy", "overloaded_error", "", ""), {}},
      {"1 MB", 500, "text/plain", std::string(size_t{1} << 20U, 'm'), {}},
      {"event stream", 500, "text/event-stream", "event: error\ndata: {}\n\n", {}},
  };
}

Play play_of(const Golden& golden, bool with_length) {
  Fields fields = kPassed;
  fields.insert(fields.end(), kDropped.begin(), kDropped.end());
  fields.insert(fields.end(), golden.more.begin(), golden.more.end());
  if (!golden.type.empty()) fields.emplace_back("content-type", golden.type);
  Play play;
  if (with_length) return play.answer(golden.status, fields, golden.body);
  play.head(golden.status, fields);
  if (!golden.body.empty()) play.send(golden.body);
  return play.wait(kMs).finish();
}

void check_golden(const Reply& reply, const Golden& golden) {
  CHECK(reply.status == golden.status);
  CHECK(reply.whole);
  CHECK(difference(reply.body, golden.body) == "");
  CHECK(reply.field("content-type") == golden.type);
  CHECK(reply.count("content-type") == (golden.type.empty() ? 0 : 1));
  for (const auto& [name, value] : kPassed) {
    CAPTURE(name);
    CHECK(reply.field(name) == value);
    CHECK(reply.count(name) == 1);
  }
  for (const char* const name :
       {"content-encoding", "retry-after", "retry-after-ms", "x-should-retry"}) {
    CAPTURE(name);
    std::string expected;
    for (const auto& [key, value] : golden.more) {
      if (key == name) expected = value;
    }
    CHECK(reply.field(name) == expected);
  }
  for (const auto& [name, value] : kDropped) {
    CAPTURE(name);
    CHECK(!reply.has(name));
  }
  CHECK(reply.field("x-flexinference-served-provider") == "openai");
  CHECK(reply.field("x-flexinference-served-tier") == "default");
  CHECK(reply.has("x-flexinference-request-id"));
}

}  // namespace

TEST_CASE("golden: provider errors to direct requests") {
  REQUIRE(goldens().size() >= 20);
  for (const Golden& golden : goldens()) {
    for (const bool with_length : {false, true}) {
      for (const bool stream : {false, true}) {
        CAPTURE(golden.name);
        CAPTURE(with_length);
        Sim sim;
        sim.provider.standard_play = play_of(golden, with_length);
        const Reply& reply = sim.ask(body(stream ? R"("start_within":"default","stream":true)"
                                                 : R"("start_within":"default")"));
        check_golden(reply, golden);
        CHECK(reply.reason() == "tier_direct");
        CHECK(sim.requests(metrics::Outcome::provider_error, metrics::Reason::tier_direct) == 1);
      }
    }
  }
}

TEST_CASE("golden: provider errors of the standard attempt after flex was refused") {
  for (const Golden& golden : goldens()) {
    for (const bool stream : {false, true}) {
      CAPTURE(golden.name);
      Sim sim;
      // What flex was refused with is never seen.
      sim.provider.flex_play.answer(429, {{"retry-after", "77"}, {"x-request-id", "req_flex"}},
                                    R"({"error":{"code":"flex_unavailable"}})");
      sim.provider.standard_play = play_of(golden, stream);
      const Reply& reply = sim.ask(race_body(30, stream));
      check_golden(reply, golden);
      CHECK(reply.reason() == "flex_capacity");
      CHECK(sim.requests(metrics::Outcome::provider_error, metrics::Reason::flex_capacity) == 1);
      CHECK(sim.attempts(metrics::AttemptResult::refused) == 2);
      CHECK(sim.attempts_total() == 2);
    }
  }
}

TEST_CASE("golden: good answers carry the same headers") {
  for (const bool stream : {false, true}) {
    Sim sim;
    Events events("flex");
    Fields fields = kPassed;
    fields.insert(fields.end(), kDropped.begin(), kDropped.end());
    fields.emplace_back("content-type", "text/event-stream");
    sim.provider.flex_play.head(200, fields).send(events.whole()).finish();
    const Reply& reply = sim.ask(race_body(30, stream));
    CHECK(reply.status == 200);
    for (const auto& [name, value] : kPassed) CHECK(reply.field(name) == value);
    for (const auto& [name, value] : kDropped) CHECK(!reply.has(name));
  }
}

TEST_CASE("golden: an error that is cut short is not passed off as whole") {
  Sim sim;
  // More than can be held back: the head and a part are out.
  sim.provider.standard_play.head(500, {{"content-type", "application/json"}});
  sim.provider.standard_play.send("{\"error\":").wait(kSecond).reset(kInternalCode);
  Client& client = sim.send(body(R"("start_within":"default")"));
  const Reply& cut = sim.wait(client);
  CHECK(!cut.whole);
  CHECK(client.is_closed());
  // In a race after a refusal of flex.
  sim.provider.flex_play.json(429, "");
  Client& racer = sim.send(race_body(30, false));
  const Reply& reply = sim.wait(racer);
  CHECK((reply.status == 502 || !reply.whole));
}
