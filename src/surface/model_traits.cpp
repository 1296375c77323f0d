#include "model_traits.hpp"

#include <cstdint>
#include <optional>

#include "flexd/base/ascii.hpp"

namespace flexd::surface {

namespace {

// next_word takes a word off the front of a name.
std::string_view next_word(std::string_view& name) {
  const size_t end = name.find_first_of("-.@");
  const std::string_view word = name.substr(0, end);
  name.remove_prefix(end == std::string_view::npos ? name.size() : end + 1);
  return word;
}

// version_number reads a part of a version; dates are longer.
std::optional<uint64_t> version_number(std::string_view word) {
  return word.size() <= 2 ? parse_u64(word) : std::nullopt;
}

}  // namespace

ClaudeTraits claude_traits(std::string_view model) {
  std::optional<uint64_t> major;
  while (!model.empty() && !major) major = version_number(next_word(model));
  if (!major) return {};
  const uint64_t minor = version_number(next_word(model)).value_or(0);
  const uint64_t version = 100 * *major + minor;
  return {.takes_effort = version >= 406, .takes_sampling = version <= 406};
}

}  // namespace flexd::surface
