// h2_state.hpp: what the HTTP/2 sessions keep for a stream and for a head; private to h2_*.cpp.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <charconv>
#include <optional>

#include "flexd/base/byte_chain.hpp"
#include "flexd/base/copy.hpp"
#include "flexd/base/splice.hpp"
#include "flexd/http/h2_client.hpp"
#include "flexd/http/h2_resources.hpp"
#include "flexd/http/h2_server.hpp"
#include "flexd/http/message.hpp"

namespace flexd::http::h2 {

// nghttp2's limit of CONTINUATION frames counts every read that such a frame is spread over, so its
// default, 8, refuses honest peers on a slow network. kFieldBytesMax bounds what is kept.
inline constexpr size_t kContinuationsMax = 64;

// HeadBlock is where a header list is gathered. Header blocks of one connection never interleave,
// so a session holds at most one, and only while a block is coming in.
struct HeadBlock {
  int32_t stream = 0;
  size_t used = 0;     // of bytes
  size_t counted = 0;  // as RFC 9113 6.5.2 counts
  bool over_limit = false;
  bool trailers = false;
  std::string_view method, path, authority, scheme, status;
  FieldList fields;
  std::array<char, kFieldBytesMax> bytes;

  void reset(int32_t stream_id) {
    stream = stream_id;
    used = counted = 0;
    over_limit = trailers = false;
    method = path = authority = scheme = status = {};
    fields.clear();
  }
  // add copies a field in; false if the head is over its limits.
  bool add(std::string_view name, std::string_view value);

 private:
  std::string_view keep(std::string_view text) {
    char* at = bytes.data() + used;
    copy_text(text, at);
    used += text.size();
    return {at, text.size()};
  }
};

// ClientStream lives from submit until nghttp2 has closed its stream and on_closed was called.
struct ClientStream {
  ClientSession* session = nullptr;
  StreamHandler* handler = nullptr;  // null once cancelled or ended
  ClientStream* next = nullptr;
  ClientStream* previous = nullptr;
  SplicedReader body;
  int32_t id = 0;
  uint32_t peer_code = 0;   // of the peer's RST_STREAM
  bool sent = false;        // HEADERS were written
  bool head_seen = false;   // the final head was delivered
  bool ended = false;       // END_STREAM was delivered
  bool peer_reset = false;  // the peer sent RST_STREAM
  bool gone = false;        // nghttp2 knows it no more
  bool to_deliver = false;  // on_closed(reset) is due
  Reset reset;
  std::array<char, 24> length_text{};  // content-length, where nghttp2 finds it until it is sent
};

// ServerStream lives from the request's HEADERS until on_closed was called.
struct ServerStream {
  ServerSession* session = nullptr;
  ServerStream* next = nullptr;
  ServerStream* previous = nullptr;
  void* user = nullptr;
  std::optional<ByteChain> queue;
  int32_t id = 0;
  uint32_t code = 0;
  bool announced = false;  // on_request was called
  bool responded = false;  // a final head was submitted
  bool finished = false;   // no more send_data
  bool deferred = false;   // nghttp2 waits for resume_data
  bool drain_due = false;
  bool reset_by_owner = false;
  bool gone = false;
  size_t unconsumed = 0;  // body bytes whose credit was not given back
};

// link and unlink keep a doubly linked list of streams.
template <typename Stream>
void link(Stream*& head, Stream& stream) {
  stream.previous = nullptr;
  stream.next = head;
  if (head != nullptr) head->previous = &stream;
  head = &stream;
}
template <typename Stream>
void unlink(Stream*& head, Stream& stream) {
  if (stream.previous != nullptr) stream.previous->next = stream.next;
  if (stream.next != nullptr) stream.next->previous = stream.previous;
  if (head == &stream) head = stream.next;
}

// memory_of makes nghttp2's allocator of a Resources.
[[nodiscard]] nghttp2_mem memory_of(Resources& resources);

// next_piece fills the shared piece from a session and what was pending; see pull.
[[nodiscard]] std::string_view next_piece(nghttp2_session* session, Resources& resources,
                                          std::string_view& pending, bool& broken);

// text_of sees nghttp2's bytes as text.
[[nodiscard]] inline std::string_view text_of(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}
// pair_of makes a name-value pair that nghttp2 does not write to.
[[nodiscard]] inline nghttp2_nv pair_of(std::string_view name, std::string_view value,
                                        uint8_t flags) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

// is_small_window_update: an increment that no sane sender bothers with.
[[nodiscard]] inline bool is_small_window_update(int32_t increment) {
  return increment < 64;
}

// frame_glitch is the weight of a frame that is legal and useless; 0 for others.
[[nodiscard]] uint32_t frame_glitch(const nghttp2_frame& frame);

// set_framing sets framing and content_length from the fields and the end flag. False if
// content-length is malformed or repeated with another value.
template <typename Head>
[[nodiscard]] bool set_framing(Head& head, bool ended) {
  const Field* length = head.fields.find("content-length");
  head.content_length = 0;
  if (length != nullptr && !parse_content_length(length->value, head.content_length)) return false;
  if (ended) {
    head.framing = Framing::none;
    head.content_length = 0;
  } else {
    head.framing = length != nullptr ? Framing::length : Framing::chunked;
  }
  return true;
}

}  // namespace flexd::http::h2
