// A request's whole way from a body in one dialect to another provider's body: what comes out is a
// JSON object in which the caller's texts are nothing but texts, or the error names a field that
// the body has.
//
// The first byte is the pair and options: dialect (2 bits), provider (2 bits), native parameters,
// mutate, little memory. The rest is a body or, with mutate, says which values of a good body to
// replace and by what.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "flexd/base/assert.hpp"
#include "flexd/base/block_pool.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/json/finder.hpp"
#include "flexd/surface/blob.hpp"
#include "flexd/surface/request.hpp"
#include "flexd/surface/translate.hpp"
#include "request_bodies.hpp"

namespace {

using namespace flexd;
using namespace flexd::surface;
using errors::Dialect;
using errors::Provider;
using json::Value;

struct StringSink {
  std::string text;
  void append(std::string_view piece) { text += piece; }
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// blob_for is a wrapped opaque text of the provider, which comes from the caller all the same.
std::string blob_for(Provider provider) {
  StringSink sink;
  const std::string_view type = provider == Provider::openai   ? "encrypted_content"
                                : provider == Provider::gemini ? "thought"
                                                               : "thinking";
  write_blob(sink, provider,
             {.type = type, .data = R"(\",\"zqx\":\")", .model = "m", .text = "zqx"});
  return sink.text;
}

// for_provider gives a good body the model that leads it to `provider`, and what that demands.
std::string for_provider(std::string body, Dialect dialect, Provider provider) {
  constexpr std::string_view kModels[] = {"gpt-5.4", "gemini-3.8-flash", "claude-sonnet-4-5"};
  std::string model = R"("model":")" + std::string(kModels[static_cast<size_t>(provider)]) + "\"";
  if (dialect == Dialect::responses && provider == Provider::anthropic) {
    model += R"(,"max_output_tokens":9000)";
  }
  replace_all(body, R"("model":"m")", model);
  replace_all(body, "gw1.x", blob_for(provider));
  return body;
}

// is_path: `path` leads to a value below `value`.
bool is_path(Value value, std::string_view path, std::string_view separator = "") {
  if (path.empty()) return true;
  for (const json::Member& member : json::Members(value)) {
    const std::string step = std::string(separator) + std::string(member.name.contents());
    if (path.starts_with(step) && is_path(member.value, path.substr(step.size()), ".")) return true;
  }
  size_t index = 0;
  for (const Value element : json::Elements(value)) {
    const std::string step = "[" + std::to_string(index++) + "]";
    if (path.starts_with(step) && is_path(element, path.substr(step.size()), ".")) return true;
  }
  return false;
}

// check_names: no text has become the name of a member, but in the arguments of calls, which may be
// texts in one dialect and are objects in another.
void check_names(Value value) {
  for (const json::Member& member : json::Members(value)) {
    FLEXD_ASSERT(member.name.text.find("zqx") == std::string_view::npos);
    const bool own = (member.name.equals("arguments") || member.name.equals("input")) &&
                     member.value.is(json::Type::kObject);
    if (!own) check_names(member.value);
  }
  for (const Value element : json::Elements(value)) check_names(element);
}

void check_body(std::string_view body, bool made_here) {
  // A schema may come to stand one level deeper than the caller had it.
  const auto type = json::validate(body);
  FLEXD_ASSERT(type ? *type == json::Type::kObject : type.error().fault == json::Fault::kTooDeep);
  const Value object{body};
  FLEXD_ASSERT(!object["stream"].exists() && !object["service_tier"].exists());
  FLEXD_ASSERT(!object["start_within"].exists());
  if (made_here) check_names(object);
}

void check_error(const errors::Error& error, std::string_view body, bool little_memory) {
  using errors::Code;
  if (error.code == Code::service_unavailable) {
    FLEXD_ASSERT(little_memory);
    return;
  }
  FLEXD_ASSERT(
      error.code == Code::unsupported_parameter || error.code == Code::invalid_value ||
      error.code == Code::unsupported_generation_config ||
      (error.code == Code::invalid_json && error.variant == errors::Variant::duplicate_field));
  // A field may be called nothing.
  FLEXD_ASSERT(!error.param.empty() || Value::value_in(body)[""].exists());
  FLEXD_ASSERT(error.param.size() <= errors::kParamBytesMax);
  // A body without a conversation is told what it lacks, and a long path is cut.
  const bool lacks = error.param == "input" || error.param == "messages";
  const bool whole = error.param.size() < errors::kParamBytesMax;
  FLEXD_ASSERT(lacks || !whole || is_path(Value::value_in(body), error.param));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FlexModels models = FlexModels::built_in();
  if (size == 0 || size > 65536) return 0;
  const unsigned options = data[0];
  const auto dialect = static_cast<Dialect>(options & 3U);
  const auto provider = static_cast<Provider>(((options >> 2U) & 3U) % errors::kProviderCount);
  const bool native = (options & 16U) != 0;
  const bool mutate = (options & 32U) != 0;
  const bool little_memory = (options & 64U) != 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string text =
      mutate ? for_provider(mutated(kGoodBodies[options & 3U], Entropy(rest)), dialect, provider)
             : std::string(rest);
  // A copy of its own shows reads past its end.
  const std::unique_ptr<char[]> body = std::make_unique<char[]>(text.size());
  text.copy(body.get(), text.size());
  const std::string_view view(body.get(), text.size());

  RequestFacts facts;
  if (!read_request(dialect, view, facts)) return 0;
  const RequestRules rules{
      .flex_models = models, .default_start_within = "default", .native_parameters = native};
  if (!check_request(facts, rules) || facts.is_own_dialect()) return 0;
  BlockPool pool(little_memory ? 16384 : size_t{64} << 20U);
  {
    Buffer out(pool);
    const auto done = translate_request(facts, native, pool, out);
    if (done) {
      check_body(out.view(), mutate);
    } else {
      check_error(done.error(), view, little_memory);
    }
  }
  FLEXD_ASSERT(pool.in_use_bytes() == 0);
  return 0;
}
