// exchange.hpp: one request's life, from its head to the last byte of its answer.
//
// An Exchange checks a request (in the order callers are promised), holds its body once, sends it
// to the provider, directly or as a race of two attempts, and writes the answer to its
// ClientStream. It decides nothing about tiers itself: that is race/race.hpp. Its parts:
//
//   exchange.cpp         begin, body, end, errors of flexd's own
//   exchange_checks.cpp  the checks before anything is sent
//   exchange_race.cpp    attempts, the race's events and actions, clocks
//   exchange_answer.cpp  what is written to the caller once it is decided who answers
//   exchange_usage.cpp   what it has used and what that costs
//   exchange_models.cpp  the list of models, which flexd answers itself
//
// It ends by telling the worker, which frees it in a later turn, so that no function of it is ever
// left to run on a freed object.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "client_stream.hpp"
#include "cost_text.hpp"
#include "field_store.hpp"
#include "flexd/account/authenticate.hpp"
#include "flexd/account/snapshot.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/base/slab.hpp"
#include "flexd/base/timer_wheel.hpp"
#include "flexd/errors/render.hpp"
#include "flexd/front/snapshot_lease.hpp"
#include "flexd/http/message.hpp"
#include "flexd/metrics/catalog.hpp"
#include "flexd/race/race.hpp"
#include "flexd/surface/answer_translation.hpp"
#include "flexd/surface/provider.hpp"
#include "flexd/surface/request.hpp"
#include "leg.hpp"
#include "provider_fields.hpp"
#include "request_words.hpp"

namespace flexd::front {

class WorkerCore;
struct Route;

// kUniqueSize is how many letters and digits tell a translated answer's ids apart.
inline constexpr size_t kUniqueSize = 24;
// kSettleNs is how long the regular end of an attempt is awaited after its terminal event.
inline constexpr uint64_t kSettleNs = 1'000'000'000;
// kAfterTerminalNs is how long a stream stays open to the caller after its terminal event.
inline constexpr uint64_t kAfterTerminalNs = 5'000'000'000;

class Exchange {
 public:
  Exchange(WorkerCore& worker, ClientStream& client);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // begin judges a request head. Afterwards either the answer is out or the body is wanted.
  void begin(const http::RequestHead& head);
  // begin_refused answers a request whose head could not be read. `detail` (static) says why.
  void begin_refused(errors::Code code, std::string_view detail = {});
  // on_body takes the next bytes of the body, on_body_end says that it is whole, on_body_refused
  // that its framing is broken or its sender too slow.
  void on_body(std::string_view bytes);
  void on_body_end();
  void on_body_refused(errors::Code code, std::string_view detail = {});
  // on_client_gone: the caller left. The ClientStream is not used again.
  void on_client_gone();
  // on_drained: the caller has read what was waiting for it.
  void on_drained();
  // cut ends the exchange because the drain time is over.
  void cut();

  // From the legs, after each delivery has been read whole.
  void on_leg_started(Leg& leg);
  void on_leg_lost(Leg& leg, race::Loss loss, bool answered);
  // on_leg_head: a direct attempt's head, or the head of an answer already decided for.
  void on_leg_head(Leg& leg);
  // on_leg_progress: bytes that mean something came from the attempt that answers.
  void on_leg_progress(Leg& leg);
  // on_leg_final: the answer that had to be made as a whole is there.
  void on_leg_final(Leg& leg);
  // on_leg_done: the answer has come to its regular end; on_leg_broken: it has not and will not.
  void on_leg_done(Leg& leg);
  void on_leg_broken(Leg& leg);
  // relay writes bytes of the answer to the caller; false if the caller reads slowly.
  bool relay(std::string_view bytes);

  bool wants_stream() const { return facts_.stream; }
  // is_translated: the caller's dialect is not the provider's.
  bool is_translated() const { return !facts_.is_own_dialect(); }
  // answer_context is what a translation of `leg`'s answer needs to know.
  surface::AnswerContext answer_context(const Leg& leg) const;
  bool is_race() const { return race_.has_value(); }
  // is_decided: it is known who answers, or that nobody can.
  bool is_decided() const { return routed_ && (!race_ || race_->is_decided()); }
  bool has_conversation() const { return facts_.conversation; }
  errors::Provider provider() const { return facts_.provider; }
  uint64_t now_ns() const;
  account::Clock clock() const;

  // handle is this object's place in the worker's slab.
  SlabHandle handle;

 private:
  enum class State : uint8_t {
    receiving,  // the request is coming in
    routing,    // attempts are under way; nothing was written to the caller
    answering,  // the answer is being written
    settling,   // the answer is out; the attempt's regular end is awaited
    over,
  };
  // AnswerKind is how the answer is made.
  enum class AnswerKind : uint8_t {
    none,    // not decided
    stream,  // event by event
    folded,  // one that is made as a whole: the final object of a stream for a caller that did not
             // ask for one, or the translation of an object
    plain,   // the provider's bytes as they are
  };
  // AnswerShape is the head of an answer from a provider.
  struct AnswerShape {
    unsigned status = 200;
    bool stream = false;
    std::string_view content_type{};  // where flexd makes the body; else the provider's
    bool has_length = false;
    uint64_t length = 0;
    bool no_body = false;
  };

  // OwnAnswer is the head of an answer that flexd gives itself, in JSON.
  struct OwnAnswer {
    unsigned status = 200;
    std::span<const errors::Header> extra{};
    uint64_t length = 0;
    bool close = false;
  };

  // exchange.cpp
  void fail(const errors::Error& error);
  void fail(errors::Code code) { fail(errors::Error{.code = code}); }
  void begin_own(const OwnAnswer& answer);
  void finish_answer(metrics::Outcome outcome);
  bool is_told() const;
  void note_client_closed();
  void log_access(metrics::Outcome outcome);
  void close();
  void release_slot();
  void release_lease();
  void make_unique();
  std::string_view request_id() const { return request_id_; }

