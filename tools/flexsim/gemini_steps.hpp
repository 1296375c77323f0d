// gemini_steps.hpp: checks `input` of an Interactions request.
#pragma once

#include "check.hpp"
#include "request.hpp"

namespace flexd::flexsim {

// kReasoningCall begins the ids of calls that Gemini makes after a thought. Within a tool loop they
// are taken back only with the thought before them.
inline constexpr std::string_view kReasoningCall = "flexsim-reasoning-";

// check_gemini_input checks `input` (a text, contents or steps) and tells facts.history what it
// says.
bool check_gemini_input(Checker& check, json::Value request, RequestFacts& facts);

}  // namespace flexd::flexsim
