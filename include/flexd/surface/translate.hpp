// translate.hpp: a request in one dialect as the body that another dialect's provider takes.
//
// The body that comes out lacks `stream` and the tier: both attempts of a race send from the same
// bytes and differ by the splices at its front (edits.hpp), as they do where nothing is translated.
#pragma once

#include "flexd/base/buffer.hpp"
#include "flexd/base/result.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/surface/request.hpp"

namespace flexd::surface {

// translate_request appends the provider's body to `out` (empty). `facts` have passed the checks of
// request.hpp and are not in the provider's own dialect. The error's views live as long as facts
// and body. Memory comes from out's pool; without room the error is service_unavailable.
Result<void, errors::Error> translate_request(RequestFacts& facts, bool native_parameters,
                                              BlockPool& pool, Buffer& out);

}  // namespace flexd::surface
