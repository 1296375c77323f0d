#include "answer_writer.hpp"

#include "flexd/base/ascii.hpp"

namespace flexd::flexsim {

std::unique_ptr<AnswerWriter> make_writer(Vendor vendor) {
  switch (vendor) {
    case Vendor::openai:
      return make_openai_writer();
    case Vendor::gemini:
      return make_gemini_writer();
    case Vendor::anthropic:
      return make_anthropic_writer();
  }
  return nullptr;
}

void keepalive_event(Vendor vendor, std::string& out, uint64_t sequence) {
  switch (vendor) {
    case Vendor::openai:
      out.append("event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":");
      out.append(DecimalText(sequence).view()).append("}\n\n");
      return;
    case Vendor::gemini:
      out.append(": keepalive\n\n");
      return;
    case Vendor::anthropic:
      out.append("event: ping\ndata: {\"type\":\"ping\"}\n\n");
      return;
  }
}

std::string_view vendor_code(Vendor vendor, std::string_view code) {
  struct Row {
    std::string_view openai;
    std::string_view gemini;
    std::string_view anthropic;
  };
  constexpr Row kCodes[] = {
      {"server_error", "internal", "api_error"},
      {"flex_unavailable", "unavailable", "overloaded_error"},
      {"rate_limit_exceeded", "resource_exhausted", "rate_limit_error"},
      {"insufficient_quota", "resource_exhausted", "rate_limit_error"},
      {"invalid_request_error", "invalid_request", "invalid_request_error"},
      {"invalid_prompt", "invalid_request", "invalid_request_error"},
  };
  if (code.empty()) code = kCodes[0].openai;
  if (vendor == Vendor::openai) return code;
  for (const Row& row : kCodes) {
    if (row.openai == code) return vendor == Vendor::gemini ? row.gemini : row.anthropic;
  }
  return code;
}

}  // namespace flexd::flexsim
