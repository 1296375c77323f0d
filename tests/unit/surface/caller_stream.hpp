// caller_stream.hpp: a client of each dialect, as strict as the strictest SDK, that reads an
// answer.
//
// What a stream tells and what an object tells is written down alike, so that the two can be
// compared. What no client should see is an assertion.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/base/assert.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/json/finder.hpp"

namespace flexd::surface {

inline std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

// object_of is the object that a call's streamed arguments make: `raw` is the inside of a string.
inline std::string object_of(const std::string& raw) {
  const std::string quoted = "\"" + raw + "\"";
  std::string space(quoted.size(), ' ');
  const auto text = json::decode(json::Value{quoted}, space);
  FLEXD_ASSERT(text.has_value());
  const auto type = json::validate(*text);
  return type && *type == json::Type::kObject ? std::string(*text) : "{}";
}

// Told is an answer as a client understood it.
struct Told {
  std::vector<std::string> items;
  std::string end;
  bool failed = false;

  bool operator==(const Told&) const = default;
};

class CallerStream {
 public:
  explicit CallerStream(errors::Dialect dialect) : dialect_(dialect) {}

  // take takes whole frames.
  void take(std::string_view bytes) {
    while (!bytes.empty()) {
      const size_t end = bytes.find("\n\n");
      FLEXD_ASSERT(end != std::string_view::npos);
      take_frame(bytes.substr(0, end));
      bytes.remove_prefix(end + 2);
    }
  }
  // ended: the terminal event has come.
  bool ended() const { return ended_; }
  size_t events() const { return events_; }
  const Told& told() const { return told_; }
  // response is the response object of a terminal event in Responses.
  const std::string& response() const { return response_; }

 private:
  using Value = json::Value;

  static void check(bool good) { FLEXD_ASSERT(good); }

  void take_frame(std::string_view frame) {
    check(!ended_);
    std::string_view event;
    if (frame.starts_with("event: ")) {
      const size_t lf = frame.find('\n');
      check(lf != std::string_view::npos);
      event = frame.substr(7, lf - 7);
      frame.remove_prefix(lf + 1);
    }
    check(frame.starts_with("data: "));
    const std::string_view data = frame.substr(6);
    check(data.find_first_of("\r\n") == std::string_view::npos);
    if (data == "[DONE]") return take_done(event);
    check(json::validate(data) == json::Type::kObject);
    const Value value{data};
    switch (dialect_) {
      case errors::Dialect::responses:
        take_response_event(event, value);
        break;
      case errors::Dialect::chat:
        check(event.empty());
        take_chunk(value);
        break;
      case errors::Dialect::interactions:
        check(value["event_type"].equals(event));
        take_step_event(event, value);
        break;
      case errors::Dialect::messages:
        check(value["type"].equals(event));
        take_block_event(event, value);
        break;
    }
    ++events_;
  }

  void take_done(std::string_view event) {
    check(has_end_);
    check(dialect_ == errors::Dialect::chat ? event.empty() : event == "done");
    check(dialect_ == errors::Dialect::chat || dialect_ == errors::Dialect::interactions);
    end();
  }
  void end() {
    check(!open_);
    ended_ = true;
  }
  void fail() {
    told_.failed = true;
    end();
  }
  // add_call: a client answers a call by its id, and only if it is told that there is one.
  void add_call(std::string_view id) {
    check(!id.empty() && std::find(call_ids_.begin(), call_ids_.end(), id) == call_ids_.end());
    call_ids_.emplace_back(id);
  }
  void check_end_word() const {
    const bool good = told_.end == "stop" || told_.end == "completed" || told_.end == "end_turn";
    check(call_ids_.empty() || !good || dialect_ == errors::Dialect::responses);
  }
  void close(const std::string& item) {
    check(open_);
    open_ = false;
    told_.items.push_back(item);
    ++index_;
  }

