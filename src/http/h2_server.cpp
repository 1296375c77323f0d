#include "flexd/http/h2_server.hpp"

#include "flexd/base/assert.hpp"
#include "h2_server_callbacks.hpp"
#include "h2_state.hpp"

namespace flexd::http::h2 {
namespace {

constexpr size_t kStatusDigits = 3;

nghttp2_option* make_options() {
  nghttp2_option* options = nullptr;
  FLEXD_ASSERT(nghttp2_option_new(&options) == 0);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_max_continuations(options, kContinuationsMax);
  // The library's limiter of resets reads the real clock. Ours counts them as glitches instead.
  nghttp2_option_set_stream_reset_rate_limit(options, UINT32_MAX, UINT32_MAX);
  return options;
}

}  // namespace

ServerSession::ServerSession(Resources& resources, BlockPool& pool, ServerHandler& handler,
                             ServerOptions options)
    : resources_(&resources), pool_(&pool), handler_(&handler), options_(options) {
  static nghttp2_option* const session_options = make_options();
  nghttp2_mem memory = memory_of(resources);
  const int made =
      nghttp2_session_server_new3(&session_, server_callbacks(), this, session_options, &memory);
  FLEXD_ASSERT(made == 0);
  const std::array<nghttp2_settings_entry, 3> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(kStreamWindowBytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(kFieldBytesMax)},
  }};
  const int sent =
      nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  const int widened = nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                                            options.connection_window_bytes);
  FLEXD_ASSERT(sent == 0 && widened == 0);
}

ServerSession::~ServerSession() {
  FLEXD_ASSERT(!in_call_);
  nghttp2_session_del(session_);
  while (open_ != nullptr) {
    ServerStream& stream = *open_;
    unlink(open_, stream);
    resources_->give_server_stream(&stream);
  }
  drop_head();
}

bool ServerSession::receive(std::string_view plaintext) {
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

std::string_view ServerSession::pull() {
  FLEXD_ASSERT(!in_call_);
  in_call_ = true;
  bool broken = false;
  const std::string_view piece = next_piece(session_, *resources_, pending_, broken);
  if (broken) fail(NGHTTP2_INTERNAL_ERROR);
  reap();
  in_call_ = false;
  return piece;
}

bool ServerSession::wants_write() const {
  return !pending_.empty() || nghttp2_session_want_write(session_) != 0;
}

bool ServerSession::is_done() const {
  return pending_.empty() && nghttp2_session_want_read(session_) == 0 &&
         nghttp2_session_want_write(session_) == 0;
}

void ServerSession::connection_lost() {
  FLEXD_ASSERT(!in_call_);
  in_call_ = true;
  fail(NGHTTP2_INTERNAL_ERROR);
  reap();
  in_call_ = false;
}

bool ServerSession::respond(int32_t id, unsigned status, const FieldList& fields, bool has_body) {
  ServerStream* stream = find(id);
  if (stream == nullptr || stream->gone || stream->responded) return false;
  FLEXD_ASSERT(status >= 100 && status <= 599 && status != 101);
  std::array<char, kStatusDigits> digits;
  std::to_chars(digits.data(), digits.data() + digits.size(), status);
  std::array<nghttp2_nv, kFieldsMax + 1> pairs;
  size_t count = 0;
  pairs[count++] = pair_of(":status", {digits.data(), digits.size()}, NGHTTP2_NV_FLAG_NONE);
  for (const Field& field : fields) {
    pairs[count++] = pair_of(field.name, field.value, NGHTTP2_NV_FLAG_NONE);
  }
  if (status < 200) {
    return nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, pairs.data(), count,
                                  nullptr) == 0;
  }
  const nghttp2_data_provider body = queue_provider(*stream);
  stream->responded = true;
  stream->finished = !has_body;
  return nghttp2_submit_response(session_, id, pairs.data(), count, has_body ? &body : nullptr) ==
         0;
}

