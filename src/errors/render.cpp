#include "flexd/errors/render.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "flexd/base/assert.hpp"
#include "flexd/json/writer.hpp"

namespace flexd::errors {
namespace {

using json::SpanSink;
using Writer = json::Writer<SpanSink>;

constexpr size_t kRequestIdBytesMax = 128;
constexpr size_t kStreamIdBytesMax = 256;
constexpr size_t kModelBytesMax = 128;

// clip is the front of `text`, at most `count_max` bytes, not cut inside a UTF-8 sequence.
std::string_view clip(std::string_view text, size_t count_max) {
  if (text.size() <= count_max) return text;
  size_t count = count_max;
  while (count > 0 && (static_cast<uint8_t>(text[count]) & 0xC0U) == 0x80U) --count;
  // A run of continuation bytes is not UTF-8; any cut of it is as good.
  return text.substr(0, count == 0 ? count_max : count);
}

// clean copies the front of `text` into `out` without control characters.
std::string_view clean(std::string_view text, std::span<char> out) {
  const std::string_view clipped = clip(text, out.size());
  std::transform(clipped.begin(), clipped.end(), out.begin(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte < 0x20 || byte == 0x7F ? '?' : c;
  });
  return {out.data(), clipped.size()};
}

template <size_t CountMax>
class Cleaned {
 public:
  explicit Cleaned(std::string_view text) : view_(clean(text, space_)) {}
  Cleaned(const Cleaned&) = delete;
  Cleaned& operator=(const Cleaned&) = delete;
  std::string_view view() const { return view_; }

