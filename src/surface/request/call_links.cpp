#include "call_links.hpp"

#include <algorithm>

namespace flexd::surface {

namespace {

// CallIndex finds the calls that have an id, in the order of the conversation.
class CallIndex {
 public:
  explicit CallIndex(BlockPool& pool) : entries_(pool) {}

  [[nodiscard]] bool add(std::string_view id, uint32_t item) {
    return entries_.push({.id = id, .item = item, .next = 0});
  }
  void sort() {
    if (entries_.empty()) return;
    Entry* const first = &entries_[0];
    std::sort(first, first + entries_.size(), [](const Entry& a, const Entry& b) {
      const int order = a.id.compare(b.id);
      return order != 0 ? order < 0 : a.item < b.item;
    });
    for (uint32_t i = 0; i < entries_.size(); ++i) entries_[i].next = i;
  }
  // take is the first call before `item` with that id for which `is_free`, or kNone. Each call is
  // looked at once: the first entry of an id remembers how far its calls are used up.
  template <typename IsFree>
  uint32_t take(std::string_view id, uint32_t item, IsFree is_free) {
    const auto entries = entries_.items();
    const auto first = std::lower_bound(
        entries.begin(), entries.end(), id,
        [](const Entry& entry, std::string_view wanted) { return entry.id < wanted; });
    if (first == entries.end() || first->id != id) return CallLinks::kNone;
    uint32_t& next = entries_[static_cast<size_t>(first - entries.begin())].next;
    while (next < entries.size() && entries[next].id == id && !is_free(entries[next].item)) {
      ++next;
    }
    if (next >= entries.size() || entries[next].id != id || entries[next].item > item) {
      return CallLinks::kNone;
    }
    return entries[next].item;
  }

 private:
  struct Entry {
    std::string_view id;
    uint32_t item;
    uint32_t next;  // of the first entry of an id: where the search for a free call goes on
  };
  PooledList<Entry> entries_;
};

}  // namespace

bool CallLinks::link(const RequestModel& model) {
  using Kind = Item::Kind;
  const auto items = model.items.items();
  const bool any = std::any_of(items.begin(), items.end(), [](const Item& item) {
    return item.kind == Kind::call || item.kind == Kind::result;
  });
  if (!any) return true;
  CallIndex ids(pool_);
  for (uint32_t i = 0; i < items.size(); ++i) {
    if (!others_.push(kNone)) return false;
    if (items[i].kind != Kind::call || !items[i].call_id.exists()) continue;
    if (!ids.add(items[i].call_id.text, i)) return false;
  }
  ids.sort();
  const auto is_free = [this](uint32_t call) { return others_[call] == kNone; };
  for (uint32_t i = 0; i < items.size(); ++i) {
    if (items[i].kind != Kind::result) continue;
    const uint32_t call =
        items[i].call_id.exists() ? ids.take(items[i].call_id.text, i, is_free) : items[i].call;
    if (call >= i || !is_free(call)) continue;
    others_[i] = call;
    others_[call] = i;
  }
  return true;
}

}  // namespace flexd::surface
