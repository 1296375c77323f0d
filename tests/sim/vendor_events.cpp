#include "vendor_events.hpp"

namespace flexd::sim_test {

namespace {

std::string message_item(std::string_view status, std::string_view content) {
  return R"({"id":"msg_01","type":"message","status":")" + std::string(status) +
         R"(","role":"assistant","content":[)" + std::string(content) + "]}";
}
std::string text_part(std::string_view text) {
  return R"({"type":"output_text","annotations":[],"logprobs":[],"text":")" + std::string(text) +
         "\"}";
}
constexpr std::string_view kInPart = R"(,"item_id":"msg_01","output_index":0,"content_index":0)";
constexpr std::string_view kMessageUsage =
    R"({"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,)"
    R"("output_tokens":3,"service_tier":"standard"})";

}  // namespace

VendorEvents::VendorEvents(Vendor provider, std::string_view tier, std::string_view id)
    : provider_(provider), tier_(tier) {
  constexpr std::string_view kPrefixes[] = {"resp_", "v1_", "msg_"};
  id_ = std::string(kPrefixes[static_cast<size_t>(provider)]) + std::string(id);
}

std::string VendorEvents::event(std::string_view name, std::string_view members) {
  std::string text = "event: " + std::string(name) + "\ndata: {";
  if (provider_ == Vendor::gemini) {
    return text + std::string(members) + R"("event_type":")" + std::string(name) + "\"}\n\n";
  }
  text += R"("type":")" + std::string(name) + "\"";
  if (provider_ == Vendor::openai) {
    text += R"(,"sequence_number":)" + std::to_string(sequence_++);
  }
  return text + std::string(members) + "}\n\n";
}

std::string VendorEvents::response(std::string_view status, std::string_view output) const {
  return R"({"id":")" + id_ + R"(","object":"response","created_at":1800000000,"status":")" +
         std::string(status) +
         R"(","error":null,"incomplete_details":null,"model":"gpt-5.4",)"
         R"("output":[)" +
         std::string(output) + R"(],"service_tier":")" + tier_ + R"(","usage":)" +
         (status == "completed"
              ? R"({"input_tokens":7,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,)"
                R"("output_tokens_details":{"reasoning_tokens":0},"total_tokens":10})"
              : "null") +
         "}";
}

std::string VendorEvents::interaction(std::string_view status, std::string_view members) const {
  return R"({"id":")" + id_ + R"(","status":")" + std::string(status) +
         R"(","object":"interaction","model":"gemini-3.5-flash")" + std::string(members) + "}";
}

std::string VendorEvents::opening() {
  switch (provider_) {
    case Vendor::openai: {
      std::string text = event("response.created", ",\"response\":" + response("in_progress", ""));
      return text += event("response.in_progress", ",\"response\":" + response("in_progress", ""));
    }
    case Vendor::gemini: {
      std::string text =
          event("interaction.created", "\"interaction\":" + interaction("in_progress", "") + ",");
      return text += event("interaction.status_update",
                           R"("interaction_id":")" + id_ + R"(","status":"in_progress",)");
    }
    case Vendor::anthropic:
      return event("message_start",
                   R"(,"message":{"id":")" + id_ +
                       R"(","type":"message","role":"assistant","model":"claude-sonnet-4-5",)"
                       R"("content":[],"stop_reason":null,"stop_sequence":null,"usage":)"
                       R"({"input_tokens":7,"cache_creation_input_tokens":0,)"
                       R"("cache_read_input_tokens":0,"output_tokens":1,)"
                       R"("service_tier":"standard"}})") +
             event("ping", "");
  }
  return "";
}

std::string VendorEvents::start() {
  switch (provider_) {
    case Vendor::openai: {
      std::string text = event("response.output_item.added",
                               R"(,"output_index":0,"item":)" + message_item("in_progress", ""));
      return text += event("response.content_part.added",
                           std::string(kInPart) + R"(,"part":)" + text_part(""));
    }
    case Vendor::gemini:
      return event("step.start", R"("index":0,"step":{"type":"model_output"},)");
    case Vendor::anthropic:
      return event("content_block_start",
                   R"(,"index":0,"content_block":{"type":"text","text":""})");
  }
  return "";
}

