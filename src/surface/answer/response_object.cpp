#include "response_object.hpp"

namespace flexd::surface {

namespace {

constexpr json::Names kNames = {
    "instructions", "max_output_tokens", "max_tool_calls", "metadata",   "parallel_tool_calls",
    "reasoning",    "safety_identifier", "temperature",    "text",       "tool_choice",
    "tools",        "top_logprobs",      "top_p",          "truncation", "user"};
// kDefaults stand for the members of kNames that a request does not have.
constexpr std::array<std::string_view, kNames.size()> kDefaults = {
    "null",
    "null",
    "null",
    "{}",
    "true",
    R"({"effort":null,"summary":null})",
    "null",
    "1.0",
    R"({"format":{"type":"text"}})",
    R"("auto")",
    "[]",
    "0",
    "1.0",
    R"("disabled")",
    "null"};

void write_error(WholeSink& sink, const AnswerFailure* failure) {
  sink.append(R"(,"error":)");
  if (failure == nullptr) return sink.append("null");
  sink.append(R"({"code":")");
  sink.append(code_of(*failure));
  sink.append(R"(","message":")");
  sink.append(message_of(*failure));
  sink.append(R"("})");
}

void write_tier(WholeSink& sink, std::string_view tier) {
  sink.append(R"(,"service_tier":)");
  if (tier.empty()) return sink.append("null");
  sink.append("\"");
  sink.append(tier);
  sink.append("\"");
}

void write_usage(WholeSink& sink, const Usage* usage) {
  sink.append(R"(,"usage":)");
  if (usage == nullptr || !usage->known) return sink.append("null");
  const auto member = [&sink](std::string_view before, uint64_t count) {
    sink.append(before);
    sink.append(Decimal(count).view());
  };
  member(R"({"input_tokens":)", usage->input_tokens);
  member(R"(,"input_tokens_details":{"cached_tokens":)", usage->cached_tokens);
  member(R"(,"cache_write_tokens":)", usage->cache_write_tokens);
  member(R"(},"output_tokens":)", usage->output_tokens);
  member(R"(,"output_tokens_details":{"reasoning_tokens":)", usage->reasoning_tokens);
  member(R"(},"total_tokens":)", usage->total_tokens);
  sink.append("}");
}

}  // namespace

RequestEcho::RequestEcho(std::string_view request) {
  static_assert(kCount == kNames.size());
  json::members_of(json::Value::front_of(request), kNames, found_);
}

void RequestEcho::write(WholeSink& sink) const {
  for (size_t at = 0; at < kCount; ++at) {
    const json::Value value = found_[at];
    sink.append(",\"");
    sink.append(kNames[at]);
    sink.append("\":");
    append_single_line(sink, value.exists() && !value.is_null() ? value.text : kDefaults[at]);
  }
}

void write_response(WholeSink& sink, const ResponseObject& response, const RequestEcho& echo) {
  sink.append(R"({"id":")");
  sink.append(response.id);
  sink.append(R"(","object":"response","created_at":)");
  sink.append(Decimal(response.created_at_s).view());
  sink.append(R"(,"completed_at":null,"status":")");
  sink.append(response.status);
  sink.append(R"(","background":false)");
  write_error(sink, response.failure);
  sink.append(R"(,"incomplete_details":)");
  sink.append(response.incomplete_details);
  sink.append(R"(,"model":")");
  sink.append(response.model);
  sink.append(R"(","output":[)");
  sink.append(response.items);
  sink.append(R"(],"previous_response_id":null,"store":false)");
  echo.write(sink);
  write_tier(sink, response.service_tier);
  write_usage(sink, response.usage);
  sink.append("}");
}

}  // namespace flexd::surface
