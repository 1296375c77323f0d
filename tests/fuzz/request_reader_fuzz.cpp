// The readers and writers of requests on any JSON object, in all dialects.
//
// The first byte is options: dialect (2 bits), provider (2 bits), native parameters, mutate, little
// memory. The rest is a body or, with mutate, says which values of a good body to replace and by
// what. Whatever comes: a fault points into the body, and so does every value of a model, which is
// of the type that the model promises. What a writer makes of it is a JSON object, so nothing of
// the caller's text got out of a string.
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "flexd/base/assert.hpp"
#include "request_bodies.hpp"
#include "request_model_text.hpp"
#include "writers.hpp"

namespace {

using namespace flexd;
using json::Type;
using json::Value;

// Checker holds what has to be true of a model to the body.
class Checker {
 public:
  explicit Checker(std::string_view body) : body_(body) {}

  void in_body(std::string_view text) const {
    const std::less_equal<> before;
    FLEXD_ASSERT(before(body_.data(), text.data()));
    FLEXD_ASSERT(before(text.data() + text.size(), body_.data() + body_.size()));
  }
  void value(const Value& value) const {
    if (!value.exists()) return;
    in_body(value.text);
    FLEXD_ASSERT(!value.is_null());
    FLEXD_ASSERT(json::validate(value.text).has_value());
  }
  void typed(const Value& found, Type type) const {
    value(found);
    FLEXD_ASSERT(!found.exists() || found.is(type));
  }
  void string(const Value& found) const { typed(found, Type::kString); }

  void part(const surface::Part& part) const {
    FLEXD_ASSERT(part.whole.exists());
    value(part.whole);
    value(part.content);
    string(part.filename);
    string(part.detail);
    using Kind = surface::Part::Kind;
    const bool text = part.kind == Kind::text || part.kind == Kind::refusal;
    const bool media = part.kind != Kind::json && !text;
    FLEXD_ASSERT(media == (part.source != surface::Part::Source::none));
    FLEXD_ASSERT(media == !part.content.exists());
    if (text) string(part.content);
    if (part.data.data() != nullptr) in_body(part.data);
    if (!part.media_type.empty() && part.kind != Kind::audio) in_body(part.media_type);
  }

  void item(const surface::RequestModel& model, size_t index) const {
    using Kind = surface::Item::Kind;
    const surface::Item& item = model.items[index];
    FLEXD_ASSERT(item.whole.exists());
    value(item.whole);
    string(item.call_id);
    string(item.name);
    string(item.blob);
    value(item.arguments);
    FLEXD_ASSERT(item.kind != Kind::call || item.name.exists());
    FLEXD_ASSERT(item.kind == Kind::reasoning || !item.blob.exists());
    if (item.arguments.exists()) {
      FLEXD_ASSERT(item.arguments.is(Type::kString) || item.arguments.is(Type::kObject));
    }
    if (item.call != surface::kNoItem) {
      FLEXD_ASSERT(item.call < index && model.items[item.call].kind == Kind::call);
    }
    FLEXD_ASSERT(item.first_part + item.part_count <= model.parts.size());
  }

  void model(const surface::RequestModel& model) const {
    size_t parts = 0;
    for (size_t i = 0; i < model.items.size(); ++i) {
      item(model, i);
      FLEXD_ASSERT(model.items[i].first_part == parts);  // every part is in one item
      parts += model.items[i].part_count;
    }
    FLEXD_ASSERT(parts == model.parts.size());
    for (const surface::Part& each : model.parts.items()) part(each);
    for (const surface::Tool& tool : model.tools.items()) {
      FLEXD_ASSERT((tool.kind == surface::Tool::Kind::function) == tool.name.exists());
      value(tool.whole);
      string(tool.name);
      string(tool.description);
      typed(tool.parameters, Type::kObject);
      typed(tool.strict, Type::kBool);
    }
    for (const Value& name : model.choice_names.items()) string(name);
    const surface::ToolChoice& choice = model.tool_choice;
    value(choice.whole);
    string(choice.name);
    FLEXD_ASSERT(choice.kind != surface::ToolChoice::Kind::one || choice.name.exists());
    FLEXD_ASSERT(choice.kind == surface::ToolChoice::Kind::absent || !model.tools.empty());
    fields(model);
  }

