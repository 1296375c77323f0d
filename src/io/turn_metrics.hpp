// turn_metrics.hpp: a reactor's counters, put into its core's metrics once a turn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flexd/io/reactor.hpp"

namespace flexd::io {

class TurnMetrics {
 public:
  // Gauges are what stands beside ReactorStats at the end of a turn; the first two only grow.
  struct Gauges {
    uint64_t system_calls;
    uint64_t timers_fired;
    size_t timers_set;
    size_t block_bytes_in_use;
    size_t block_bytes_budget;
    uint64_t block_system_takes;
    uint64_t turn_ns;  // from the end of the wait
  };
  // publish adds what the counters grew by since the last call.
  void publish(metrics::Core& core, const ReactorStats& stats, const Gauges& gauges);

 private:
  ReactorStats told_;
  uint64_t system_calls_told_ = 0;
  uint64_t timers_fired_told_ = 0;
};

}  // namespace flexd::io
