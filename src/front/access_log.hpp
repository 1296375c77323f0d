// access_log.hpp: one line a request, in the operator's log, written off the worker.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/log.hpp"
#include "flexd/io/address.hpp"
#include "flexd/surface/events.hpp"

namespace flexd::front {

// AccessRecord is what is told of a request that has ended. It holds no secret and no text of the
// request or answer but the model's name. Empty views and zero times are left out.
struct AccessRecord {
  std::string_view request_id;
  io::Address client;
  std::string_view path;
  unsigned status = 0;
  std::string_view outcome;
  std::string_view code;  // of an error of flexd's own
  std::string_view key_id;
  std::string_view organization;
  std::string_view model;
  std::string_view routing_reason;
  std::string_view provider;
  std::string_view tier;           // as asked for
  std::string_view reported_tier;  // as the provider says
  std::string_view flex_loss;      // why the flex attempt of a race did not answer
  std::string_view upstream_request_id;
  bool stream = false;
  uint32_t retry_count = 0;  // of the caller's SDK
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t duration_ns = 0;    // from the head to the end of the answer
  uint64_t start_ns = 0;       // from the whole request to the proof that work has begun
  uint64_t first_byte_ns = 0;  // from the head to the first byte of the answer
  surface::Usage usage;
};

// write_access_line writes the line; a full log ring drops and counts it.
void write_access_line(Log& log, uint64_t unix_ms, const AccessRecord& record);

}  // namespace flexd::front
