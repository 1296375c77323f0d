#include "h2_server_callbacks.hpp"

#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "flexd/http/h2_server.hpp"

namespace flexd::http::h2 {

struct ServerCallbacks {
  static ServerSession& session(void* user) { return *static_cast<ServerSession*>(user); }

  static ServerStream* stream_of(nghttp2_session* session, int32_t id) {
    return static_cast<ServerStream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_begin_headers(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    ServerSession& self = session(user);
    const int32_t id = frame->hd.stream_id;
    ServerStream* stream = stream_of(raw, id);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      stream = self.resources_->take_server_stream();
      stream->session = &self;
      stream->id = id;
      stream->queue.emplace(*self.pool_);
      link(self.open_, *stream);
      ++self.streams_open_;
      nghttp2_session_set_stream_user_data(raw, id, stream);
    }
    if (stream == nullptr) return 0;
    if (self.head_ == nullptr) self.head_ = self.resources_->take_head();
    self.head_->reset(id);
    self.head_->trailers = stream->announced;
    return 0;
  }

  static int on_header(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                       const uint8_t* name, size_t name_size, const uint8_t* value,
                       size_t value_size, uint8_t /*flags*/, void* user) {
    ServerSession& self = session(user);
    if (self.head_ == nullptr || self.head_->stream != frame->hd.stream_id) return 0;
    if (self.head_->add(text_of(name, name_size), text_of(value, value_size))) return 0;
    self.drop_head();
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream, keeps the connection
  }

  static int on_invalid_header(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/,
                               const uint8_t* /*name*/, size_t /*name_size*/,
                               const uint8_t* /*value*/, size_t /*value_size*/, uint8_t /*flags*/,
                               void* /*user*/) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_frame(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    ServerSession& self = session(user);
    if (const uint32_t weight = frame_glitch(*frame); weight > 0) self.count_glitch(weight);
    // A stream that is opened and reset costs work and counts against no limit: CVE-2023-44487.
    if (frame->hd.type == NGHTTP2_RST_STREAM) self.count_glitch(2);
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    ServerStream* stream = stream_of(raw, frame->hd.stream_id);
    if (stream == nullptr || stream->gone) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
      self.head_received(*stream, ended);
    } else if (ended && stream->announced) {
      self.handler_->on_end(stream->id);
    }
    return 0;
  }

  static int on_data(nghttp2_session* raw, uint8_t /*flags*/, int32_t id, const uint8_t* data,
                     size_t size, void* user) {
    ServerSession& self = session(user);
    ServerStream* stream = stream_of(raw, id);
    if (stream == nullptr || !stream->announced) {
      nghttp2_session_consume_connection(raw, size);
      return 0;
    }
    stream->unconsumed += size;
    self.forgive_glitch(1);
    self.handler_->on_data(id, text_of(data, size));
    return 0;
  }

  static int on_stream_close(nghttp2_session* raw, int32_t id, uint32_t code, void* user) {
    ServerSession& self = session(user);
    ServerStream* stream = stream_of(raw, id);
    if (stream == nullptr || stream->gone) return 0;
    stream->gone = true;
    stream->code = code;
    --self.streams_open_;
    ++self.to_reap_;
    if (code == NGHTTP2_NO_ERROR) self.forgive_glitch(2);
    return 0;
  }

  static int on_before_send(nghttp2_session* raw, const nghttp2_frame* frame, void* user) {
    ServerSession& self = session(user);
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
      // Resets that a client provokes cost as much as its own.
      const ServerStream* stream = stream_of(raw, frame->hd.stream_id);
      if (stream == nullptr || !stream->reset_by_owner) self.count_glitch(2);
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
      self.goaway_sent_ = true;
      const uint32_t code = frame->goaway.error_code;
      if (code != NGHTTP2_NO_ERROR && code != self.goaway_code_) self.fail(code);
    }
    return 0;
  }

  static ssize_t read_queue(nghttp2_session* /*session*/, int32_t /*id*/, uint8_t* out, size_t size,
                            uint32_t* flags, nghttp2_data_source* source, void* user) {
    auto& stream = *static_cast<ServerStream*>(source->ptr);
    ByteChain& queue = *stream.queue;
    const size_t count = queue.copy_out(0, {reinterpret_cast<char*>(out), size});
    queue.consume(count);
    if (queue.empty() && stream.finished) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (count == 0) {
      stream.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    } else if (queue.empty()) {
      stream.drain_due = true;
      ++session(user).to_reap_;
    }
    return static_cast<ssize_t>(count);
  }
};

void ServerSession::head_received(ServerStream& stream, bool ended) {
  HeadBlock* block = head_;
  if (block == nullptr || block->stream != stream.id) return;
  if (block->trailers) {
    drop_head();
    if (ended) handler_->on_end(stream.id);
    return;
  }
  RequestHead head;
  head.version = Version::h2;
  head.keep_alive = true;
  head.method_text = block->method;
  head.method = parse_method(block->method);
  head.raw_target = block->path;
  head.fields = block->fields;
  head.authority = !block->authority.empty() ? block->authority : block->fields.value("host");
  const bool valid = block->method != "CONNECT" && block->method != "TRACE" &&
                     is_valid_authority(head.authority) && split_target(block->path, head) &&
                     set_framing(head, ended);
  if (!valid) {
    drop_head();
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  head.expect_continue = !ended && iequals(head.fields.value("expect"), "100-continue");
  stream.announced = true;
  handler_->on_request(stream.id, head);
  drop_head();
  if (ended) handler_->on_end(stream.id);
}

nghttp2_data_provider queue_provider(ServerStream& stream) {
  return {{.ptr = &stream}, ServerCallbacks::read_queue};
}

const nghttp2_session_callbacks* server_callbacks() {
  static const nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* table = nullptr;
    FLEXD_ASSERT(nghttp2_session_callbacks_new(&table) == 0);
    using Own = ServerCallbacks;
    nghttp2_session_callbacks_set_on_begin_headers_callback(table, Own::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(table, Own::on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(table, Own::on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, Own::on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, Own::on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, Own::on_stream_close);
    nghttp2_session_callbacks_set_before_frame_send_callback(table, Own::on_before_send);
    return table;
  }();
  return made;
}

}  // namespace flexd::http::h2
