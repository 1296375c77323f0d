#include "routes.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace flexd::front {
namespace {

using errors::Dialect;

TEST_CASE("routes: the surfaces") {
  struct Case {
    std::string_view path;
    Dialect dialect;
  };
  const Case cases[] = {
      {"/v1/responses", Dialect::responses},       {"/v1/chat/completions", Dialect::chat},
      {"/v1/interactions", Dialect::interactions}, {"/v1beta/interactions", Dialect::interactions},
      {"/v1/messages", Dialect::messages},
  };
  for (const Case& test : cases) {
    CAPTURE(test.path);
    const Route route = find_route(test.path, http::Method::post);
    CHECK(route.kind == RouteKind::generate);
    CHECK(route.dialect == test.dialect);
    CHECK(route.nearest == test.path);
    const Route get = find_route(test.path, http::Method::get);
    CHECK(get.kind == RouteKind::method_not_allowed);
    // The error is written for whoever asked.
    CHECK(get.dialect == test.dialect);
  }
}

TEST_CASE("routes: a wrong path and what it seems to mean") {
  struct Case {
    std::string_view path;
    std::string_view nearest;
  };
  const Case cases[] = {
      {"/", "/v1/responses"},
      {"*", "/v1/responses"},
      {"/v1/embeddings", "/v1/responses"},
      {"/v1/models/", "/v1/models"},
      {"/v1/v1/models", "/v1/models"},
      {"/models", "/v1/models"},
      {"/v1/model", "/v1/models"},
      {"/v1/modelsx", "/v1/models"},
      {"/v1/response", "/v1/responses"},
      {"/V1/RESPONSES", "/v1/responses"},
      {"/v1/responses/", "/v1/responses"},
      {"/v1/responses/resp_1/cancel", "/v1/responses"},
      {"/v1/threads/t/messages", "/v1/responses"},
      {"/chat/completions", "/v1/chat/completions"},
      {"/v1/v1/chat/completions", "/v1/chat/completions"},
      {"/v1/completions", "/v1/chat/completions"},
      {"/v1/chat", "/v1/chat/completions"},
      {"/v1beta/openai/chat/completions", "/v1/chat/completions"},
      {"/v1/v1/interactions", "/v1/interactions"},
      {"/interactions", "/v1/interactions"},
      {"/v1beta/v1beta/interactions", "/v1beta/interactions"},
      {"/v1beta/models/gemini-2.5-pro:generateContent", "/v1beta/interactions"},
      {"/v1/models/gemini-2.5-pro:streamGenerateContent", "/v1beta/interactions"},
      {"/v1beta/models", "/v1beta/interactions"},
      {"/messages", "/v1/messages"},
      {"/v1/messages/count_tokens", "/v1/messages"},
      {"/v1/v1/messages", "/v1/messages"},
      {"/anthropic/v1", "/v1/messages"},
      {"/v1/complete", "/v1/messages"},
  };
  for (const Case& test : cases) {
    CAPTURE(test.path);
    const Route route = find_route(test.path, http::Method::post);
    CHECK(route.kind == RouteKind::unknown_url);
    CHECK(route.nearest == test.nearest);
  }
}

TEST_CASE("routes: the models are there for GET alone") {
  const Route list = find_route("/v1/models", http::Method::get);
  CHECK(list.kind == RouteKind::list_models);
  CHECK(list.nearest == "/v1/models");
  CHECK(list.dialect == Dialect::responses);
  for (const auto* id :
       {"gpt-5.4", "a/b", "a%2Fb", "/", "ft:gpt-4o:org::id", "x:streamGenerateContent"}) {
    CAPTURE(id);
    const std::string path = "/v1/models/" + std::string(id);
    const Route one = find_route(path, http::Method::get);
    CHECK(one.kind == RouteKind::get_model);
    CHECK(one.model == id);
    CHECK(one.nearest == "/v1/models");
  }
  for (const auto method : {http::Method::post, http::Method::head, http::Method::del}) {
    for (const auto* path : {"/v1/models", "/v1/models/gpt-5.4"}) {
      const Route route = find_route(path, method);
      CHECK(route.kind == RouteKind::method_not_allowed);
      CHECK(route.allow == "GET");
      CHECK(route.nearest == "/v1/models");
    }
  }
  CHECK(find_route("/v1/responses", http::Method::get).allow == "POST");
  CHECK(find_route("/v1/models/", http::Method::get).kind == RouteKind::unknown_url);
  CHECK(find_route("/v1beta/models", http::Method::get).kind == RouteKind::unknown_url);
}

TEST_CASE("who misses a surface reads errors in its form") {
  using errors::Dialect;
  const auto dialect = [](std::string_view path) {
    return find_route(path, http::Method::post).dialect;
  };
  CHECK(dialect("/v1/messages/count_tokens") == Dialect::messages);
  CHECK(dialect("/v1beta/models/gemini-2.5-pro:generateContent") == Dialect::interactions);
  CHECK(dialect("/chat/completions") == Dialect::chat);
  CHECK(dialect("/nowhere") == Dialect::responses);
}

}  // namespace
}  // namespace flexd::front
