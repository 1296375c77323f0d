// client_connection.hpp: one caller's HTTP/1.1 connection (RFC 9112).
//
// It reads request heads and bodies, hands them to an exchange (exchange.hpp), one request at a
// time, and writes answers. Bytes of the next request that come early are kept and receiving is
// paused until the answer is out. A caller that leaves while its answer is being made is noticed at
// once, also while receiving is paused.
//
//   head -> body -> busy -> head ...          the answer came after the request
//   head -> body -> discard -> head ...       the answer came first: the rest is read away
//
// With --proxy-protocol a PROXY header comes before the first head (http/proxy_header.hpp); a peer
// that sends none is sent away without a word.
//
//   client_connection.cpp         reading: the state machine
//   client_connection_answer.cpp  writing
#pragma once

#include <cstdint>
#include <string_view>

#include "client_stream.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/base/slab.hpp"
#include "flexd/http/h1_chunks.hpp"
#include "flexd/http/h1_parser.hpp"
#include "flexd/http/h1_writer.hpp"
#include "flexd/io/reactor.hpp"
#include "flexd/metrics/catalog.hpp"

namespace flexd::front {

class Exchange;
class WorkerCore;

class ClientConnection final : public io::SocketHandler, public ClientStream {
 public:
  ClientConnection(WorkerCore& worker, io::SocketId socket, const io::Address& peer);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // open starts the clock for the first head. With `shed`, the connection only says 503 and closes.
  void open(bool shed);
  // drain: the worker is stopping. An idle connection closes now, a busy one after its answer.
  void drain();
  // cut closes the connection whatever it is doing; its exchange has been cut already.
  void cut();
  // abort_if_closing ends the wait for a caller that has had its time to read the last bytes.
  void abort_if_closing();

  // SocketHandler
  void on_data(std::string_view bytes) override;
  void on_peer_closed() override;
  void on_flush() override;
  void on_drained() override;
  void on_closed(int error) override;

  // ClientStream
  void begin_answer(const AnswerHead& head) override;
  bool write(std::string_view bytes) override;
  void finish() override;
  void abort_answer() override;
  bool is_broken() const override { return broken_; }
  // peer is who connected, or whom its PROXY header named.
  const io::Address& peer() const override { return peer_; }

  // handle is this object's place in the worker's slab.
  SlabHandle handle;

 private:
  enum class State : uint8_t {
    preface,  // the PROXY header is awaited
    idle,     // between requests: not a byte of the next head
    head,     // part of a head is there
    body,     // the head is with the exchange, its body is coming
    busy,     // the request is whole, the answer is not
    discard,  // answered early: the rest of the body is read away
    closing,  // nothing is read any more
  };

  std::string_view process(std::string_view bytes);
  bool is_slow_reader();
  void pause_if_waiting();
  void note_body_progress(size_t count);
  void expect_preface();
  std::string_view process_preface(std::string_view bytes);
  void refuse_preface(metrics::ProxyRefusal cause);
  std::string_view process_head(std::string_view bytes);
  std::string_view process_body(std::string_view bytes);
  void begin_request(const http::RequestHead& head);
  void refuse_head(http::H1Verdict verdict);
  void count_protocol_error();
  void request_complete();
  void next_request();
  void keep_input(std::string_view bytes);
  void process_kept();
  void close(uint64_t linger_ns = 1'000'000'000);
  template <typename Sink>
  bool write_head(Sink& sink, const AnswerHead& head, http::Persistence persistence);
  void put(std::string_view bytes);
  void arm(uint64_t duration_ns);
  void on_timer();

  WorkerCore& worker_;
  io::SocketId socket_;
  io::Address peer_;
  Exchange* exchange_ = nullptr;
  Timer timer_;
  Buffer input_;  // a head in pieces, or the beginning of the next request
  size_t scanned_ = 0;
  State state_ = State::idle;
  http::Framing framing_ = http::Framing::none;
  http::Framing answer_framing_ = http::Framing::none;
  http::Version version_ = http::Version::h1_1;
  bool keep_alive_ = true;
  bool expects_continue_ = false;
  bool answered_ = false;    // the answer to the current request is out
  bool is_head_ = false;     // HEAD: answers have no body
  bool processing_ = false;  // inside process
  bool draining_ = false;
  bool broken_ = false;  // a write was lost
  bool paused_ = false;
  bool slow_ = false;          // requests wait until the caller has read its answers
  bool writer_waits_ = false;  // a write was told that the caller reads slowly
  uint64_t body_left_ = 0;
  uint64_t discarded_bytes_ = 0;
  size_t body_progress_bytes_ = 0;
  http::ChunkDecoder chunks_;
};

}  // namespace flexd::front
