#include "flexd/json/path.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <functional>

#include "flexd/json/cursor.hpp"

namespace flexd::json {
namespace {

// Path is the text so far; what does not fit is cut off.
class Path {
 public:
  explicit Path(std::span<char> space) : space_(space) {}

  void append(std::string_view text) {
    const size_t count = std::min(text.size(), space_.size() - size_);
    if (count > 0) std::memcpy(space_.data() + size_, text.data(), count);
    size_ += count;
  }
  void append_index(size_t index) {
    std::array<char, 20> digits;
    const auto done = std::to_chars(digits.data(), digits.data() + digits.size(), index);
    append("[");
    append({digits.data(), static_cast<size_t>(done.ptr - digits.data())});
    append("]");
  }
  std::string_view view() const { return {space_.data(), size_}; }

 private:
  std::span<char> space_;
  size_t size_ = 0;
};

// is_before compares places that may lie in different objects.
bool is_before(const char* left, const char* right) {
  return std::less<>()(left, right);
}

// is_within tells whether `at` is in the text from the beginning of one value to the end of
// another.
bool is_within(const Value& first, const Value& last, const char* at) {
  const char* begin = first.text.data();
  const char* end = last.text.data() + last.text.size();
  return !is_before(at, begin) && is_before(at, end);
}

// step_into_object moves `value` to the member that `at` is in; false if it is in none.
bool step_into_object(Value& value, const char* at, Path& path) {
  for (const Member& member : Members(value)) {
    if (!is_within(member.name, member.value, at)) continue;
    if (!path.view().empty()) path.append(".");
    path.append(member.name.contents());
    value = member.value;
    return true;
  }
  return false;
}

bool step_into_array(Value& value, const char* at, Path& path) {
  size_t index = 0;
  for (const Value element : Elements(value)) {
    if (is_within(element, element, at)) {
      path.append_index(index);
      value = element;
      return true;
    }
    ++index;
  }
  return false;
}

}  // namespace

std::string_view path_of(std::string_view document, const char* at, std::span<char> out) {
  Path path(out);
  Value value = Value::value_in(document);
  // Each step goes into a smaller value, and one that begins at `at` is the place itself.
  while (value.text.data() != at) {
    if (!step_into_object(value, at, path) && !step_into_array(value, at, path)) break;
  }
  return path.view();
}

}  // namespace flexd::json
