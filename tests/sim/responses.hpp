// responses.hpp: request bodies and event streams of OpenAI's Responses API, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flexd::sim_test {

// body is a request; `members` come first, the input last.
inline std::string body(std::string_view members, std::string_view input = "Hello") {
  return R"({"model":"gpt-5.4",)" + std::string(members) + (members.empty() ? "" : ",") +
         R"("input":")" + std::string(input) + "\"}";
}

// race_body is a request that races for `seconds`.
inline std::string race_body(unsigned seconds, bool stream, std::string_view input = "Hello") {
  const std::string digits = std::to_string(seconds % 60);
  const std::string minutes = std::to_string(seconds / 60);
  return body(R"("start_within":"00h-)" + std::string(2 - minutes.size(), '0') + minutes + "m-" +
                  std::string(2 - digits.size(), '0') + digits + "s\"" +
                  (stream ? R"(,"stream":true)" : ""),
              input);
}

// difference tells where two texts part, or nothing if they are the same.
inline std::string difference(std::string_view actual, std::string_view expected) {
  if (actual == expected) return "";
  size_t at = 0;
  while (at < actual.size() && at < expected.size() && actual[at] == expected[at]) ++at;
  return "sizes " + std::to_string(actual.size()) + " and " + std::to_string(expected.size()) +
         ", at " + std::to_string(at) + ": " + std::string(actual.substr(at, 200)) +
         "\ninstead of: " + std::string(expected.substr(at, 200));
}

// Events writes the events of one answer, numbered.
class Events {
 public:
  explicit Events(std::string_view tier, std::string_view id = "resp_01") : tier_(tier), id_(id) {}

  // response is the response object.
  std::string response(std::string_view status, std::string_view extra = "") const {
    return R"({"id":")" + id_ + R"(","object":"response","created_at":1800000000,"status":")" +
           std::string(status) + R"(","model":"gpt-5.4","service_tier":")" + tier_ + "\"" +
           std::string(extra) + "}";
  }
  std::string created() { return with_response("response.created", "in_progress"); }
  std::string queued() { return with_response("response.queued", "queued"); }
  std::string in_progress() { return with_response("response.in_progress", "in_progress"); }
  std::string keepalive() { return event("keepalive", ""); }
  std::string item() {
    return event("response.output_item.added",
                 R"(,"output_index":0,"item":{"id":"msg_01","type":"message"})");
  }
  std::string delta(std::string_view text) {
    return event("response.output_text.delta",
                 R"(,"item_id":"msg_01","delta":")" + std::string(text) + "\"");
  }
  // final_object is the response object inside `completed`.
  std::string final_object() const {
    return response("completed",
                    R"(, "output":[ {"type":"message","content":[{"type":"output_text",)"
                    R"("text":"Hi \u00e9"}]}],"usage":{"input_tokens":7,"output_tokens":3,)"
                    R"("total_tokens":10}, "big":12345678901234567890.10)");
  }
  std::string completed() { return event("response.completed", ",\"response\":" + final_object()); }
  std::string failed(std::string_view error) {
    return event("response.failed",
                 ",\"response\":" + response("failed", ",\"error\":" + std::string(error)));
  }
  std::string event(std::string_view name, std::string_view members) {
    return "event: " + std::string(name) + "\ndata: {\"type\":\"" + std::string(name) +
           "\",\"sequence_number\":" + std::to_string(sequence_++) + std::string(members) + "}\n\n";
  }
  uint64_t sequence() const { return sequence_; }

  // opening is what comes at once and proves nothing; start is the beginning of the answer.
  std::string opening() {
    std::string text = created();
    return text += in_progress();
  }
  std::string waiting() {
    std::string text = created();
    return text += queued();
  }
  std::string start() {
    std::string text = item();
    return text += delta("Hi");
  }
  // begun is an answer that has begun, whole a whole one.
  std::string begun() {
    std::string text = opening();
    return text += start();
  }
  std::string whole() {
    std::string text = begun();
    return text += completed();
  }

 private:
  std::string with_response(std::string_view name, std::string_view status) {
    return event(name, ",\"response\":" + response(status));
  }
  std::string tier_;
  std::string id_;
  uint64_t sequence_ = 0;
};

}  // namespace flexd::sim_test
