#include "flexd/store/json.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "flexd/json/finder.hpp"

namespace flexd::store {
namespace {

template <typename Write>
std::string object(Write&& write) {
  StringSink sink;
  JsonWriter writer(sink);
  writer.begin_object();
  write(writer);
  writer.end_object();
  CHECK(json::validate(sink.text).has_value());
  return sink.text;
}

}  // namespace

TEST_CASE("store json: money is exact both ways") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const struct {
    int64_t nanos;
    std::string text;
  } cases[] = {{0, "0"},
               {1, "0.000000001"},
               {-1, "-0.000000001"},
               {1'250'000'000, "1.25"},
               {-3'000'000'000, "-3"},
               {10'000'000'000, "10"},
               {kMost, "9223372036.854775807"}};
  for (const auto& [nanos, text] : cases) {
    CAPTURE(text);
    CHECK(usd_text(nanos) == text);
    CHECK(parse_usd(text) == nanos);
  }
  CHECK(usd_text(std::numeric_limits<int64_t>::min()) == "-9223372036.854775808");
  for (const char* text :
       {"", "-", ".", ".5", "1.", "1e3", " 1", "1 ", "+1", "--1", "1.0000000001", "0x1", "1,5",
        "9223372036.854775808", "99999999999999999999", "1.-5", "1.+5", "nan"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_usd(text).has_value());
  }
  CHECK(parse_usd("00.10") == 100'000'000);
}

TEST_CASE("store json: dates are days of the calendar") {
  CHECK(date_text(0) == "1970-01-01");
  CHECK(date_text(20'778) == "2026-11-21");
  CHECK(parse_date("2026-11-21") == 20'778);
  CHECK(parse_date("2024-02-29") == 19'782);
  for (const char* text : {"", "2026-11-31", "2025-02-29", "2026-1-1", "2026/11/21", "2026-11-21 ",
                           "20261121", "+026-11-21", "2026-00-10"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_date(text).has_value());
  }
}

TEST_CASE("store json: a key without anything is all nulls, and holds no digest") {
  Key key;
  key.id = "key_0123456789ab";
  key.shown = "flex_live_abcd";
  key.created_at_s = 1'700'000'000;
  key.digest.fill(0xAB);
  CHECK(
      object([&](JsonWriter& writer) { write_key_members(writer, key, "acme", 1'800'000'000); }) ==
      R"({"id":"key_0123456789ab","object":"key","org":"acme","name":"","kind":"inference",)"
      R"("shown":"flex_live_abcd","created_at":1700000000,"expires_at":null,"revoked_at":null,)"
      R"("deactivated":false,"last_used_at":null,"start_within":null,"models":[],)"
      R"("requests_per_minute":null,"budget_requests":null,"budget_usd":null,)"
      R"("native_parameters":false,"month":{"requests":0,"cost_usd":"0"}})");
}

TEST_CASE("store json: a key with everything; another month's sums are over") {
  Key key;
  key.id = "key_1";
  key.name = "say \"hi\"";
  key.management = true;
  key.expires_at_s = 5;
  key.revoked_at_s = 6;
  key.last_used_at_s = 7;
  key.deactivated = key.native_parameters = true;
  key.start_within = "auto";
  key.models = {"gpt-*", "o3"};
  key.requests_per_minute = 60;
  key.budget_requests = 0;
  key.budget_nanos = 2'500'000'000;
  const int64_t now_s = 1'700'000'000;
  key.month = month_of(now_s);
  key.month_requests = 9;
  key.month_nanos = 1'000;
  const auto text = [&](int64_t at_s) {
    return object([&](JsonWriter& writer) { write_key_members(writer, key, "o", at_s); });
  };
  CHECK(text(now_s).find(R"("month":{"requests":9,"cost_usd":"0.000001"})") != std::string::npos);
  CHECK(text(now_s + 40 * 86'400).find(R"("month":{"requests":0,"cost_usd":"0"})") !=
        std::string::npos);
  CHECK(text(now_s).find(R"("name":"say \"hi\"","kind":"management")") != std::string::npos);
  CHECK(text(now_s).find(R"("models":["gpt-*","o3"],"requests_per_minute":60,"budget_requests":0,)"
                         R"("budget_usd":"2.5","native_parameters":true)") != std::string::npos);
}

TEST_CASE("store json: an organization that prepays has a balance, which may be below 0") {
  Organization organization;
  organization.id = "org_1";
  organization.name = "acme";
  organization.billing = Billing::no_payment_method;
  organization.race_slots = 3;
  const auto text = [&] {
    return object([&](JsonWriter& writer) { write_organization_members(writer, organization); });
  };
  CHECK(text() == R"({"id":"org_1","object":"org","name":"acme","created_at":null,)"
                  R"("billing":"no-payment-method","requests_per_second":null,"race_slots":3,)"
                  R"("prepaid":false,"credit_usd":null,"spent_usd":null,"balance_usd":null})");
  organization.credit_nanos = 1'000'000'000;
  organization.spent_nanos = 1'500'000'000;
  CHECK(text().ends_with(R"("prepaid":true,"credit_usd":"1","spent_usd":"1.5",)"
                         R"("balance_usd":"-0.5"})"));
}

TEST_CASE("store json: usage has the columns that were asked for, in their order") {
  UsageRow row;
  row.organization = 1;
  row.key = 2;
  row.day = 20'778;
  row.model = "o3";
  row.provider = "openai";
  row.tier_asked = "flex";
  row.tier_served = "default";
  row.reason = "flex_deadline";
  row.counts = {.requests = 3, .cost_nanos = 1'000, .standard_nanos = 3'000};
  const UsageNames names{.organization = [](Number n) { return "org" + std::to_string(n); },
                         .key = [](Number n) { return "key" + std::to_string(n); }};
  const auto text = [&](std::initializer_list<UsageColumn> by) {
    StringSink sink;
    JsonWriter writer(sink);
    write_usage_row(writer, row, std::span(by.begin(), by.size()), names);
    CHECK(json::validate(sink.text).has_value());
    return sink.text;
  };
  using enum UsageColumn;
  CHECK(text({reason, day, model})
            .starts_with(
                R"({"reason":"flex_deadline","day":"2026-11-21","model":"o3","requests":3,)"));
  CHECK(text({organization, key, provider, tier_asked, tier_served})
            .starts_with(R"({"org":"org1","key":"key2","provider":"openai","asked":"flex",)"
                         R"("served":"default","requests":3,)"));
  CHECK(
      text({}).find(R"("cost_usd":"0.000001","standard_usd":"0.000003","saved_usd":"0.000002")") !=
      std::string::npos);
}

}  // namespace flexd::store
