#include "flexd/surface/translate.hpp"

#include <functional>

#include "flexd/base/assert.hpp"
#include "flexd/json/path.hpp"
#include "request/readers.hpp"
#include "request/writers.hpp"

namespace flexd::surface {

namespace {

using errors::Dialect;
using errors::Provider;

// kGrowthBytes is room for what a provider's body has more than the caller's; mostly enough to
// spare the output a move to a larger block.
constexpr size_t kGrowthBytes = 512;

Result<void, Fault> read(Dialect dialect, json::Value body, const ReadOptions& options,
                         RequestModel& model) {
  switch (dialect) {
    case Dialect::responses:
      return read_responses(body, options, model);
    case Dialect::chat:
      return read_chat(body, options, model);
    case Dialect::interactions:
      return read_interactions(body, options, model);
    case Dialect::messages:
      return read_messages(body, options, model);
  }
  FLEXD_ASSERT(!"every dialect has a reader");
  return {};
}

Result<void, Fault> write(Provider provider, const RequestModel& model, BlockPool& pool,
                          Buffer& out) {
  switch (provider) {
    case Provider::openai:
      return write_openai(model, pool, out);
    case Provider::gemini:
      return write_gemini(model, pool, out);
    case Provider::anthropic:
      return write_anthropic(model, pool, out);
  }
  FLEXD_ASSERT(!"every provider has a writer");
  return {};
}

// param_of names the caller's field.
std::string_view param_of(const Fault& fault, RequestFacts& facts) {
  const char* const at = fault.at.data();
  const char* const begin = facts.body.data();
  const std::less<> before;
  if (at == nullptr || before(at, begin) || !before(at, begin + facts.body.size())) {
    return fault.param;
  }
  return json::path_of(facts.body, at, facts.param_space);
}

errors::Error error_of(const Fault& fault, RequestFacts& facts) {
  return {.code = fault.code,
          .variant = fault.variant,
          .param = param_of(fault, facts),
          .detail = fault.detail};
}

}  // namespace

Result<void, errors::Error> translate_request(RequestFacts& facts, bool native_parameters,
                                              BlockPool& pool, Buffer& out) {
  FLEXD_ASSERT(out.empty());
  FLEXD_ASSERT(!facts.is_own_dialect());
  if (!out.reserve(facts.body.size() + kGrowthBytes)) {
    return fail(errors::Error{.code = errors::Code::service_unavailable});
  }
  RequestModel model(pool);
  const ReadOptions options{.provider = facts.provider,
                            .native_parameters = native_parameters,
                            .outline = &facts.fields.outline(),
                            .facts = &facts};
  const json::Value body{facts.fields.object().of(facts.body)};
  if (const auto done = read(facts.dialect, body, options, model); !done) {
    return fail(error_of(done.error(), facts));
  }
  if (const auto done = write(facts.provider, model, pool, out); !done) {
    return fail(error_of(done.error(), facts));
  }
  return {};
}

}  // namespace flexd::surface