  void fields(const surface::RequestModel& model) const {
    value(model.format.whole);
    string(model.format.name);
    string(model.format.description);
    typed(model.format.schema, Type::kObject);
    typed(model.format.strict, Type::kBool);
    FLEXD_ASSERT((model.format.kind == surface::Format::Kind::json_schema) ==
                 model.format.schema.exists());
    for (const Value& each : {model.model, model.verbosity, model.user, model.safety_identifier,
                              model.prompt_cache_key, model.prompt_cache_retention}) {
      string(each);
    }
    for (const Value& each : {model.max_tokens, model.temperature, model.top_p}) {
      typed(each, Type::kNumber);
    }
    typed(model.metadata, Type::kObject);
    typed(model.prompt_cache_options, Type::kObject);
    typed(model.parallel_tool_calls, Type::kBool);
    typed(model.store, Type::kBool);
    value(model.moderation);
    value(model.effort_at);
    FLEXD_ASSERT((model.effort == surface::Effort::absent) == !model.effort_at.exists());
  }

  void fault(const surface::Fault& fault, bool little_memory) const {
    using errors::Code;
    if (fault.code == Code::service_unavailable) {
      FLEXD_ASSERT(little_memory);
      return;
    }
    FLEXD_ASSERT(
        fault.code == Code::unsupported_parameter || fault.code == Code::invalid_value ||
        fault.code == Code::unsupported_generation_config ||
        (fault.code == Code::invalid_json && fault.variant == errors::Variant::duplicate_field));
    FLEXD_ASSERT(fault.at.empty() != fault.param.empty());
    if (fault.at.empty()) return;
    in_body(fault.at);
    std::array<char, 64> space;
    json::path_of(body_, fault.at.data(), space);
    FLEXD_ASSERT(json::validate(fault.at).has_value());
  }

 private:
  std::string_view body_;
};

void check_written(const surface::RequestModel& model, errors::Provider provider,
                   const Checker& checker, size_t budget_bytes) {
  using Write = Result<void, surface::Fault> (*)(const surface::RequestModel&, BlockPool&, Buffer&);
  constexpr std::array<Write, errors::kProviderCount> kWriters = {
      surface::write_openai, surface::write_gemini, surface::write_anthropic};
  BlockPool pool(budget_bytes);
  Buffer out(pool);
  const auto written = kWriters[static_cast<size_t>(provider)](model, pool, out);
  if (written) {
    // A schema may come to stand one level deeper than the caller had it.
    const auto type = json::validate(out.view());
    FLEXD_ASSERT(type ? *type == Type::kObject : type.error().fault == json::Fault::kTooDeep);
  } else if (written.error().at.data() != nullptr) {
    checker.in_body(written.error().at);
  } else {
    FLEXD_ASSERT(!written.error().param.empty() ||
                 written.error().code == errors::Code::service_unavailable);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const unsigned options = data[0];
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto dialect = static_cast<errors::Dialect>(options & 3U);
  const bool mutate = (options & 32U) != 0;
  const bool little_memory = (options & 64U) != 0;
  const std::string body =
      mutate ? surface::mutated(surface::kGoodBodies[options & 3U], surface::Entropy(rest))
             : std::string(rest);
  const auto type = json::validate(body);
  FLEXD_ASSERT(type.has_value() || !mutate);
  if (!type || *type != Type::kObject) return 0;
  const auto provider =
      static_cast<errors::Provider>(((options >> 2U) & 3U) % errors::kProviderCount);
  const size_t budget_bytes = little_memory ? 8192 : size_t{64} << 20U;
  const surface::Reading reading = surface::read_body(
      dialect, body, {.provider = provider, .native_parameters = (options & 16U) != 0},
      budget_bytes);
  const Checker checker(reading.body);
  if (reading.result) {
    checker.model(*reading.model);
    // check_request lets nothing through that lacks one of these.
    const bool checked =
        reading.model->model.exists() &&
        (provider != errors::Provider::anthropic || reading.model->max_tokens.exists());
    if (checked && !errors::is_own_dialect(dialect, provider)) {
      check_written(*reading.model, provider, checker, budget_bytes);
    }
  } else {
    checker.fault(reading.result.error(), little_memory);
  }
  return 0;
}
