// dialect.hpp: the wire formats a caller may speak, and the providers behind the gateway.
//
// They live in the lowest area that has to tell them apart: an error is worded for a dialect and
// for a provider before anything else is known of a request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flexd::errors {

// Dialect is the API whose requests, answers and errors a caller understands.
enum class Dialect : uint8_t {
  responses,     // OpenAI POST /v1/responses; also what unknown paths and GET /v1/models get
  chat,          // OpenAI POST /v1/chat/completions
  interactions,  // Gemini POST /v1/interactions, /v1beta/interactions
  messages,      // Anthropic POST /v1/messages
};
inline constexpr size_t kDialectCount = 4;

// Provider is who runs the model. The name of the model decides.
enum class Provider : uint8_t { openai, gemini, anthropic };
inline constexpr size_t kProviderCount = 3;

// provider_word is the provider as headers, logs and metrics spell it.
constexpr std::string_view provider_word(Provider provider) {
  switch (provider) {
    case Provider::openai:
      return "openai";
    case Provider::gemini:
      return "gemini";
    case Provider::anthropic:
      return "anthropic";
  }
  return "";
}

// provider_name is the provider as a sentence spells it.
constexpr std::string_view provider_name(Provider provider) {
  switch (provider) {
    case Provider::openai:
      return "OpenAI";
    case Provider::gemini:
      return "Gemini";
    case Provider::anthropic:
      return "Anthropic";
  }
  return "";
}

// provider_of picks the provider by the name of a model: gemini-* and claude-* are Google's and
// Anthropic's, everything else is OpenAI's.
constexpr Provider provider_of(std::string_view model) {
  if (model.starts_with("gemini-")) return Provider::gemini;
  if (model.starts_with("claude-")) return Provider::anthropic;
  return Provider::openai;
}

// is_own_dialect: `dialect` is the language that `provider` itself speaks, so that a request needs
// no translation. Chat is nobody's: OpenAI is spoken to in Responses.
constexpr bool is_own_dialect(Dialect dialect, Provider provider) {
  switch (provider) {
    case Provider::openai:
      return dialect == Dialect::responses;
    case Provider::gemini:
      return dialect == Dialect::interactions;
    case Provider::anthropic:
      return dialect == Dialect::messages;
  }
  return false;
}

}  // namespace flexd::errors
