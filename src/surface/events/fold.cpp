#include "flexd/surface/fold.hpp"

#include <cstring>

#include "flexd/base/limits.hpp"
#include "fold_steps.hpp"

namespace flexd::surface {

namespace {

using json::Elements;
using json::Type;
using json::Value;

// The terminal event's object, without which there is no answer.
Value answer_of(const Event& terminal) {
  if (terminal.kind != EventKind::completed && terminal.kind != EventKind::incomplete) return {};
  Value answer;
  if (terminal.provider == errors::Provider::openai) answer = terminal.data["response"];
  if (terminal.provider == errors::Provider::gemini) answer = terminal.data["interaction"];
  return answer.is(Type::kObject) ? answer : Value();
}

// guessed_start stands for the step.start that never came.
std::string_view guessed_start(const Value& delta) {
  const Value type = delta["type"];
  if (type.equals("arguments_delta")) return R"({"type":"function_call","arguments":{}})";
  const bool thought = type.equals("thought_summary") || type.equals("thought_signature");
  return thought ? R"({"type":"thought"})" : R"({"type":"model_output"})";
}

}  // namespace

bool Fold::feed(const Event& event) {
  if (event.provider != errors::Provider::gemini || event.kind != EventKind::progress) return true;
  if (!lost_ && !take(event)) lost_ = true;
  return !lost_;
}

bool Fold::take(const Event& event) {
  static constexpr json::Names kNames = {"index", "step", "delta"};
  std::array<Value, kNames.size()> found;
  json::members_of(event.data, kNames, found);
  const auto [index, step, delta] = found;
  if (step.is(Type::kObject)) return take_start(index.to_uint64(), step);
  return !delta.is(Type::kObject) || take_delta(index.to_uint64(), delta);
}

bool Fold::take_start(std::optional<uint64_t> index, const Value& step) {
  // Without a number it is the next.
  const uint64_t number = index.value_or(steps_.empty() ? 0 : steps_.back().index + 1);
  if (steps_.size() >= kFoldStepsMax || !has_room(sizeof(Step))) return false;
  return steps_.push({.index = number}) && add(steps_.back(), Kind::start, step.text);
}

bool Fold::take_delta(std::optional<uint64_t> index, const Value& delta) {
  Step* step = step_of(index);
  if (step == nullptr) {
    if (!take_start(index, Value{guessed_start(delta)})) return false;
    step = &steps_.back();
  }
  const Value type = delta["type"];
  if (type.equals("text")) {
    return take_text(*step, delta, Kind::content_text, Kind::content_annotations);
  }
  if (type.equals("text_annotation_delta")) {
    const Value list = delta["annotations"];
    return !Elements(list).next() || add(*step, Kind::content_annotations, list.text);
  }
  if (type.equals("arguments_delta")) {
    const Value arguments = delta["arguments"];
    if (arguments.is(Type::kObject)) return add(*step, Kind::members, delta.text);
    return extend(*step, Kind::arguments, arguments.contents());
  }
  if (type.equals("thought_summary")) return take_summary(*step, delta["content"]);
  if (type.equals("thought_signature")) {
    const Value signature = delta["signature"];
    return !signature.is(Type::kString) || add(*step, Kind::signature, signature.text);
  }
  const bool own = is_of_type(*step, type.contents());
  return add(*step, own ? Kind::members : Kind::content_part, delta.text);
}

bool Fold::take_summary(Step& step, const Value& content) {
  if (!content.is(Type::kObject)) return true;
  if (!content["type"].equals("text")) return add(step, Kind::summary_part, content.text);
  return take_text(step, content, Kind::summary_text, Kind::summary_annotations);
}

bool Fold::take_text(Step& step, const Value& part, Kind text, Kind annotations) {
  const Value list = part["annotations"];
  if (!extend(step, text, part["text"].contents())) return false;
  return !Elements(list).next() || add(step, annotations, list.text);
}

// step_of is the step that a delta belongs to: the last one with its number, or just the last one.
Fold::Step* Fold::step_of(std::optional<uint64_t> index) {
  for (size_t at = steps_.size(); at > 0; --at) {
    if (!index || steps_[at - 1].index == *index) return &steps_[at - 1];
  }
  return nullptr;
}

bool Fold::is_of_type(const Step& step, std::string_view type) const {
  PieceHead head;
  std::memcpy(&head, pieces_.view().data() + step.first, sizeof(head));
  const Value start{pieces_.view().substr(step.first + sizeof(head), head.size)};
  return !type.empty() && start["type"].contents() == type;
}

// extend adds to the piece at the end, if it is of the same step and kind.
bool Fold::extend(Step& step, Kind kind, std::string_view text) {
  if (step.last != last_piece_) return add(step, kind, text);
  PieceHead head;
  std::memcpy(&head, pieces_.data() + last_piece_, sizeof(head));
  if (head.kind != kind) return add(step, kind, text);
  if (!has_room(text.size()) || !pieces_.append(text)) return false;
  head.size += static_cast<uint32_t>(text.size());
  std::memcpy(pieces_.data() + last_piece_, &head, sizeof(head));
  return true;
}

bool Fold::add(Step& step, Kind kind, std::string_view text) {
  const PieceHead head{.size = static_cast<uint32_t>(text.size()), .kind = kind};
  if (!has_room(sizeof(head) + text.size())) return false;
  const auto offset = static_cast<uint32_t>(pieces_.size());
  if (!pieces_.append({reinterpret_cast<const char*>(&head), sizeof(head)}) ||
      !pieces_.append(text)) {
    return false;
  }
  if (kind == Kind::start) {
    step.first = offset;
  } else {
    std::memcpy(pieces_.data() + step.last + offsetof(PieceHead, next), &offset, sizeof(offset));
  }
  step.last = offset;
  last_piece_ = offset;
  return true;
}

bool Fold::has_room(size_t bytes) const {
  return bytes <= limits::kFoldBytesMax &&
         pieces_.size() + steps_.size() * sizeof(Step) <= limits::kFoldBytesMax - bytes;
}

bool Fold::write(const Event& terminal, Buffer& out) {
  const Value answer = answer_of(terminal);
  if (!answer.exists()) return true;
  if (terminal.provider == errors::Provider::openai) return out.append(answer.text);
  if (lost_) return false;
  // An interaction that has its steps is whole as it is.
  const Value given = answer["steps"];
  if (Elements(given).next()) return out.append(answer.text);
  const bool has_members = json::Members(answer).next();
  std::string_view before = answer.text.substr(0, answer.text.size() - 1);
  std::string_view after = "}";
  FoldSink sink(out);
  if (given.exists()) {
    const auto offset = static_cast<size_t>(given.text.data() - answer.text.data());
    before = answer.text.substr(0, offset);
    after = answer.text.substr(offset + given.text.size());
    sink.append(before);
  } else {
    sink.append(before);
    sink.append(has_members ? ",\"steps\":" : "\"steps\":");
  }
  sink.append("[");
  bool room = true;
  for (size_t at = 0; at < steps_.size() && room && !sink.failed(); ++at) {
    if (at > 0) sink.append(",");
    room = StepWriter(pieces_.view(), scratch_, sink).write(steps_[at]);
  }
  sink.append("]");
  sink.append(after);
  if (room && !sink.failed()) return true;
  sink.undo();
  return false;
}

void Fold::reset() {
  pieces_.clear();
  steps_.clear();
  scratch_.clear();
  last_piece_ = 0;
  lost_ = false;
}

}  // namespace flexd::surface
