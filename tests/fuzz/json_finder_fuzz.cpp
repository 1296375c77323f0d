// The JSON finder on any bytes: it accepts what a plain reading of RFC 8259 accepts, all kernels
// agree, spans are in range and are values themselves, and walking the document by cursor, whether
// it is good or not, stays inside it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "plain_json.hpp"

namespace {

using namespace flexd;

constexpr json::Names kNames = {"model", "stream", "start_within", "service_tier", "a"};

bool same(json::Span left, json::Span right) {
  return left.begin == right.begin && left.end == right.end;
}

void check_same(const json::Field& left, const json::Field& right) {
  FLEXD_ASSERT(same(left.member, right.member) && same(left.value, right.value));
  FLEXD_ASSERT(left.type == right.type && left.position == right.position);
  FLEXD_ASSERT(left.comma_before == right.comma_before && left.comma_after == right.comma_after);
}

void check_field(std::string_view text, const json::Fields& fields, size_t index) {
  const json::Field& field = *fields[index];
  FLEXD_ASSERT(field.member.begin < field.value.begin && field.value.begin < field.value.end);
  FLEXD_ASSERT(field.value.end == field.member.end && field.member.end < fields.object().end);
  FLEXD_ASSERT(field.position < fields.member_count());
  const auto type = json::validate(field.value.of(text));
  FLEXD_ASSERT(type.has_value() && *type == field.type);
  const bool first = field.position == 0;
  const bool last = field.position + 1 == fields.member_count();
  FLEXD_ASSERT(first == (field.comma_before == json::kNoComma));
  FLEXD_ASSERT(last == (field.comma_after == json::kNoComma));
  FLEXD_ASSERT(first || text[field.comma_before] == ',');
  FLEXD_ASSERT(last || text[field.comma_after] == ',');
  const json::Value found = json::Value::value_in(text)[kNames[index]];
  FLEXD_ASSERT(found.text == field.value.of(text));
}

// check_verdict holds find and validate to what a plain reading says.
void check_verdict(std::string_view text, const Result<void, json::Error>& found) {
  const bool good = fuzz::PlainJson(text).good();
  const auto type = json::validate(text);
  FLEXD_ASSERT(type.has_value() == good);
  if (found) {
    FLEXD_ASSERT(good && *type == json::Type::kObject);
  } else if (found.error().fault == json::Fault::kNotObject) {
    FLEXD_ASSERT(good && *type != json::Type::kObject);
  } else if (found.error().fault != json::Fault::kDuplicate) {
    FLEXD_ASSERT(!good && found.error().fault == type.error().fault);
    FLEXD_ASSERT(found.error().offset == type.error().offset);
  }
}

// walk looks at everything there is in a value.
size_t walk(json::Value value, std::string_view within, size_t depth) {
  FLEXD_ASSERT(value.text.data() >= within.data());
  FLEXD_ASSERT(value.text.data() + value.text.size() <= within.data() + within.size());
  std::array<char, 64> buffer;
  const auto text = json::decode(value, buffer);
  if (text && text->size() <= json::kNameBytesMax) FLEXD_ASSERT(text->size() <= value.text.size());
  size_t count = 1;
  if (value.to_int64() || value.to_uint64()) FLEXD_ASSERT(value.is(json::Type::kNumber));
  if (depth == 8) return count;
  for (const json::Member& member : json::Members(value)) {
    count += walk(member.name, within, depth + 1) + walk(member.value, within, depth + 1);
  }
  for (const json::Value element : json::Elements(value)) {
    count += walk(element, within, depth + 1);
  }
  return count;
}

// check_outline walks good text with its outline, which must make no difference.
void check_outline(json::Value value, const json::Outline& outline, size_t depth) {
  if (depth == 8) return;
  json::Members told(value, &outline);
  for (const json::Member& member : json::Members(value)) {
    FLEXD_ASSERT(told.next() && told.member().name.text == member.name.text);
    FLEXD_ASSERT(told.member().value.text == member.value.text);
    check_outline(member.value, outline, depth + 1);
  }
  json::Elements listed(value, &outline);
  for (const json::Value element : json::Elements(value)) {
    FLEXD_ASSERT(listed.next() && listed.element().text == element.text);
    check_outline(element, outline, depth + 1);
  }
  FLEXD_ASSERT(!told.next() && !listed.next());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  json::Fields fields;
  const auto found = json::find(text, kNames, fields, json::supported_kernels().front());
  check_verdict(text, found);
  for (const json::TextKernels& kernels : json::supported_kernels()) {
    json::Fields others;
    const auto other = json::find(text, kNames, others, kernels);
    FLEXD_ASSERT(other.has_value() == found.has_value());
    if (!found) {
      FLEXD_ASSERT(other.error().fault == found.error().fault);
      FLEXD_ASSERT(other.error().offset == found.error().offset && found.error().offset <= size);
      continue;
    }
    FLEXD_ASSERT(same(fields.object(), others.object()));
    FLEXD_ASSERT(fields.member_count() == others.member_count());
    for (size_t i = 0; i < kNames.size(); ++i) {
      FLEXD_ASSERT(fields.has(i) == others.has(i));
      if (fields.has(i)) check_same(*fields[i], *others[i]);
    }
  }
  if (found) {
    for (size_t i = 0; i < kNames.size(); ++i) {
      if (fields.has(i)) check_field(text, fields, i);
    }
    size_t members = 0;
    for (json::Members walk(json::Value::value_in(text)); walk.next();) ++members;
    FLEXD_ASSERT(members == fields.member_count());
    check_outline(json::Value::value_in(text), fields.outline(), 0);
  }
  return walk(json::Value{text}, text, 0) > 0 ? 0 : 1;
}
