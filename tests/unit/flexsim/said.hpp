// said.hpp: reads what the model said out of an answer of any of the three providers, so that tests
// can compare them.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/json/cursor.hpp"
#include "flexsim/vendor.hpp"

namespace flexd::flexsim {

// Call is a call of a tool; `arguments` is JSON.
struct Call {
  std::string id;
  std::string name;
  std::string arguments;
  bool operator==(const Call&) const = default;
};

struct Said {
  std::string text;
  std::string refusal;
  std::string thought;
  std::string blob;
  std::vector<Call> calls;
  std::string stop;  // end, calls, length, blocked, or what it says
  int64_t input = 0;
  int64_t cached = 0;
  int64_t output = 0;
  int64_t reasoning = 0;
  bool operator==(const Said&) const = default;
};

// text_of decodes a JSON string.
inline std::string text_of(json::Value value) {
  std::string space(value.text.size(), ' ');
  return std::string(json::decode(value, space).value_or(""));
}

// data_of lists the data of a stream's events, and holds each to the rules of its format.
inline std::vector<std::string> data_of(Vendor vendor, const std::string& body) {
  std::vector<std::string> list;
  size_t at = 0;
  while (at < body.size()) {
    const size_t end = body.find("\n\n", at);
    REQUIRE(end != std::string::npos);
    const std::string frame = body.substr(at, end - at);
    at = end + 2;
    if (frame.starts_with(":")) continue;
    CAPTURE(frame);
    REQUIRE(frame.starts_with("event: "));
    const size_t line = frame.find("\ndata: ");
    REQUIRE(line != std::string::npos);
    const std::string name = frame.substr(7, line - 7);
    std::string data = frame.substr(line + 7);
    if (vendor == Vendor::gemini && name == "done") {
      CHECK(data == "[DONE]");
      CHECK(at == body.size());
      break;
    }
    REQUIRE(json::validate(data).has_value());
    const json::Value event{data};
    CHECK(event[vendor == Vendor::gemini ? "event_type" : "type"].equals(name));
    list.push_back(std::move(data));
  }
  return list;
}

inline void read_item(json::Value item, Said& said) {
  for (const json::Value part : json::Elements(item["content"])) {
    said.text += text_of(part["text"]);
    said.refusal += text_of(part["refusal"]);
  }
  for (const json::Value part : json::Elements(item["summary"])) {
    said.thought += text_of(part["text"]);
  }
  said.blob += text_of(item["encrypted_content"]) + text_of(item["signature"]);
  const json::Value arguments = item["arguments"];
  if (item["name"].exists()) {
    const bool is_text = arguments.is(json::Type::kString);
    said.calls.push_back({text_of(item[is_text ? "call_id" : "id"]), text_of(item["name"]),
                          is_text ? text_of(arguments) : std::string(arguments.text)});
  }
}

// read_response reads OpenAI's response object.
inline void read_response(json::Value response, Said& said) {
  for (const json::Value item : json::Elements(response["output"])) read_item(item, said);
  const json::Value usage = response["usage"];
  said.input = usage["input_tokens"].to_int64().value_or(-1);
  said.output = usage["output_tokens"].to_int64().value_or(-1);
  said.cached = usage["input_tokens_details"]["cached_tokens"].to_int64().value_or(-1);
  said.reasoning = usage["output_tokens_details"]["reasoning_tokens"].to_int64().value_or(-1);
  const json::Value reason = response["incomplete_details"]["reason"];
  said.stop = said.calls.empty() ? "end" : "calls";
  if (reason.equals("max_output_tokens")) said.stop = "length";
  if (reason.equals("content_filter")) said.stop = "blocked";
}

// read_interaction reads Gemini's interaction but for its steps.
inline void read_interaction(json::Value interaction, Said& said) {
  const json::Value usage = interaction["usage"];
  said.input = usage["total_input_tokens"].to_int64().value_or(-1);
  said.cached = usage["total_cached_tokens"].to_int64().value_or(-1);
  said.reasoning = usage["total_thought_tokens"].to_int64().value_or(-1);
  said.output = usage["total_output_tokens"].to_int64().value_or(-1) + said.reasoning;
  CHECK(usage["total_tokens"].to_int64() == said.input + said.output);
  const std::string status = text_of(interaction["status"]);
  const bool is_blocked = interaction["errors"].exists();
  said.stop = status == "completed"         ? "end"
              : status == "requires_action" ? "calls"
              : status != "incomplete"      ? status
              : is_blocked                  ? "blocked"
                                            : "length";
}

// read_message reads Anthropic's usage, and the reason why it stopped.
inline void read_message(json::Value usage, json::Value reason, Said& said) {
  said.cached = usage["cache_read_input_tokens"].to_int64().value_or(-1);
  said.input = usage["input_tokens"].to_int64().value_or(-1) + said.cached;
  said.output = usage["output_tokens"].to_int64().value_or(-1);
  said.reasoning = usage["output_tokens_details"]["thinking_tokens"].to_int64().value_or(-1);
  said.stop = reason.equals("end_turn")     ? "end"
              : reason.equals("tool_use")   ? "calls"
              : reason.equals("max_tokens") ? "length"
              : reason.equals("refusal")    ? "blocked"
                                            : text_of(reason);
}

inline void read_block(json::Value block, Said& said) {
  said.text += text_of(block["text"]);
  said.thought += text_of(block["thinking"]);
  said.blob += text_of(block["signature"]);
  if (block["type"].equals("tool_use")) {
    said.calls.push_back(
        {text_of(block["id"]), text_of(block["name"]), std::string(block["input"].text)});
  }
}

// said_in_body reads the answer to a request without `stream`.
inline Said said_in_body(Vendor vendor, const std::string& body) {
  CAPTURE(body);
  REQUIRE(json::validate(body).has_value());
  const json::Value whole{body};
  Said said;
  switch (vendor) {
    case Vendor::openai:
      read_response(whole, said);
      break;
    case Vendor::gemini:
      for (const json::Value step : json::Elements(whole["steps"])) read_item(step, said);
      read_interaction(whole, said);
      break;
    case Vendor::anthropic:
      for (const json::Value block : json::Elements(whole["content"])) read_block(block, said);
      read_message(whole["usage"], whole["stop_reason"], said);
      break;
  }
  return said;
}

// add_fragment adds to the arguments of the last call, whose empty object stands until then.
inline void add_fragment(Said& said, const std::string& fragment) {
  if (fragment.empty()) return;
  REQUIRE_FALSE(said.calls.empty());
  std::string& arguments = said.calls.back().arguments;
  if (arguments == "{}") arguments.clear();
  arguments += fragment;
}

// said_in_stream puts a stream together. The deltas of OpenAI are held to its last event.
inline Said said_in_stream(Vendor vendor, const std::string& body) {
  Said said;
  Said deltas;
  for (const std::string& data : data_of(vendor, body)) {
    const json::Value event{data};
    const json::Value type = event["type"];
    const json::Value delta = event["delta"];
    if (vendor == Vendor::openai) {
      if (type.equals("response.output_text.delta")) deltas.text += text_of(delta);
      if (type.equals("response.refusal.delta")) deltas.refusal += text_of(delta);
      if (type.equals("response.reasoning_summary_text.delta")) deltas.thought += text_of(delta);
      const std::string name = text_of(type);
      if (name == "response.completed" || name == "response.incomplete") {
        read_response(event["response"], said);
      }
    } else if (vendor == Vendor::gemini) {
      read_item(event["step"], said);
      said.text += text_of(delta["text"]);
      said.thought += text_of(delta["content"]["text"]);
      said.blob += text_of(delta["signature"]);
      add_fragment(said, text_of(delta["arguments"]));
      if (event["event_type"].equals("interaction.completed")) {
        read_interaction(event["interaction"], said);
      }
    } else {
      read_block(event["content_block"], said);
      said.text += text_of(delta["text"]);
      said.thought += text_of(delta["thinking"]);
      said.blob += text_of(delta["signature"]);
      add_fragment(said, text_of(delta["partial_json"]));
      if (type.equals("message_delta")) read_message(event["usage"], delta["stop_reason"], said);
    }
  }
  if (vendor == Vendor::openai) {
    CHECK(deltas.text == said.text);
    CHECK(deltas.refusal == said.refusal);
    CHECK(deltas.thought == said.thought);
  }
  return said;
}

}  // namespace flexd::flexsim