bool ServerSession::send_data(int32_t id, std::string_view bytes) {
  ServerStream* stream = find(id);
  if (stream == nullptr || stream->gone || !stream->responded || stream->finished) return false;
  if (!stream->queue->append(bytes)) return false;
  if (!bytes.empty()) wake(*stream);
  return true;
}

void ServerSession::finish(int32_t id) {
  ServerStream* stream = find(id);
  if (stream == nullptr || stream->gone || !stream->responded || stream->finished) return;
  stream->finished = true;
  wake(*stream);
}

void ServerSession::wake(ServerStream& stream) {
  if (!stream.deferred) return;
  stream.deferred = false;
  nghttp2_session_resume_data(session_, stream.id);
}

size_t ServerSession::queued_bytes(int32_t id) const {
  const ServerStream* stream = find(id);
  return stream == nullptr ? 0 : stream->queue->size();
}

void ServerSession::reset(int32_t id, uint32_t code) {
  ServerStream* stream = find(id);
  if (stream == nullptr || stream->gone) return;
  stream->finished = true;
  stream->reset_by_owner = true;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
}

void ServerSession::consume(int32_t id, size_t count) {
  ServerStream* stream = find(id);
  if (count == 0 || stream == nullptr || stream->gone) return;
  FLEXD_ASSERT(count <= stream->unconsumed);
  stream->unconsumed -= count;
  nghttp2_session_consume(session_, id, count);
}

void ServerSession::set_user(int32_t id, void* user) {
  if (ServerStream* stream = find(id)) stream->user = user;
}

void* ServerSession::user(int32_t id) const {
  const ServerStream* stream = find(id);
  return stream == nullptr ? nullptr : stream->user;
}

void ServerSession::goaway(int32_t last_stream, uint32_t code) {
  goaway_code_ = code;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_stream, code, nullptr, 0);
}

void ServerSession::shutdown_notice() {
  nghttp2_submit_shutdown_notice(session_);
}

int32_t ServerSession::last_stream() const {
  return nghttp2_session_get_last_proc_stream_id(session_);
}

ServerStream* ServerSession::find(int32_t id) const {
  void* known = nghttp2_session_get_stream_user_data(session_, id);
  if (known != nullptr) return static_cast<ServerStream*>(known);
  ServerStream* stream = open_;  // closed and not reaped
  while (stream != nullptr && stream->id != id) stream = stream->next;
  return stream;
}

void ServerSession::count_glitch(uint32_t weight) {
  glitches_ += weight;
  if (glitches_ < options_.glitches_max || failed_) return;
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  fail(NGHTTP2_ENHANCE_YOUR_CALM);
}

void ServerSession::fail(uint32_t code) {
  if (failed_) return;
  failed_ = true;
  failure_code_ = code;
  ++to_reap_;
}

// reap calls on_drain and on_closed where they are due. Streams leave the list here alone, so that
// callbacks cannot invalidate `next`.
void ServerSession::reap() {
  while (to_reap_ > 0) {
    to_reap_ = 0;
    ServerStream* next = nullptr;
    for (ServerStream* stream = open_; stream != nullptr; stream = next) {
      if (stream->drain_due && !stream->gone && !failed_) handler_->on_drain(stream->id);
      stream->drain_due = false;
      next = stream->next;
      if (!stream->gone && !failed_) continue;
      if (stream->announced) {
        stream->announced = false;
        stream->finished = true;
        handler_->on_closed(stream->id, stream->gone ? stream->code : failure_code_);
      }
      if (!stream->gone) continue;  // nghttp2 still points to it
      next = stream->next;
      nghttp2_session_consume_connection(session_, stream->unconsumed);
      unlink(open_, *stream);
      resources_->give_server_stream(stream);
    }
  }
}

void ServerSession::drop_head() {
  if (head_ != nullptr) resources_->give_head(head_);
  head_ = nullptr;
}

}  // namespace flexd::http::h2
