// field_store.hpp: header fields kept beyond the buffer they were read from.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/base/copy.hpp"
#include "flexd/base/result.hpp"
#include "flexd/http/message.hpp"

namespace flexd::front {

// FieldStore keeps copies of names and values in one pooled buffer. Views into it are got by
// `for_each` and `list`, after the last `add`.
class FieldStore {
 public:
  explicit FieldStore(BlockPool& pool) : bytes_(pool) {}

  // add keeps a copy of a field; false if there is no room for it.
  [[nodiscard]] bool add(std::string_view name, std::string_view value) {
    if (count_ == http::kFieldsMax || name.size() > UINT16_MAX || value.size() > UINT16_MAX) {
      return false;
    }
    const uint16_t sizes[2] = {static_cast<uint16_t>(name.size()),
                               static_cast<uint16_t>(value.size())};
    char* const at = bytes_.extend(sizeof sizes + name.size() + value.size());
    if (at == nullptr) return false;
    std::memcpy(at, sizes, sizeof sizes);
    copy_text(value, copy_text(name, at + sizeof sizes));
    ++count_;
    return true;
  }

  // for_each calls visit(name, value) for each field, in order. The views are valid until the next
  // add or clear.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    const char* at = bytes_.view().data();
    for (size_t i = 0; i < count_; ++i) {
      uint16_t sizes[2];
      std::memcpy(sizes, at, sizeof sizes);
      const std::string_view name(at + sizeof sizes, sizes[0]);
      const std::string_view value(name.data() + name.size(), sizes[1]);
      visit(name, value);
      at = value.data() + value.size();
    }
  }
  // list appends the fields to `out`, as far as it has room.
  void list(http::FieldList& out) const {
    for_each([&out](std::string_view name, std::string_view value) {
      discard(out.push(name, value), "what a list has no room for is left out");
    });
  }

  bool empty() const { return count_ == 0; }
  void clear() {
    bytes_.clear();
    count_ = 0;
  }

 private:
  Buffer bytes_;
  size_t count_ = 0;
};

}  // namespace flexd::front
