#include "request.hpp"

#include "flexd/json/finder.hpp"

namespace flexd::flexsim {
namespace {

std::string_view unreadable(Vendor vendor) {
  switch (vendor) {
    case Vendor::openai:
      return "We could not parse the JSON body of your request. (HINT: This likely means you "
             "aren't using your HTTP library correctly.)";
    case Vendor::gemini:
      return "Invalid JSON payload received. The body could not parse as an object.";
    case Vendor::anthropic:
      return "The request body is not valid JSON: could not parse it as an object.";
  }
  return {};
}

Result<RequestFacts, Problem> read_body(const RequestText& request) {
  switch (request.vendor) {
    case Vendor::openai:
      return read_openai_request(request.body);
    case Vendor::gemini:
      return read_gemini_request(request.body);
    case Vendor::anthropic:
      return read_anthropic_request(request.body, request.version);
  }
  return fail(Problem{});
}

}  // namespace

std::string_view tier_name(Tier tier) {
  constexpr std::string_view kTierNames[kTiers] = {"unset",    "flex", "default",
                                                   "priority", "auto", "other"};
  return kTierNames[static_cast<size_t>(tier)];
}

Result<RequestFacts, Problem> read_request(const RequestText& request) {
  const auto type = json::validate(request.body);
  if (!type || *type != json::Type::kObject) {
    return fail(Problem{400, std::string(unreadable(request.vendor)), "", ""});
  }
  auto facts = read_body(request);
  if (facts) facts->body = request.body;
  return facts;
}

}  // namespace flexd::flexsim
