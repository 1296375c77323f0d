#include "dialects.hpp"

namespace flexd::sim_test {
namespace {

using flexsim::text_of;

constexpr std::string_view kSchema = R"({"type":"object","properties":{"city":{"type":"string"}}})";

// tools is get_weather in the dialect's own form.
std::string tools(Dialect dialect) {
  const std::string name = R"("name":"get_weather",)";
  const std::string schema(kSchema);
  switch (dialect) {
    case Dialect::responses:
    case Dialect::interactions:
      return R"([{"type":"function",)" + name + R"("parameters":)" + schema + "}]";
    case Dialect::chat:
      return R"([{"type":"function","function":{)" + name + R"("parameters":)" + schema + "}}]";
    case Dialect::messages:
      return "[{" + name + R"("input_schema":)" + schema + "}]";
  }
  return "";
}

flexsim::Vendor vendor_of(Dialect dialect) {
  return dialect == Dialect::responses      ? flexsim::Vendor::openai
         : dialect == Dialect::interactions ? flexsim::Vendor::gemini
                                            : flexsim::Vendor::anthropic;
}

void read_chat_usage(json::Value usage, Said& said) {
  if (!usage.is(json::Type::kObject)) return;
  said.input = usage["prompt_tokens"].to_int64().value_or(-1);
  said.output = usage["completion_tokens"].to_int64().value_or(-1);
  said.cached = usage["prompt_tokens_details"]["cached_tokens"].to_int64().value_or(-1);
  said.reasoning = usage["completion_tokens_details"]["reasoning_tokens"].to_int64().value_or(-1);
  CHECK(usage["total_tokens"].to_int64() == said.input + said.output);
}

void read_finish(json::Value reason, Said& said) {
  if (!reason.is(json::Type::kString)) return;
  said.stop = reason.equals("stop")             ? "end"
              : reason.equals("tool_calls")     ? "calls"
              : reason.equals("length")         ? "length"
              : reason.equals("content_filter") ? "blocked"
                                                : text_of(reason);
}

// read_calls reads whole calls, or a chunk's parts of them.
void read_calls(json::Value calls, bool stream, Said& said) {
  for (const json::Value call : json::Elements(calls)) {
    const json::Value function = call["function"];
    if (!stream || call["id"].exists()) {
      if (stream) {
        CHECK(call["index"].to_int64() == static_cast<int64_t>(said.calls.size()));
      }
      CHECK(call["type"].equals("function"));
      said.calls.push_back({text_of(call["id"]), text_of(function["name"]), ""});
    }
    REQUIRE_FALSE(said.calls.empty());
    said.calls.back().arguments += text_of(function["arguments"]);
  }
}

void read_chat_message(json::Value message, bool stream, Said& said) {
  said.text += text_of(message["content"]);
  said.refusal += text_of(message["refusal"]);
  read_calls(message["tool_calls"], stream, said);
}

Said said_in_chat(bool stream, const std::string& body) {
  Said said;
  std::string id;
  if (!stream) {
    REQUIRE(json::validate(body).has_value());
    const json::Value whole{body};
    CHECK(whole["object"].equals("chat.completion"));
    for (const json::Value choice : json::Elements(whole["choices"])) {
      read_chat_message(choice["message"], false, said);
      read_finish(choice["finish_reason"], said);
    }
    read_chat_usage(whole["usage"], said);
    return said;
  }
  for (const Frame& frame : frames_of(body)) {
    CHECK(frame.event.empty());
    if (frame.data == "[DONE]") continue;
    const json::Value chunk{frame.data};
    CHECK(chunk["object"].equals("chat.completion.chunk"));
    if (id.empty()) id = text_of(chunk["id"]);
    CHECK(text_of(chunk["id"]) == id);
    for (const json::Value choice : json::Elements(chunk["choices"])) {
      read_chat_message(choice["delta"], true, said);
      read_finish(choice["finish_reason"], said);
    }
    read_chat_usage(chunk["usage"], said);
  }
  return said;
}

// note_end takes a frame in: whether it ends its stream, and well.
void note_end(Dialect dialect, const Frame& frame, Terminals& ends) {
  const json::Value data{frame.data};
  const std::string type = text_of(data[dialect == Dialect::interactions ? "event_type" : "type"]);
  const std::string status = text_of(data["interaction"]["status"]);
  bool good = false;
  bool bad = false;
  switch (dialect) {
    case Dialect::responses:
      good = type == "response.completed" || type == "response.incomplete";
      bad = type == "response.failed" || type == "error";
      break;
    case Dialect::chat:
      good = frame.data == "[DONE]";
      bad = data["error"].exists();
      break;
    case Dialect::interactions:
      bad = type == "error" || (type == "interaction.completed" && status == "failed");
      good = !bad && type == "interaction.completed";
      break;
    case Dialect::messages:
      good = type == "message_stop" && frame.event == type;
      bad = type == "error" && frame.event == type;
      break;
  }
  ends.good += good ? 1 : 0;
  ends.bad += bad ? 1 : 0;
  if (bad) ends.failure = frame.data;
  const bool belongs = dialect == Dialect::interactions && frame.data == "[DONE]" && ends.good == 1;
  ends.at_end = good || bad || (belongs && ends.at_end);
}

}  // namespace

std::string Pair::name() const {
  constexpr std::array<std::string_view, 4> kNames = {"responses", "chat", "interactions",
                                                      "messages"};
  return std::string(kNames[static_cast<size_t>(dialect)]) + " to " +
         std::string(errors::provider_word(provider));
}

std::vector<Pair> every_pair() {
  std::vector<Pair> pairs;
  for (const Dialect dialect : kDialects) {
    for (const Vendor provider : kProviders) pairs.push_back({dialect, provider});
  }
  return pairs;
}

std::vector<Pair> translated_pairs() {
  std::vector<Pair> pairs = every_pair();
  std::erase_if(pairs, [](const Pair& pair) { return !pair.is_translated(); });
  // Three dialects have a provider of their own; chat has none.
  REQUIRE(pairs.size() == 9);
  return pairs;
}

std::string path_of(Dialect dialect) {
  constexpr std::array<std::string_view, 4> kPaths = {"/v1/responses", "/v1/chat/completions",
                                                      "/v1beta/interactions", "/v1/messages"};
  return std::string(kPaths[static_cast<size_t>(dialect)]);
}

std::string model_of(Vendor provider) {
  constexpr std::array<std::string_view, 3> kModels = {"gpt-5.4", "gemini-3.5-flash",
                                                       "claude-sonnet-4-5"};
  return std::string(kModels[static_cast<size_t>(provider)]);
}

std::string request_of(Pair pair, const Question& question) {
  std::string text = R"({"model":")" + model_of(pair.provider) + R"(","start_within":")" +
                     question.start_within + "\"" + (question.stream ? R"(,"stream":true)" : "");
  const std::string message = R"(,"messages":[{"role":"user","content":")" + question.text + "\"}]";
  switch (pair.dialect) {
    case Dialect::responses:
      text += R"(,"max_output_tokens":1000,"input":")" + question.text + "\"";
      break;
    case Dialect::chat:
      text += R"(,"max_completion_tokens":1000)" + message;
      if (question.stream) text += R"(,"stream_options":{"include_usage":true})";
      break;
    case Dialect::interactions:
      text += R"(,"generation_config":{"max_output_tokens":1000},"input":")" + question.text + "\"";
      break;
    case Dialect::messages:
      text += R"(,"max_tokens":1000)" + message;
      break;
  }
  return text + R"(,"tools":)" + tools(pair.dialect) + question.more + "}";
}

