#include "responses_writer.hpp"

#include "flexd/base/assert.hpp"
#include "flexd/base/limits.hpp"

namespace flexd::surface {

// PartWords are the names and the JSON of a kind of part. Its JSON is head, text, the text itself
// and after.
struct ResponsesWriter::PartWords {
  std::string_view added;      // event, with the part as it begins
  std::string_view delta;      // event
  std::string_view text_done;  // event
  std::string_view done;       // event, with the whole part; empty if there is none
  std::string_view index;      // member that numbers the parts; empty if they have none
  std::string_view head;
  std::string_view text;  // of a text_done too
  std::string_view after;
  std::string_view logprobs;  // what the events of its text have behind it
};

const ResponsesWriter::PartWords& ResponsesWriter::words_of(Part part) {
  static constexpr PartWords kText = {
      .added = "response.content_part.added",
      .delta = "response.output_text.delta",
      .text_done = "response.output_text.done",
      .done = "response.content_part.done",
      .index = R"(,"content_index":)",
      .head = R"({"type":"output_text")",
      .text = R"(,"text":")",
      .after = R"(","annotations":[],"logprobs":[]})",
      .logprobs = R"(,"logprobs":[])",
  };
  static constexpr PartWords kRefusal = {
      .added = "response.content_part.added",
      .delta = "response.refusal.delta",
      .text_done = "response.refusal.done",
      .done = "response.content_part.done",
      .index = R"(,"content_index":)",
      .head = R"({"type":"refusal")",
      .text = R"(,"refusal":")",
      .after = R"("})",
      .logprobs = "",
  };
  static constexpr PartWords kSummary = {
      .added = "response.reasoning_summary_part.added",
      .delta = "response.reasoning_summary_text.delta",
      .text_done = "response.reasoning_summary_text.done",
      .done = "response.reasoning_summary_part.done",
      .index = R"(,"summary_index":)",
      .head = R"({"type":"summary_text")",
      .text = R"(,"text":")",
      .after = R"("})",
      .logprobs = "",
  };
  static constexpr PartWords kArguments = {
      .added = "",
      .delta = "response.function_call_arguments.delta",
      .text_done = "response.function_call_arguments.done",
      .done = "",
      .index = "",
      .head = "",
      .text = "",
      .after = "",
      .logprobs = "",
  };
  switch (part) {
    case Part::text:
      return kText;
    case Part::refusal:
      return kRefusal;
    case Part::summary:
      return kSummary;
    case Part::none:
    case Part::arguments:
      break;
  }
  return kArguments;
}

ResponsesWriter::ResponsesWriter(const AnswerContext& context, BlockPool& pool)
    : AnswerWriter(context, "resp_gw"), echo_(context.request), items_(pool) {}

void ResponsesWriter::on_start(const AnswerStart& start) {
  if (is_over()) return;
  keep_model(start.model);
  const ResponseObject response = object(context_.tier);
  tell_response("response.created", response);
  tell_response("response.in_progress", response);
}

void ResponsesWriter::on_item_start(const ItemStart& item) {
  if (is_over()) return;
  kind_ = item.kind;
  const uint64_t index = item_count_++;
  part_count_ = 0;
  part_ = Part::none;
  has_blob_ = false;
  if (index > 0 && !keep({","})) return;
  item_begin_ = items_.size();

  const std::string_view unique = context_.unique;
  std::string_view closing;  // what makes a whole object of the item as it begins
  if (kind_ == ItemKind::message) {
    item_id_ = numbered_id("msg_gw", unique, index);
    keep({R"({"id":")", item_id_.view(), R"(","type":"message","role":"assistant","content":[)"});
    closing = R"(],"status":"in_progress"})";
  } else if (kind_ == ItemKind::thought) {
    item_id_ = numbered_id("rs_gw", unique, index);
    keep({R"({"id":")", item_id_.view(), R"(","type":"reasoning","summary":[)"});
    closing = R"(],"encrypted_content":null})";
  } else {
    item_id_ = numbered_id("fc_gw", unique, index);
    const Id minted = numbered_id("call_", unique, index);
    const std::string_view call_id = item.call_id.empty() ? minted.view() : item.call_id;
    keep({R"({"id":")", item_id_.view(), R"(","type":"function_call","call_id":")", call_id, "\""});
    part_ = Part::arguments;
    text_member_begin_ = items_.size();
    keep({R"(,"name":")", item.name, R"(","arguments":")"});
    arguments_begin_ = items_.size();
    closing = R"(","status":"in_progress"})";
  }
  if (failed_) return;
  tell("response.output_item.added", {R"(,"output_index":)", Decimal(index).view(), R"(,"item":)",
                                      items_.view().substr(item_begin_), closing});
}

