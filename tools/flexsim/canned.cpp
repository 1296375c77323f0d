#include "canned.hpp"

#include <cstdint>

#include "answer_writer.hpp"
#include "flexd/base/ascii.hpp"
#include "flexd/base/assert.hpp"
#include "seal.hpp"

namespace flexd::flexsim {
namespace {

CannedAnswer plain_error(unsigned status, std::string_view code, std::string_view model,
                         Vendor vendor) {
  switch (vendor) {
    case Vendor::openai:
      return openai_error(status, code, model);
    case Vendor::gemini:
      return gemini_error(status, code, model);
    case Vendor::anthropic:
      return anthropic_error(status, code, model);
  }
  return {};
}

// refusal is a provider's answer when it has no capacity.
CannedAnswer refusal(const Scenario& scenario, std::string_view model, Vendor vendor) {
  switch (vendor) {
    case Vendor::openai:
      return openai_error(429, "flex_unavailable", model);
    case Vendor::gemini:
      if (scenario.number == 429) return gemini_error(429, "RESOURCE_EXHAUSTED", model);
      return gemini_error(503, "UNAVAILABLE", model);
    case Vendor::anthropic:
      return anthropic_error(529, "overloaded_error", model);
  }
  return {};
}

CannedAnswer html_error(unsigned status) {
  const DecimalText number(uint64_t{status});
  CannedAnswer answer{.status = status, .content_type = "text/html"};
  answer.body = "<html>\r\n<head><title>" + std::string(number.view()) +
                " Error</title></head>\r\n<body>\r\n<center><h1>" + std::string(number.view()) +
                " Error</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";
  return answer;
}

void little_endian(std::string& out, uint32_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) out += static_cast<char>((value >> (8 * i)) & 0xffU);
}

}  // namespace

std::string gzip_stored(std::string_view text) {
  FLEXD_ASSERT(text.size() <= 0xffff);
  std::string out("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01", 11);
  const auto size = static_cast<uint32_t>(text.size());
  little_endian(out, size, 2);
  little_endian(out, ~size, 2);
  out += text;
  little_endian(out, crc32(text), 4);
  little_endian(out, size, 4);
  return out;
}

CannedAnswer error_answer(const Scenario& scenario, std::string_view model, Vendor vendor) {
  if (scenario.kind == Kind::refuse) return refusal(scenario, model, vendor);
  if (scenario.kind == Kind::conversation_locked) {
    return plain_error(409, "conversation_locked", model, vendor);
  }
  const bool valid = scenario.number >= 400 && scenario.number <= 599;
  const unsigned status = valid ? static_cast<unsigned>(scenario.number) : 500;
  if (scenario.kind == Kind::error_html) return html_error(status);
  CannedAnswer answer = plain_error(status, scenario.word, model, vendor);
  if (scenario.kind == Kind::error_empty) {
    answer.content_type = {};
    answer.body.clear();
  } else if (scenario.kind == Kind::error_gzip) {
    answer.content_encoding = "gzip";
    answer.body = gzip_stored(answer.body);
  } else if (scenario.kind == Kind::error_big) {
    constexpr std::string_view kEnd = "\n";
    answer.body += std::string(kBigErrorBytes - answer.body.size() - kEnd.size(), ' ');
    answer.body += kEnd;
  } else if (scenario.kind == Kind::error_badjson) {
    answer.body.resize(answer.body.size() / 2);
  }
  return answer;
}

CannedAnswer failure_answer(std::string_view code, std::string_view model, Vendor vendor) {
  const std::string_view word = vendor_code(vendor, code);
  if (code == "rate_limit_exceeded") return plain_error(429, word, model, vendor);
  if (code != "flex_unavailable") return plain_error(500, word, model, vendor);
  constexpr unsigned kCapacity[kVendors] = {429, 503, 529};
  return plain_error(kCapacity[static_cast<size_t>(vendor)], word, model, vendor);
}

CannedAnswer problem_answer(const Problem& problem, Vendor vendor) {
  switch (vendor) {
    case Vendor::openai:
      return openai_problem(problem);
    case Vendor::gemini:
      return gemini_problem(problem);
    case Vendor::anthropic:
      return anthropic_problem(problem);
  }
  return {};
}

}  // namespace flexd::flexsim