  void take_response_event(std::string_view event, Value value) {
    check(value["type"].equals(event) && event.starts_with("response."));
    check(value["sequence_number"].to_uint64() == events_);
    check(!value["error"].exists());
    const std::string_view rest = event.substr(9);
    const Value item = value["item"];
    if (rest == "output_item.added") {
      check(!open_ && value["output_index"].to_uint64() == index_);
      open_ = true;
      id_ = item["id"].contents();
      check(!id_.empty() && item["type"].is(json::Type::kString));
      if (item["type"].equals("function_call")) add_call(item["call_id"].contents());
      text_.clear();
    } else if (rest == "output_item.done") {
      check(value["output_index"].to_uint64() == index_ && item["id"].equals(id_));
      check(text_ == texts_of(item));
      close(std::string(item.text));
    } else if (rest.ends_with(".delta")) {
      check(open_ && value["item_id"].equals(id_) && !value["delta"].contents().empty());
      text_ += value["delta"].contents();
    } else if (value["response"].exists()) {
      const Value response = value["response"];
      check(events_ > 0 || rest == "created");
      if (id_of_answer_.empty()) id_of_answer_ = response["id"].contents();
      check(response["id"].equals(id_of_answer_));
      const bool begins = rest == "created" || rest == "in_progress";
      check(response["status"].equals(begins ? "in_progress" : rest));
      check(response["output"].text == "[" + joined(told_.items) + "]");
      response_ = response.text;
      told_.end = rest;
      if (rest == "failed") return fail();
      if (!begins) end();
    } else {
      check(open_ && value["item_id"].equals(id_));
    }
  }
  // texts_of is all text of an item, as its deltas make it.
  static std::string texts_of(Value item) {
    std::string text(item["arguments"].contents());
    for (const std::string_view member : {"content", "summary"}) {
      for (const Value part : json::Elements(item[member])) {
        text += part["text"].contents();
        text += part["refusal"].contents();
      }
    }
    return text;
  }

  struct Call {
    std::string head;
    std::string arguments;
  };
  void take_chunk(Value value) {
    if (value["error"].exists()) return fail();
    check(value["id"].contents().size() > 3 && value["choices"].is(json::Type::kArray));
    json::Elements choices(value["choices"]);
    if (!choices.next()) return check(has_end_ && value["usage"].is(json::Type::kObject));
    check(!has_end_);
    const Value choice = choices.element();
    const Value delta = choice["delta"];
    check(delta["role"].exists() == !has_role_);
    has_role_ = true;
    text_ += delta["content"].contents();
    refusal_ += delta["refusal"].contents();
    for (const Value call : json::Elements(delta["tool_calls"])) {
      const size_t index = call["index"].to_uint64().value_or(SIZE_MAX);
      if (call["id"].exists()) {
        check(index == calls_.size() && call["type"].equals("function"));
        add_call(call["id"].contents());
        calls_.push_back({.head = head_of(call), .arguments = {}});
      }
      check(index + 1 == calls_.size());
      calls_[index].arguments += call["function"]["arguments"].contents();
    }
    if (!choice["finish_reason"].is(json::Type::kString)) return;
    has_end_ = true;
    told_.end = choice["finish_reason"].contents();
    check_end_word();
    told_.items = {text_, refusal_};
    for (const Call& call : calls_) {
      check(!call.arguments.empty());
      told_.items.push_back(call.head + call.arguments);
    }
  }

 public:
  // head_of is all of a chat's call but its arguments.
  static std::string head_of(Value call) {
    return std::string(call["id"].contents()) + " " +
           std::string(call["function"]["name"].contents()) + " " +
           std::string(call["extra_content"].text) + " ";
  }

 private:
  void open_at(Value index) {
    check(!open_ && index.to_uint64() == index_);
    open_ = true;
    text_.clear();
    blob_.clear();
    head_.clear();
  }

  void take_step_event(std::string_view event, Value value) {
    if (event == "error") return fail();
    check(!has_end_);
    const Value step = value["step"];
    const Value delta = value["delta"];
    if (event == "step.start") {
      open_at(value["index"]);
      kind_ = step["type"].contents();
      if (kind_ == "function_call") {
        check(step["arguments"].text == "{}");
        add_call(step["id"].contents());
        head_ = std::string(step["id"].contents()) + " " + std::string(step["name"].contents());
      }
    } else if (event == "step.delta") {
      check(open_ && value["index"].to_uint64() == index_);
      text_ += delta["text"].contents();
      text_ += delta["content"]["text"].contents();
      text_ += delta["arguments"].contents();
      if (delta["signature"].exists()) check(blob_.empty());
      blob_ += delta["signature"].contents();
    } else if (event == "step.stop") {
      check(value["index"].to_uint64() == index_);
      check(kind_ != "function_call" || !text_.empty());
      if (kind_ == "function_call") text_ = object_of(text_);
      close(kind_ + " " + head_ + " " + text_ + " " + blob_);
    } else if (event == "interaction.completed") {
      has_end_ = true;
      check(!open_);
      told_.end = value["interaction"]["status"].contents();
      check_end_word();
    } else {
      check(event == (events_ == 0 ? "interaction.created" : "interaction.status_update"));
    }
  }