void ResponsesWriter::on_text(std::string_view raw) {
  FLEXD_ASSERT(is_over() || kind_ == ItemKind::message);
  add(Part::text, raw);
}

void ResponsesWriter::on_refusal(std::string_view raw) {
  FLEXD_ASSERT(is_over() || kind_ == ItemKind::message);
  add(Part::refusal, raw);
}

void ResponsesWriter::on_arguments(std::string_view raw) {
  FLEXD_ASSERT(is_over() || kind_ == ItemKind::call);
  add(Part::arguments, raw);
}

void ResponsesWriter::on_thought(std::string_view raw) {
  FLEXD_ASSERT(is_over() || (kind_ == ItemKind::thought && !has_blob_));
  add(Part::summary, raw);
}

void ResponsesWriter::on_thought_blob(const Blob& blob) {
  if (is_over()) return;
  FLEXD_ASSERT(kind_ == ItemKind::thought && !has_blob_);
  close_part();
  has_blob_ = true;
  if (!failed_ && keep({R"(],"encrypted_content":")"}) && keep_blob(blob)) keep({"\""});
}

void ResponsesWriter::on_item_end(bool complete) {
  if (is_over()) return;
  // A call without arguments has an empty object of them: clients parse it.
  if (part_ == Part::arguments && items_.size() == arguments_begin_) add(Part::arguments, "{}");
  close_part();
  if (failed_) return;
  switch (kind_) {
    case ItemKind::message:
      keep({complete ? R"(],"status":"completed"})" : R"(],"status":"incomplete"})"});
      break;
    case ItemKind::call:
      keep({complete ? R"(","status":"completed"})" : R"(","status":"incomplete"})"});
      break;
    case ItemKind::thought:
      if (!has_blob_ && !keep({R"(],"encrypted_content":null)"})) return;
      keep({complete ? "}" : R"(,"status":"incomplete"})"});
      break;
  }
  if (failed_) return;
  tell("response.output_item.done", {R"(,"output_index":)", Decimal(item_count_ - 1).view(),
                                     R"(,"item":)", items_.view().substr(item_begin_)});
  item_begin_ = items_.size();
}

ResponseObject ResponsesWriter::object(std::string_view tier) const {
  return {.id = id(),
          .model = model(),
          .created_at_s = context_.created_at_s,
          .service_tier = tier,
          .items = items_.view()};
}

void ResponsesWriter::on_end(const AnswerEnd& end) {
  if (is_over()) return;
  ResponseObject response = object(end.service_tier.empty() ? context_.tier : end.service_tier);
  response.status = "incomplete";
  response.usage = &end.usage;
  switch (end.reason) {
    case FinishReason::stop:
    case FinishReason::stop_sequence:
      response.status = "completed";
      return finish("response.completed", response);
    case FinishReason::length:
    case FinishReason::context_window:
    case FinishReason::budget:
      response.incomplete_details = R"({"reason":"max_output_tokens"})";
      break;
    case FinishReason::content_filter:
      response.incomplete_details = R"({"reason":"content_filter"})";
      break;
    case FinishReason::pause:
      response.incomplete_details = "{}";
      break;
  }
  finish("response.incomplete", response);
}

void ResponsesWriter::on_failure(const AnswerFailure& failure) {
  if (is_over()) return;
  ResponseObject response = object(context_.tier);
  response.status = "failed";
  response.failure = &failure;
  finish("response.failed", response);
}

