// call_links.hpp: which result belongs to which call of a conversation.
//
// A result names its call by the id; where there is none, the reader has found the call
// (Item::call). Ids are compared as they are escaped: both come back from the same client. Where an
// id stands for several calls, results take them in order.
#pragma once

#include <cstdint>

#include "flexd/base/pooled_list.hpp"
#include "flexd/surface/request_model.hpp"

namespace flexd::surface {

class CallLinks {
 public:
  static constexpr uint32_t kNone = kNoItem;

  explicit CallLinks(BlockPool& pool) : pool_(pool), others_(pool) {}

  // link pairs the items of `model`, in O(n log n); false if the pool has no room.
  [[nodiscard]] bool link(const RequestModel& model);

  // other is the index of a call's result or of a result's call; kNone if it has none.
  uint32_t other(size_t item) const { return item < others_.size() ? others_[item] : kNone; }

 private:
  BlockPool& pool_;
  PooledList<uint32_t> others_;  // empty in a conversation without calls and results
};

}  // namespace flexd::surface
