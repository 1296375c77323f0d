#include "ledger.hpp"

#include <algorithm>
#include <map>

#include "flexd/json/writer.hpp"

namespace flexd::flexsim {
namespace {

using Lock = std::lock_guard<std::mutex>;

struct StringSink {
  std::string text;
  void append(std::string_view bytes) { text.append(bytes); }
};

using Writer = json::Writer<StringSink>;

void write_tier(Writer& writer, const TierCounters& tier) {
  writer.begin_object().key("attempts").integer(tier.attempts);
  writer.key("started").integer(tier.started);
  for (size_t i = 0; i < kEndings; i++) {
    writer.key(ending_name(static_cast<Ending>(i))).integer(tier.endings[i]);
  }
  writer.end_object();
}

void write_tiers(Writer& writer, const TierList& tiers) {
  writer.begin_object();
  for (size_t i = 0; i < kTiers; i++) {
    writer.key(tier_name(static_cast<Tier>(i)));
    write_tier(writer, tiers[i]);
  }
  writer.end_object();
}

void write_record(Writer& writer, const Record& record) {
  writer.begin_object().key("id").integer(record.id);
  writer.key("provider").string(vendor_name(record.vendor));
  writer.key("tier").string(tier_name(record.tier));
  writer.key("scenario").string(record.scenario.view());
  writer.key("trace").string(record.trace.view());
  writer.key("stream").boolean(record.stream);
  writer.key("http").string(record.is_http2 ? "2" : "1.1");
  writer.key("status").integer(record.status);
  writer.key("arrival_ns").integer(record.arrival_ns);
  writer.key("head_ns").integer(record.head_ns);
  writer.key("start_ns").integer(record.start_ns);
  writer.key("end_ns").integer(record.end_ns);
  writer.key("end").string(ending_name(record.ending));
  writer.key("reset_code").integer(record.reset_code);
  writer.key("connection").integer(record.connection);
  writer.key("stream_id").integer(record.stream_id);
  writer.key("streams_open").integer(record.streams_open);
  writer.key("body_bytes").integer(record.body_bytes);
  writer.end_object();
}

void add_tiers(TierList& sums, const TierList& parts) {
  for (size_t i = 0; i < kTiers; i++) {
    sums[i].attempts += parts[i].attempts;
    sums[i].started += parts[i].started;
    for (size_t j = 0; j < kEndings; j++) sums[i].endings[j] += parts[i].endings[j];
  }
}

void add_answers(AnswerList& sums, const AnswerList& parts) {
  for (const auto& [place, part] : parts) {
    AnswerCounters& sum = sums[place];
    sum.answers += part.answers;
    sum.input_tokens += part.input_tokens;
    sum.cached_tokens += part.cached_tokens;
    sum.output_tokens += part.output_tokens;
    sum.reasoning_tokens += part.reasoning_tokens;
  }
}

void write_answers(Writer& writer, const AnswerList& answers) {
  writer.begin_array();
  for (const auto& [place, count] : answers) {
    writer.begin_object().key("provider").string(vendor_name(place.vendor));
    writer.key("model").string(place.model);
    writer.key("tier").string(place.tier);
    writer.key("answers").integer(count.answers);
    writer.key("input_tokens").integer(count.input_tokens);
    writer.key("cached_tokens").integer(count.cached_tokens);
    writer.key("output_tokens").integer(count.output_tokens);
    writer.key("reasoning_tokens").integer(count.reasoning_tokens);
    writer.end_object();
  }
  writer.end_array();
}

}  // namespace

std::string_view ending_name(Ending ending) {
  constexpr std::string_view kEndingNames[kEndings] = {"open", "completed", "cancelled",
                                                       "connection_closed", "died"};
  return kEndingNames[static_cast<size_t>(ending)];
}

uint64_t Report::possible_double_bills() const {
  std::map<std::string_view, uint64_t> started;
  for (const Record& record : records) {
    if (record.start_ns != 0 && !record.trace.view().empty()) started[record.trace.view()]++;
  }
  uint64_t count = 0;
  for (const Record& record : records) {
    const bool given_up =
        record.ending == Ending::cancelled || record.ending == Ending::connection_closed;
    if (!given_up || record.start_ns == 0) continue;
    const auto found = started.find(record.trace.view());
    if (found != started.end() && found->second > 1) count++;
  }
  return count;
}

std::string Report::to_json(size_t records_max) const {
  StringSink sink;
  Writer writer(sink);
  writer.begin_object().key("requests").integer(requests);
  writer.key("tiers");
  write_tiers(writer, tiers);
  writer.key("providers").begin_object();
  for (size_t i = 0; i < kVendors; i++) {
    writer.key(vendor_name(static_cast<Vendor>(i)));
    write_tiers(writer, vendors[i]);
  }
  writer.end_object().key("cancels").integer(cancels);
  writer.key("possible_double_bills").integer(possible_double_bills());
  writer.key("connections").integer(connections);
  writer.key("connections_open").integer(connections_open);
  writer.key("streams_open_max").integer(streams_open_max);
  writer.key("answers");
  write_answers(writer, answers);
  writer.key("now_ns").integer(now_ns);
  writer.key("records").begin_array();
  const size_t skipped = records.size() - std::min(records.size(), records_max);
  for (size_t i = skipped; i < records.size(); i++) write_record(writer, records[i]);
  writer.end_array().end_object();
  sink.text += '\n';
  return std::move(sink.text);
}

std::array<TierCounters*, 2> Ledger::both_counters(Entry entry) {
  const auto tier = static_cast<size_t>(entry.tier);
  return {&totals_.tiers[tier], &totals_.vendors[static_cast<size_t>(entry.vendor)][tier]};
}

Ledger::Entry Ledger::open(Record record) {
  const Lock lock(mutex_);
  const uint64_t number = count_++;
  record.id = index_ + number * step_;
  const Entry entry{record.id, record.vendor, record.tier};
  for (TierCounters* tier : both_counters(entry)) {
    tier->attempts++;
    tier->endings[static_cast<size_t>(Ending::open)]++;
  }
  totals_.requests++;
  totals_.streams_open_max = std::max(totals_.streams_open_max, record.streams_open);
  const size_t at = number % kRecordsMax;
  if (at >= totals_.records.size()) totals_.records.resize(at + 1);
  totals_.records[at] = record;
  return entry;
}

// find is nullptr for a record that newer ones have replaced.
Record* Ledger::find(uint64_t id) {
  Record& record = totals_.records[number_of(id) % kRecordsMax];
  return record.id == id ? &record : nullptr;
}

void Ledger::head(Entry entry, unsigned status, uint64_t now_ns) {
  const Lock lock(mutex_);
  if (number_of(entry.id) < first_) return;
  if (Record* record = find(entry.id)) {
    record->status = status;
    record->head_ns = now_ns;
  }
}

void Ledger::started(Entry entry, uint64_t now_ns) {
  const Lock lock(mutex_);
  if (number_of(entry.id) < first_) return;
  for (TierCounters* tier : both_counters(entry)) tier->started++;
  if (Record* record = find(entry.id)) record->start_ns = now_ns;
}

void Ledger::answered(Entry entry, std::string_view model, std::string_view tier,
                      const Usage& usage) {
  const Lock lock(mutex_);
  if (number_of(entry.id) < first_) return;
  const AnswerPlace place{entry.vendor, std::string(model), std::string(tier)};
  AnswerCounters& count = totals_.answers[place];
  count.answers++;
  count.input_tokens += usage.input_tokens;
  count.cached_tokens += usage.cached_tokens;
  count.output_tokens += usage.output_tokens;
  count.reasoning_tokens += usage.reasoning_tokens;
}

void Ledger::close(Entry entry, Ending ending, uint32_t reset_code, uint64_t body_bytes,
                   uint64_t now_ns) {
  const Lock lock(mutex_);
  if (number_of(entry.id) < first_) return;
  for (TierCounters* tier : both_counters(entry)) {
    tier->endings[static_cast<size_t>(Ending::open)]--;
    tier->endings[static_cast<size_t>(ending)]++;
  }
  if (ending == Ending::cancelled) totals_.cancels++;
  if (Record* record = find(entry.id)) {
    record->ending = ending;
    record->reset_code = reset_code;
    record->body_bytes = body_bytes;
    record->end_ns = now_ns;
  }
}

void Ledger::connection_opened() {
  const Lock lock(mutex_);
  totals_.connections++;
  totals_.connections_open++;
}

void Ledger::connection_closed() {
  const Lock lock(mutex_);
  totals_.connections_open--;
}

void Ledger::add_to(Report& report) const {
  const Lock lock(mutex_);
  add_tiers(report.tiers, totals_.tiers);
  for (size_t i = 0; i < kVendors; i++) add_tiers(report.vendors[i], totals_.vendors[i]);
  report.requests += totals_.requests;
  report.cancels += totals_.cancels;
  report.connections += totals_.connections;
  report.connections_open += totals_.connections_open;
  report.streams_open_max = std::max(report.streams_open_max, totals_.streams_open_max);
  add_answers(report.answers, totals_.answers);
  for (const Record& record : totals_.records) {
    if (record.arrival_ns != 0 && number_of(record.id) >= first_) {
      report.records.push_back(record);
    }
  }
}

void Ledger::reset() {
  const Lock lock(mutex_);
  const uint64_t open = totals_.connections_open;
  totals_.records.clear();
  totals_ =
      Report{.connections = open, .connections_open = open, .records = std::move(totals_.records)};
  first_ = count_;
}

}  // namespace flexd::flexsim
