// exchange.hpp: one request and the script of its answer.
//
// An exchange is taken from its server's pool for a request and given back when its protocol says
// that the stream is closed. It survives the end of its script: a scenario may hang for ever.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/base/timer_wheel.hpp"
#include "flexd/http/message.hpp"
#include "ledger.hpp"
#include "protocol.hpp"
#include "script.hpp"

namespace flexd::flexsim {

class Server;

class Exchange {
 public:
  explicit Exchange(Server& server);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // begin takes the head of a request, of which nothing is kept but copies.
  void begin(Protocol& protocol, int32_t stream, uint64_t connection,
             const http::RequestHead& head);
  // body takes a piece of the body. What is beyond kBodyBytesMax is dropped, and 413 the answer.
  void body(std::string_view bytes);
  // complete: the request is whole. Begins to answer.
  void complete();
  // resume goes on after flow control has let everything go.
  void resume();
  // closed: the stream is gone. `code` is 0 if it ended well, `lost` if the connection broke.
  void closed(uint32_t code, bool lost);
  // is_finished: the answer is out.
  bool is_finished() const { return finished_; }

 private:
  enum class Route : uint8_t { api, report, reset, unknown, wrong_method };
  enum class Waiting : uint8_t { no, timer, room };

  void make_script();
  void take_route(const http::RequestHead& head);
  void make_api_script();
  void make_answer(const RequestFacts& facts);
  void make_report_script();
  void enter_record(Tier tier, bool stream, std::string_view scenario, std::string_view trace);
  void on_timer();
  void play();
  bool play_step(const Step& step);
  bool play_send(const Step& step, size_t bytes_at_once, size_t waiting_max);
  void send_head();
  void sleep(uint64_t duration_ns);

  Server& server_;
  Protocol* protocol_ = nullptr;
  Timer timer_;
  Buffer body_;
  Script script_;
  Record record_;
  Ledger::Entry entry_;
  bool entered_ = false;
  bool finished_ = false;
  bool dying_ = false;
  bool too_large_ = false;
  Route route_ = Route::unknown;
  Waiting waiting_ = Waiting::no;
  size_t at_ = 0;      // the step
  uint64_t sent_ = 0;  // of a send step
  uint64_t sequence_ = 0;
  uint64_t body_bytes_ = 0;
  Credentials credentials_;
  std::string version_;  // of anthropic-version
  std::string trace_;    // the trace id of traceparent
  std::string query_;
  std::string keepalive_;
};

// kBodyBytesMax is the longest request that the provider reads.
inline constexpr size_t kBodyBytesMax = size_t{16} << 20U;

}  // namespace flexd::flexsim
