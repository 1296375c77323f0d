// draft.hpp: a provider's body while a writer puts it together.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "call_links.hpp"
#include "flexd/base/pooled_list.hpp"
#include "flexd/base/result.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/surface/blob.hpp"
#include "flexd/surface/request_model.hpp"

namespace flexd::surface {

// kEmptyParameters is the schema of a function that takes no arguments.
inline constexpr std::string_view kEmptyParameters = R"({"type":"object","properties":{}})";

// Draft appends JSON text to the body and keeps the first fault, so that a writer need not look
// after each piece: what is written after a fault is never sent.
class Draft {
 public:
  Draft(const RequestModel& model, BlockPool& pool, Buffer& out)
      : model_(model), links_(pool), scratch_(pool), sink_(out) {}

  const RequestModel& model() const { return model_; }
  // link_calls finds the results of calls; needed before links and put_call_id.
  void link_calls() {
    if (!links_.link(model_)) refuse({.code = errors::Code::service_unavailable});
  }
  const CallLinks& links() const { return links_; }

  // put appends JSON text piece by piece.
  template <typename... Pieces>
  void put(const Pieces&... pieces) {
    (sink_.append(text_of(pieces)), ...);
  }
  // member appends `name` and a value, if there is one. The name stands as it is to be written:
  // `,"top_p":`.
  void member(std::string_view name, const json::Value& value) {
    if (value.exists()) put(name, value);
  }
  // separate puts a comma before every element of a list but the first.
  void separate(bool& first) {
    if (!first) put(",");
    first = false;
  }

  // put_as_text appends JSON as the inside of a string; white space between its parts is dropped if
  // it has several lines.
  void put_as_text(const json::Value& value);
  // put_arguments_text appends a call's arguments as a JSON string, put_arguments_object as an
  // object; no arguments are `{}`.
  void put_arguments_text(const Item& call);
  void put_arguments_object(const Item& call);
  // put_text_of appends the text of a text, refusal or json part as a JSON string.
  void put_text_of(const Part& part);
  // put_decoded_text appends base64 text of a part as a JSON string, decoded.
  void put_decoded_text(const Part& part);
  // put_plain_text appends plain text of a part as a JSON string.
  void put_plain_text(const Part& part);
  // put_system appends the texts of the system messages in items[0, end), joined by an empty line,
  // as the string value of `name`; nothing if there is none.
  void put_system(std::string_view name, size_t end);

  // IdRule is what a provider takes as the id of a call.
  enum class IdRule : uint8_t {
    any,
    up_to_64_bytes,     // OpenAI
    letters_and_digits  // Anthropic: also `_` and `-`
  };
  // put_call_id appends the id of items[index] (a call or its result) as a JSON string. One that
  // breaks the rule becomes `call_` and 24 hexadecimal digits of its SHA-256; a call without one
  // gets one by its place. Both are the same in every turn.
  void put_call_id(uint32_t index, IdRule rule);
  // put_identifier appends a user's identifier, hashed if it is longer than `bytes_max`.
  void put_identifier(std::string_view name, const json::Value& identifier, size_t bytes_max);

  // own_blob is the blob of a reasoning item if `provider` made it. Its views hold until the next
  // call of a function that says nothing about a blob.
  std::optional<Blob> own_blob(const Item& item, errors::Provider provider);

  void refuse(const Fault& fault) {
    if (!fault_) fault_ = fault;
  }
  void refuse_unsupported(const json::Value& at) {
    refuse({.code = errors::Code::unsupported_parameter, .at = at.text});
  }
  void refuse_invalid(const json::Value& at, std::string_view expected) {
    refuse({.code = errors::Code::invalid_value, .at = at.text, .detail = expected});
  }
  // refuse_kind names the `type` of a part or a tool that the provider does not have.
  void refuse_kind(const json::Value& whole);
  // refuse_data names the string in which the data of a part stand.
  void refuse_data(const Part& part, errors::Code code, std::string_view expected);
  // refuse_media_type names the media type of a part, or the part if it has none.
  void refuse_media_type(const Part& part);

  bool failed() const { return fault_.has_value() || sink_.failed(); }
  Result<void, Fault> finish() const {
    if (fault_) return fail(*fault_);
    if (sink_.failed()) return fail(Fault{.code = errors::Code::service_unavailable});
    return {};
  }

 private:
  static std::string_view text_of(std::string_view text) { return text; }
  static std::string_view text_of(const json::Value& value) { return value.text; }

  // decoded is the unescaped inside of a JSON string, in scratch_ if it has escapes.
  std::optional<std::string_view> decoded(const json::Value& string);
  void put_digest(std::string_view text, size_t digits);

  const RequestModel& model_;
  CallLinks links_;
  Buffer scratch_;
  BufferSink sink_;
  std::optional<Fault> fault_;
};

// has_text tells whether a text has more than white space.
bool has_text(const json::Value& string);
// is_empty_string tells a JSON string without contents.
inline bool is_empty_string(const json::Value& string) {
  return string.text == "\"\"";
}

// refuse_verbosity refuses any but the default, for providers that have no such thing.
void refuse_verbosity(Draft& draft);

}  // namespace flexd::surface
