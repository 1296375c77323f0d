// The body of POST /v1/messages (https://docs.anthropic.com/en/api/messages), version 2023-06-01.
#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>
#include <system_error>

#include "../model_traits.hpp"
#include "anthropic_turns.hpp"
#include "draft.hpp"
#include "flexd/base/ascii.hpp"
#include "reading.hpp"
#include "writers.hpp"

namespace flexd::surface {

namespace {

// kIdentifierBytesMax bounds metadata.user_id.
constexpr size_t kIdentifierBytesMax = 256;
// kBudgetMin is the least `budget_tokens` that is taken.
constexpr uint64_t kBudgetMin = 1024;

// budget_tokens is how much a model may think that has no notion of effort.
uint64_t budget_tokens(Effort effort) {
  switch (effort) {
    case Effort::minimal:
      return kBudgetMin;
    case Effort::low:
      return 2048;
    case Effort::medium:
      return 8192;
    case Effort::high:
      return 16'384;
    case Effort::xhigh:
      return 24'576;
    case Effort::max:
      return 32'000;
    case Effort::absent:
    case Effort::none:
      break;
  }
  return 0;
}

std::string_view effort_word(Effort effort) {
  switch (effort) {
    case Effort::minimal:
    case Effort::low:
      return R"("low")";
    case Effort::medium:
      return R"("medium")";
    case Effort::high:
      return R"("high")";
    case Effort::xhigh:
      return R"("xhigh")";
    case Effort::max:
      return R"("max")";
    case Effort::absent:
    case Effort::none:
      break;
  }
  return "";
}

// is_above_one: also of a number that no double holds.
bool is_above_one(const json::Value& number) {
  double value = 0;
  const char* const begin = number.text.data();
  const auto read = std::from_chars(begin, begin + number.text.size(), value);
  return read.ec != std::errc() || value > 1;
}

// has_members tells a schema that says something.
bool has_members(const json::Value& object) {
  return json::Members(object).next();
}

// ChosenNames are the functions that a choice among some of the tools leaves.
class ChosenNames {
 public:
  ChosenNames(const RequestModel& model, BlockPool& pool) : names_(pool) {
    for (const json::Value& name : model.choice_names.items()) {
      if (!names_.push(name.text)) failed_ = true;
    }
    if (names_.empty()) return;
    std::string_view* const first = &names_[0];
    std::sort(first, first + names_.size());
  }
  bool failed() const { return failed_; }
  bool contains(const json::Value& name) const {
    const auto names = names_.items();
    return std::binary_search(names.begin(), names.end(), name.text);
  }

 private:
  PooledList<std::string_view> names_;
  bool failed_ = false;
};

// Writer writes one body.
class Writer {
 public:
  Writer(const RequestModel& model, BlockPool& pool, Buffer& out)
      : model_(model),
        pool_(pool),
        draft_(model, pool, out),
        traits_(claude_traits(model.model.contents())) {}

  Result<void, Fault> write() {
    draft_.link_calls();
    refuse_verbosity(draft_);
    draft_.put(R"({"model":)", model_.model);
    draft_.member(R"(,"max_tokens":)", model_.max_tokens);
    draft_.put_system(R"(,"system":)", model_.items.size());
    write_turns(draft_);
    write_tools();
    write_thinking();
    write_output_config();
    write_sampling(R"(,"temperature":)", model_.temperature);
    write_sampling(R"(,"top_p":)", model_.top_p);
    write_user();
    draft_.put("}");
    return draft_.finish();
  }

 private:
  void write_tools() {
    if (!model_.tools.empty()) {
      const bool is_subset = model_.tool_choice.kind == ToolChoice::Kind::subset;
      const ChosenNames chosen(model_, pool_);
      if (chosen.failed()) draft_.refuse({.code = errors::Code::service_unavailable});
      draft_.put(R"(,"tools":[)");
      bool first = true;
      for (const Tool& tool : model_.tools.items()) {
        if (tool.kind == Tool::Kind::web_search) {
          draft_.refuse_kind(tool.whole);
        } else if (!is_subset || chosen.contains(tool.name)) {
          draft_.separate(first);
          write_tool(tool);
        }
      }
      draft_.put("]");
    }
    write_tool_choice();
  }

