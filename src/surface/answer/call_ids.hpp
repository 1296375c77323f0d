// call_ids.hpp: sees to it that no two calls of an answer have the same id.
//
// Gemini may repeat an id among parallel calls. SDKs refuse such an answer, and a result could not
// be told to belong to one of them.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "flexd/base/buffer.hpp"

namespace flexd::surface {

// kCallIdsBytesMax bounds the ids of one answer, each with a line feed after it.
inline constexpr size_t kCallIdsBytesMax = 65536;

class CallIds {
 public:
  explicit CallIds(BlockPool& pool) : seen_(pool) {}

  // unique is `id`, or `id` with `_2`, `_3` ... behind it if it was seen before. The view holds
  // until the next call and as long as `id` does. nullopt if the bound was met or the pool has no
  // room. An empty id stays empty: the writers make one.
  std::optional<std::string_view> unique(std::string_view id);

 private:
  bool knows(std::string_view id) const;
  bool append(std::string_view text);

  Buffer seen_;  // raw ids, which hold no line feed, with one after each
  size_t count_ = 0;
};

}  // namespace flexd::surface
