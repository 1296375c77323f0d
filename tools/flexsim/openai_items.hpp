// openai_items.hpp: checks the nested parts of a Responses request.
#pragma once

#include "check.hpp"
#include "request.hpp"

namespace flexd::flexsim {

// check_openai_input checks `input` and tells facts.history what it says. `facts` has read the
// members before it; whether the conversation has more items elsewhere is asked of `request`.
bool check_openai_input(Checker& check, json::Value request, RequestFacts& facts);

// check_openai_options checks the other members that have parts: tools, tool_choice, text,
// reasoning, stream_options, include.
bool check_openai_options(Checker& check, json::Value request, RequestFacts& facts);

}  // namespace flexd::flexsim
