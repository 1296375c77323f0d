// answer_shapes.hpp: the events of providers, of which fuzz targets make streams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flexd/errors/dialect.hpp"

namespace flexd::surface {

// In a shape, @ stands for an index and # for the inside of a string.
inline constexpr std::string_view kOpenaiShapes[] = {
    R"({"type":"response.created","response":{"model":"#"}})",
    R"({"type":"response.output_item.added","output_index":@,"item":{"type":"message"}})",
    R"({"type":"response.output_item.added","output_index":@,"item":{"type":"reasoning"}})",
    R"({"type":"response.output_item.added","output_index":@,"item":{"type":"function_call",)"
    R"("call_id":"#","name":"f"}})",
    R"({"type":"response.output_item.added","output_index":@,"item":{"type":"web_search_call"}})",
    R"({"type":"response.output_text.delta","output_index":@,"content_index":@,"delta":"#"})",
    R"({"type":"response.refusal.delta","output_index":@,"content_index":1,"delta":"#"})",
    R"({"type":"response.function_call_arguments.delta","output_index":@,"delta":"#"})",
    R"({"type":"response.reasoning_summary_text.delta","output_index":@,"summary_index":@,)"
    R"("delta":"#"})",
    R"({"type":"response.output_text.done","output_index":@,"content_index":0,"text":"#"})",
    R"({"type":"response.function_call_arguments.done","output_index":@,"arguments":"#"})",
    R"({"type":"response.output_item.done","output_index":@,"item":{"type":"message",)"
    R"("content":[{"type":"output_text","text":"#"},{"type":"refusal","refusal":"#"}]}})",
    R"({"type":"response.output_item.done","output_index":@,"item":{"type":"reasoning",)"
    R"("summary":[{"type":"summary_text","text":"#"}],"encrypted_content":"#"}})",
    R"({"type":"response.output_item.done","output_index":@,"item":{"type":"function_call",)"
    R"("status":"incomplete","call_id":"#","name":"g","arguments":"#"}})",
    R"({"type":"response.completed","response":{"status":"completed","output":[{"type":)"
    R"("message","content":[{"type":"output_text","text":"#"}]},{"type":"function_call",)"
    R"("call_id":"#","name":"h","arguments":"{}"}],"usage":{"input_tokens":@}}})",
    R"({"type":"response.incomplete","response":{"output":[],"service_tier":"#"}})",
    R"({"type":"response.failed","response":{"error":{"code":"#","message":"#"}}})",
    R"({"type":"error","code":"#"})",
};
inline constexpr std::string_view kGeminiShapes[] = {
    R"({"event_type":"interaction.created","interaction":{"model":"#"}})",
    R"({"event_type":"step.start","index":@,"step":{"type":"model_output","content":)"
    R"([{"type":"text","text":"#"}]}})",
    R"({"event_type":"step.start","index":@,"step":{"type":"model_output","error":{}}})",
    R"({"event_type":"step.start","index":@,"step":{"type":"thought","signature":"#",)"
    R"("summary":[{"type":"text","text":"#"},{"type":"text","text":"#"}]}})",
    R"({"event_type":"step.start","index":@,"step":{"type":"function_call","id":"#","name":)"
    R"("f","arguments":{"#":"#"}}})",
    R"({"event_type":"step.start","index":@,"step":{"type":"function_call","id":"c","name":)"
    R"("f","arguments":{}}})",
    R"({"event_type":"step.start","index":@,"step":{"type":"google_search_call"}})",
    R"({"event_type":"step.delta","index":@,"delta":{"type":"text","text":"#"}})",
    R"({"event_type":"step.delta","index":@,"delta":{"type":"thought_summary","content":)"
    R"({"text":"#"}}})",
    R"({"event_type":"step.delta","index":@,"delta":{"type":"thought_signature","signature":"#"}})",
    R"({"event_type":"step.delta","index":@,"delta":{"type":"arguments_delta","arguments":"#"}})",
    R"({"event_type":"step.stop","index":@})",
    R"({"event_type":"step.stop"})",
    R"({"event_type":"interaction.completed","interaction":{"status":"completed",)"
    R"("service_tier":"#"}})",
    R"({"event_type":"interaction.completed","interaction":{"status":"incomplete"}})",
    R"({"event_type":"interaction.completed","interaction":{"status":"failed","errors":)"
    R"([{"message":"#"}]}})",
    R"({"event_type":"error","error":{"code":"#","message":"#"}})",
};
inline constexpr std::string_view kAnthropicShapes[] = {
    R"({"type":"message_start","message":{"model":"#","usage":{"input_tokens":@,)"
    R"("service_tier":"#"}}})",
    R"({"type":"content_block_start","index":@,"content_block":{"type":"text","text":"#"}})",
    R"({"type":"content_block_start","index":@,"content_block":{"type":"thinking",)"
    R"("thinking":"#","signature":"#"}})",
    R"({"type":"content_block_start","index":@,"content_block":{"type":"redacted_thinking",)"
    R"("data":"#"}})",
    R"({"type":"content_block_start","index":@,"content_block":{"type":"tool_use","id":"#",)"
    R"("name":"#","input":{"#":[]}}})",
    R"({"type":"content_block_start","index":@,"content_block":{"type":"server_tool_use"}})",
    R"({"type":"content_block_delta","index":@,"delta":{"type":"text_delta","text":"#"}})",
    R"({"type":"content_block_delta","index":@,"delta":{"type":"thinking_delta","thinking":"#"}})",
    R"({"type":"content_block_delta","index":@,"delta":{"type":"signature_delta",)"
    R"("signature":"#"}})",
    R"({"type":"content_block_delta","index":@,"delta":{"type":"input_json_delta",)"
    R"("partial_json":"#"}})",
    R"({"type":"content_block_stop","index":@})",
    R"({"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":@}})",
    R"({"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"#"}})",
    R"({"type":"message_stop"})",
    R"({"type":"error","error":{"type":"#","message":"#"}})",
};
// The first few are usual. Some are no inside of a string. The last have a mark, by which they can
// be told wherever they come out.
inline constexpr std::string_view kTexts[] = {
    "a",        "",      "call_1",    R"({\"a\":1})",     R"(\ud83d)",
    "\xc3\xa9", "\n",    R"(\u00e9)", R"(\n\"\\)",        "\xff",
    R"(\x)",    R"(" )", "zqx",       R"(\",\"zqx\":\")", R"({\"zqx\":[{}]})",
};

inline std::string event_of(std::string_view shape, uint8_t index, uint8_t text) {
  std::string event;
  for (const char c : shape) {
    if (c == '@') {
      event += std::to_string(index % 8);
    } else if (c == '#') {
      // Broken texts are rare, so that streams have a future.
      const size_t choice = text % 32;
      event += choice < std::size(kTexts) ? kTexts[choice] : kTexts[choice % 6];
    } else {
      event += c;
    }
  }
  return event;
}

inline std::string_view shape_of(errors::Provider provider, uint8_t choice) {
  switch (provider) {
    case errors::Provider::openai:
      return kOpenaiShapes[choice % std::size(kOpenaiShapes)];
    case errors::Provider::gemini:
      return kGeminiShapes[choice % std::size(kGeminiShapes)];
    case errors::Provider::anthropic:
      return kAnthropicShapes[choice % std::size(kAnthropicShapes)];
  }
  return {};
}

inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace flexd::surface