std::string VendorEvents::delta(std::string_view piece) {
  text_ += piece;
  const std::string quoted = "\"" + std::string(piece) + "\"";
  switch (provider_) {
    case Vendor::openai:
      return event("response.output_text.delta",
                   std::string(kInPart) + R"(,"logprobs":[],"delta":)" + quoted);
    case Vendor::gemini:
      return event("step.delta", R"("index":0,"delta":{"type":"text","text":)" + quoted + "},");
    case Vendor::anthropic:
      return event("content_block_delta",
                   R"(,"index":0,"delta":{"type":"text_delta","text":)" + quoted + "}");
  }
  return "";
}

std::string VendorEvents::finish() {
  std::string text;
  switch (provider_) {
    case Vendor::openai: {
      const std::string item = message_item("completed", text_part(text_));
      text = event("response.output_text.done",
                   std::string(kInPart) + R"(,"logprobs":[],"text":")" + text_ + "\"");
      text += event("response.content_part.done",
                    std::string(kInPart) + R"(,"part":)" + text_part(text_));
      text += event("response.output_item.done", R"(,"output_index":0,"item":)" + item);
      return text += event("response.completed", ",\"response\":" + response("completed", item));
    }
    case Vendor::gemini:
      text = event("step.stop", R"("index":0,)");
      text += event(
          "interaction.completed",
          "\"interaction\":" +
              interaction("completed", R"(,"created":"2027-01-15T08:00:00Z",)"
                                       R"("updated":"2027-01-15T08:00:01Z","service_tier":")" +
                                           tier_ +
                                           R"(","usage":{"total_input_tokens":7,)"
                                           R"("total_cached_tokens":0,"total_output_tokens":3,)"
                                           R"("total_thought_tokens":0,"total_tokens":10})") +
              ",");
      return text += "event: done\ndata: [DONE]\n\n";
    case Vendor::anthropic:
      text = event("content_block_stop", R"(,"index":0)");
      text += event("message_delta",
                    R"(,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":)" +
                        std::string(kMessageUsage));
      return text += event("message_stop", "");
  }
  return text;
}

std::string VendorEvents::failure_object() const {
  switch (provider_) {
    case Vendor::openai:
      return R"({"type": "server_error","code":"server_error","message":"It broke.","param":null})";
    case Vendor::gemini:
      return R"({"code": "internal","message":"It broke."})";
    case Vendor::anthropic:
      return R"({"type": "api_error","message":"It broke."})";
  }
  return "";
}

std::string VendorEvents::failure() {
  if (provider_ == Vendor::gemini) return event("error", "\"error\":" + failure_object() + ",");
  return event("error", ",\"error\":" + failure_object());
}

std::string VendorEvents::silence() {
  if (provider_ == Vendor::openai) return event("keepalive", "");
  return provider_ == Vendor::gemini ? ": keepalive\n\n" : event("ping", "");
}

std::string VendorEvents::object() const {
  switch (provider_) {
    case Vendor::openai:
      return response("completed", message_item("completed", text_part("Hi")));
    case Vendor::gemini:
      return interaction("completed",
                         R"(,"created":"2027-01-15T08:00:00Z","updated":"2027-01-15T08:00:01Z",)"
                         R"("service_tier":")" +
                             tier_ +
                             R"(","steps":[{"type":"model_output","content":[{"type":"text",)"
                             R"("text":"Hi"}]}],"usage":{"total_input_tokens":7,)"
                             R"("total_cached_tokens":0,"total_output_tokens":3,)"
                             R"("total_thought_tokens":0,"total_tokens":10})");
    case Vendor::anthropic:
      return R"({"id":")" + id_ +
             R"(","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":)"
             R"([{"type":"text","text":"Hi"}],"stop_reason":"end_turn","stop_sequence":null,)"
             R"("usage":)" +
             std::string(kMessageUsage) + "}";
  }
  return "";
}

}  // namespace flexd::sim_test