 private:
  std::array<char, CountMax> space_;
  std::string_view view_;
};

// write_fields writes the five members, and more where the dialect has more.
void write_fields(Writer& writer, const Error& error, const Target& target) {
  const Row& row = errors::row(error.code);
  std::array<char, kMessageBytesMax> message;
  writer.key("message").string(write_message(error, message));
  writer.key("type").string(type_word(type_of(error.code)));
  writer.key("code").string(row.name);

  writer.key("param");
  const Cleaned<kParamBytesMax> param(row.param_rule == ParamRule::fixed ? row.param : error.param);
  if (row.param_rule == ParamRule::none || param.view().empty()) {
    writer.null();
  } else {
    writer.string(param.view());
  }

  writer.key("doc_url");
  const bool own_page = !target.doc_url_base.empty();
  const bool fits = target.doc_url_base.size() <= kDocUrlBaseBytesMax;
  if (fits && (own_page || row.on_public_page)) {
    std::array<char, kDocUrlBaseBytesMax + 64> url;
    SpanSink sink(url);
    sink.append(own_page ? target.doc_url_base : kPublicDocUrlBase);
    sink.append("#");
    sink.append(row.name);
    FLEXD_ASSERT(!sink.overflowed());
    writer.string(sink.view());
  } else {
    writer.null();
  }
  if (target.dialect == Dialect::interactions) {
    writer.key("status").string(google_status(row.status));
  }
  const bool thread = error.code == Code::unsupported_parameter && error.param == "thread";
  if (target.dialect == Dialect::messages && thread) {
    // Anthropic's SDK asks for a conversation that the server keeps; told in its own words that
    // there is none, it goes on without.
    writer.key("details").begin_object();
    writer.key("error_code").string("thread_unsupported_request");
    writer.key("unsupported").begin_array().string("thread").end_array();
    writer.end_object();
  }
}

void write_request_id(Writer& writer, const Target& target) {
  const Cleaned<kRequestIdBytesMax> request_id(target.request_id);
  if (!request_id.view().empty()) writer.key("request_id").string(request_id.view());
}

// write_envelope writes the object of a body; `event` adds what an event of the dialect needs.
void write_envelope(Writer& writer, const Error& error, const Target& target, bool event) {
  writer.begin_object();
  if (target.dialect == Dialect::messages) writer.key("type").string("error");
  writer.key("error").begin_object();
  write_fields(writer, error, target);
  writer.end_object();
  if (target.dialect == Dialect::messages) write_request_id(writer, target);
  if (event && target.dialect == Dialect::interactions) writer.key("event_type").string("error");
  writer.end_object();
}

// write_failed_response writes the payload of response.failed: a Response object with every member
// that the published types call required, because typed clients refuse an object without one.
void write_failed_response(Writer& writer, const Error& error, const Target& target,
                           const StreamPosition& position) {
  const Cleaned<kStreamIdBytesMax> id(position.id);
  const Cleaned<kModelBytesMax> model(position.model);
  writer.begin_object().key("type").string("response.failed");
  writer.key("sequence_number").integer(position.sequence_number);
  writer.key("response").begin_object();
  writer.key("id").string(id.view());
  writer.key("object").string("response");
  writer.key("created_at").integer(position.created_at_s);
  writer.key("status").string("failed");
  writer.key("error").begin_object();
  write_fields(writer, error, target);
  writer.end_object();
  writer.key("incomplete_details").null().key("instructions").null();
  writer.key("metadata").begin_object().end_object();
  writer.key("model").string(model.view());
  writer.key("output").begin_array().end_array();
  writer.key("parallel_tool_calls").boolean(true);
  writer.key("temperature").null();
  writer.key("tool_choice").string("auto");
  writer.key("tools").begin_array().end_array();
  writer.key("top_p").null().key("usage").null();
  writer.end_object().end_object();
}

std::string_view finished(const SpanSink& sink) {
  FLEXD_ASSERT(!sink.overflowed());
  return sink.view();
}

std::string_view decimal(uint64_t number, std::span<char> out) {
  const auto done = std::to_chars(out.data(), out.data() + out.size(), number);
  return {out.data(), static_cast<size_t>(done.ptr - out.data())};
}

}  // namespace

bool Error::retryable() const {
  return variant == Variant::none ? row(code).retryable : variant_row(variant).retryable;
}

std::string_view write_message(const Error& error, std::span<char, kMessageBytesMax> out) {
  std::string_view text = row(error.code).message;
  std::string_view absent = row(error.code).absent;
  if (error.variant != Variant::none) {
    const VariantRow& variant = variant_row(error.variant);
    FLEXD_ASSERT(variant.code == error.code);
    text = variant.message;
    absent = variant.absent;
  }
  SpanSink sink(out);
  constexpr std::string_view kParamSlot = "{param}";
  const size_t param_slot = text.find(kParamSlot);
  if (param_slot != std::string_view::npos) {
    const Cleaned<kDetailBytesMax> param(error.param);
    sink.append(text.substr(0, param_slot));
    sink.append(param.view().empty() ? "a field" : param.view());
    text.remove_prefix(param_slot + kParamSlot.size());
  }
  const size_t slot = text.find("{}");
  if (slot == std::string_view::npos) {
    sink.append(text);
    return finished(sink);
  }
  const bool names_param =
      param_slot == std::string_view::npos && row(error.code).param_rule == ParamRule::caller;
  const std::string_view given = error.detail.empty() && names_param ? error.param : error.detail;
  const Cleaned<kDetailBytesMax> detail(given);
  sink.append(text.substr(0, slot));
  sink.append(detail.view().empty() ? absent : detail.view());
  sink.append(text.substr(slot + 2));
  return finished(sink);
}

std::string_view write_body(const Error& error, const Target& target,
                            std::span<char, kErrorBytesMax> out) {
  SpanSink sink(out);
  Writer writer(sink);
  write_envelope(writer, error, target, false);
  return finished(sink);
}

std::string_view write_stream_failure(const Error& error, const Target& target,
                                      const StreamPosition& position,
                                      std::span<char, kErrorBytesMax> out) {
  SpanSink sink(out);
  Writer writer(sink);
  switch (target.dialect) {
    case Dialect::responses:
      sink.append("event: response.failed\ndata: ");
      write_failed_response(writer, error, target, position);
      break;
    case Dialect::chat:
      sink.append("data: ");
      write_envelope(writer, error, target, true);
      break;
    case Dialect::interactions:
    case Dialect::messages:
      sink.append("event: error\ndata: ");
      write_envelope(writer, error, target, true);
      break;
  }
  sink.append("\n\n");
  return finished(sink);
}

Headers::Headers(const Error& error, uint32_t client_retry_count) {
  const uint16_t status = error.status();
  uint32_t retry_after_s = error.retry_after_s;
  if (retry_after_s == 0) {
    retry_after_s = error.variant == Variant::none ? row(error.code).retry_after_s
                                                   : variant_row(error.variant).retry_after_s;
  }
  if (retry_after_s != 0) {
    add("retry-after", decimal(retry_after_s, seconds_));
    if (status == 429) {
      add("retry-after-ms", decimal(uint64_t{retry_after_s} * 1000, milliseconds_));
    }
  }
  const bool repeated =
      client_retry_count >= 1 && (status == 500 || status == 502 || status == 504);
  if (!error.retryable() || repeated) add("x-should-retry", "false");
  if (error.code == Code::method_not_allowed) {
    const std::string_view methods = clean(error.detail, allow_);
    add("allow", methods.empty() ? row(error.code).absent : methods);
  }
}

std::string_view Headers::find(std::string_view name) const {
  for (const Header& header : list()) {
    if (header.name == name) return header.value;
  }
  return {};
}

}  // namespace flexd::errors