  // exchange_checks.cpp
  void read_client_facts(const http::RequestHead& head);
  bool check_head(const http::RequestHead& head);
  bool check_key(const http::RequestHead& head);
  bool check_rates();
  bool check_entity(const http::RequestHead& head);
  bool check_body();
  bool read_body();
  bool drop_foreign_thoughts();
  bool translate_body();
  bool check_model();
  bool check_provider();
  bool check_money();

  // exchange_models.cpp
  void answer_models(const Route& route);

  // exchange_race.cpp
  void route();
  void start_direct();
  void start_race();
  void send(race::Tier tier);
  void perform(const race::Actions& actions);
  void end_race();
  void commit(Leg& winner);
  void answer_refusal(Leg& refused);
  void fail_unreachable();
  errors::Error provider_error(errors::Error error) const;
  void cancel_leg(Leg& loser);
  bool may_be_billed(const Leg& leg) const;
  void count_broken_legs();
  void count_double_bill();
  void cancel_legs();
  void count_attempt(Leg& leg, metrics::AttemptResult result);
  void arm_race();
  void arm_clock();
  void on_race_timer();
  void on_clock_timer();
  void make_splices();
  origin::AttemptRequest attempt_request(race::Tier tier);
  surface::Tier tier_of(const Leg& leg) const;
  UpstreamFields upstream_how() const;
  Leg& leg(race::Tier tier) { return tier == race::Tier::flex ? *flex_ : standard_; }

  // exchange_answer.cpp
  void push_routing_fields(http::FieldList& fields) const;
  void push_request_ids(http::FieldList& fields) const;
  void begin_routed(const Leg& leg, const AnswerShape& shape);
  void begin_stream(Leg& leg);
  void begin_folded(Leg& leg);
  void begin_plain(Leg& leg);
  void begin_plain_head(Leg& leg);
  void answer_final(Leg& leg);
  void fail_answer(errors::Code code, errors::Variant variant);
  void abort_answer(metrics::Outcome outcome);
  void arm_tick();
  void on_tick_timer();

  // exchange_usage.cpp
  // Bill is what an answer costs.
  struct Bill {
    bool priced = false;
    uint64_t nanos = 0;           // at the tier that served
    uint64_t standard_nanos = 0;  // at standard
    uint64_t charged_nanos = 0;   // to budget and credit, also of what is not priced
  };
  const surface::Usage* final_usage() const;
  std::string_view served_tier(const Leg& leg) const;
  std::string_view usage_model() const;
  const Bill& bill();
  Bill make_bill(const surface::Usage& usage) const;
  void count_usage();
  void count_tokens(const surface::Usage& usage, store::UsageCounts& counts);
  void push_cost(CostText& space, http::FieldList& fields);

  WorkerCore& worker_;
  ClientStream* client_;
  State state_ = State::receiving;
  AnswerKind answer_ = AnswerKind::none;
  Leg* answering_leg_ = nullptr;

  // The request.
  errors::Dialect dialect_ = errors::Dialect::responses;
  // The lease keeps the two below, and the provider's key that attempts send, until `close`.
  SnapshotLease* lease_ = nullptr;
  const account::KeyRecord* key_ = nullptr;
  const account::Organization* organization_ = nullptr;
  // ceiling_ is what the key's ceiling said; resets_at_s is 0 if it has none or was not asked.
  account::Window ceiling_;
  Buffer body_;
  Buffer translated_;  // the provider's body, where it is another than the caller's
  FieldStore upstream_fields_;
  http::FieldList upstream_list_;
  surface::RequestFacts facts_;
  std::array<SpliceList, 2> splices_;  // of the flex and of the standard attempt
  RequestIdSpace request_id_space_;
  std::string_view request_id_;           // of that
  std::array<char, kUniqueSize> unique_;  // of a translated answer's ids
  uint32_t client_retry_count_ = 0;
  uint64_t patience_ns_ = 0;

  // The race. A request without one uses the standard leg alone.
  std::optional<Leg> flex_;
  Leg standard_;
  std::optional<race::Race> race_;
  race::Reason reason_ = race::Reason::tier_direct;
  bool routed_ = false;      // it went as far as a provider
  bool race_ended_ = false;  // decided or given up
  bool slot_taken_ = false;
  uint8_t direct_tries_ = 0;
  Timer race_timer_;
  Timer clock_timer_;  // first byte, then idle, then settling
  Timer tick_timer_;   // keep-alive comments; early headers and their spaces
  uint64_t last_written_ns_ = 0;
  uint64_t progress_ns_ = 0;  // of the last event that meant something

  io::Address caller_;  // by which failed authentications are counted

  // For the log.
  uint64_t begun_ns_ = 0;
  uint64_t complete_ns_ = 0;
  uint64_t started_ns_ = 0;
  uint64_t first_byte_ns_ = 0;
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
  unsigned answer_status_ = 0;
  std::string_view path_;  // of a known route
  std::string_view error_code_;
  std::string_view flex_loss_;
  bool logged_ = false;

  // For the usage.
  metrics::Outcome outcome_ = metrics::Outcome::ok;  // once it is logged
  std::optional<Bill> bill_;                         // once it is known what was used
  uint8_t possible_double_bills_ = 0;
  bool flex_broke_ = false;  // and its provider may charge for it; standard_broke_ likewise
  bool standard_broke_ = false;
  account::Clock admitted_;  // when check_money let it pass, if it is routed
  bool checked_ = false;     // start_within is known
  bool had_reason_ = false;  // it was decided when it ended
  bool usage_counted_ = false;
};

}  // namespace flexd::front
