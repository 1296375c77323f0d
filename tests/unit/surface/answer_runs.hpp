// answer_runs.hpp: readers of answers with the events to feed them.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "answer_checks.hpp"
#include "readers.hpp"

namespace flexd::surface {

using errors::Provider;

// Run is a reader with the sink it tells.
class Run {
 public:
  explicit Run(Provider provider, size_t budget_bytes = size_t{64} << 20U)
      : provider_(provider), pool_(budget_bytes) {
    if (provider == Provider::openai) reader_ = std::make_unique<OpenaiReader>(sink, pool_);
    if (provider == Provider::gemini) reader_ = std::make_unique<GeminiReader>(sink, pool_);
    if (provider == Provider::anthropic) reader_ = std::make_unique<AnthropicReader>(sink, pool_);
  }

  bool feed(std::string_view data) {
    // The event's text is gone after the call, as a scanner's is.
    const std::string own(data);
    return reader_->feed(read_event(provider_, {}, own));
  }
  Run& with(const std::vector<std::string>& events) {
    for (const std::string& event : events) CHECK(feed(event));
    return *this;
  }
  bool read(std::string_view object) { return reader_->read_object({object}); }

  CheckingSink sink;

 private:
  Provider provider_;
  BlockPool pool_;
  std::unique_ptr<AnswerReader> reader_;
};

inline std::string told(Provider provider, const std::vector<std::string>& events) {
  return Run(provider).with(events).sink.told;
}
inline std::string told_of(Provider provider, std::string_view object) {
  Run run(provider);
  CHECK(run.read(object));
  return run.sink.told;
}

// OpenAI.

inline std::string response(std::string_view status, std::string_view output,
                            std::string_view more = "") {
  return R"({"id":"resp_1","object":"response","status":")" + std::string(status) +
         R"(","model":"gpt-5.4-2026","output":[)" + std::string(output) +
         R"(],"service_tier":"flex","error":null,"usage":{"input_tokens":9,)"
         R"("input_tokens_details":{"cached_tokens":2,"cache_write_tokens":1},"output_tokens":4,)"
         R"("output_tokens_details":{"reasoning_tokens":3},"total_tokens":13})" +
         std::string(more) + "}";
}
inline std::string terminal(std::string_view status, std::string_view output,
                            std::string_view more = "") {
  return R"({"type":"response.)" + std::string(status) + R"(","sequence_number":9,"response":)" +
         response(status, output, more) + "}";
}
inline const std::string kCreated =
    R"({"type":"response.created","sequence_number":0,"response":)"
    R"({"id":"resp_1","status":"in_progress","model":"gpt-5.4-2026","output":[],"usage":null}})";
inline const std::string kMessageItem =
    R"({"id":"msg_1","type":"message","status":"completed","role":"assistant","content":)"
    R"([{"type":"output_text","text":"Hel\u00e9lo","annotations":[]},{"type":"refusal",)"
    R"("refusal":"No."}]})";
inline const std::string kCallItem =
    R"({"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f",)"
    R"("arguments":"{\"a\":1}"})";
inline const std::string kReasoningItem =
    R"({"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"One"},)"
    R"({"type":"summary_text","text":"Two"}],"encrypted_content":"ENC","content":)"
    R"([{"type":"reasoning_text","text":"raw"}]})";

inline std::string added(int index, std::string_view item) {
  return R"({"type":"response.output_item.added","output_index":)" + std::to_string(index) +
         R"(,"item":)" + std::string(item) + "}";
}
inline std::string done(int index, std::string_view item) {
  return R"({"type":"response.output_item.done","output_index":)" + std::to_string(index) +
         R"(,"item":)" + std::string(item) + "}";
}
inline std::string text_event(std::string_view type, int index, std::string_view member,
                              std::string_view text, int part = 0) {
  const std::string number = std::to_string(part);
  return R"({"type":"response.)" + std::string(type) + R"(","item_id":"x","output_index":)" +
         std::to_string(index) + R"(,"content_index":)" + number + R"(,"summary_index":)" + number +
         ",\"" + std::string(member) + "\":\"" + std::string(text) + "\"}";
}
inline std::string delta(std::string_view type, int index, std::string_view text, int part = 0) {
  return text_event(std::string(type) + ".delta", index, "delta", text, part);
}
inline const std::string kMessageAdded =
    R"({"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]})";
inline const std::string kCallAdded =
    R"({"id":"fc_1","type":"function_call","status":"in_progress","call_id":"call_1","name":)"
    R"("f","arguments":""})";
inline const std::string kReasoningAdded = R"({"id":"rs_1","type":"reasoning","summary":[]})";

// Gemini.

inline const std::string kInteractionCreated =
    R"({"interaction":{"id":"v1_1","status":"in_progress","object":"interaction",)"
    R"("model":"gemini-3"},"event_type":"interaction.created"})";
inline std::string step_start(int index, std::string_view step) {
  return R"({"index":)" + std::to_string(index) + R"(,"step":)" + std::string(step) +
         R"(,"event_type":"step.start"})";
}
inline std::string step_delta(int index, std::string_view d) {
  return R"({"index":)" + std::to_string(index) + R"(,"delta":)" + std::string(d) +
         R"(,"event_type":"step.delta"})";
}
inline std::string step_stop(int index) {
  return R"({"index":)" + std::to_string(index) + R"(,"event_type":"step.stop"})";
}
inline std::string interaction(std::string_view status, std::string_view more = "") {
  return R"({"id":"v1_1","status":")" + std::string(status) +
         R"(","model":"gemini-3","service_tier":"flex",)"
         R"("usage":{"total_input_tokens":9,"total_output_tokens":4,"total_thought_tokens":2,)"
         R"("total_tokens":15})" +
         std::string(more) + "}";
}
inline std::string interaction_completed(std::string_view status, std::string_view more = "") {
  return R"({"interaction":)" + interaction(status, more) +
         R"(,"event_type":"interaction.completed"})";
}
inline std::string text_delta(int index, std::string_view text) {
  return step_delta(index, R"({"type":"text","text":")" + std::string(text) + "\"}");
}
inline std::string arguments_delta(int index, std::string_view text) {
  return step_delta(index,
                    R"({"type":"arguments_delta","arguments":")" + std::string(text) + "\"}");
}

// Anthropic.

inline const std::string kMessageStart =
    R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",)"
    R"("model":"claude-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":)"
    R"({"input_tokens":9,"output_tokens":1,"cache_creation_input_tokens":5,)"
    R"("cache_read_input_tokens":7,"service_tier":"priority"}}})";
inline std::string block_start(int index, std::string_view block) {
  return R"({"type":"content_block_start","index":)" + std::to_string(index) +
         R"(,"content_block":)" + std::string(block) + "}";
}
inline std::string block_delta(int index, std::string_view type, std::string_view member,
                               std::string_view text) {
  return R"({"type":"content_block_delta","index":)" + std::to_string(index) +
         R"(,"delta":{"type":")" + std::string(type) + "\",\"" + std::string(member) + "\":\"" +
         std::string(text) + "\"}}";
}
inline std::string block_stop(int index) {
  return R"({"type":"content_block_stop","index":)" + std::to_string(index) + "}";
}
inline std::string message_delta(std::string_view reason, std::string_view sequence = "null") {
  return R"({"type":"message_delta","delta":{"stop_reason":")" + std::string(reason) +
         R"(","stop_sequence":)" + std::string(sequence) + R"(},"usage":{"output_tokens":4}})";
}
inline const std::string kMessageStop = R"({"type":"message_stop"})";

}  // namespace flexd::surface
