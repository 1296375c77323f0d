// vendor_events.hpp: the same short answer in each provider's own events, for plays that need every
// byte and its time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "provider.hpp"

namespace flexd::sim_test {

// VendorEvents writes one answer's events, in order.
//
//   opening   comes at once and proves nothing
//   start     the first proof of work: the text part is open
//   delta     a piece of the text
//   finish    everything from the text's end on, with the terminal event
class VendorEvents {
 public:
  explicit VendorEvents(Vendor provider, std::string_view tier = "standard",
                        std::string_view id = "01");

  std::string opening();
  std::string start();
  std::string delta(std::string_view text);
  std::string finish();
  // failure ends the stream with the provider's own error event.
  std::string failure();
  // silence is an event without meaning: a keepalive, at Gemini a comment, at Anthropic a ping.
  std::string silence();
  // begun is opening, start and one delta ("Hi"); whole is all.
  std::string begun() {
    std::string text = opening();
    text += start();
    return text += delta("Hi");
  }
  std::string whole() {
    std::string text = begun();
    return text += finish();
  }
  // failure_object is the error inside of failure's event.
  std::string failure_object() const;
  // object is the answer to a request without `stream`, with the text "Hi".
  std::string object() const;
  // id is the answer's own.
  std::string id() const { return id_; }

 private:
  std::string event(std::string_view name, std::string_view members);
  std::string response(std::string_view status, std::string_view output) const;
  std::string interaction(std::string_view status, std::string_view members) const;

  Vendor provider_;
  std::string tier_;
  std::string id_;
  std::string text_;
  uint64_t sequence_ = 0;
};

}  // namespace flexd::sim_test
