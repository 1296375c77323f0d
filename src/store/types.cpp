#include "flexd/store/types.hpp"

#include <chrono>
#include <limits>

namespace flexd::store {
namespace {

// Counts are not negative, so that a sum can only leave int64 above: there it stays.
void add(int64_t& count, int64_t more) {
  if (__builtin_add_overflow(count, more, &count)) count = std::numeric_limits<int64_t>::max();
}

std::chrono::sys_days days_of(int64_t unix_s) {
  return std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds(std::chrono::seconds(unix_s)));
}

}  // namespace

UsageCounts& UsageCounts::operator+=(const UsageCounts& other) {
  add(requests, other.requests);
  add(errors, other.errors);
  add(client_closed, other.client_closed);
  add(input_tokens, other.input_tokens);
  add(cached_tokens, other.cached_tokens);
  add(cache_write_tokens, other.cache_write_tokens);
  add(output_tokens, other.output_tokens);
  add(reasoning_tokens, other.reasoning_tokens);
  add(unpriced, other.unpriced);
  add(cost_nanos, other.cost_nanos);
  add(standard_nanos, other.standard_nanos);
  add(possible_double_bills, other.possible_double_bills);
  add(drawn_nanos, other.drawn_nanos);
  return *this;
}

std::string associated_data(std::string_view organization_id, std::string_view provider,
                            std::string_view secret_id) {
  // A line each: none of the three has a line end in it, so that no two triples give one text.
  std::string text;
  text.reserve(organization_id.size() + provider.size() + secret_id.size() + 2);
  text.append(organization_id).append("\n").append(provider).append("\n").append(secret_id);
  return text;
}

int32_t month_of(int64_t unix_s) {
  const std::chrono::year_month_day date(days_of(unix_s));
  return static_cast<int>(date.year()) * 12 +
         static_cast<int>(static_cast<unsigned>(date.month())) - 1;
}

int32_t day_of(int64_t unix_s) {
  return static_cast<int32_t>(days_of(unix_s).time_since_epoch().count());
}

}  // namespace flexd::store
