#include "flexd/errors/render.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::errors {
namespace {

constexpr std::array kDialects = {Dialect::responses, Dialect::chat, Dialect::interactions,
                                  Dialect::messages};

std::string body_of(const Error& error, const Target& target) {
  std::array<char, kErrorBytesMax> space;
  return std::string(write_body(error, target, space));
}

std::string failure_of(const Error& error, const Target& target, const StreamPosition& position) {
  std::array<char, kErrorBytesMax> space;
  return std::string(write_stream_failure(error, target, position, space));
}

std::string message_of(const Error& error) {
  std::array<char, kMessageBytesMax> space;
  return std::string(write_message(error, space));
}

// all_errors is every row and every variant, plain and with the most hostile details.
std::vector<Error> all_errors(std::string_view param, std::string_view detail) {
  std::vector<Error> errors;
  for (const Row& row : rows()) errors.push_back({row.code, Variant::none, param, detail});
  for (const VariantRow& variant : variant_rows()) {
    errors.push_back({variant.code, variant.variant, param, detail});
  }
  return errors;
}

void check_valid_json(std::string_view text) {
  CAPTURE(text);
  CHECK(json::validate(text).has_value());
}

void check_fields(json::Value fields, const Error& error, const Target& target) {
  const Row& row = errors::row(error.code);
  size_t count = 0;
  for ([[maybe_unused]] const json::Member& member : json::Members(fields)) ++count;
  CHECK(count == (target.dialect == Dialect::interactions ? 6 : 5));
  CHECK(fields["message"].is(json::Type::kString));
  CHECK(fields["message"].contents().size() > 40);
  CHECK(fields["type"].equals(type_word(type_of(error.code))));
  CHECK(fields["code"].equals(row.name));
  CHECK(fields["param"].exists());
  if (row.param_rule == ParamRule::none) CHECK(fields["param"].is_null());
  if (row.param_rule == ParamRule::fixed) CHECK(fields["param"].equals(row.param));
  const std::string base =
      std::string(target.doc_url_base.empty() ? kPublicDocUrlBase : target.doc_url_base);
  if (row.on_public_page || !target.doc_url_base.empty()) {
    CHECK(fields["doc_url"].equals(base + "#" + std::string(row.name)));
  } else {
    CHECK(fields["doc_url"].is_null());
  }
  if (target.dialect == Dialect::interactions) {
    CHECK(fields["status"].equals(google_status(row.status)));
  }
}

TEST_CASE("every error renders in every dialect with all five members") {
  for (const std::string_view base : {"", "https://errors.example/page"}) {
    for (const Dialect dialect : kDialects) {
      for (const Error& error : all_errors("metadata.x", "some-model")) {
        const Target target{dialect, "req_123", base};
        const std::string body = body_of(error, target);
        CAPTURE(body);
        check_valid_json(body);
        const json::Value top = json::Value::value_in(body);
        check_fields(top["error"], error, target);
        const bool messages = dialect == Dialect::messages;
        CHECK(top["type"].exists() == messages);
        CHECK(top["request_id"].exists() == messages);
        if (messages) CHECK(top["type"].equals("error"));
        if (messages) CHECK(top["request_id"].equals("req_123"));
        CHECK_FALSE(top["event_type"].exists());
      }
    }
  }
}

TEST_CASE("every error renders as the last event of a stream in every dialect") {
  const StreamPosition position{"resp_0123", "gpt-5.5-2026-04-01", 17, 1'790'000'000};
  for (const Dialect dialect : kDialects) {
    for (const Error& error : all_errors("metadata.x", "OpenAI")) {
      const Target target{dialect, "req_123", ""};
      const std::string frame = failure_of(error, target, position);
      CAPTURE(frame);
      REQUIRE(frame.ends_with("}\n\n"));
      const size_t data = frame.find("data: ");
      const std::string event = frame.substr(0, data);
      const std::string payload = frame.substr(data + 6, frame.size() - data - 8);
      CHECK(payload.find('\n') == std::string::npos);
      check_valid_json(payload);
      const json::Value top = json::Value::value_in(payload);
      if (dialect == Dialect::responses) {
        CHECK(event == "event: response.failed\n");
        CHECK(top["type"].equals("response.failed"));
        CHECK(top["sequence_number"].to_uint64() == 17);
        CHECK_FALSE(top["error"].exists());  // clients take a top-level error for an exception
        const json::Value response = top["response"];
        CHECK(response["id"].equals("resp_0123"));
        CHECK(response["object"].equals("response"));
        CHECK(response["status"].equals("failed"));
        CHECK(response["created_at"].to_uint64() == 1'790'000'000);
        CHECK(response["model"].equals("gpt-5.5-2026-04-01"));
        CHECK(response["output"].text == "[]");
        for (const char* name : {"tools", "tool_choice", "parallel_tool_calls", "usage",
                                 "incomplete_details", "instructions", "metadata"}) {
          CHECK_MESSAGE(response[name].exists(), name);
        }
        check_fields(response["error"], error, target);
        continue;
      }
      check_fields(top["error"], error, target);
      CHECK(event == (dialect == Dialect::chat ? "" : "event: error\n"));
      if (dialect == Dialect::interactions) CHECK(top["event_type"].equals("error"));
      if (dialect == Dialect::messages) CHECK(top["type"].equals("error"));
    }
  }
}

TEST_CASE("hostile details stay bounded, inside their string, and free of control characters") {
  std::vector<std::string> details = {std::string(100'000, 'x'),
                                      std::string(100'000, '"'),
                                      std::string(100'000, '\\'),
                                      std::string(100'000, '\n'),
                                      std::string(100'000, '\0'),
                                      std::string(100'000, '\x80'),
                                      std::string(100'000, '\xFF'),
                                      "\"},{\"error\":null}",
                                      "{}{}{}",
                                      "a\x7F\x1B[31m"};
  std::string accents;
  for (int i = 0; i < 1000; ++i) accents += "\xE2\x82\xAC";
  details.push_back(accents);
  for (const std::string& detail : details) {
    for (const Dialect dialect : kDialects) {
      for (const Error& error : all_errors(detail, detail)) {
        const Target target{dialect, detail, ""};
        const std::string body = body_of(error, target);
        check_valid_json(body);
        check_fields(json::Value::value_in(body)["error"], error, target);
        const std::string frame = failure_of(error, target, {detail, detail, UINT64_MAX, 1});
        CHECK(frame.find('\n') < frame.size() - 1);
        CHECK(message_of(error).size() <= kMessageBytesMax);
        for (const char c : body) CHECK(static_cast<uint8_t>(c) >= 0x20);
      }
    }
  }
  // 64 bytes hold 21 signs of 3 bytes; the 22nd is not cut in two.
  const std::string message =
      message_of({Code::model_not_flex_capable, Variant::none, {}, accents});
  CHECK(message.find("`" + accents.substr(0, 63) + "`") != std::string::npos);
}

TEST_CASE("a refused thread is told to a Messages caller in Anthropic's own words as well") {
  std::array<char, kErrorBytesMax> space;
  const auto details = [&space](const Error& error, Dialect dialect) {
    const std::string_view body = write_body(error, {.dialect = dialect}, space);
    return std::string(json::Value::value_in(body)["error"]["details"].text);
  };
  const Error thread{.code = Code::unsupported_parameter, .param = "thread"};
  CHECK(details(thread, Dialect::messages) ==
        R"({"error_code":"thread_unsupported_request","unsupported":["thread"]})");
  CHECK(details(thread, Dialect::chat).empty());
  CHECK(
      details({.code = Code::unsupported_parameter, .param = "top_k"}, Dialect::messages).empty());
  CHECK(details({.code = Code::invalid_value, .param = "thread"}, Dialect::messages).empty());
}

TEST_CASE("a slot takes the detail, else the parameter, else its own words") {
  CHECK(message_of({Code::missing_max_tokens, Variant::none, "max_tokens"}).find("`max_tokens`") !=
        std::string::npos);
  const std::string wrong =
      message_of({Code::invalid_value, Variant::none, "messages[0].content", "a string"});
  CHECK(wrong.starts_with("The value of `messages[0].content` cannot be understood: a string is "));
  const std::string vague = message_of({Code::invalid_value});
  CHECK(vague.starts_with("The value of `a field` cannot be understood: a value of another type"));
  CHECK(message_of({Code::unknown_url}).find("is POST /v1/responses:") != std::string::npos);
  CHECK(message_of({Code::unknown_url, Variant::none, {}, "POST /v1/messages"})
            .find("is POST /v1/messages:") != std::string::npos);
  for (const Error& error : all_errors("", "")) {
    CHECK(message_of(error).find("{}") == std::string::npos);
  }
}

TEST_CASE("a base of the operator's that is too long gives no link at all") {
  const std::string base(kDocUrlBaseBytesMax + 1, 'u');
  const std::string body = body_of({Code::invalid_json}, {Dialect::chat, "", base});
  CHECK(json::Value::value_in(body)["error"]["doc_url"].is_null());
}

TEST_CASE("x-should-retry is false exactly where a retry cannot help or is spent") {
  for (const Error& error : all_errors("", "")) {
    const uint16_t status = error.status();
    CAPTURE(error.name());
    for (const uint32_t retries : {0U, 1U, 5U}) {
      const bool spent = retries > 0 && (status == 500 || status == 502 || status == 504);
      const Headers headers(error, retries);
      CHECK((headers.find("x-should-retry") == "false") == (!error.retryable() || spent));
      CHECK((headers.find("allow") == "POST") == (error.code == Code::method_not_allowed));
      if (status != 429) CHECK(headers.find("retry-after-ms").empty());
      if (status == 429) CHECK_FALSE(headers.find("retry-after").empty());
    }
  }
}

TEST_CASE("Retry-After comes from the table unless the error brings its own") {
  const Headers organization({Code::rate_limit_exceeded}, 0);
  CHECK(organization.find("retry-after") == "5");
  CHECK(organization.find("retry-after-ms") == "5000");
  const Headers flood({Code::rate_limit_exceeded, Variant::failed_authentications}, 0);
  CHECK(flood.find("retry-after") == "60");
  CHECK(flood.find("retry-after-ms") == "60000");
  const Headers own({Code::service_unavailable, Variant::model_maintenance, {}, "m", 4'000'000'000},
                    0);
  CHECK(own.find("retry-after") == "4000000000");
  CHECK(own.find("retry-after-ms").empty());
  const Headers methods({Code::method_not_allowed, Variant::none, {}, "GET, HEAD"}, 0);
  CHECK(methods.find("allow") == "GET, HEAD");
  CHECK(Headers({Code::service_unavailable, Variant::provider_not_served}, 0)
            .find("x-should-retry") == "false");
}

}  // namespace
}  // namespace flexd::errors
