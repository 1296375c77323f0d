#include "fold_steps.hpp"

#include <cstring>

namespace flexd::surface {

namespace {

using json::Elements;
using json::Member;
using json::Members;
using json::Type;
using json::Value;

// kFields are the members of a step that deltas can change; the first ones are put together, the
// others replaced. A hosted tool's delta may hold more than these: it is not known what a step
// makes of that.
constexpr json::Names kFields = {"content",  "summary", "arguments",   "signature",
                                 "result",   "name",    "id",          "call_id",
                                 "is_error", "error",   "server_name", "search_type"};
enum Field : uint8_t { kContentField, kSummaryField, kArgumentsField, kSignatureField };

bool is_text_part(const Value& part) {
  return part["type"].equals("text");
}

}  // namespace

bool Fold::StepWriter::write(const Step& step) {
  static_assert(kFields.size() <= kFieldsMax);
  note_pieces(step);
  std::array<bool, kFieldsMax> written{};
  bool comma_due = false;
  sink_.append("{");
  for (const Member& member : Members(start_)) {
    const size_t field = kFields.field_of(member.name.contents());
    separate(comma_due);
    sink_.append(member.name.text);
    sink_.append(":");
    if (field < kFields.size() && is_changed(field) && !written[field]) {
      written[field] = true;
      write_field(field, member.value);
    } else {
      sink_.append(member.value.text);
    }
  }
  for (size_t field = 0; field < kFields.size(); ++field) {
    if (!is_changed(field) || written[field]) continue;
    write_name(comma_due, kFields[field]);
    write_field(field, {});
  }
  sink_.append("}");
  return !no_room_;
}

// note_pieces finds out which fields the deltas have changed.
void Fold::StepWriter::note_pieces(const Step& step) {
  first_ = step.first;
  for (Place place = place_at(step.first); !place.at_end; place = next(place)) {
    const Kind kind = place.head.kind;
    if (kind == Kind::start) {
      start_ = Value{place.text};
    } else if (kind == Kind::signature) {
      values_[kSignatureField] = Value{place.text};
    } else if (kind == Kind::members) {
      note_members(Value{place.text});
    } else if (kind == Kind::arguments) {
      has_arguments_ = has_arguments_ || !place.text.empty();
    } else if (is_of(kContent, kind)) {
      has_content_ = true;
    } else {
      has_summary_ = true;
    }
  }
}

void Fold::StepWriter::note_members(const Value& object) {
  for (const Member& member : Members(object)) {
    const size_t field = kFields.field_of(member.name.contents());
    if (field < kFields.size() && !member.value.is_null()) values_[field] = member.value;
  }
}

bool Fold::StepWriter::is_changed(size_t field) const {
  if (values_[field].exists()) return true;
  return (field == kContentField && has_content_) || (field == kSummaryField && has_summary_) ||
         (field == kArgumentsField && has_arguments_);
}

void Fold::StepWriter::write_field(size_t field, const Value& start) {
  const Value base = values_[field].exists() ? values_[field] : start;
  if (field == kContentField && has_content_) {
    write_array(kContent, base);
  } else if (field == kSummaryField && has_summary_) {
    write_array(kSummary, base);
  } else if (field == kArgumentsField && has_arguments_) {
    write_arguments(base);
  } else {
    sink_.append(base.text);
  }
}

void Fold::StepWriter::write_array(const PartKinds& kinds, const Value& start) {
  Place place = first_of(kinds);
  bool comma_due = false;
  sink_.append("[");
  Value last;
  for (const Value part : Elements(start)) {
    if (last.exists()) {
      separate(comma_due);
      sink_.append(last.text);
    }
    last = part;
  }
  if (last.exists()) {
    separate(comma_due);
    if (is_text_part(last) && !place.at_end && place.head.kind != kinds.part) {
      write_text_part(kinds, last, place);
    } else {
      sink_.append(last.text);
    }
  }
  while (!place.at_end && !sink_.failed()) {
    separate(comma_due);
    if (place.head.kind != kinds.part) {
      write_text_part(kinds, {}, place);
      continue;
    }
    sink_.append(place.text);
    place = next(place);
    skip_to(kinds, place);
  }
  sink_.append("]");
}

void Fold::StepWriter::write_text_part(const PartKinds& kinds, const Value& start, Place& place) {
  bool comma_due = false;
  bool text_written = false;
  bool annotations_written = false;
  sink_.append("{");
  if (!start.exists()) {
    write_name(comma_due, "type");
    sink_.append("\"text\"");
  }
  for (const Member& member : Members(start)) {
    separate(comma_due);
    sink_.append(member.name.text);
    sink_.append(":");
    if (!text_written && member.name.equals("text")) {
      text_written = true;
      sink_.append("\"");
      sink_.append(member.value.contents());
      write_texts(kinds, place);
    } else if (!annotations_written && member.name.equals("annotations") &&
               has_annotations(kinds, place)) {
      annotations_written = true;
      write_annotations(kinds, member.value, place);
    } else {
      sink_.append(member.value.text);
    }
  }
  if (!text_written) {
    write_name(comma_due, "text");
    sink_.append("\"");
    write_texts(kinds, place);
  }
  if (!annotations_written && has_annotations(kinds, place)) {
    write_name(comma_due, "annotations");
    write_annotations(kinds, {}, place);
  }
  sink_.append("}");
  while (!place.at_end && place.head.kind != kinds.part) {
    place = next(place);
    skip_to(kinds, place);
  }
}

// write_texts writes the rest of a string, up to the next part.
void Fold::StepWriter::write_texts(const PartKinds& kinds, Place place) {
  for (; !place.at_end && place.head.kind != kinds.part; place = next(place)) {
    if (place.head.kind == kinds.text) sink_.append(place.text);
  }
  sink_.append("\"");
}

bool Fold::StepWriter::has_annotations(const PartKinds& kinds, Place place) const {
  for (; !place.at_end && place.head.kind != kinds.part; place = next(place)) {
    if (place.head.kind == kinds.annotations) return true;
  }
  return false;
}

void Fold::StepWriter::write_annotations(const PartKinds& kinds, const Value& start, Place place) {
  bool comma_due = false;
  const auto write_elements = [&](const Value& array) {
    for (const Value element : Elements(array)) {
      separate(comma_due);
      sink_.append(element.text);
    }
  };
  sink_.append("[");
  write_elements(start);
  for (; !place.at_end && place.head.kind != kinds.part; place = next(place)) {
    if (place.head.kind == kinds.annotations) write_elements(Value{place.text});
  }
  sink_.append("]");
}

void Fold::StepWriter::write_arguments(const Value& start) {
  if (const auto object = unescaped_arguments()) {
    sink_.append(*object);
  } else {
    sink_.append(start.exists() ? start.text : "{}");
  }
}

std::optional<std::string_view> Fold::StepWriter::unescaped_arguments() {
  scratch_.truncate(0);
  bool room = scratch_.append("\"");
  for (Place place = place_at(first_); !place.at_end; place = next(place)) {
    if (place.head.kind == Kind::arguments) room = room && scratch_.append(place.text);
  }
  room = room && scratch_.append("\"");
  // The unescaped text is not longer than this: it goes behind it.
  const size_t size = scratch_.size();
  if (!room || !scratch_.reserve(2 * size) || !scratch_.append(scratch_.view())) {
    no_room_ = true;
    return std::nullopt;
  }
  const auto text = json::decode(Value{scratch_.view().substr(0, size)},
                                 {scratch_.data() + size, scratch_.size() - size});
  if (!text) return std::nullopt;
  const auto type = json::validate(*text);
  if (!type || *type != Type::kObject) return std::nullopt;
  return text;
}

Fold::StepWriter::Place Fold::StepWriter::place_at(uint32_t offset) const {
  Place place;
  std::memcpy(&place.head, pieces_.data() + offset, sizeof(place.head));
  place.text = pieces_.substr(offset + sizeof(place.head), place.head.size);
  return place;
}

Fold::StepWriter::Place Fold::StepWriter::next(const Place& place) const {
  return place.head.next == 0 ? Place{.head = {}, .text = {}, .at_end = true}
                              : place_at(place.head.next);
}

Fold::StepWriter::Place Fold::StepWriter::first_of(const PartKinds& kinds) const {
  Place place = place_at(first_);
  skip_to(kinds, place);
  return place;
}

void Fold::StepWriter::skip_to(const PartKinds& kinds, Place& place) const {
  while (!place.at_end && !is_of(kinds, place.head.kind)) place = next(place);
}

void Fold::StepWriter::separate(bool& comma_due) {
  if (comma_due) sink_.append(",");
  comma_due = true;
}

void Fold::StepWriter::write_name(bool& comma_due, std::string_view name) {
  separate(comma_due);
  sink_.append("\"");
  sink_.append(name);
  sink_.append("\":");
}

}  // namespace flexd::surface
