// field_store.hpp: header fields kept beyond the buffer they were read from.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/http/message.hpp"

namespace flexd::front {

// FieldStore keeps copies of names and values in one pooled buffer. Views into it are got by
// `list`, after the last `add`.
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
    const size_t before = bytes_.size();
    const bool kept = bytes_.append({reinterpret_cast<const char*>(sizes), sizeof sizes}) &&
                      bytes_.append(name) && bytes_.append(value);
    if (!kept) bytes_.truncate(before);
    if (kept) ++count_;
    return kept;
  }

  // list appends the fields to `out`; their views are valid until the next add or clear.
  void list(http::FieldList& out) const {
    std::string_view rest = bytes_.view();
    while (!rest.empty()) {
      uint16_t sizes[2];
      std::memcpy(sizes, rest.data(), sizeof sizes);
      rest.remove_prefix(sizeof sizes);
      if (!out.push(rest.substr(0, sizes[0]), rest.substr(sizes[0], sizes[1]))) return;
      rest.remove_prefix(size_t{sizes[0]} + sizes[1]);
    }
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
