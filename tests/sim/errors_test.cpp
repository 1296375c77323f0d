// Every error of the table that a request can reach is reached by a request, and looks as the
// table says. The test fails if a row is added and no request here leads to it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>

#include "flexd/errors/render.hpp"
#include "flexd/errors/table.hpp"
#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;
using errors::Code;
using errors::Variant;

namespace {

// Case is a way to one row: settings for the world, and a request in it.
struct Case {
  Code code;
  Variant variant = Variant::none;
  std::string param;  // where the caller's own field is at fault
  std::function<void(SimOptions&)> prepare;
  std::function<const Reply&(Sim&)> request;
};

std::function<const Reply&(Sim&)> posts(std::string text, std::string extra = "") {
  return [text = std::move(text), extra = std::move(extra)](Sim& sim) -> const Reply& {
    return sim.ask(text, extra);
  };
}

// sends is a request in raw bytes, in which KEY is the right key.
std::function<const Reply&(Sim&)> sends(std::string text) {
  return [text = std::move(text)](Sim& sim) -> const Reply& {
    std::string bytes = text;
    const size_t at = bytes.find("KEY");
    if (at != std::string::npos) bytes.replace(at, 3, sim.key());
    Client& client = sim.connect();
    client.send(bytes);
    return sim.wait(client);
  };
}

const std::string kLine = "POST /v1/responses HTTP/1.1\r\nHost: g\r\n";
const std::string kAuth = "Authorization: Bearer KEY\r\n";
const std::string kDirect = R"("start_within":"default")";
const std::string kInput = R"(,"input":"hi")";

std::string with_model(std::string_view model, std::string_view start_within,
                       std::string_view more = "") {
  return R"({"model":")" + std::string(model) + R"(","start_within":")" +
         std::string(start_within) + "\"" + std::string(more) + "}";
}

void add_account_cases(std::vector<Case>& cases) {
  const std::string shape = "flex_live_0123456789abcdef01234567000000";
  cases.push_back(
      {Code::missing_api_key, Variant::none, "", {}, sends(kLine + "Content-Length: 0\r\n\r\n")});
  cases.push_back({Code::missing_api_key,
                   Variant::none,
                   "",
                   {},
                   sends(kLine + "Authorization: Basic KEY\r\nContent-Length: 0\r\n\r\n")});
  cases.push_back({Code::invalid_api_key,
                   Variant::none,
                   "",
                   {},
                   sends(kLine + "Authorization: Bearer " + shape + "\r\n\r\n")});
  cases.push_back({Code::rate_limit_exceeded, Variant::none, "",
                   [](SimOptions& o) { o.account.requests = {.per_second = 1, .burst = 1}; },
                   [](Sim& sim) -> const Reply& {
                     sim.ask("{}");
                     return sim.ask("{}");
                   }});
  cases.push_back({Code::rate_limit_exceeded, Variant::failed_authentications, "",
                   [](SimOptions& o) { o.settings.auth_failures_per_minute = 1; },
                   [shape](Sim& sim) -> const Reply& {
                     const auto wrong =
                         sends(kLine + "Authorization: Bearer " + shape + "\r\n\r\n");
                     wrong(sim);
                     return wrong(sim);
                   }});
  cases.push_back({Code::no_byok_key, Variant::none, "",
                   [](SimOptions& o) { o.account.openai_key = ""; }, posts(body(kDirect))});
  cases.push_back({Code::no_gemini_key,
                   Variant::none,
                   "",
                   {},
                   posts(with_model("gemini-2.5-flash", "default", kInput))});
  cases.push_back({Code::no_anthropic_key,
                   Variant::none,
                   "",
                   {},
                   posts(with_model("claude-x", "default", kInput + R"(,"max_output_tokens":9)"))});
  // A system without certificate authorities, and a provider that needs them.
  cases.push_back({Code::service_unavailable, Variant::provider_not_served, "",
                   [](SimOptions& o) {
                     o.account.gemini_key = "g";
                     o.settings.gemini.scheme = config::OriginUrl::Scheme::https;
                     ::setenv("SSL_CERT_FILE", "/nonexistent", 1);
                   },
                   [](Sim& sim) -> const Reply& {
                     ::unsetenv("SSL_CERT_FILE");
                     return sim.ask(with_model("gemini-2.5-flash", "default", kInput));
                   }});
}

