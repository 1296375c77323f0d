// result.hpp: the one way a function reports hostile or unlucky input.
//
// Result<T> carries a value or an error code. Broken invariants are not results: they are
// FLEXD_ASSERT (assert.hpp). What is odd but survivable is a counter and a rate-limited log line.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace flexd {

// Failure is a start-up or configuration failure: one line for a person, with the likely cause.
struct Failure {
  std::string message;
};

// Result holds a T or an E. It must be looked at.
template <typename T, typename E = Failure>
using Result = std::expected<T, E>;

// fail makes the error side of a Result from any error value.
template <typename E>
[[nodiscard]] constexpr std::unexpected<std::decay_t<E>> fail(E&& error) {
  return std::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

// fail_with makes the error side of a Result<T, Failure> from a message.
[[nodiscard]] inline std::unexpected<Failure> fail_with(std::string message) {
  return std::unexpected<Failure>(Failure{std::move(message)});
}

// discard says that a result is ignored on purpose, and why.
template <typename T>
constexpr void discard(T&& /*result*/, const char* /*why*/) {}

}  // namespace flexd
