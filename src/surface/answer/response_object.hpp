// response_object.hpp: writes a response object (https://platform.openai.com/docs/api-reference/
// responses/object), as events of a stream carry it and as the answer of a call without one.
//
// The parts of the request that a response repeats stand as they came, the API's defaults where the
// request has none. Nothing is stored, so that `store` is false, and when an answer was done is not
// known here, so that completed_at is null.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "flexd/surface/answer.hpp"
#include "writing.hpp"

namespace flexd::surface {

// ResponseObject is what is told of a response. All texts are raw JSON.
struct ResponseObject {
  std::string_view id;
  std::string_view model;
  uint64_t created_at_s = 0;
  std::string_view status = "in_progress";
  std::string_view incomplete_details = "null";
  std::string_view service_tier{};         // empty: null
  std::string_view items{};                // of the output, with commas between
  const Usage* usage = nullptr;            // of one that has ended well
  const AnswerFailure* failure = nullptr;  // of one that has failed
};

// RequestEcho is what a response repeats of its request.
class RequestEcho {
 public:
  // `request` is the request's body, good JSON; it outlives the echo.
  explicit RequestEcho(std::string_view request);
  // write writes members, each with a comma before it, on one line.
  void write(WholeSink& sink) const;

 private:
  static constexpr size_t kCount = 15;

  std::array<json::Value, kCount> found_;
};

void write_response(WholeSink& sink, const ResponseObject& response, const RequestEcho& echo);

}  // namespace flexd::surface
