// checks.hpp: which parameters of each dialect are refused, and the values that change nothing.
//
// Refused is what has no equivalent at OpenAI's Responses, on which the FlexInference API rests, so
// that a request means the same whichever model it names. --native-parameters relaxes this for a
// dialect's own provider. Each check reports the first fault it comes to, in the order of the codes
// unsupported_value, unsupported_parameter, unsupported_generation_config, missing_max_tokens.
#pragma once

#include <optional>

#include "flexd/surface/request.hpp"
#include "neutral.hpp"

namespace flexd::surface {

// The lists of the dialects: their own members begin at kFirstOwn.
#define FLEXD_COMMON_FIELDS                                                                        \
  "model", "start_within", "service_tier", "stream", "provider", "retry", "include_cost", "cache", \
      "pii_mask", "moderate", "trace_storage", "background"

enum ResponsesField : uint8_t { kConversation = kFirstOwn, kMaxOutputTokens };
inline constexpr json::Names kResponsesFields = {FLEXD_COMMON_FIELDS,
                                                 "conversation",
                                                 "max_output_tokens",
                                                 "input",
                                                 "instructions",
                                                 "tools",
                                                 "tool_choice",
                                                 "text",
                                                 "reasoning",
                                                 "temperature",
                                                 "top_p",
                                                 "parallel_tool_calls",
                                                 "previous_response_id",
                                                 "prompt",
                                                 "include",
                                                 "store",
                                                 "metadata",
                                                 "truncation",
                                                 "user",
                                                 "safety_identifier",
                                                 "top_logprobs"};

// From kFirstRefused on, kRefusedCount fields are refused where they are set.
enum ChatField : uint8_t {
  kMaxCompletionTokens = kFirstOwn,
  kChatMaxTokens,
  kN,
  kFirstRefused,
  kPresencePenalty = kFirstRefused,
  kFrequencyPenalty,
  kLogitBias,
  kLogprobs,
  kTopLogprobs,
  kSeed,
  kStop,
  kPrediction,
  kAudio,
  kModalities,
  kWebSearchOptions,
  kEndRefused,
};
inline constexpr json::Names kChatFields = {FLEXD_COMMON_FIELDS,
                                            "max_completion_tokens",
                                            "max_tokens",
                                            "n",
                                            "presence_penalty",
                                            "frequency_penalty",
                                            "logit_bias",
                                            "logprobs",
                                            "top_logprobs",
                                            "seed",
                                            "stop",
                                            "prediction",
                                            "audio",
                                            "modalities",
                                            "web_search_options",
                                            "messages",
                                            "tools",
                                            "tool_choice",
                                            "response_format",
                                            "temperature",
                                            "top_p"};

enum InteractionsField : uint8_t { kGenerationConfig = kFirstOwn };
inline constexpr json::Names kInteractionsFields = {FLEXD_COMMON_FIELDS,
                                                    "generation_config",
                                                    "input",
                                                    "system_instruction",
                                                    "tools",
                                                    "response_format",
                                                    "response_mime_type",
                                                    "response_modalities",
                                                    "store",
                                                    "previous_interaction_id",
                                                    "labels",
                                                    "safety_settings",
                                                    "cached_content",
                                                    "continuation_token",
                                                    "agent",
                                                    "agent_config",
                                                    "environment",
                                                    "webhook_config"};

enum MessagesField : uint8_t {
  kMessagesMaxTokens = kFirstOwn,
  kTopK,
  kStopSequences,
  kCacheControl,
  kSystem,
  kMessages,
  kTools,
};
inline constexpr json::Names kMessagesFields = {
    FLEXD_COMMON_FIELDS,  "max_tokens",    "top_k",
    "stop_sequences",     "cache_control", "system",
    "messages",           "tools",         "tool_choice",
    "temperature",        "top_p",         "metadata",
    "thinking",           "output_config", "speed",
    "inference_geo",      "container",     "mcp_servers",
    "context_management", "diagnostics"};
#undef FLEXD_COMMON_FIELDS

using Refusal = std::optional<errors::Error>;

// check_n: unsupported_value of Chat.
Refusal check_n(const RequestFacts& facts);
// The parameters of a dialect. `native` is RequestRules::native_parameters.
Refusal check_chat(const RequestFacts& facts);
Refusal check_interactions(const RequestFacts& facts, bool native);
// check_messages uses facts.param_space.
Refusal check_messages(RequestFacts& facts, bool native);

}  // namespace flexd::surface
