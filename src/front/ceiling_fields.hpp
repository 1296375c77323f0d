// ceiling_fields.hpp: the fields that tell a caller how far its key is from its ceiling.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "flexd/account/limits.hpp"
#include "flexd/base/result.hpp"
#include "flexd/http/message.hpp"

namespace flexd::front {

// CeilingFields are limit, remaining and reset (Unix seconds) of the key's requests per minute. On
// answers of flexd's own they have OpenAI's names (x-ratelimit-limit-requests,
// https://platform.openai.com/docs/guides/rate-limits), which there are nobody else's; beside a
// provider's answer they keep out of the way of the provider's (x-flexinference-ratelimit-…).
class CeilingFields {
 public:
  CeilingFields(uint32_t limit, const account::Window& window)
      : limit_(limit), remaining_(window.remaining), reset_(window.resets_at_s) {}
  CeilingFields(const CeilingFields&) = delete;
  CeilingFields& operator=(const CeilingFields&) = delete;

  // push appends the fields; they are valid as long as this object.
  void push(bool beside_provider, http::FieldList& out) const {
    constexpr std::array<std::string_view, 3> kOwn = {"x-ratelimit-limit-requests",
                                                      "x-ratelimit-remaining-requests",
                                                      "x-ratelimit-reset-requests"};
    constexpr std::array<std::string_view, 3> kBeside = {
        "x-flexinference-ratelimit-limit-requests", "x-flexinference-ratelimit-remaining-requests",
        "x-flexinference-ratelimit-reset-requests"};
    const auto& names = beside_provider ? kBeside : kOwn;
    discard(out.push(names[0], limit_.view()), "far below the list's bound");
    discard(out.push(names[1], remaining_.view()), "far below the list's bound");
    discard(out.push(names[2], reset_.view()), "far below the list's bound");
  }

 private:
  // Text is a number in decimal.
  class Text {
   public:
    explicit Text(uint64_t number) {
      const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), number);
      size_ = static_cast<size_t>(end.ptr - digits_.data());
    }
    std::string_view view() const { return {digits_.data(), size_}; }

   private:
    std::array<char, 20> digits_;
    size_t size_ = 0;
  };

  Text limit_;
  Text remaining_;
  Text reset_;
};

}  // namespace flexd::front
