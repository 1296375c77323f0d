// readers.hpp: from a caller's dialect to the request model.
//
// A reader takes the whole body (valid JSON, an object; the checks of request.hpp have passed) and
// fills an empty model. It refuses, naming the field:
//   - a field it does not know, unless it is null (unsupported_parameter);
//   - a field that only the dialect's own provider has (unsupported_parameter);
//   - a known field of a wrong shape (invalid_value).
// It drops hints that change no answer, and fields at their default. flexd's own fields, `stream`
// and `service_tier` are skipped: the splices put them in.
#pragma once

#include "flexd/base/result.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/surface/request.hpp"
#include "flexd/surface/request_model.hpp"

namespace flexd::surface {

// ReadOptions says what is to be kept for whom.
struct ReadOptions {
  errors::Provider provider = errors::Provider::openai;  // the target
  // native_parameters: hints that only the dialect's own provider knows (cache_control) are dropped
  // instead of refused.
  bool native_parameters = false;
  // outline is the body's, or nullptr.
  const json::Outline* outline = nullptr;
  // facts are the body's, or nullptr: with them the top-level members need no second search.
  const RequestFacts* facts = nullptr;
};

// Without room in the pool the fault is service_unavailable.
Result<void, Fault> read_responses(json::Value body, const ReadOptions& options,
                                   RequestModel& model);
Result<void, Fault> read_chat(json::Value body, const ReadOptions& options, RequestModel& model);
Result<void, Fault> read_interactions(json::Value body, const ReadOptions& options,
                                      RequestModel& model);
Result<void, Fault> read_messages(json::Value body, const ReadOptions& options,
                                  RequestModel& model);

}  // namespace flexd::surface