void ResponsesWriter::finish(std::string_view event, const ResponseObject& response) {
  FLEXD_ASSERT(item_begin_ == items_.size());  // no item is open
  if (context_.stream) {
    tell_response(event, response);
  } else {
    WholeSink sink(*out_);
    write_response(sink, response, echo_);
    if (!sink.finish()) failed_ = true;
  }
  ended_ = !failed_;
}

// keep adds to the items; false, and the answer has failed, if there is no room.
bool ResponsesWriter::keep(Parts parts) {
  if (failed_) return false;
  if (bytes_of(parts) > limits::kFoldBytesMax - items_.size() || !append_parts(items_, parts)) {
    failed_ = true;
  }
  return !failed_;
}

bool ResponsesWriter::keep_blob(const Blob& blob) {
  WholeSink sink(items_);
  write_blob(sink, context_.provider,
             {.type = blob.type, .data = blob.data, .model = model(), .id = blob.id, .text = {}});
  if (!sink.finish() || items_.size() > limits::kFoldBytesMax) failed_ = true;
  return !failed_;
}

// add adds to the open part, or opens one.
void ResponsesWriter::add(Part part, std::string_view raw) {
  if (is_over() || raw.empty()) return;
  if (part_ != part && !open_part(part)) return;
  if (!keep({raw})) return;
  const PartWords& words = words_of(part);
  tell_part(words.delta, {R"(,"delta":")", raw, "\"", words.logprobs});
}

bool ResponsesWriter::open_part(Part part) {
  close_part();
  if (failed_ || (part_count_ > 0 && !keep({","}))) return false;
  const PartWords& words = words_of(part);
  part_ = part;
  ++part_count_;
  part_begin_ = items_.size();
  text_member_begin_ = part_begin_ + words.head.size();
  if (!keep({words.head, words.text})) return false;
  return tell_part(words.added, {R"(,"part":)", words.head, words.text, words.after});
}

void ResponsesWriter::close_part() {
  if (failed_ || part_ == Part::none) return;
  const PartWords& words = words_of(part_);
  tell_part(words.text_done, {items_.view().substr(text_member_begin_), "\"", words.logprobs});
  if (!keep({words.after})) return;
  if (!words.done.empty()) {
    tell_part(words.done, {R"(,"part":)", items_.view().substr(part_begin_)});
  }
  part_ = Part::none;
}

// tell tells an event whose members, but for its type and number, are `parts` and `more`.
bool ResponsesWriter::tell(std::string_view event, Parts parts, Parts more) {
  if (!context_.stream) return true;
  const size_t begin = out_->size();
  if (put({"event: ", event, "\ndata: {\"type\":\"", event, R"(","sequence_number":)",
           Decimal(sequence_number_).view()}) &&
      put(parts) && put(more) && put({"}\n\n"})) {
    ++sequence_number_;
    return true;
  }
  out_->truncate(begin);
  return false;
}

// tell_part tells an event of the open part.
bool ResponsesWriter::tell_part(std::string_view event, Parts more) {
  const std::string_view index = words_of(part_).index;
  const Decimal part_index(part_count_ - 1);
  return tell(
      event,
      {R"(,"item_id":")", item_id_.view(), R"(","output_index":)", Decimal(item_count_ - 1).view(),
       index, index.empty() ? std::string_view() : part_index.view()},
      more);
}

void ResponsesWriter::tell_response(std::string_view event, const ResponseObject& response) {
  if (failed_ || !context_.stream) return;
  WholeSink sink(*out_);
  begin_frame(sink, event);
  sink.append(R"({"type":")");
  sink.append(event);
  sink.append(R"(","sequence_number":)");
  sink.append(Decimal(sequence_number_).view());
  sink.append(R"(,"response":)");
  write_response(sink, response, echo_);
  sink.append("}");
  end_frame(sink);
  if (sink.finish()) {
    ++sequence_number_;
  } else {
    failed_ = true;
  }
}

}  // namespace flexd::surface
