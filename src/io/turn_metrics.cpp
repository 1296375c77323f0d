#include "turn_metrics.hpp"

#include "flexd/metrics/core.hpp"

namespace flexd::io {

namespace {

using metrics::Counter;
using metrics::Gauge;

template <Counter kCounter>
void grow(metrics::Core& core, uint64_t now, uint64_t told) {
  if (now != told) core.add(kCounter, now - told);
}

}  // namespace

void TurnMetrics::publish(metrics::Core& core, const ReactorStats& stats, const Gauges& gauges) {
  grow<Counter::turns>(core, stats.turns, told_.turns);
  grow<Counter::system_calls>(core, gauges.system_calls, system_calls_told_);
  grow<Counter::accepted_connections>(core, stats.accepts, told_.accepts);
  grow<Counter::accept_errors>(core, stats.accept_errors, told_.accept_errors);
  grow<Counter::receive_starved>(core, stats.starvations, told_.starvations);
  grow<Counter::timers_fired>(core, gauges.timers_fired, timers_fired_told_);
  grow<Counter::mail_dropped>(core, stats.mail_dropped, told_.mail_dropped);
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
