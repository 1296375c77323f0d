// GET /v1/models, which flexd answers itself: who may ask, how, and in whose form.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "harness.hpp"

using namespace flexd;
using namespace flexd::sim_test;

namespace {

// ask_for is a request with the right key; `more` are further header lines, each with its end.
const Reply& ask_for(Sim& sim, std::string_view line, std::string_view more = "") {
  Client& client = sim.connect();
  client.send(std::string(line) + " HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer " + sim.key() +
              "\r\n" + std::string(more) + "\r\n");
  return sim.wait(client);
}

bool has(const Reply& reply, std::string_view text) {
  return reply.body.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("models: the list and one of it") {
  Sim sim;
  const Reply& list = ask_for(sim, "GET /v1/models");
  CHECK(list.status == 200);
  CHECK(list.whole);
  CHECK(list.field("content-type") == "application/json");
  CHECK(list.field("content-length") == std::to_string(list.body.size()));
  CHECK(list.field("x-request-id") == list.field("x-flexinference-request-id"));
  CHECK(!list.has("request-id"));
  CHECK(!list.has("x-flexinference-routing-reason"));
  CHECK(list.body.starts_with(R"({"object":"list","data":[{"id":"gemini-2.5-flash",)"));
  CHECK(has(list, R"("id":"gpt-5.5-pro")"));
  CHECK(list.body.ends_with(
      R"("has_more":false,"first_id":"gemini-2.5-flash","last_id":"o4-mini"})"));
  CHECK(json_text(sim.last_line(), "path") == "/v1/models");
  CHECK(json_text(sim.last_line(), "outcome") == "ok");
  const Reply& one = ask_for(sim, "GET /v1/models/gpt-5.5%2Dpro?x=1");
  CHECK(one.status == 200);
  CHECK(one.body.starts_with(R"({"id":"gpt-5.5-pro","object":"model",)"));
  CHECK(json_text(sim.last_line(), "path") == "/v1/models");
  CHECK(sim.requests(metrics::Outcome::ok, metrics::Reason::none) == 2);
  CHECK(sim.provider.seen().empty());
}

TEST_CASE("models: one that is not there") {
  Sim sim;
  for (const auto* id : {"gpt-5.5-2026-04-23", "GPT-5.5", "gpt-5.5%20", "a/b", "%22%5C%00"}) {
    const Reply& reply = ask_for(sim, "GET /v1/models/" + std::string(id));
    CAPTURE(id);
    CHECK(reply.status == 404);
    CHECK(reply.code() == "model_not_found");
    CHECK(has(reply, R"("param":"model")"));
  }
  CHECK(has(ask_for(sim, "GET /v1/models/gpt-9"), "`gpt-9`"));
  CHECK(ask_for(sim, "GET /v1/models/").code() == "unknown_url");
  CHECK(ask_for(sim, "GET /v1beta/models").code() == "unknown_url");
}

TEST_CASE("models: methods and keys") {
  Sim sim;
  for (const auto* line :
       {"POST /v1/models", "DELETE /v1/models/gpt-5.5", "HEAD /v1/models", "PUT /v1/models"}) {
    const Reply& reply = ask_for(sim, line, "Content-Length: 0\r\n");
    CAPTURE(line);
    CHECK(reply.status == 405);
    CHECK(reply.field("allow") == "GET");
  }
  CHECK(ask_for(sim, "POST /v1/models/gemini-2.5-pro:generateContent").code() == "unknown_url");
  Client& client = sim.connect();
  client.send("GET /v1/models HTTP/1.1\r\nHost: g\r\n\r\n");
  CHECK(sim.wait(client).code() == "missing_api_key");
  // The connection goes on, also after a body that nobody asked for.
  client.send("GET /v1/models HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\nAuthorization: Bearer " +
              sim.key() + "\r\n\r\nabcd");
  CHECK(sim.wait(client, 2).status == 200);
  client.send("GET /v1/models/o3 HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer " + sim.key() +
              "\r\n\r\n");
  CHECK(sim.wait(client, 3).status == 200);
}

TEST_CASE("models: requests for them count against the organization's limit") {
  SimOptions options;
  options.account.requests = {.per_second = 1, .burst = 1};
  Sim sim(options);
  CHECK(ask_for(sim, "GET /v1/models").status == 200);
  CHECK(ask_for(sim, "GET /v1/models").code() == "rate_limit_exceeded");
}

TEST_CASE("models: Anthropic's SDKs ask at the same place") {
  Sim sim;
  constexpr std::string_view kVersion = "anthropic-version: 2023-06-01\r\n";
  const auto ask = [&sim](std::string_view line, std::string_view more) -> const Reply& {
    Client& client = sim.connect();
    client.send(std::string(line) + " HTTP/1.1\r\nHost: g\r\nx-api-key: " + sim.key() + "\r\n" +
                std::string(more) + "\r\n");
    return sim.wait(client);
  };
  const Reply& list = ask("GET /v1/models?limit=1000", kVersion);
  CHECK(list.status == 200);
  CHECK(list.field("request-id") == list.field("x-request-id"));
  CHECK(has(list, R"("type":"model","display_name":"gpt-5.5")"));
  const Reply& absent = ask("GET /v1/models/claude-nothing", kVersion);
  CHECK(absent.status == 404);
  CHECK(absent.body.find(R"("type":"error")") != std::string::npos);
  // Without the version it is OpenAI's list, whose key comes as a bearer token.
  CHECK(ask("GET /v1/models", "").code() == "missing_api_key");
}
