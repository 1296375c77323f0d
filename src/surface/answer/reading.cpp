#include "reading.hpp"

#include <algorithm>

namespace flexd::surface {

std::string_view good_contents(json::Value string) {
  const std::string_view raw = string.contents();
  return !raw.empty() && json::validate(string.text) ? raw : std::string_view();
}

uint64_t index_of(json::Value index, uint64_t missing) {
  constexpr uint64_t kIndexMax = uint64_t{1} << 32U;
  return std::min(index.to_uint64().value_or(missing), kIndexMax);
}

void fail_by(ItemSequence& items, const Event& event) {
  const EventFailure failure = read_failure(event);
  AnswerFailure told{.status = failure.status};
  // Views into an object that is not whole could hold anything.
  if (json::validate(failure.object)) {
    told.code = failure.code;
    told.message = failure.message;
  }
  items.fail(told);
}

}  // namespace flexd::surface
