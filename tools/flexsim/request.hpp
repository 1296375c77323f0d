// request.hpp: reads a request the way its provider does, strictly.
//
// Members that the API does not have are refused with 400: a gateway that forgets to take out its
// own is caught by every test. So is a conversation that the provider would not take: results
// without their calls, thoughts that it did not think.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flexd/base/result.hpp"
#include "history.hpp"
#include "vendor.hpp"

namespace flexd::flexsim {

// Tier is the service_tier of a request.
enum class Tier : uint8_t { unset, flex, standard, priority, automatic, other };
inline constexpr size_t kTiers = 6;
// tier_name is the tier's name in reports: "unset", "flex", "default", "priority", "auto", "other".
[[nodiscard]] std::string_view tier_name(Tier tier);

// RequestFacts views the body; what is missing is the JSON text that the response object shows.
struct RequestFacts {
  Vendor vendor = Vendor::openai;
  Tier tier = Tier::unset;
  bool stream = false;
  std::string_view body;   // all of it
  std::string_view model;  // contents, escaped as sent
  std::string_view instructions = "null";
  std::string_view max_output_tokens = "null";
  std::string_view max_tool_calls = "null";
  std::string_view metadata = "{}";
  std::string_view parallel_tool_calls = "true";
  std::string_view previous_response_id = "null";
  std::string_view safety_identifier = "null";
  std::string_view store = "true";
  std::string_view temperature = "1.0";
  std::string_view tool_choice = "\"auto\"";
  std::string_view tools = "[]";
  std::string_view top_p = "1.0";
  std::string_view truncation = "\"disabled\"";
  std::string_view user = "null";
  std::string_view conversation;  // raw JSON, empty if there is none
  std::string_view trace;         // metadata.trace, escaped as sent, or empty
  // input_bytes is what input tokens are counted from. OpenAI: the raw text of `input` and
  // `instructions`; the others: all texts with their quotes.
  size_t input_bytes = 0;
  bool is_stored = true;           // `store` is not false
  bool wants_json = false;         // a JSON schema, or JSON mode
  bool wants_thoughts = true;      // Anthropic: `thinking` is on
  bool wants_thought_text = true;  // and its text is to be shown
  bool wants_blob = true;          // OpenAI: reasoning.encrypted_content
  History history;
};

// Problem is why the provider refuses a request.
struct Problem {
  unsigned status = 400;
  std::string message;
  std::string param;      // empty: null
  std::string_view code;  // empty: null
};

// RequestText is a request as it came.
struct RequestText {
  Vendor vendor = Vendor::openai;
  std::string_view body;
  std::string_view version;  // of the field anthropic-version
};

// read_request checks a request; the facts view its body.
[[nodiscard]] Result<RequestFacts, Problem> read_request(const RequestText& request);

// The readers of the providers, for read_request: `body` is known to be a JSON object.
[[nodiscard]] Result<RequestFacts, Problem> read_openai_request(std::string_view body);
[[nodiscard]] Result<RequestFacts, Problem> read_gemini_request(std::string_view body);
[[nodiscard]] Result<RequestFacts, Problem> read_anthropic_request(std::string_view body,
                                                                   std::string_view version);

}  // namespace flexd::flexsim
