// ledger.hpp: what the simulator saw, for tests to assert on.
//
// Each worker has a ledger; a report puts them together. A ledger is locked for each entry, so that
// a report can be made while requests run: the lock is free in all other moments.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "answer.hpp"
#include "request.hpp"
#include "vendor.hpp"

namespace flexd::flexsim {

// kRecordsMax is how many requests a ledger remembers; the counters count all.
inline constexpr size_t kRecordsMax = 10'000;

// Ending is how a request ended.
enum class Ending : uint8_t {
  open,               // not yet
  completed,          // the answer was sent whole, an error answer too
  cancelled,          // the client sent RST_STREAM
  connection_closed,  // the client closed or lost the connection
  died,               // the scenario cut it off
};
inline constexpr size_t kEndings = 5;
[[nodiscard]] std::string_view ending_name(Ending ending);

// ShortText is a text of bounded length; longer ones are cut.
template <size_t Size>
class ShortText {
 public:
  void set(std::string_view text) {
    size_ = static_cast<uint8_t>(text.size() < Size ? text.size() : Size);
    text.copy(text_.data(), size_);
  }
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, Size> text_;
  uint8_t size_ = 0;
};

// Record is one request. Times are of the reactor's clock; 0: it did not happen.
struct Record {
  uint64_t id = 0;
  Vendor vendor = Vendor::openai;
  Tier tier = Tier::unset;
  bool stream = false;
  bool is_http2 = false;
  unsigned status = 0;      // of the answer's head; 0: none was sent
  uint64_t arrival_ns = 0;  // the request was whole
  uint64_t head_ns = 0;     // the answer's head was sent
  uint64_t start_ns = 0;    // output began: the first item, or the whole JSON answer
  uint64_t end_ns = 0;
  Ending ending = Ending::open;
  uint32_t reset_code = 0;    // of the client's RST_STREAM
  uint64_t connection = 0;    // from 1
  int32_t stream_id = 0;      // 0: HTTP/1.1
  uint32_t streams_open = 0;  // on the connection at arrival, this one too
  uint64_t body_bytes = 0;    // of the answer, handed to the connection
  ShortText<40> scenario;
  ShortText<64> trace;  // metadata.trace, else the trace id of traceparent
};

// TierCounters count the requests of a tier.
struct TierCounters {
  uint64_t attempts = 0;
  uint64_t started = 0;
  std::array<uint64_t, kEndings> endings{};  // by Ending; open: so many are under way
};

// AnswerCounters add up good answers that were sent whole, and what they said to have used.
struct AnswerCounters {
  uint64_t answers = 0;
  uint64_t input_tokens = 0;
  uint64_t cached_tokens = 0;
  uint64_t output_tokens = 0;
  uint64_t reasoning_tokens = 0;
};
// AnswerPlace tells them apart: by provider, model, and tier as the answer named it.
struct AnswerPlace {
  Vendor vendor = Vendor::openai;
  std::string model;
  std::string tier;
  auto operator<=>(const AnswerPlace&) const = default;
};
using AnswerList = std::map<AnswerPlace, AnswerCounters>;

using TierList = std::array<TierCounters, kTiers>;

// Report is a copy of everything.
struct Report {
  TierList tiers{};                          // of all providers together
  std::array<TierList, kVendors> vendors{};  // of each
  uint64_t requests = 0;                     // of the providers' APIs
  uint64_t cancels = 0;                      // RST_STREAM received for requests that were under way
  uint64_t connections = 0;                  // accepted
  uint64_t connections_open = 0;
  uint32_t streams_open_max = 0;  // at once on one connection
  uint64_t now_ns = 0;
  AnswerList answers;
  std::vector<Record> records;  // by arrival

  // possible_double_bills counts, among the records, attempts that had started and did not complete
  // although another attempt with the same trace started too.
  [[nodiscard]] uint64_t possible_double_bills() const;
  // to_json writes the report with the last `records_max` records.
  [[nodiscard]] std::string to_json(size_t records_max = kRecordsMax) const;
};

class Ledger {
 public:
  // Ids are index, index + step, index + 2 * step ...
  Ledger(uint64_t index, uint64_t step) : index_(index), step_(step) {}

  // Entry names a request in the ledger.
  struct Entry {
    uint64_t id = 0;
    Vendor vendor = Vendor::openai;
    Tier tier = Tier::unset;
  };
  // open enters a request; its id is given here.
  Entry open(Record record);
  // The next three say what became of it. After a reset they do nothing for older requests.
  void head(Entry entry, unsigned status, uint64_t now_ns);
  void started(Entry entry, uint64_t now_ns);
  // answered counts a good answer, before its `close`.
  void answered(Entry entry, std::string_view model, std::string_view tier, const Usage& usage);
  // close ends it, once; `body_bytes` is how much of the answer's body was handed out.
  void close(Entry entry, Ending ending, uint32_t reset_code, uint64_t body_bytes, uint64_t now_ns);

  void connection_opened();
  void connection_closed();

  // add_to adds this ledger to a report.
  void add_to(Report& report) const;
  // reset forgets all requests. Open connections stay counted.
  void reset();

 private:
  // both_counters are the counters of an entry: in all, and of its provider.
  std::array<TierCounters*, 2> both_counters(Entry entry);
  uint64_t number_of(uint64_t id) const { return (id - index_) / step_; }
  Record* find(uint64_t id);

  mutable std::mutex mutex_;
  uint64_t index_;
  uint64_t step_;
  uint64_t count_ = 0;  // of requests ever entered
  uint64_t first_ = 0;  // the first since the last reset
  Report totals_;       // records is a ring
};

}  // namespace flexd::flexsim
