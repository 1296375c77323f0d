#include "usage_collector.hpp"

#include <utility>

#include "flexd/base/assert.hpp"
#include "flexd/base/log.hpp"

namespace flexd::app {

UsageCollector::UsageCollector(size_t workers, Ask ask, Keeper& keeper)
    : ask_(std::move(ask)), keeper_(keeper), lent_(workers) {}

void UsageCollector::ask_all() {
  submit_full();
  for (size_t worker = 0; worker < lent_.size(); ++worker) ask(worker);
  // Nothing new may come for a while, but what the store did not take is to be tried again.
  if (backlog_waits_) {
    static_cast<void>(keeper_.submit([this](store::Store& store) { write(nullptr, store); }));
  }
}

void UsageCollector::ask(size_t worker) {
  if (lent_[worker] != nullptr) {
    static_cast<void>(ask_(worker, nullptr));
    return;
  }
  Table table;
  if (empty_.empty()) {
    table = std::make_unique<account::UsageTable>();
  } else {
    table = std::move(empty_.back());
    empty_.pop_back();
  }
  // Owned before it is posted: the worker's own may be back before this function ends.
  lent_[worker] = std::move(table);
  if (!ask_(worker, lent_[worker].get())) empty_.push_back(std::move(lent_[worker]));
}

void UsageCollector::take(size_t worker, Table full) {
  // The one that was lent is the worker's own now.
  const account::UsageTable* const taken = lent_[worker].release();
  FLEXD_ASSERT(taken != nullptr);
  full_.push_back(std::move(full));
  submit_full();
}

void UsageCollector::take_last(Table table) {
  if (table == nullptr || table->empty()) return;
  full_.push_back(std::move(table));
  submit_full();
}

// submit_full gives full tables to the keeper's thread, and gets them back empty.
void UsageCollector::submit_full() {
  while (!full_.empty()) {
    // A job can be copied: it cannot own the table.
    account::UsageTable* const table = full_.back().release();
    const bool submitted = keeper_.submit([this, table](store::Store& store) {
      write(table, store);
      keeper_.reply([this, table] { empty_.emplace_back(table); });
    });
    if (!submitted) {
      full_.back().reset(table);
      return;
    }
    full_.pop_back();
  }
}

void UsageCollector::report_rest() const {
  const uint64_t requests = backlog_.request_count();
  if (requests == 0 && full_.empty()) return;
  log_line(LogLevel::error, "usage_lost", {{"requests", requests}, {"tables", full_.size()}});
}

// write runs on the keeper's thread.
void UsageCollector::write(account::UsageTable* table, store::Store& store) {
  if (table != nullptr) {
    std::vector<store::UsageRow> rows;
    std::vector<store::KeyUse> uses;
    table->take(rows, uses);
    backlog_.add(std::move(rows), uses);
  }
  const auto written =
      backlog_.write([&store](auto rows, auto uses) { return store.record_usage(rows, uses); });
  backlog_waits_ = !backlog_.empty();
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
  if (const uint64_t lost = backlog_.lost_count(); lost != lost_told_) {
    metrics_.add(metrics::Counter::usage_requests_lost, lost - lost_told_);
    log_line(LogLevel::error, "usage_lost", {{"requests", lost - lost_told_}});
    lost_told_ = lost;
  }
}

}  // namespace flexd::app
