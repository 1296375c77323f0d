// request.hpp: reads a Responses API request the way the provider does, strictly.
//
// Members that the API does not have are refused with 400 unknown_parameter: a gateway that
// forgets to take out its own is caught by every test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flexd/base/result.hpp"

namespace flexd::flexsim {

// Tier is the service_tier of a request.
enum class Tier : uint8_t { unset, flex, standard, priority, automatic, other };
inline constexpr size_t kTiers = 6;
// tier_name is the tier's name in reports: "unset", "flex", "default", "priority", "auto", "other".
[[nodiscard]] std::string_view tier_name(Tier tier);

// RequestFacts views the body; what is missing is the JSON text that the response object shows.
struct RequestFacts {
  Tier tier = Tier::unset;
  bool stream = false;
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
  size_t input_bytes = 0;         // of the raw text of `input` and `instructions`
};

// Problem is why the provider refuses a request.
struct Problem {
  unsigned status = 400;
  std::string message;
  std::string param;      // empty: null
  std::string_view code;  // empty: null
};

// read_request checks a body; the facts view it.
[[nodiscard]] Result<RequestFacts, Problem> read_request(std::string_view body);

}  // namespace flexd::flexsim
