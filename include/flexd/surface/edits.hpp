// edits.hpp: a caller's Responses body as an attempt sends it, as a list of splices.
//
// The body is never rewritten: `start_within` and the reserved fields go, `service_tier` comes in,
// and an attempt of a race streams. Where it can be done, `start_within` is replaced by the new
// members in one splice. Every other byte, and so the prompt, is as the caller sent it.
#pragma once

#include "flexd/base/splice.hpp"
#include "flexd/surface/request.hpp"

namespace flexd::surface {

// race_edits is the attempt of a race on `tier` (flex or standard): it streams in any case.
SpliceList race_edits(const RequestFacts& facts, Tier tier);
// direct_edits is the only attempt of a request without a race, on facts.tier; the caller's own
// `stream` stays.
SpliceList direct_edits(const RequestFacts& facts);

}  // namespace flexd::surface
