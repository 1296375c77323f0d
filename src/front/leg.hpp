// leg.hpp: one attempt of an exchange and what has come back on it.
//
// A Leg feeds the provider's bytes to the frame scanner, judges events until the race is decided,
// holds what must not be lost, and afterwards relays to the caller, event by event, or keeps only
// the final object for a caller that did not ask to stream.
//
//   judging ──commit──> relaying   (a streaming caller: held bytes first)
//      │      └───────> folding    (a caller that gets one object, made of a stream or of JSON)
//      └─answer as is─> plain      (an HTTP error or a JSON body, byte for byte)
//
// Where the caller's dialect is not the provider's, what is held and relayed is the translation
// (surface/answer_translation.hpp), made event by event as they come.
//
// It tells its exchange of at most one event per delivery, after the delivery has been read whole.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "field_store.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/base/byte_chain.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/origin/attempt.hpp"
#include "flexd/race/race.hpp"
#include "flexd/sse/scanner.hpp"
#include "flexd/surface/answer_translation.hpp"
#include "flexd/surface/events.hpp"
#include "flexd/surface/fold.hpp"
#include "flexd/surface/start_signal.hpp"
#include "flexd/surface/usage_tap.hpp"

namespace flexd::front {

class Exchange;

// kRefusalReadMax is how much of a refusal is read to classify it.
inline constexpr size_t kRefusalReadMax = 64U << 10U;

class Leg final : public origin::AttemptHandler, private sse::Sink {
 public:
  enum class Mode : uint8_t {
    judging,   // before commit
    relaying,  // frames go to the caller
    folding,   // the answer is made as a whole
    plain,     // bytes go to the caller as they are
    over,      // nothing more is expected or wanted
  };

  Leg(Exchange& exchange, race::Tier tier, BlockPool& pool);
  Leg(const Leg&) = delete;
  Leg& operator=(const Leg&) = delete;

  // start sends the attempt; anything of an earlier try is forgotten.
  void start(origin::Pool& pool, const origin::AttemptRequest& request, bool streamed);
  // cancel ends it without another word.
  void cancel();
  // answer_stream begins relaying frames: those held first.
  void answer_stream();
  // answer_folded waits for the terminal event (or uses the one that has come), or for the end of
  // an object that has to be translated.
  void answer_folded();
  // answer_plain begins relaying bytes: those held first.
  void answer_plain();
  // on_drained: the caller reads again; withheld credit is given back.
  void on_drained();

  // release gives the memory back; the leg must not be open.
  void release();

  // take_count is true once a try: its end is counted once.
  bool take_count() {
    const bool first = !counted_;
    counted_ = true;
    return first;
  }

  race::Tier tier() const { return tier_; }
  bool is_open() const { return attempt_.is_open(); }
  // may_have_worked: the provider got the request and did not refuse it, whatever then became of
  // it; has_started: it has proved that it works on it.
  bool may_have_worked() const {
    return attempt_.was_sent() && (status_ == 0 || status_ == 200) &&
           judgement_ != Judgement::refused;
  }
  bool has_started() const { return judgement_ == Judgement::started; }
  uint64_t sent_ns() const { return sent_ns_; }
  uint64_t sent_at_s() const { return sent_at_s_; }  // Unix time
  // status is the provider's, 0 before there is one.
  unsigned status() const { return status_; }
  bool is_stream() const { return is_stream_; }
  bool has_length() const { return has_length_; }
  uint64_t content_length() const { return content_length_; }
  // fields are the provider's, as far as they are passed on.
  const FieldStore& fields() const { return fields_; }
  size_t held_bytes() const { return held_.size(); }
  // ended: the provider's answer has come to its regular end.
  bool ended() const { return ended_; }
  // has_terminal: the stream's last event of meaning has come.
  bool has_terminal() const { return is_stream_ && signal_.ended(); }
  // overflowed: a bound of flexd's own was met, or a translation could not go on.
  bool overflowed() const { return overflowed_; }
  // failed: the stream ended in the provider's own failure event.
  bool failed() const { return failed_; }
  // between_frames: nothing of an unfinished event is on its way to the caller.
  bool between_frames() const { return !part_open_; }
  const surface::StreamFacts& facts() const { return facts_; }
  // position is where the caller's stream stands, for a failure event of flexd's own.
  errors::StreamPosition position() const;
  // final_object is an answer that was made as a whole: JSON (or, of a translated object for a
  // caller who asked for a stream, all its frames), with final_status. Empty until it is there.
  std::string_view final_object() const { return final_.view(); }
  unsigned final_status() const { return final_status_; }
  origin::FailureKind last_failure() const { return last_failure_; }
  // provider_request_id is the provider's own id of this attempt.
  std::string_view provider_request_id() const { return provider_request_id_view(); }

