#include "provider_fields.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flexd::front {
namespace {

using errors::Dialect;
using errors::Provider;

using Pairs = std::vector<std::pair<std::string, std::string>>;

// sent is what goes up of a caller's fields, without what flexd always sends.
Pairs sent(const Pairs& caller, Dialect dialect, Provider provider, bool race = false) {
  BlockPool pool(1U << 20U);
  http::FieldList fields;
  for (const auto& [name, value] : caller) REQUIRE(fields.push(name, value));
  FieldStore store(pool);
  REQUIRE(keep_upstream_fields(fields, dialect, store) == Kept::all);
  http::FieldList out;
  const UpstreamFields how{
      .provider = provider, .dialect = dialect, .authorization = "secret", .race = race};
  list_upstream_fields(store, how, out);
  CHECK(out.value("content-type") == "application/json");
  CHECK(out.value("accept-encoding") == "identity");
  Pairs rest;
  for (const http::Field& field : out) {
    if (field.name == "content-type" || field.name == "user-agent" ||
        field.name.starts_with("accept")) {
      continue;
    }
    rest.emplace_back(field.name, field.value);
  }
  return rest;
}

const Pairs kCaller = {{"Authorization", "Bearer flex_live_x"},
                       {"x-api-key", "flex_live_x"},
                       {"x-goog-api-key", "flex_live_x"},
                       {"Cookie", "a=b"},
                       {"X-Forwarded-For", "10.1.2.3"},
                       {"Traceparent", "00-1-2-3"},
                       {"Idempotency-Key", "k"},
                       {"OpenAI-Organization", "org"},
                       {"OpenAI-Project", "project"},
                       {"OpenAI-Beta", "b=1"},
                       {"Anthropic-Version", "2026-10-21"},
                       {"anthropic-beta", "x,y"},
                       {"Api-Revision", "2026-05-20"}};

TEST_CASE("provider fields: a dialect's own provider gets its own fields") {
  const auto with = [](std::string_view authentication, std::string_view key, const Pairs& own) {
    Pairs all = {{std::string(authentication), std::string(key)},
                 {"traceparent", "00-1-2-3"},
                 {"idempotency-key", "k"}};
    all.insert(all.end(), own.begin(), own.end());
    return all;
  };
  CHECK(sent(kCaller, Dialect::responses, Provider::openai) == with("authorization", "secret",
                                                                    {{"openai-organization", "org"},
                                                                     {"openai-project", "project"},
                                                                     {"openai-beta", "b=1"}}));
  CHECK(sent(kCaller, Dialect::interactions, Provider::gemini) ==
        with("x-goog-api-key", "secret", {{"api-revision", "2026-05-20"}}));
  CHECK(sent(kCaller, Dialect::messages, Provider::anthropic) ==
        with("x-api-key", "secret",
             {{"anthropic-version", "2026-10-21"}, {"anthropic-beta", "x,y"}}));
}

TEST_CASE("provider fields: across dialects only trace context and the key go up") {
  for (const Dialect dialect :
       {Dialect::responses, Dialect::chat, Dialect::interactions, Dialect::messages}) {
    for (const Provider provider : {Provider::openai, Provider::gemini, Provider::anthropic}) {
      if (errors::is_own_dialect(dialect, provider)) continue;
      CAPTURE(static_cast<int>(dialect));
      CAPTURE(static_cast<int>(provider));
      const Pairs up = sent(kCaller, dialect, provider, true);
      REQUIRE(up.size() == (provider == Provider::anthropic ? 3 : 2));
      CHECK(up.front().second == "secret");
      CHECK(up.back() == std::pair<std::string, std::string>("traceparent", "00-1-2-3"));
      // Bodies that flexd has written are in the version it writes, whatever the caller's is.
      if (provider == Provider::anthropic) {
        CHECK(up[1] == std::pair<std::string, std::string>("anthropic-version", "2023-06-01"));
      }
    }
  }
}

TEST_CASE("provider fields: Anthropic wants a version, and callers forget it") {
  const Pairs none = sent({{"anthropic-beta", "x"}}, Dialect::messages, Provider::anthropic, false);
  REQUIRE(none.size() == 3);
  CHECK(none[1] == std::pair<std::string, std::string>("anthropic-version", "2023-06-01"));
  CHECK(none[2] == std::pair<std::string, std::string>("anthropic-beta", "x"));
}

TEST_CASE("provider fields: too many are refused") {
  BlockPool pool(1U << 20U);
  for (const size_t count : {kUpstreamFieldsMax, kUpstreamFieldsMax + 1}) {
    http::FieldList fields;
    for (size_t i = 0; i < count; ++i) REQUIRE(fields.push("tracestate", "a=b"));
    FieldStore store(pool);
    const Kept kept = keep_upstream_fields(fields, Dialect::chat, store);
    CHECK(kept == (count > kUpstreamFieldsMax ? Kept::too_many : Kept::all));
    store.clear();
  }
}

}  // namespace
}  // namespace flexd::front
