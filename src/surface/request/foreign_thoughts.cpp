#include "flexd/surface/foreign_thoughts.hpp"

#include "flexd/json/cursor.hpp"

namespace flexd::surface {

namespace {

using errors::Dialect;
using json::Elements;
using json::Value;

constexpr std::string_view kMark = "gw1.";

bool is_wrapped(const Value& blob) {
  return blob.contents().starts_with(kMark);
}

// is_thought tells a reasoning item, a thought step or a thinking block with a wrapped blob.
bool is_thought(const Value& item) {
  const Value type = item["type"];
  if (type.equals("reasoning")) return is_wrapped(item["encrypted_content"]);
  if (type.equals("thought") || type.equals("thinking")) return is_wrapped(item["signature"]);
  return type.equals("redacted_thinking") && is_wrapped(item["data"]);
}

// is_only_thoughts tells a message of which nothing else would be left.
bool is_only_thoughts(const Value& message) {
  Elements blocks(message["content"]);
  bool any = false;
  while (blocks.next()) {
    if (!is_thought(blocks.element())) return false;
    any = true;
  }
  return any;
}

// Cutter copies a text without some of its ranges, which come in their order.
class Cutter {
 public:
  Cutter(std::string_view text, Buffer& out)
      : at_(text.data()), end_(at_ + text.size()), out_(out) {}

  void cut(const char* begin, const char* end) {
    any_ = true;
    copy_to(begin);
    at_ = end;
  }
  Dropped finish() {
    if (!any_) return Dropped::nothing;
    copy_to(end_);
    return failed_ ? Dropped::no_room : Dropped::some;
  }

 private:
  void copy_to(const char* to) {
    if (!out_.append({at_, static_cast<size_t>(to - at_)})) failed_ = true;
  }

  const char* at_;
  const char* const end_;
  Buffer& out_;
  bool any_ = false;
  bool failed_ = false;
};

// cut_elements cuts the elements of an array that `is_cut` names, with the commas that joined them
// to the others, and gives the others to `keep`.
template <typename IsCut, typename Keep>
void cut_elements(const Value& array, Cutter& cutter, IsCut is_cut, Keep keep) {
  const char* kept_end = nullptr;   // of the last that stays
  const char* cut_begin = nullptr;  // of a run of those that go
  const char* cut_end = nullptr;
  for (const Value element : Elements(array)) {
    const char* const begin = element.text.data();
    if (is_cut(element)) {
      if (cut_begin == nullptr) cut_begin = begin;
      cut_end = begin + element.text.size();
      continue;
    }
    if (cut_begin != nullptr) cutter.cut(cut_begin, begin);
    cut_begin = nullptr;
    keep(element);
    kept_end = begin + element.text.size();
  }
  if (cut_begin != nullptr) cutter.cut(kept_end != nullptr ? kept_end : cut_begin, cut_end);
}

}  // namespace

Dropped drop_foreign_thoughts(Dialect dialect, std::string_view body, Buffer& out) {
  if (body.find(kMark) == std::string_view::npos) return Dropped::nothing;
  Cutter cutter(body, out);
  const Value request = Value::value_in(body);
  const auto keep_all = [](const Value& /*element*/) {};
  if (dialect == Dialect::messages) {
    cut_elements(request["messages"], cutter, is_only_thoughts, [&](const Value& message) {
      cut_elements(message["content"], cutter, is_thought, keep_all);
    });
  } else {
    cut_elements(request["input"], cutter, is_thought, keep_all);
  }
  return cutter.finish();
}

}  // namespace flexd::surface
