#include "flexd/http/h2_client.hpp"

#include <algorithm>
#include <utility>

#include "flexd/base/assert.hpp"
#include "h2_client_callbacks.hpp"
#include "h2_state.hpp"

namespace flexd::http::h2 {
namespace {

constexpr uint32_t kStreamsBeforeSettings = 100;
constexpr size_t kHeaderBlockBytesMax = 131072;

nghttp2_option* make_options() {
  nghttp2_option* options = nullptr;
  FLEXD_ASSERT(nghttp2_option_new(&options) == 0);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_max_continuations(options, kContinuationsMax);
  nghttp2_option_set_peer_max_concurrent_streams(options, kStreamsBeforeSettings);
  nghttp2_option_set_max_send_header_block_length(options, kHeaderBlockBytesMax);
  return options;
}

// is_unindexed: a secret, which must not be guessed from the sizes of header blocks, or a value
// that is new in each request and would only push others out of the table.
bool is_unindexed(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "authorization", "cookie",       "x-api-key",       "x-goog-api-key", "proxy-authorization",
      "api-key",       "x-request-id", "idempotency-key", "traceparent"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool sends_length(const Request& request) {
  return request.body.size_left() > 0 || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

ssize_t read_body(nghttp2_session* /*session*/, int32_t /*id*/, uint8_t* out, size_t size,
                  uint32_t* flags, nghttp2_data_source* source, void* /*user*/) {
  auto& stream = *static_cast<ClientStream*>(source->ptr);
  if (stream.handler == nullptr) return NGHTTP2_ERR_DEFERRED;  // its RST_STREAM is on the way
  size_t used = 0;
  while (used < size) {
    const std::string_view part = stream.body.next(size - used);
    if (part.empty()) break;
    std::memcpy(out + used, part.data(), part.size());
    used += part.size();
  }
  if (stream.body.size_left() == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(used);
}

}  // namespace

ClientSession::ClientSession(Resources& resources, ConnectionHandler& handler,
                             ClientOptions options)
    : resources_(&resources), handler_(&handler), options_(options) {
  static nghttp2_option* const session_options = make_options();
  nghttp2_mem memory = memory_of(resources);
  const int made =
      nghttp2_session_client_new3(&session_, client_callbacks(), this, session_options, &memory);
  FLEXD_ASSERT(made == 0);
  const std::array<nghttp2_settings_entry, 3> settings{{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(kStreamWindowBytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(kFieldBytesMax)},
  }};
  const int sent =
      nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  const int widened =
      nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, INT32_MAX);
  FLEXD_ASSERT(sent == 0 && widened == 0);
}

ClientSession::~ClientSession() {
  FLEXD_ASSERT(!in_call_);
  nghttp2_session_del(session_);
  while (open_ != nullptr) {
    ClientStream& stream = *open_;
    unlink(open_, stream);
    resources_->give_client_stream(&stream);
  }
  drop_head();
}

bool ClientSession::receive(std::string_view plaintext) {
  FLEXD_ASSERT(!in_call_);
  if (failed_) return false;
  in_call_ = true;
  const auto* bytes = reinterpret_cast<const uint8_t*>(plaintext.data());
  const ssize_t used = nghttp2_session_mem_recv(session_, bytes, plaintext.size());
  if (used < 0 && !failed_) {
    const uint32_t code =
        used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR;
    nghttp2_session_terminate_session(session_, code);
    fail(code);
  }
  reap();
  in_call_ = false;
  return !failed_;
}

std::string_view ClientSession::pull() {
  FLEXD_ASSERT(!in_call_);
  if (lost_) return {};
  in_call_ = true;
  bool broken = false;
  const std::string_view piece = next_piece(session_, *resources_, pending_, broken);
  if (broken) {
    lost_ = true;
    fail(NGHTTP2_INTERNAL_ERROR);
  }
  reap();
  in_call_ = false;
  return piece;
}

bool ClientSession::wants_write() const {
  return !lost_ && (!pending_.empty() || nghttp2_session_want_write(session_) != 0);
}

std::expected<int32_t, Refusal> ClientSession::submit(const Request& request,
                                                      StreamHandler& handler) {
  if (is_closing() || nghttp2_session_check_request_allowed(session_) == 0) {
    return std::unexpected(Refusal::closing);
  }
  if (!can_submit()) return std::unexpected(Refusal::full);
  ClientStream& stream = *resources_->take_client_stream();
  stream.session = this;
  stream.handler = &handler;
  stream.body = request.body;
  // Nothing is copied: the views live until on_closed, and a cancelled head is never looked at.
  constexpr uint8_t kFlags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
  std::array<nghttp2_nv, kFieldsMax + 5> pairs;
  size_t count = 0;
  pairs[count++] = pair_of(":method", request.method, kFlags);
  pairs[count++] = pair_of(":scheme", request.scheme, kFlags);
  pairs[count++] = pair_of(":authority", request.authority, kFlags);
  pairs[count++] = pair_of(":path", request.path, kFlags);
  if (sends_length(request)) {
    char* const begin = stream.length_text.data();
    const auto end =
        std::to_chars(begin, begin + stream.length_text.size(), request.body.size_left());
    const std::string_view text(begin, static_cast<size_t>(end.ptr - begin));
    pairs[count++] = pair_of("content-length", text, kFlags);
  }
  if (request.fields != nullptr) {
    for (const Field& field : *request.fields) {
      const uint8_t extra = is_unindexed(field.name) ? NGHTTP2_NV_FLAG_NO_INDEX : 0;
      pairs[count++] = pair_of(field.name, field.value, kFlags | extra);
    }
  }
  const nghttp2_data_provider body{{.ptr = &stream}, read_body};
  const int32_t id =
      nghttp2_submit_request(session_, nullptr, pairs.data(), count,
                             request.body.size_left() > 0 ? &body : nullptr, &stream);
  if (id < 0) {
    resources_->give_client_stream(&stream);
    return std::unexpected(id == NGHTTP2_ERR_NOMEM ? Refusal::no_memory : Refusal::closing);
  }
  stream.id = id;
  link(open_, stream);
  ++streams_open_;
  return id;
}

void ClientSession::consume(int32_t stream, size_t count) {
  if (count == 0 || failed_) return;
  // Of an id that is closed or unknown nghttp2 makes nothing.
  nghttp2_session_consume_stream(session_, stream, count);
}

void ClientSession::cancel(int32_t id) {
  ClientStream* stream = find(id);
  if (stream == nullptr || stream->handler == nullptr) return;
  const bool is_over = stream->gone || stream->to_deliver || failed_ ||
                       (stream->ended && stream->body.size_left() == 0);
  stream->handler = nullptr;
  stream->body = {};
  if (is_over) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
}

void ClientSession::ping(uint64_t payload) {
  std::array<uint8_t, 8> bytes;
  std::memcpy(bytes.data(), &payload, sizeof payload);
  if (nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, bytes.data()) == 0) ++pings_open_;
}

void ClientSession::shut_down() {
  if (is_closing()) return;
  goaway_sent_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
}

void ClientSession::connection_lost() {
  FLEXD_ASSERT(!in_call_);
  in_call_ = true;
  // Nothing may be written any more: the requests still queued are their owners' again.
  lost_ = failed_ = true;
  for (ClientStream* stream = open_; stream != nullptr; stream = stream->next) {
    const ResetKind kind = stream->sent ? ResetKind::connection_lost : ResetKind::refused;
    mark_closed(*stream, {kind, 0});
  }
  reap();
  in_call_ = false;
}

bool ClientSession::can_submit() const {
  return !is_closing() && streams_open_ < streams_max();
}

uint32_t ClientSession::streams_max() const {
  const uint32_t peer =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return std::min(peer, options_.streams_max);
}

ClientStream* ClientSession::find(int32_t id) const {
  void* known = nghttp2_session_get_stream_user_data(session_, id);
  if (known != nullptr) return static_cast<ClientStream*>(known);
  // Not written yet, or closed and not reaped: at most streams_max to look through.
  ClientStream* stream = open_;
  while (stream != nullptr && stream->id != id) stream = stream->next;
  return stream;
}

void ClientSession::count_glitch(uint32_t weight) {
  glitches_ += weight;
  if (glitches_ < options_.glitches_max || failed_) return;
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  fail(NGHTTP2_ENHANCE_YOUR_CALM);
}

// mark_closed makes on_closed due, once; only the first reason counts.
void ClientSession::mark_closed(ClientStream& stream, Reset reset) {
  if (stream.handler == nullptr || stream.to_deliver) return;
  stream.reset = reset;
  stream.to_deliver = true;
  ++to_reap_;
}

void ClientSession::mark_gone(ClientStream& stream, Reset reset) {
  if (stream.gone) return;
  stream.gone = true;
  --streams_open_;
  ++to_reap_;
  mark_closed(stream, reset);
}

void ClientSession::fail(uint32_t code) {
  if (failed_) return;
  failed_ = true;
  failure_code_ = code;
  for (ClientStream* stream = open_; stream != nullptr; stream = stream->next) {
    mark_closed(*stream, {stream->sent ? ResetKind::protocol_error : ResetKind::refused, code});
  }
}

// reap calls on_closed where it is due and recycles what nghttp2 has forgotten. Streams leave the
// list here alone, so callbacks cannot invalidate `next`.
void ClientSession::reap() {
  while (to_reap_ > 0) {
    to_reap_ = 0;
    ClientStream* next = nullptr;
    for (ClientStream* stream = open_; stream != nullptr; stream = next) {
      next = stream->next;
      if (stream->to_deliver) {
        stream->to_deliver = false;
        StreamHandler* handler = std::exchange(stream->handler, nullptr);
        stream->body = {};
        if (handler != nullptr) handler->on_closed(stream->reset);
      }
      if (!stream->gone) continue;
      next = stream->next;
      unlink(open_, *stream);
      resources_->give_client_stream(stream);
    }
  }
}

void ClientSession::drop_head() {
  if (head_ != nullptr) resources_->give_head(head_);
  head_ = nullptr;
}

}  // namespace flexd::http::h2
