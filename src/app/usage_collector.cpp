#include "usage_collector.hpp"

#include <utility>

#include "flexd/base/assert.hpp"
#include "flexd/base/log.hpp"

namespace flexd::app {

UsageCollector::UsageCollector(size_t workers, Ask ask, Keeper& keeper)
    : ask_(std::move(ask)), keeper_(keeper), spares_(workers) {}

void UsageCollector::ask_all() {
  for (size_t worker = 0; worker < spares_.size(); ++worker) ask(worker);
  // Nothing new may come for a while, but what the store did not take is to be tried again.
  submit(backlog_waits_);
}

void UsageCollector::ask(size_t worker) {
  Spare& spare = spares_[worker];
  switch (spare.state) {
    case Spare::State::empty:
      // Set before it is posted: the worker's own may be back before this function ends.
      spare.state = Spare::State::lent;
      if (!ask_(worker, spare.table.get())) spare.state = Spare::State::empty;
      return;
    case Spare::State::lent:
      static_cast<void>(ask_(worker, nullptr));
      return;
    case Spare::State::full:
    case Spare::State::writing:
      spare.wanted = true;
      return;
  }
}

void UsageCollector::take(size_t worker, Table full) {
  Spare& spare = spares_[worker];
  FLEXD_ASSERT(spare.state == Spare::State::lent && full != nullptr);
  // The one that was lent is the worker's own now.
  const account::UsageTable* const taken = spare.table.release();
  FLEXD_ASSERT(taken != nullptr);
  spare.table = std::move(full);
  spare.state = Spare::State::full;
  submit(false);
}

void UsageCollector::take_last(Table table) {
  if (table != nullptr) last_.push_back(std::move(table));
}

// submit gives all full tables to the keeper's thread in one job, unless it has one already: then
// they go with the next, when that one is back.
void UsageCollector::submit(bool for_backlog) {
  if (writing_) return;
  Tables tables;
  for (const Spare& spare : spares_) {
    if (spare.state == Spare::State::full) tables.push_back(spare.table.get());
  }
  if (tables.empty() && !for_backlog) return;
  writing_ = keeper_.submit([this, tables](store::Store& store) {
    write(tables, store, kWaitMs);
    keeper_.reply([this, waits = !backlog_.empty()] { on_written(waits); });
  });
  // Where the keeper's queue is full, the next round tries again.
  if (!writing_) return;
  for (Spare& spare : spares_) {
    if (spare.state == Spare::State::full) spare.state = Spare::State::writing;
  }
}

void UsageCollector::on_written(bool backlog_waits) {
  writing_ = false;
  backlog_waits_ = backlog_waits;
  for (size_t worker = 0; worker < spares_.size(); ++worker) {
    Spare& spare = spares_[worker];
    if (spare.state != Spare::State::writing) continue;
    spare.state = Spare::State::empty;
    if (std::exchange(spare.wanted, false)) ask(worker);
  }
  submit(false);
}

Keeper::Job UsageCollector::last_write() {
  Tables tables;
  for (Spare& spare : spares_) {
    // The keeper may have one in its queue: it finds it empty then.
    tables.push_back(spare.table.get());
    spare.wanted = false;
  }
  for (const Table& table : last_) tables.push_back(table.get());
  return [this, tables](store::Store& store) { write(tables, store, kLastWaitMs); };
}

void UsageCollector::report_rest() const {
  if (backlog_.empty()) return;
  log_line(LogLevel::error, "usage_lost",
           {{"requests", backlog_.request_count()}, {"key_uses", backlog_.use_count()}});
}

// write runs on the keeper's thread. The tables are empty after it, whatever the store does.
void UsageCollector::write(const Tables& tables, store::Store& store, int wait_ms) {
  for (account::UsageTable* const table : tables) {
    std::vector<store::UsageRow> rows;
    std::vector<store::KeyUse> uses;
    table->take(rows, uses);
    backlog_.add(std::move(rows), uses);
  }
  store.set_wait_ms(wait_ms);
  const auto written = backlog_.write([this, &store](auto rows, auto uses) {
    auto recorded = store.record_usage(rows, uses);
    if (recorded) keeper_.wrote(rows, uses);
    return recorded;
  });
  store.set_wait_ms(store::kBusyMs);
  if (!written) metrics_.add(metrics::Counter::store_errors);
  if (failing_ == written.has_value()) {
    failing_ = !written;
    if (failing_) {
      log_line(LogLevel::warn, "usage_waits",
               {{"requests", backlog_.request_count()}, {"error", written.error().message}});
    } else {
      log_line(LogLevel::info, "usage_written");
    }
  }
  if (const UsageLoss lost = backlog_.lost(); lost != lost_told_) {
    const uint64_t requests = lost.requests - lost_told_.requests;
    metrics_.add(metrics::Counter::usage_requests_lost, requests);
    log_line(LogLevel::error, "usage_lost",
             {{"requests", requests}, {"key_uses", lost.key_uses - lost_told_.key_uses}});
    lost_told_ = lost;
  }
}

}  // namespace flexd::app
