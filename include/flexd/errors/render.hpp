// render.hpp: an error as bytes, in the shape that each vendor's SDK reads.
//
// Every body is {"error":{"message","type","code","param","doc_url"}} with all five members. Two
// dialects get more beside them, never something else in their place: messages a top-level
// "type":"error" and "request_id" (and where `thread` is refused Anthropic's own `error.details`,
// by which its SDK goes on without), interactions `error.status` in Google's words. Nothing here
// allocates; callers bring the room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "flexd/errors/dialect.hpp"
#include "flexd/errors/table.hpp"

namespace flexd::errors {

// Error is one failure to be told to one caller. The views live until it is rendered.
struct Error {
  Code code;
  Variant variant = Variant::none;  // of the same code
  // param is the field at fault, as the caller wrote its path, where the row leaves it to the
  // caller.
  std::string_view param{};
  // detail fills the slot of the message: a model's name, a provider's, the nearest surface; on
  // method_not_allowed the methods allowed, which go into Allow too; on invalid_value what was
  // expected (`a string`, `a list`). Never a secret. Where the slot names a parameter and there is
  // no detail, param fills it.
  std::string_view detail{};
  // retry_after_s overrides the table's Retry-After; 0 leaves it.
  uint32_t retry_after_s = 0;

  uint16_t status() const { return row(code).status; }
  std::string_view name() const { return row(code).name; }
  // retryable says whether the same request can succeed later.
  bool retryable() const;
};

// kDetailBytesMax bounds the caller's text in a message. It is cut at a character's boundary, and
// control characters become `?`.
inline constexpr size_t kDetailBytesMax = 64;
// kParamBytesMax bounds error.param likewise.
inline constexpr size_t kParamBytesMax = 128;
// kMessageBytesMax bounds error.message, its detail included.
inline constexpr size_t kMessageBytesMax = 600;
// kDocUrlBaseBytesMax bounds Target::doc_url_base; a longer one makes every doc_url null, because
// half a link is worse than none.
inline constexpr size_t kDocUrlBaseBytesMax = 256;
// kErrorBytesMax is room enough for any body and any stream failure.
inline constexpr size_t kErrorBytesMax = 4096;
// kPublicDocUrlBase is the page that explains the codes of the FlexInference API.
inline constexpr std::string_view kPublicDocUrlBase = "https://flexinference.mintlify.app/errors";

// Target says for whom an error is rendered.
struct Target {
  Dialect dialect = Dialect::responses;
  std::string_view request_id{};  // of this gateway; at most 128 bytes are used
  // doc_url_base is the operator's page of errors. Empty: the codes of the public page point there
  // and the others have a null doc_url.
  std::string_view doc_url_base{};
};

// write_message writes error.message (not escaped) and returns it.
std::string_view write_message(const Error& error, std::span<char, kMessageBytesMax> out);

// write_body writes the body of a response and returns it. Its Content-Type is application/json.
std::string_view write_body(const Error& error, const Target& target,
                            std::span<char, kErrorBytesMax> out);

// StreamPosition is where a stream stood when it failed.
struct StreamPosition {
  std::string_view id{};         // the answer's own, as its first event gave it; at most 256 bytes
  std::string_view model{};      // as the stream reported it; at most 128 bytes
  uint64_t sequence_number = 0;  // responses: one above the last that was sent
  uint64_t created_at_s = 0;     // responses: the answer's created_at, Unix time
};

// write_stream_failure writes the dialect's own failure event as one whole frame of an event
// stream, to be the last of it: `response.failed`, a chat chunk with `error`, or an `error` event.
// No
// `[DONE]` may follow.
std::string_view write_stream_failure(const Error& error, const Target& target,
                                      const StreamPosition& position,
                                      std::span<char, kErrorBytesMax> out);

struct Header {
  std::string_view name;  // lowercase
  std::string_view value;
};

// Headers are the fields that an error's response carries because of the error:
//   retry-after      where the table or the error has one
//   retry-after-ms   beside it on 429, because some SDKs read only that
//   x-should-retry   `false` where trying again cannot help, or where the client is already
//                    repeating a 500, 502 or 504 (x-stainless-retry-count), so that one call does
//                    not become many races
//   allow            on 405
class Headers {
 public:
  // client_retry_count is what x-stainless-retry-count said, 0 without one.
  Headers(const Error& error, uint32_t client_retry_count);
  Headers(const Headers&) = delete;
  Headers& operator=(const Headers&) = delete;

  std::span<const Header> list() const { return {list_.data(), count_}; }
  // find is the value of `name`, empty if it is not there.
  std::string_view find(std::string_view name) const;

 private:
  void add(std::string_view name, std::string_view value) { list_[count_++] = {name, value}; }

  std::array<Header, 4> list_{};
  size_t count_ = 0;
  std::array<char, 24> seconds_;
  std::array<char, 24> milliseconds_;
  std::array<char, kDetailBytesMax> allow_;
};

}  // namespace flexd::errors
