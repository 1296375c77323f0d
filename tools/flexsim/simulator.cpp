#include "simulator.hpp"

#include <algorithm>

namespace flexd::flexsim {
namespace {

// kTriesMax bounds the memory of requests that come several times.
constexpr size_t kTriesMax = 65'536;

}  // namespace

Simulator::Simulator(SimulatorOptions options) : options_(std::move(options)) {
  for (size_t i = 0; i < options_.workers; i++) {
    ledgers_.push_back(std::make_unique<Ledger>(i, options_.workers));
  }
}

Result<std::unique_ptr<Simulator>> Simulator::create(SimulatorOptions options) {
  std::unique_ptr<Simulator> made(new Simulator(std::move(options)));
  const auto authority =
      tls::make_identity({.common_name = "flexsim authority", .is_authority = true}, nullptr);
  if (!authority) return fail(authority.error());
  auto leaf = tls::make_identity({.common_name = "localhost",
                                  .dns_names = {"localhost"},
                                  .ip_addresses = {"127.0.0.1", "::1"}},
                                 &*authority);
  if (!leaf) return fail(leaf.error());
  made->authority_pem_ = authority->certificate_pem;
  made->identity_ = std::move(*leaf);
  return made;
}

Report Simulator::report() const {
  Report report;
  for (const auto& ledger : ledgers_) ledger->add_to(report);
  std::stable_sort(report.records.begin(), report.records.end(),
                   [](const Record& a, const Record& b) { return a.arrival_ns < b.arrival_ns; });
  if (report.records.size() > kRecordsMax) {
    const size_t surplus = report.records.size() - kRecordsMax;
    report.records.erase(report.records.begin(),
                         report.records.begin() + static_cast<std::ptrdiff_t>(surplus));
  }
  return report;
}

void Simulator::reset() {
  for (const auto& ledger : ledgers_) ledger->reset();
  const std::lock_guard<std::mutex> lock(tries_mutex_);
  tries_.clear();
}

uint32_t Simulator::count_try(uint64_t key) {
  const std::lock_guard<std::mutex> lock(tries_mutex_);
  if (tries_.size() >= kTriesMax) tries_.clear();
  return ++tries_[key];
}

}  // namespace flexd::flexsim
