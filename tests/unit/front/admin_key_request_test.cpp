#include "admin_key_request.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "flexd/store/bounds.hpp"

namespace flexd::front {
namespace {

constexpr int64_t kNow = 1'700'000'000;

struct Refused {
  std::string code;
  std::string param;
};

Refused refused(std::string_view body) {
  CAPTURE(body);
  const auto key = read_key_request(body, kNow);
  REQUIRE_FALSE(key.has_value());
  return {std::string(key.error().name()), std::string(key.error().param)};
}

}  // namespace

TEST_CASE("admin key request: everything") {
  const auto key = read_key_request(
      R"({"name":"te\u0061m","expires_at":1700000001,"start_within":"00h-00m-30s",)"
      R"("models":["gpt-5*","o3"],"requests_per_minute":60,"budget_requests":0,)"
      R"("budget_usd":"12.50","native_parameters":true})",
      kNow);
  REQUIRE(key.has_value());
  CHECK(key->name == "team");
  CHECK(key->expires_at_s == kNow + 1);
  CHECK(key->start_within == "00h-00m-30s");
  CHECK(key->models == std::vector<std::string>{"gpt-5*", "o3"});
  CHECK(key->requests_per_minute == 60);
  CHECK(key->budget_requests == 0);
  CHECK(key->budget_nanos == 12'500'000'000);
  CHECK(key->native_parameters);
  CHECK_FALSE(key->management);
}

TEST_CASE("admin key request: nothing, and null, are no limits") {
  for (const char* body :
       {"{}", R"({"name":null,"expires_at":null,"start_within":null,"models":null,)"
              R"("requests_per_minute":null,"budget_requests":null,"budget_usd":null,)"
              R"("native_parameters":null})"}) {
    const auto key = read_key_request(body, kNow);
    REQUIRE(key.has_value());
    CHECK(key->name.empty());
    CHECK(key->expires_at_s == 0);
    CHECK(key->models.empty());
    CHECK_FALSE(key->budget_requests.has_value());
    CHECK_FALSE(key->budget_nanos.has_value());
  }
}

TEST_CASE("admin key request: each member is held to its form and named") {
  const struct {
    const char* body;
    const char* param;
  } cases[] = {
      {R"({"name":5})", "name"},
      {R"({"name":"a\u0000b"})", "name"},
      {R"({"name":"a\u001bb"})", "name"},
      {R"({"name":"a\u007fb"})", "name"},
      {R"({"name":"caf\u00e9"})", "name"},
      {R"({"expires_at":1700000000})", "expires_at"},
      {R"({"expires_at":"2026-01-01"})", "expires_at"},
      {R"({"expires_at":1700000001.5})", "expires_at"},
      {R"({"expires_at":99999999999999999999})", "expires_at"},
      {R"({"start_within":"30s"})", "start_within"},
      {R"({"start_within":""})", "start_within"},
      {R"({"models":"gpt-5"})", "models"},
      {R"({"models":[]})", "models"},
      {R"({"models":[5]})", "models"},
      {R"({"models":[""]})", "models"},
      {R"({"models":["g*t"]})", "models"},
      {R"({"models":["a b"]})", "models"},
      {R"({"requests_per_minute":0})", "requests_per_minute"},
      {R"({"requests_per_minute":1000001})", "requests_per_minute"},
      {R"({"requests_per_minute":4294967296})", "requests_per_minute"},
      {R"({"requests_per_minute":true})", "requests_per_minute"},
      {R"({"budget_requests":-1})", "budget_requests"},
      {R"({"budget_requests":1000000000001})", "budget_requests"},
      {R"({"budget_usd":12.5})", "budget_usd"},
      {R"({"budget_usd":"-1"})", "budget_usd"},
      {R"({"budget_usd":"1000000000.000001"})", "budget_usd"},
      {R"({"budget_usd":"0.0000001"})", "budget_usd"},
      {R"({"native_parameters":"yes"})", "native_parameters"},
  };
  for (const auto& [body, param] : cases) {
    const Refused found = refused(body);
    CHECK(found.code == "invalid_value");
    CHECK(found.param == param);
  }
  const std::string long_name = R"({"name":")" + std::string(65, 'n') + "\"}";
  CHECK(refused(long_name).param == "name");
  CHECK(read_key_request(R"({"name":")" + std::string(64, 'n') + "\"}", kNow).has_value());
}

TEST_CASE("admin key request: the list of models is bounded") {
  std::string body = R"({"models":["m")";
  for (size_t i = 1; i < store::kModelPatternsMax; ++i) body += ",\"m\"";
  CHECK(read_key_request(body + "]}", kNow).has_value());
  CHECK(refused(body + ",\"m\"]}").param == "models");
  const std::string model(store::kModelBytesMax, 'm');
  CHECK(read_key_request(R"({"models":[")" + model + "\"]}", kNow).has_value());
  CHECK(refused(R"({"models":[")" + model + "m\"]}").param == "models");
}

TEST_CASE("admin key request: what is not the object that it should be") {
  CHECK(refused("").code == "invalid_json");
  CHECK(refused("{").code == "invalid_json");
  CHECK(refused("[]").code == "invalid_body");
  CHECK(refused(R"({"name":"a","name":"b"})").code == "invalid_json");
  CHECK(refused(R"({"management":true})").code == "unsupported_parameter");
  CHECK(refused(R"({"name":"a","budget":1})").param == "budget");
  CHECK(refused("{\"name\":\"\xFF\"}").code == "invalid_json");
}

}  // namespace flexd::front