void add_body_cases(std::vector<Case>& cases) {
  const auto add = [&](Code code, Variant variant, std::string text, std::string param = "") {
    cases.push_back({code, variant, std::move(param), {}, posts(std::move(text))});
  };
  constexpr auto kNone = Variant::none;
  add(Code::invalid_json, kNone, "{\"model\":}");
  add(Code::invalid_json, kNone, "");
  add(Code::invalid_json, Variant::duplicate_field, R"({"model":"a","m\u006fdel":"b"})");
  add(Code::invalid_json, Variant::too_deep,
      "{\"a\":" + std::string(200, '[') + std::string(200, ']') + "}");
  add(Code::invalid_json, Variant::invalid_utf8, "{\"a\":\"\xff\"}");
  add(Code::invalid_body, kNone, "[]");
  add(Code::missing_model, kNone, "{}");
  add(Code::missing_model, kNone, R"({"model":null})");
  add(Code::missing_start_within, kNone, body(""));
  add(Code::invalid_start_within, kNone, body(R"("start_within":"soon")"));
  add(Code::invalid_start_within, Variant::start_within_not_string, body("\"start_within\":null"));
  add(Code::invalid_start_within, Variant::start_within_out_of_range,
      body(R"("start_within":"00h-00m-04s")"));
  add(Code::service_tier_not_allowed, kNone, body(kDirect + R"(,"service_tier":"flex")"));
  add(Code::auto_unsupported_for_gemini, kNone, with_model("gemini-2.5-flash", "auto"));
  add(Code::flex_unsupported_for_anthropic, kNone, with_model("claude-x", "00h-00m-30s"));
  add(Code::model_not_flex_capable, kNone, with_model("gpt-5.4-2026-03-01", "00h-00m-30s"));
  add(Code::unsupported_parameter, Variant::background, body(kDirect + ",\"background\":true"),
      "background");
  add(Code::unsupported_parameter, Variant::reserved_field, body(kDirect + ",\"cache\":true"),
      "cache");
  add(Code::missing_max_tokens, kNone, with_model("claude-x", "default", kInput),
      "max_output_tokens");
}

// Rows of the parameters of the dialects, and of requests that have to be translated.
void add_dialect_cases(std::vector<Case>& cases) {
  const auto add = [&](Code code, Variant variant, std::string_view path, std::string text,
                       std::string param) {
    const std::string head = "POST " + std::string(path) + " HTTP/1.1\r\nHost: g\r\n" + kAuth;
    cases.push_back({code,
                     variant,
                     std::move(param),
                     {},
                     sends(head + "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" +
                           std::move(text))});
  };
  constexpr auto kNone = Variant::none;
  const std::string chat = R"(,"messages":[{"role":"user","content":"hi"}])";
  const std::string chat_path = "/v1/chat/completions";
  add(Code::unsupported_value, kNone, chat_path, with_model("o3", "default", chat + ",\"n\":2"),
      "n");
  add(Code::unsupported_parameter, kNone, chat_path,
      with_model("o3", "default", chat + ",\"seed\":2"), "seed");
  add(Code::missing_max_tokens, kNone, chat_path, with_model("claude-x", "default", chat),
      "max_completion_tokens");
  add(Code::unsupported_generation_config, kNone, "/v1beta/interactions",
      with_model("gemini-x", "default", kInput + R"(,"generation_config":{"seed":1})"),
      "generation_config.seed");
  add(Code::invalid_value, kNone, "/v1/responses",
      with_model("gemini-x", "default", R"(,"input":[5])"), "input[0]");
}