 private:
  // AttemptHandler
  void on_head(const http::ResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end() override;
  void on_failure(const origin::AttemptFailure& failure) override;

  // Sink
  void frame(const sse::Frame& frame) override;
  bool wants_data(std::string_view event) override;
  void part(std::string_view bytes) override;

  void on_stream_bytes(std::string_view bytes);
  void on_plain_bytes(std::string_view bytes);
  bool needs_every_event() const;
  bool is_inconsequential(std::string_view event) const;
  bool passes_by_name(const sse::Frame& frame) const;
  void judge(const surface::Event& event);
  void translate(const surface::Event& event);
  void collect(std::string_view bytes);
  void finish_collected();
  // is_readable: the body is a good answer as one object.
  bool is_readable() const { return status_ == 200 && is_json_ && !is_encoded_; }
  void note_passed();
  void note_collected(const surface::AnswerEnd* end);
  void keep_failure(const surface::EventFailure& failure);
  void on_terminal(const surface::Event& event);
  void report_judgement();
  void report_lost(race::Loss loss, bool answered);
  void judge_refusal();
  void end_of_judging();
  void break_off();
  void settle_ended();
  void hold(std::string_view bytes);
  void write_held();
  void relay(std::string_view bytes);
  void flush_run();
  void flush_translated();
  void give_credit(size_t count);
  std::string_view held_view(std::span<char> space) const;
  std::string_view provider_request_id_view() const;

  // What the frames so far say of an undecided attempt.
  enum class Judgement : uint8_t { none, started, refused };

  Exchange& exchange_;
  race::Tier tier_;
  BlockPool& pool_;
  origin::Attempt attempt_;
  Mode mode_ = Mode::over;
  sse::Scanner scanner_;
  surface::StartSignal signal_;
  surface::StreamFacts facts_;
  surface::UsageTap tap_;  // of an answer that passes as it comes
  surface::Fold fold_;
  surface::AnswerTranslation translation_;
  FieldStore fields_;
  ByteChain held_;
  Buffer translated_;  // of this delivery, not yet written
  Buffer object_;      // a whole answer of the provider, to be translated
  Buffer final_;
  std::string_view delivery_;  // the bytes being read
  std::string_view run_;       // frames next to each other in one delivery, not yet written
  size_t withheld_bytes_ = 0;
  uint64_t sent_ns_ = 0;
  uint64_t sent_at_s_ = 0;
  uint64_t content_length_ = 0;
  unsigned status_ = 0;
  unsigned final_status_ = 0;
  origin::FailureKind last_failure_ = origin::FailureKind::reset;
  Judgement judgement_ = Judgement::none;
  race::Loss loss_ = race::Loss::not_started;
  bool streamed_ = false;   // the request asked for a stream
  bool is_stream_ = false;  // the answer is one
  bool is_json_ = false;
  bool is_encoded_ = false;
  bool has_length_ = false;
  bool ended_ = false;
  bool failed_ = false;
  bool part_open_ = false;  // a frame in parts is half way to the caller
  bool overflowed_ = false;
  bool lost_ = false;      // an event without which the answer is not whole could not be read
  bool writable_ = true;   // the caller keeps up
  bool reported_ = false;  // start or loss has been told
  bool counted_ = false;   // its end is in the metrics
  bool reported_final_ = false;
  bool progressed_ = false;  // this delivery had an event that means something
};

}  // namespace flexd::front
