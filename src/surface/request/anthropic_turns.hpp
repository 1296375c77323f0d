// anthropic_turns.hpp: a conversation as Anthropic's Messages API wants it.
//
// Turns alternate; whatever else the caller's items are, what one side says in a row is one turn.
// The results of an assistant's calls come first in the user's turn behind it, all of them. No text
// is blank (https://docs.anthropic.com/en/api/messages).
#pragma once

#include "draft.hpp"

namespace flexd::surface {

// write_turns appends `,"messages":[...]`. draft.link_calls has been called.
void write_turns(Draft& draft);

// lacks_thoughts tells whether the last turns, since the user spoke, have a call without a thought
// of Anthropic's before it. Models that think within a budget refuse to think then.
bool lacks_thoughts(Draft& draft);

}  // namespace flexd::surface