  void take_block_event(std::string_view event, Value value) {
    if (event == "error") return fail();
    check((event == "message_start") == (events_ == 0) && (!has_end_ || event == "message_stop"));
    const Value delta = value["delta"];
    if (event == "content_block_start") {
      open_at(value["index"]);
      const Value block = value["content_block"];
      kind_ = block["type"].contents();
      blob_ = block["data"].contents();
      if (kind_ != "tool_use") return;
      check(block["input"].text == "{}");
      add_call(block["id"].contents());
      head_ = std::string(block["id"].contents()) + " " + std::string(block["name"].contents());
    } else if (event == "content_block_delta") {
      check(open_ && value["index"].to_uint64() == index_);
      for (const std::string_view member : {"text", "thinking", "partial_json"}) {
        text_ += delta[member].contents();
      }
      if (delta["signature"].exists()) check(blob_.empty());
      blob_ += delta["signature"].contents();
    } else if (event == "content_block_stop") {
      check(value["index"].to_uint64() == index_);
      check(kind_ != "tool_use" || !text_.empty());
      if (kind_ == "tool_use") text_ = object_of(text_);
      close(kind_ + " " + head_ + " " + text_ + " " + blob_);
    } else if (event == "message_delta") {
      has_end_ = true;
      check(!open_ && value["usage"]["output_tokens"].to_uint64().has_value());
      told_.end = delta["stop_reason"].contents();
      check_end_word();
    } else if (event == "message_stop") {
      check(has_end_);
      end();
    } else {
      check(event == "message_start" && value["message"]["usage"].is(json::Type::kObject));
    }
  }

  errors::Dialect dialect_;
  Told told_;
  std::vector<Call> calls_;
  std::vector<std::string> call_ids_;
  size_t events_ = 0;
  size_t index_ = 0;  // of the open item, or of the next
  bool open_ = false;
  bool has_end_ = false;  // why it ended was told
  bool has_role_ = false;
  bool ended_ = false;
  std::string id_;
  std::string id_of_answer_;
  std::string kind_;
  std::string head_;
  std::string text_;
  std::string refusal_;
  std::string blob_;
  std::string response_;
};

// told_by is what an object tells, but for Responses, where it is the object.
inline Told told_by(errors::Dialect dialect, json::Value object) {
  using json::Elements;
  using json::Value;
  Told told;
  if (dialect == errors::Dialect::chat) {
    Elements choices(object["choices"]);
    FLEXD_ASSERT(choices.next());
    const Value message = choices.element()["message"];
    told.end = choices.element()["finish_reason"].contents();
    told.items = {std::string(message["content"].contents()),
                  std::string(message["refusal"].contents())};
    for (const Value call : Elements(message["tool_calls"])) {
      told.items.push_back(CallerStream::head_of(call) +
                           std::string(call["function"]["arguments"].contents()));
    }
    return told;
  }
  const bool steps = dialect == errors::Dialect::interactions;
  told.end = object[steps ? "status" : "stop_reason"].contents();
  for (const Value item : Elements(object[steps ? "steps" : "content"])) {
    const std::string kind(item["type"].contents());
    const bool call = item["name"].exists();
    std::string text(item[steps ? "arguments" : "input"].text);
    for (const std::string_view member : {"text", "thinking"}) text += item[member].contents();
    for (const std::string_view member : {"content", "summary"}) {
      for (const Value part : Elements(item[member])) text += part["text"].contents();
    }
    const std::string head =
        call ? std::string(item["id"].contents()) + " " + std::string(item["name"].contents()) : "";
    told.items.push_back(kind + " " + head + " " + text + " " +
                         std::string(item["signature"].contents()) +
                         std::string(item["data"].contents()));
  }
  return told;
}

}  // namespace flexd::surface
