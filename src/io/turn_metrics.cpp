#include "turn_metrics.hpp"

#include "flexd/metrics/core.hpp"

namespace flexd::io {

namespace {

using metrics::Counter;
using metrics::Gauge;

void grow(metrics::Core& core, Counter counter, uint64_t now, uint64_t told) {
  if (now != told) core.add(counter, now - told);
}

}  // namespace

void TurnMetrics::publish(metrics::Core& core, const ReactorStats& stats, const Gauges& gauges) {
  grow(core, Counter::turns, stats.turns, told_.turns);
  grow(core, Counter::system_calls, gauges.system_calls, system_calls_told_);
  grow(core, Counter::accepted_connections, stats.accepts, told_.accepts);
  grow(core, Counter::accept_errors, stats.accept_errors, told_.accept_errors);
  grow(core, Counter::receive_starved, stats.starvations, told_.starvations);
  grow(core, Counter::timers_fired, gauges.timers_fired, timers_fired_told_);
  grow(core, Counter::mail_dropped, stats.mail_dropped, told_.mail_dropped);
  for (size_t side = 0; side < stats.received_bytes.size(); side++) {
    const metrics::Series series = metrics::at(side);
    core.add(Counter::received_bytes, series,
             stats.received_bytes[side] - told_.received_bytes[side]);
    core.add(Counter::sent_bytes, series, stats.sent_bytes[side] - told_.sent_bytes[side]);
    core.add(Counter::reader_pauses, series, stats.pauses[side] - told_.pauses[side]);
  }
  core.set(Gauge::timers_set, static_cast<int64_t>(gauges.timers_set));
  core.set(Gauge::block_bytes_in_use, static_cast<int64_t>(gauges.block_bytes_in_use));
  core.set(Gauge::block_bytes_budget, static_cast<int64_t>(gauges.block_bytes_budget));
  core.set(Gauge::block_system_takes, static_cast<int64_t>(gauges.block_system_takes));
  core.observe(metrics::Histogram::turn_duration, gauges.turn_ns);
  told_ = stats;
  system_calls_told_ = gauges.system_calls;
  timers_fired_told_ = gauges.timers_fired;
}

}  // namespace flexd::io
