// answer_checks.hpp: an AnswerSink that holds its caller to the order of answer.hpp and writes down
// what it was told, one line a call.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "flexd/base/assert.hpp"
#include "flexd/json/finder.hpp"
#include "flexd/surface/answer.hpp"

namespace flexd::surface {

class CheckingSink final : public AnswerSink {
 public:
  // told is everything that was told: `start MODEL`, `message`, `call ID NAME`, `thought`, the
  // texts as `text: RAW` and the like, `blob TYPE: RAW`, `.` for the end of an item or `/` if it
  // was cut, `end REASON`, `failure STATUS CODE: MESSAGE`.
  std::string told;
  // texts is all texts, without what is between them.
  std::string texts;
  AnswerEnd end;
  std::string stop_sequence;
  std::string service_tier;
  size_t calls = 0;
  bool ended = false;

  void on_start(const AnswerStart& start) override {
    check(!started_);
    check_raw(start.model);
    started_ = true;
    line("start " + std::string(start.model));
  }
  void on_item_start(const ItemStart& item) override {
    check(started_ && !open_);
    open_ = true;
    kind_ = item.kind;
    has_content_ = item.kind == ItemKind::call;
    has_blob_ = false;
    check_raw(item.call_id);
    check_raw(item.name);
    if (item.kind == ItemKind::call) {
      check(item.call_id.empty() || ids_.insert(std::string(item.call_id)).second);
      line("call " + std::string(item.call_id) + " " + std::string(item.name));
    } else {
      check(item.call_id.empty() && item.name.empty());
      line(item.kind == ItemKind::message ? "message" : "thought");
    }
  }
  void on_text(std::string_view raw) override { content(ItemKind::message, "text", raw); }
  void on_refusal(std::string_view raw) override { content(ItemKind::message, "refusal", raw); }
  void on_arguments(std::string_view raw) override { content(ItemKind::call, "args", raw); }
  void on_thought(std::string_view raw) override { content(ItemKind::thought, "think", raw); }
  void on_thought_blob(const Blob& blob) override {
    check(blob.model.empty() && blob.text.empty());
    content(ItemKind::thought, "blob " + std::string(blob.type), blob.data);
    has_blob_ = true;
  }
  void on_item_end(bool complete) override {
    check(open_ && has_content_);
    open_ = false;
    line(complete ? "." : "/");
  }
  void on_end(const AnswerEnd& answer_end) override {
    finish();
    check_raw(answer_end.stop_sequence);
    check_raw(answer_end.service_tier);
    end = answer_end;
    stop_sequence = answer_end.stop_sequence;
    service_tier = answer_end.service_tier;
    static constexpr const char* kReasons[] = {
        "stop", "stop_sequence", "length", "context_window", "content_filter", "pause", "budget"};
    line(std::string("end ") + kReasons[static_cast<size_t>(answer_end.reason)]);
  }
  void on_failure(const AnswerFailure& failure) override {
    finish();
    check_raw(failure.message);
    check_raw(failure.code);
    line("failure " + std::to_string(failure.status) + " " + std::string(failure.code) + ": " +
         std::string(failure.message));
  }

 private:
  static void check(bool good) { FLEXD_ASSERT(good); }
  static void check_raw(std::string_view raw) {
    check(json::validate("\"" + std::string(raw) + "\"").has_value());
  }
  void finish() {
    check(started_ && !open_ && !ended);
    ended = true;
  }
  void content(ItemKind kind, const std::string& name, std::string_view raw) {
    check(open_ && kind_ == kind && !has_blob_ && !raw.empty());
    check_raw(raw);
    has_content_ = true;
    texts += raw;
    line(name + ": " + std::string(raw));
  }
  void line(const std::string& text) {
    check(!ended || text.starts_with("end ") || text.starts_with("failure "));
    ++calls;
    told += text + "\n";
  }

  std::set<std::string> ids_;
  ItemKind kind_ = ItemKind::message;
  bool started_ = false;
  bool open_ = false;
  bool has_content_ = false;
  bool has_blob_ = false;
};

}  // namespace flexd::surface
