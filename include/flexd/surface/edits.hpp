// edits.hpp: a body as an attempt sends it, as a list of splices.
//
// In the provider's own dialect the body is the caller's and is never rewritten: `start_within` and
// the reserved fields go, `service_tier` comes in, and an attempt of a race streams. Where it can
// be done, `start_within` is replaced by the new members in one splice. Every other byte, and so
// the prompt, is as the caller sent it. A translated body (translate.hpp) gets the same two members
// at its front. All three providers call them `service_tier` and `stream`.
#pragma once

#include "flexd/base/splice.hpp"
#include "flexd/surface/request.hpp"

namespace flexd::surface {

// race_edits is the attempt of a race on `tier` (flex or standard): it streams in any case. `facts`
// are in the provider's own dialect, here and below.
SpliceList race_edits(const RequestFacts& facts, Tier tier);
// direct_edits is the only attempt of a request without a race, on facts.tier; the caller's own
// `stream` stays.
SpliceList direct_edits(const RequestFacts& facts);
// translated_edits is an attempt that sends a translated body: an object without these two members,
// which begins with its brace and has at least one member.
SpliceList translated_edits(errors::Provider provider, Tier tier, bool stream);

}  // namespace flexd::surface
