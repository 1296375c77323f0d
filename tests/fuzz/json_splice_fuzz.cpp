// Edits of any good document: the edited text is good JSON again, has exactly the members that it
// should have, and outside the named members and their commas every byte is as it was.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "flexd/json/edit.hpp"

namespace {

using namespace flexd;

constexpr json::Names kNames = {"model", "stream", "start_within", "service_tier", "a", "b"};
constexpr std::string_view kMember = "\"put\":[1]";
enum Action : uint8_t { kKeep, kRemove, kReplaceMember, kReplaceValue };

std::string edited(std::string_view text, const SpliceList& splices, size_t piece_bytes) {
  std::string out;
  SplicedReader reader(text, splices);
  while (reader.size_left() > 0) {
    const std::string_view piece = reader.next(piece_bytes);
    FLEXD_ASSERT(!piece.empty());
    out += piece;
  }
  return out;
}

Action action_of(uint16_t plan, size_t field) {
  return static_cast<Action>((plan >> (2 * field)) & 3U);
}

void check_members(std::string_view text, std::string_view out, uint16_t plan, size_t inserts) {
  json::Members after(json::Value::value_in(out));
  for (size_t i = 0; i < inserts; ++i) {
    FLEXD_ASSERT(after.next() && after.member().name.equals("put"));
  }
  for (const json::Member& member : json::Members(json::Value::value_in(text))) {
    std::array<char, json::kNameBytesMax + 1> buffer;
    const auto name = json::decode(member.name, buffer);
    const size_t field = name ? kNames.field_of(*name) : kNames.size();
    const Action action = field < kNames.size() ? action_of(plan, field) : kKeep;
    if (action == kRemove) continue;
    FLEXD_ASSERT(after.next());
    const json::Member& now = after.member();
    FLEXD_ASSERT(action == kReplaceMember ? now.name.equals("put")
                                          : now.name.text == member.name.text);
    if (action == kKeep) FLEXD_ASSERT(now.value.text == member.value.text);
    if (action == kReplaceValue) FLEXD_ASSERT(now.value.text == "null");
    if (action == kReplaceMember) FLEXD_ASSERT(now.value.text == "[1]");
  }
  FLEXD_ASSERT(!after.next());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const auto plan = static_cast<uint16_t>(data[0] | (data[1] << 8U));
  const size_t inserts = (plan >> 12U) & 3U;
  const size_t piece_bytes = size_t{data[2]} + 1;
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  json::Fields fields;
  if (!json::find(text, kNames, fields)) return 0;
  json::Edit edit(fields);
  for (size_t i = 0; i < inserts; ++i) edit.insert(kMember);
  for (size_t i = kNames.size(); i-- > 0;) {
    if (!fields.has(i)) continue;
    if (action_of(plan, i) == kRemove) edit.remove(i);
    if (action_of(plan, i) == kReplaceMember) edit.replace_member(i, kMember);
    if (action_of(plan, i) == kReplaceValue) edit.replace_value(i, "null");
  }
  const SpliceList splices = edit.splices();
  const std::string out = edited(text, splices, piece_bytes);
  FLEXD_ASSERT(out == edited(text, splices, SIZE_MAX));
  FLEXD_ASSERT(out.size() == splices.edited_size(text.size()));
  const auto type = json::validate(out);
  FLEXD_ASSERT(type.has_value() && *type == json::Type::kObject);
  check_members(text, out, plan, inserts);
  return 0;
}