const Reply& ask(Sim& sim, Pair pair, const Question& question, std::string_view extra) {
  return sim.wait(send(sim, pair, question, extra));
}

Client& send(Sim& sim, Pair pair, const Question& question, std::string_view extra) {
  return sim.send_to(path_of(pair.dialect), request_of(pair, question), extra);
}

std::vector<Frame> frames_of(const std::string& body) {
  std::vector<Frame> frames;
  size_t at = 0;
  while (at < body.size()) {
    const size_t end = body.find("\n\n", at);
    CAPTURE(body);
    REQUIRE(end != std::string::npos);
    const std::string text = body.substr(at, end - at);
    at = end + 2;
    if (text.starts_with(":")) continue;
    Frame frame;
    size_t line = 0;
    if (text.starts_with("event: ")) {
      line = text.find('\n') + 1;
      frame.event = text.substr(7, line - 8);
    }
    CAPTURE(text);
    REQUIRE(text.compare(line, 6, "data: ") == 0);
    frame.data = text.substr(line + 6);
    if (frame.data != "[DONE]") CHECK(json::validate(frame.data).has_value());
    frames.push_back(std::move(frame));
  }
  return frames;
}

Terminals terminals_of(Dialect dialect, const std::string& body) {
  Terminals ends;
  for (const Frame& frame : frames_of(body)) note_end(dialect, frame, ends);
  return ends;
}

Said said_in(Dialect dialect, bool stream, const std::string& body) {
  CAPTURE(body);
  if (dialect == Dialect::chat) return said_in_chat(stream, body);
  return stream ? flexsim::said_in_stream(vendor_of(dialect), body)
                : flexsim::said_in_body(vendor_of(dialect), body);
}

std::string what(const Said& said) {
  std::string text = "text=" + said.text + " refusal=" + said.refusal;
  for (const flexsim::Call& call : said.calls) {
    CHECK_FALSE(call.id.empty());
    text += " " + call.name + call.arguments;
  }
  return text + " stop=" + said.stop + " tokens=" + std::to_string(said.input) + "/" +
         std::to_string(said.output);
}

}  // namespace flexd::sim_test
