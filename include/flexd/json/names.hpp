// names.hpp: lists of member names to look for, and how a name is compared with them.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include "flexd/base/assert.hpp"

namespace flexd::json {

// kNamesMax and kNameBytesMax bound a list of names.
inline constexpr size_t kNamesMax = 32;
inline constexpr size_t kNameBytesMax = 63;

// same_bytes compares texts of equal length. Names and words are so short that a call of memcmp
// would cost more than the comparison: they are loaded as one or two numbers, which may overlap.
constexpr bool same_bytes(std::string_view left, std::string_view right) {
  const size_t size = right.size();
  if (std::is_constant_evaluated() || size > 16) return left == right;
  const auto same = [&]<typename Number>(Number /*type*/) {
    const auto load = [](std::string_view text, size_t at) {
      Number number = 0;
      std::memcpy(&number, text.data() + at, sizeof(Number));
      return number;
    };
    const size_t last = size - sizeof(Number);
    return load(left, 0) == load(right, 0) && load(left, last) == load(right, last);
  };
  if (size >= 8) return same(uint64_t{});
  if (size >= 4) return same(uint32_t{});
  if (size >= 2) return same(uint16_t{});
  return size == 0 || left[0] == right[0];
}

// Names is a short static list of member names, plain ASCII and not empty. A field is named by its
// index in it.
class Names {
 public:
  constexpr Names() = default;
  constexpr Names(std::initializer_list<std::string_view> names) {
    FLEXD_ASSERT(names.size() <= kNamesMax);
    for (const std::string_view name : names) {
      FLEXD_ASSERT(!name.empty() && name.size() <= kNameBytesMax);
      of_length_[name.size()] |= uint32_t{1} << size_;
      of_letter_[letter_of(name)] |= uint32_t{1} << size_;
      names_[size_++] = name;
    }
  }

  constexpr size_t size() const { return size_; }
  constexpr std::string_view operator[](size_t field) const { return names_[field]; }
  // has_length tells whether any name on the list has so many bytes.
  constexpr bool has_length(size_t bytes) const {
    return bytes <= kNameBytesMax && of_length_[bytes] != 0;
  }
  // field_of is the index of an unescaped name, or size() if it is not on the list.
  __attribute__((always_inline)) constexpr size_t field_of(std::string_view name) const {
    if (name.size() > kNameBytesMax) return size_;
    uint32_t left = of_length_[name.size()];
    if (left != 0) left &= of_letter_[letter_of(name)];
    for (; left != 0; left &= left - 1) {
      const auto field = static_cast<size_t>(std::countr_zero(left));
      if (same_bytes(names_[field], name)) return field;
    }
    return size_;
  }

 private:
  // letter_of looks at the middle, where names of one length differ most.
  static constexpr size_t letter_of(std::string_view name) {
    return static_cast<uint8_t>(name[name.size() / 2]) & 31U;
  }

  std::array<std::string_view, kNamesMax> names_{};
  size_t size_ = 0;
  // of_length_[n] has a bit for each field whose name has n bytes.
  std::array<uint32_t, kNameBytesMax + 1> of_length_{};
  // of_letter_ likewise by a letter, of which few names of one length share the same.
  std::array<uint32_t, 32> of_letter_{};
};

}  // namespace flexd::json
