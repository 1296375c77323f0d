#include "h2_client_callbacks.hpp"

#include "flexd/base/assert.hpp"
#include "flexd/http/h2_client.hpp"
#include "h2_state.hpp"

namespace flexd::http::h2 {

struct ClientCallbacks {
  static ClientSession& session(void* user) { return *static_cast<ClientSession*>(user); }

  static ClientStream* stream_of(nghttp2_session* session, int32_t id) {
    return static_cast<ClientStream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_begin_headers(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    ClientSession& self = session(user);
    if (frame->hd.type != NGHTTP2_HEADERS) return NGHTTP2_ERR_CALLBACK_FAILURE;
    const ClientStream* stream = stream_of(raw, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (self.head_ == nullptr) self.head_ = self.resources_->take_head();
    self.head_->reset(frame->hd.stream_id);
    self.head_->trailers = stream->head_seen;
    return 0;
  }

  static int on_header(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                       const uint8_t* name, size_t name_size, const uint8_t* value,
                       size_t value_size, uint8_t /*flags*/, void* user) {
    ClientSession& self = session(user);
    if (self.head_ == nullptr || self.head_->stream != frame->hd.stream_id) return 0;
    if (self.head_->add(text_of(name, name_size), text_of(value, value_size))) return 0;
    self.drop_head();
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream, keeps the connection
  }

  // By default nghttp2 drops a field with bytes that HTTP forbids and goes on. A provider that
  // sends one is broken or hostile: the answer is not to be trusted.
  static int on_invalid_header(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/,
                               const uint8_t* /*name*/, size_t /*name_size*/,
                               const uint8_t* /*value*/, size_t /*value_size*/, uint8_t /*flags*/,
                               void* /*user*/) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_frame(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    ClientSession& self = session(user);
    if (const uint32_t weight = frame_glitch(*frame); weight > 0) self.count_glitch(weight);
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (ClientStream* stream = stream_of(raw, frame->hd.stream_id)) {
          self.head_received(*stream, ended);
        }
        break;
      case NGHTTP2_DATA:
        if (ClientStream* stream = ended ? stream_of(raw, frame->hd.stream_id) : nullptr) {
          self.finish(*stream);
        }
        break;
      case NGHTTP2_RST_STREAM:
        if (ClientStream* stream = stream_of(raw, frame->hd.stream_id)) {
          stream->peer_reset = true;
          stream->peer_code = frame->rst_stream.error_code;
        }
        break;
      default:
        on_connection_frame(self, *frame);
    }
    return 0;
  }

  static void on_connection_frame(ClientSession& self, const nghttp2_frame& frame) {
    const bool is_ack = (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (frame.hd.type == NGHTTP2_GOAWAY) {
      self.goaway_received_ = true;
      self.handler_->on_goaway(frame.goaway.last_stream_id, frame.goaway.error_code);
    } else if (frame.hd.type == NGHTTP2_SETTINGS && !is_ack && !self.settings_received_) {
      self.settings_received_ = true;
      self.handler_->on_settings();
    } else if (frame.hd.type == NGHTTP2_PING && is_ack && self.pings_open_ > 0) {
      --self.pings_open_;
      uint64_t payload = 0;
      std::memcpy(&payload, frame.ping.opaque_data, sizeof payload);
      self.handler_->on_ping_ack(payload);
    }
  }

  static int on_data(nghttp2_session* raw, uint8_t /*flags*/, int32_t id, const uint8_t* data,
                     size_t size, void* user) {
    ClientSession& self = session(user);
    nghttp2_session_consume_connection(raw, size);
    const ClientStream* stream = stream_of(raw, id);
    if (stream == nullptr || stream->handler == nullptr || stream->to_deliver) return 0;
    self.forgive_glitch();
    stream->handler->on_data(text_of(data, size));
    return 0;
  }

  static Reset reset_of(const ClientStream& stream, uint32_t code) {
    if (stream.ended) return {};
    // REFUSED_STREAM is also how nghttp2 closes streams above the last id of a GOAWAY. After an
    // answer began it proves nothing.
    if (code == NGHTTP2_REFUSED_STREAM && !stream.head_seen) return {ResetKind::refused, code};
    if (stream.peer_reset) return {ResetKind::reset, stream.peer_code};
    return {code == NGHTTP2_REFUSED_STREAM ? ResetKind::reset : ResetKind::protocol_error, code};
  }

  static int on_stream_close(nghttp2_session* raw, int32_t id, uint32_t code, void* user) {
    ClientStream* stream = stream_of(raw, id);
    if (stream != nullptr) session(user).mark_gone(*stream, reset_of(*stream, code));
    return 0;
  }

  // Before and not after: a frame that is being written may reach the peer.
  static int on_before_send(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    ClientSession& self = session(user);
    if (frame->hd.type == NGHTTP2_HEADERS) {
      if (ClientStream* stream = stream_of(raw, frame->hd.stream_id)) stream->sent = true;
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
      ++self.resets_sent_;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
      self.goaway_sent_ = true;
      if (frame->goaway.error_code != NGHTTP2_NO_ERROR) self.fail(frame->goaway.error_code);
    }
    return 0;
  }

  static int on_not_sent(nghttp2_session* /*session*/, const nghttp2_frame* frame, int /*error*/,
                         void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    ClientSession& self = session(user);
    ClientStream* stream = self.find(frame->hd.stream_id);
    if (stream != nullptr) self.mark_gone(*stream, {ResetKind::refused, 0});
    return 0;
  }
};

void ClientSession::head_received(ClientStream& stream, bool ended) {
  HeadBlock* block = head_;
  if (block == nullptr || block->stream != stream.id) return;
  if (stream.handler == nullptr || stream.to_deliver || block->trailers) {
    drop_head();
    if (ended) finish(stream);
    return;
  }
  unsigned status = 0;
  std::from_chars(block->status.data(), block->status.data() + block->status.size(), status);
  if (status >= 100 && status < 200) {
    drop_head();
    count_glitch(1);
    return;
  }
  ResponseHead head;
  head.status = static_cast<uint16_t>(status);
  head.version = Version::h2;
  head.keep_alive = true;
  head.fields = block->fields;
  if (status < 200 || status > 599 || !set_framing(head, ended)) {
    drop_head();
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_PROTOCOL_ERROR);
    mark_closed(stream, {ResetKind::protocol_error, NGHTTP2_PROTOCOL_ERROR});
    return;
  }
  stream.head_seen = true;
  forgive_glitch();
  stream.handler->on_head(head);
  drop_head();
  if (ended) finish(stream);
}

// finish: the answer is whole. What was not sent of the request is of no use to anyone.
void ClientSession::finish(ClientStream& stream) {
  if (stream.handler == nullptr || stream.to_deliver) return;
  stream.ended = true;
  stream.handler->on_end();
  if (stream.handler == nullptr) return;  // cancelled in the callback
  if (stream.body.size_left() > 0) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
  }
  mark_closed(stream, {});
}

const nghttp2_session_callbacks* client_callbacks() {
  static const nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* table = nullptr;
    FLEXD_ASSERT(nghttp2_session_callbacks_new(&table) == 0);
    using Own = ClientCallbacks;
    nghttp2_session_callbacks_set_on_begin_headers_callback(table, Own::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(table, Own::on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(table, Own::on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, Own::on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, Own::on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, Own::on_stream_close);
    nghttp2_session_callbacks_set_before_frame_send_callback(table, Own::on_before_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(table, Own::on_not_sent);
    return table;
  }();
  return made;
}

}  // namespace flexd::http::h2
