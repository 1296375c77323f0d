// writers.hpp: from the request model to a provider's body.
//
// A writer appends one JSON object to `out`: everything but `stream` and the tier, which the
// splices of an attempt put at its front. What the provider has no equivalent for is refused,
// naming the caller's field; hints are dropped.
#pragma once

#include "flexd/base/block_pool.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/base/result.hpp"
#include "flexd/surface/request_model.hpp"

namespace flexd::surface {

// Whatever has to be put together on the way stands in `pool`. Without room there or in `out` the
// fault is service_unavailable. After a fault the contents of `out` mean nothing.
Result<void, Fault> write_openai(const RequestModel& model, BlockPool& pool, Buffer& out);
Result<void, Fault> write_gemini(const RequestModel& model, BlockPool& pool, Buffer& out);
Result<void, Fault> write_anthropic(const RequestModel& model, BlockPool& pool, Buffer& out);

}  // namespace flexd::surface