void add_http_cases(std::vector<Case>& cases) {
  const auto add = [&](Code code, Variant variant, std::string bytes) {
    cases.push_back({code, variant, "", {}, sends(std::move(bytes))});
  };
  constexpr auto kNone = Variant::none;
  add(Code::request_too_large, kNone, kLine + kAuth + "Content-Length: 1000001\r\n\r\n");
  add(Code::unknown_url, kNone, "POST /v2/responses HTTP/1.1\r\nHost: g\r\n\r\n");
  add(Code::method_not_allowed, kNone, "GET /v1/responses HTTP/1.1\r\nHost: g\r\n\r\n");
  add(Code::model_not_found, kNone, "GET /v1/models/m HTTP/1.1\r\nHost: g\r\n" + kAuth + "\r\n");
  add(Code::malformed_request, kNone, kLine + "A b: c\r\n\r\n");
  add(Code::malformed_request, kNone, kLine + kAuth + "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
  add(Code::request_timeout, kNone, "POST /v1/resp");
  add(Code::unsupported_media_type, kNone,
      kLine + kAuth + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
  add(Code::unsupported_media_type, Variant::content_encoding,
      kLine + kAuth + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}");
  add(Code::expectation_failed, kNone, kLine + kAuth + "Expect: 200-ok\r\n\r\n");
  add(Code::headers_too_large, kNone, kLine + "A: " + std::string(80'000, 'a') + "\r\n\r\n");
  add(Code::not_implemented, kNone, kLine + kAuth + "Transfer-Encoding: gzip, chunked\r\n\r\n");
  add(Code::http_version_not_supported, kNone, "POST /v1/responses HTTP/3.0\r\nHost: g\r\n\r\n");
}

void add_provider_cases(std::vector<Case>& cases) {
  const auto add = [&](Code code, Variant variant, std::function<void(SimOptions&)> prepare,
                       std::function<void(Sim&)> play) {
    cases.push_back(
        {code, variant, "", std::move(prepare), [play = std::move(play)](Sim& sim) -> const Reply& {
           if (play) play(sim);
           return sim.ask(body(kDirect));
         }});
  };
  add(Code::upstream_stream_failed, Variant::none, {},
      [](Sim& sim) { sim.provider.standard_play.reset(kInternalCode); });
  add(Code::upstream_unreachable, Variant::none, [](SimOptions& o) { o.origin_ip = "10.0.0.8"; },
      {});
  add(Code::upstream_unreachable, Variant::name_resolution,
      [](SimOptions& o) { o.origin_ip = "nowhere.example"; }, {});
  add(Code::upstream_timeout, Variant::none, {},
      [](Sim& sim) { sim.provider.standard_play.wait(3000 * kSecond); });
  add(Code::upstream_timeout, Variant::connect_timeout, {},
      [](Sim& sim) { sim.world.partition("10.0.0.3"); });
  cases.push_back(
      {Code::upstream_timeout, Variant::idle_timeout, "", {}, [](Sim& sim) -> const Reply& {
         Events events("flex");
         sim.provider.flex_play.sse().send(events.begun()).wait(3000 * kSecond);
         sim.options.settings.early_headers_ns = 0;
         return sim.ask(race_body(10, false));
       }});
  cases.push_back({Code::service_unavailable, Variant::none, "",
                   [](SimOptions& o) { o.settings.max_clients = 1; },
                   [](Sim& sim) -> const Reply& {
                     sim.connect();
                     sim.run(kMs);
                     return sim.wait(sim.connect());
                   }});
  cases.push_back(
      {Code::service_unavailable, Variant::draining, "", {}, [](Sim& sim) -> const Reply& {
         Client& client = sim.connect();
         const std::string request = sim.post(body(kDirect));
         client.send(request.substr(0, 30));
         sim.run(kMs);
         sim.worker->drain();
         client.send(request.substr(30));
         return sim.wait(client);
       }});
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_account_cases(cases);
  add_body_cases(cases);
  add_dialect_cases(cases);
  add_http_cases(cases);
  add_provider_cases(cases);
  return cases;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void check_body(const Reply& reply, const Case& c) {
  const errors::Row& row = errors::row(c.code);
  const errors::VariantRow* const variant =
      c.variant == Variant::none ? nullptr : &errors::variant_row(c.variant);
  const std::string& text = reply.body;
  std::string message = quoted(variant != nullptr ? variant->message : row.message);
  // Up to the first slot, which is {} or {param}.
  message.resize(std::min({message.find("{}"), message.find("{param}"), message.size()}));
  const auto has = [&](std::string_view part) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  };
  CHECK(text.starts_with("{\"error\":{\"message\":" + message));
  has("\"type\":" + quoted(errors::type_word(errors::type_of(c.code))));
  has("\"code\":" + quoted(row.name));
  switch (row.param_rule) {
    case errors::ParamRule::none:
      has("\"param\":null");
      break;
    case errors::ParamRule::fixed:
      has("\"param\":" + quoted(row.param));
      break;
    case errors::ParamRule::caller:
      has("\"param\":" + quoted(c.param));
      break;
  }
  has(row.on_public_page ? "\"doc_url\":" + quoted(std::string(errors::kPublicDocUrlBase) + "#" +
                                                   std::string(row.name))
                         : std::string("\"doc_url\":null"));
}

void check_error(const Reply& reply, const Case& c, Sim& sim) {
  const errors::Row& row = errors::row(c.code);
  CHECK(reply.status == row.status);
  CHECK(reply.whole);
  check_body(reply, c);
  const errors::Error error{.code = c.code, .variant = c.variant, .detail = "POST"};
  const errors::Headers headers(error, 0);
  for (const char* const name : {"retry-after", "retry-after-ms", "x-should-retry", "allow"}) {
    CAPTURE(name);
    CHECK(reply.field(name) == headers.find(name));
  }
  CHECK(reply.field("content-type") == "application/json");
  CHECK(reply.field("x-request-id") == reply.field("x-flexinference-request-id"));
  CHECK(reply.field("x-request-id").size() > 10);
  CHECK(reply.has("date"));
  CHECK(json_text(sim.last_line(), "code") == row.name);
  CHECK(json_text(sim.last_line(), "request_id") == reply.field("x-request-id"));
  CHECK(json_text(sim.last_line(), "outcome") == "own_error");
}

}  // namespace

TEST_CASE("errors: every row that a request can reach is reached by one") {
  std::set<std::string_view> reached;
  for (const Case& c : all_cases()) {
    CAPTURE(errors::row(c.code).name);
    CAPTURE(static_cast<int>(c.variant));
    SimOptions options;
    if (c.prepare) c.prepare(options);
    Sim sim(options);
    const Reply& reply = c.request(sim);
    check_error(reply, c, sim);
    sim.world.heal("10.0.0.3");
    reached.insert(errors::row(c.code).name);
  }
  std::map<std::string_view, size_t> later;
  for (const errors::Row& row : errors::rows()) {
    CAPTURE(row.name);
    switch (row.reach) {
      case errors::Reach::request:
        CHECK(reached.contains(row.name));
        break;
      case errors::Reach::fault_hook:
        CHECK(row.code == Code::internal_error);
        break;
      case errors::Reach::log_only:
        CHECK(row.code == Code::client_closed_request);
        break;
      case errors::Reach::admin:
        CHECK(!reached.contains(row.name));
        break;
      case errors::Reach::account_settings:
        ++later[errors::reach_word(row.reach)];
        CHECK(!reached.contains(row.name));
        break;
    }
  }
  // Rows that no request to an account without a store can reach.
  CHECK(later["account_settings"] == 7);
}

TEST_CASE("errors: a fault in the gateway is an internal_error, and nothing worse") {
  Sim sim;
  sim.worker->set_fault(front::Fault::routing);
  const Case c{Code::internal_error, Variant::none, "", {}, {}};
  check_error(sim.ask(body(kDirect)), c, sim);
  CHECK(sim.provider.seen().empty());
  sim.worker->set_fault(front::Fault::none);
  sim.provider.standard_play.json(200, "{}");
  CHECK(sim.ask(body(kDirect)).status == 200);
}

TEST_CASE("errors: client_closed_request stands in the log alone") {
  Sim sim;
  sim.provider.standard_play.wait(100 * kSecond);
  Client& client = sim.send(body(kDirect));
  sim.run(kSecond);
  client.close();
  sim.run(kSecond);
  CHECK(client.replies().empty());
  CHECK(json_text(sim.last_line(), "code") == "client_closed_request");
  CHECK(sim.last_line().find("\"status\":499") != std::string::npos);
}

TEST_CASE("errors: the order of the checks") {
  Sim sim;
  // Each request breaks all rules from a certain one on; the first broken rule answers.
  const std::string bad_head = "Content-Type: text/plain\r\nContent-Length: 1000001\r\n\r\n";
  CHECK(sends("PUT /nowhere HTTP/1.1\r\nHost: g\r\n" + bad_head)(sim).code() == "unknown_url");
  CHECK(sends("PUT /v1/responses HTTP/1.1\r\nHost: g\r\n" + bad_head)(sim).code() ==
        "method_not_allowed");
  CHECK(sends(kLine + bad_head)(sim).code() == "missing_api_key");
  CHECK(sends(kLine + kAuth + bad_head)(sim).code() == "request_too_large");
  CHECK(sim.ask("[").code() == "invalid_json");
  CHECK(sim.ask("[]").code() == "invalid_body");
  const std::string tail = R"("service_tier":"flex","background":true})";
  CHECK(sim.ask("{" + tail).code() == "missing_model");
  CHECK(sim.ask(R"({"model":"claude-x",)" + tail).code() == "missing_start_within");
  CHECK(sim.ask(R"({"model":"claude-x","start_within":1,)" + tail).code() ==
        "invalid_start_within");
  const std::string raced = R"({"model":"claude-x","start_within":"00h-00m-30s",)";
  CHECK(sim.ask(raced + tail).code() == "service_tier_not_allowed");
  CHECK(sim.ask(raced + R"("background":true})").code() == "flex_unsupported_for_anthropic");
  CHECK(sim.ask(R"({"model":"claude-x","start_within":"auto","background":true})").code() ==
        "unsupported_parameter");
  CHECK(sim.ask(R"({"model":"claude-x","start_within":"auto","input":"hi"})").code() ==
        "missing_max_tokens");
  CHECK(sim.ask(R"({"model":"claude-x","start_within":"auto","max_output_tokens":1,"input":"hi"})")
            .code() == "no_anthropic_key");
  CHECK(sim.provider.seen().empty());
}

TEST_CASE("errors: one client's wrong keys do not lock a right one out") {
  SimOptions options;
  options.settings.auth_failures_per_minute = 2;
  Sim sim(options);
  sim.provider.standard_play.json(200, "{}");
  const std::string wrong =
      kLine + "Authorization: Bearer flex_live_0123456789abcdef01234567000000\r\n\r\n";
  CHECK(sends(wrong)(sim).status == 401);
  CHECK(sends(wrong)(sim).status == 401);
  CHECK(sends(wrong)(sim).status == 429);
  CHECK(sim.ask(body(kDirect)).status == 200);
  sim.run(61 * kSecond);
  CHECK(sends(wrong)(sim).status == 401);
}