  void write_tool(const Tool& tool) {
    draft_.put(R"({"name":)", tool.name);
    draft_.member(R"(,"description":)", tool.description);
    // A schema without a type is refused.
    draft_.put(R"(,"input_schema":)",
               has_members(tool.parameters) ? tool.parameters.text : kEmptyParameters);
    draft_.put(tool.strict.to_bool() == true ? R"(,"strict":true})" : "}");
  }

  // write_tool_choice writes the choice, and with it that calls are not to be parallel, which has
  // no place of its own.
  void write_tool_choice() {
    const bool is_chosen = model_.tool_choice.kind != ToolChoice::Kind::absent;
    const bool is_serial = !model_.tools.empty() &&
                           (model_.parallel_off || model_.parallel_tool_calls.to_bool() == false);
    if (!is_chosen && !is_serial) return;
    const ToolChoice& choice = model_.tool_choice;
    draft_.put(R"(,"tool_choice":{"type":)");
    switch (choice.kind) {
      case ToolChoice::Kind::absent:
      case ToolChoice::Kind::automatic:
        draft_.put(R"("auto")");
        break;
      case ToolChoice::Kind::none:
        draft_.put(R"("none"})");
        return;
      case ToolChoice::Kind::required:
        draft_.put(R"("any")");
        break;
      case ToolChoice::Kind::one:
        draft_.put(R"("tool","name":)", choice.name);
        break;
      case ToolChoice::Kind::subset:
        draft_.put(choice.subset_required ? R"("any")" : R"("auto")");
        break;
    }
    draft_.put(is_serial ? R"(,"disable_parallel_tool_use":true})" : "}");
  }

  void write_thinking() {
    if (model_.effort == Effort::absent) return;
    if (model_.effort == Effort::none) {
      draft_.put(R"(,"thinking":{"type":"disabled"})");
    } else if (traits_.takes_effort) {
      const bool is_told = model_.summary != Summary::absent && model_.summary != Summary::none;
      draft_.put(is_told ? R"(,"thinking":{"type":"adaptive","display":"summarized"})"
                         : R"(,"thinking":{"type":"adaptive","display":"omitted"})");
    } else {
      write_budget();
    }
  }

  // write_budget leaves thinking out where it would be refused: with too few tokens, and in the
  // middle of a round of calls that began without it.
  void write_budget() {
    uint64_t budget = budget_tokens(model_.effort);
    const auto max_tokens = model_.max_tokens.to_uint64();
    if (max_tokens && *max_tokens <= budget) budget = *max_tokens == 0 ? 0 : *max_tokens - 1;
    if (budget < kBudgetMin || lacks_thoughts(draft_)) return;
    const DecimalText digits(budget);
    draft_.put(R"(,"thinking":{"type":"enabled","budget_tokens":)", digits.view(), "}");
  }

  void write_output_config() {
    const std::string_view effort = traits_.takes_effort ? effort_word(model_.effort) : "";
    const Format& format = model_.format;
    if (format.kind == Format::Kind::json_object) draft_.refuse_unsupported(format.whole);
    const bool has_schema = format.kind == Format::Kind::json_schema;
    if (effort.empty() && !has_schema) return;
    draft_.put(R"(,"output_config":{)");
    if (!effort.empty()) draft_.put(R"("effort":)", effort);
    if (has_schema) {
      draft_.put(effort.empty() ? "" : ",", R"("format":{"type":"json_schema","schema":)",
                 format.schema.exists() ? format.schema.text : std::string_view("{}"), "}");
    }
    draft_.put("}");
  }

  // write_sampling writes a parameter unless it stands at the default, which newer models refuse
  // like every other value.
  void write_sampling(std::string_view name, const json::Value& number) {
    if (!number.exists() || is_one(number)) return;
    if (!traits_.takes_sampling || is_above_one(number)) {
      draft_.refuse_unsupported(number);
    } else {
      draft_.put(name, number);
    }
  }

  void write_user() {
    json::Value user = model_.safety_identifier;
    if (!user.exists()) user = model_.user;
    if (!user.exists()) user = model_.metadata["user_id"];
    if (!user.is(json::Type::kString)) return;
    draft_.put_identifier(R"(,"metadata":{"user_id":)", user, kIdentifierBytesMax);
    draft_.put("}");
  }

  const RequestModel& model_;
  BlockPool& pool_;
  Draft draft_;
  const ClaudeTraits traits_;
};

}  // namespace

Result<void, Fault> write_anthropic(const RequestModel& model, BlockPool& pool, Buffer& out) {
  return Writer(model, pool, out).write();
}

}  // namespace flexd::surface
