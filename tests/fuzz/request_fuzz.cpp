// The checks of a request, in each dialect. The first byte chooses the dialect and whether native
// parameters are let through; the rest is the body. A request that passes has edits that make good
// JSON of it with the tier in place, and an error names a field in good text.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "flexd/surface/edits.hpp"
#include "flexd/surface/request.hpp"

using namespace flexd;
using namespace flexd::surface;

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "request_fuzz: %s\n", what);
  std::abort();
}

std::string edited(std::string_view body, const SpliceList& splices) {
  std::string out;
  SplicedReader reader(body, splices);
  while (reader.size_left() > 0) out += reader.next(SIZE_MAX);
  return out;
}

void check_edits(const RequestFacts& facts, Tier tier) {
  const std::string sent =
      edited(facts.body, facts.races() ? race_edits(facts, tier) : direct_edits(facts));
  require(json::validate(sent).has_value(), "the edited body is not JSON");
  const json::Value object = json::Value::value_in(sent);
  require(object["service_tier"].equals(tier_word(facts.provider, tier)), "another tier");
  require(!object["start_within"].exists(), "start_within goes up");
  if (facts.races()) require(object["stream"].to_bool() == true, "a race without a stream");
}

void check_error(const errors::Error& error) {
  char message[errors::kMessageBytesMax];
  require(!errors::write_message(error, message).empty(), "an error without a message");
  require(error.param.size() <= errors::kParamBytesMax, "a param without a bound");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FlexModels models = FlexModels::built_in();
  if (size < 1) return 0;
  const auto dialect = static_cast<errors::Dialect>(data[0] % errors::kDialectCount);
  const bool native = (data[0] & 4U) != 0;
  // A copy of its own shows reads past its end.
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto facts = std::make_unique<RequestFacts>();
  auto checked = read_request(dialect, body, *facts);
  if (checked) {
    checked = check_request(*facts, {.flex_models = models, .native_parameters = native});
  }
  if (!checked) {
    check_error(checked.error());
  } else if (facts->races()) {
    check_edits(*facts, Tier::flex);
    check_edits(*facts, Tier::standard);
  } else {
    check_edits(*facts, facts->tier);
  }
  return 0;
}
