// reading.hpp: what the readers of the three providers share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "flexd/surface/events.hpp"
#include "item_sequence.hpp"

namespace flexd::surface {

// good_contents is the inside of a string that is good JSON, else empty: for what an answer can do
// without.
std::string_view good_contents(json::Value string);

// index_of is an index, or `missing`. Indices beyond any sense are all the same one.
uint64_t index_of(json::Value index, uint64_t missing);

// fail_by ends the answer by a failed or error event.
void fail_by(ItemSequence& items, const Event& event);

// KeptText copies a short text. A longer one is not kept.
template <size_t kMax>
class KeptText {
 public:
  void keep(std::string_view text) {
    size_ = text.size() <= kMax ? text.copy(bytes_.data(), kMax) : 0;
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, kMax> bytes_;
  size_t size_ = 0;
};

}  // namespace flexd::surface
