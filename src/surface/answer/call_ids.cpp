#include "call_ids.hpp"

#include <array>
#include <charconv>

namespace flexd::surface {

bool CallIds::knows(std::string_view id) const {
  const std::string_view seen = seen_.view();
  for (size_t at = seen.find(id); at != std::string_view::npos; at = seen.find(id, at + 1)) {
    const size_t end = at + id.size();
    if ((at == 0 || seen[at - 1] == '\n') && end < seen.size() && seen[end] == '\n') return true;
  }
  return false;
}

bool CallIds::append(std::string_view text) {
  return seen_.size() + text.size() <= kCallIdsBytesMax && seen_.append(text);
}

std::optional<std::string_view> CallIds::unique(std::string_view id) {
  if (id.empty()) return id;
  if (!knows(id)) {
    if (!append(id) || !append("\n")) return std::nullopt;
    ++count_;
    return id;
  }
  const size_t begin = seen_.size();
  // As a rule the first number fits: the second of all ids becomes `_2`, the third `_3`.
  for (size_t number = ++count_;; ++number) {
    std::array<char, 24> digits;
    const auto done = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    const std::string_view suffix(digits.data(), static_cast<size_t>(done.ptr - digits.data()));
    if (!append(id) || !append("_") || !append(suffix)) return std::nullopt;
    // The candidate itself has no line feed behind it yet, and so is not found.
    if (!knows(seen_.view().substr(begin))) break;
    seen_.truncate(begin);
  }
  if (!append("\n")) return std::nullopt;
  return seen_.view().substr(begin, seen_.size() - begin - 1);
}

}  // namespace flexd::surface
