// models.hpp: what GET /v1/models answers, in the form of OpenAI's list and of Anthropic's at once.
//
// A gateway knows the models that its operator named: those on the flex list, those of which the
// store says something (flexctl model set), and the exact names on the caller's key's own list. It
// does not know all that its providers have, so that a model may run though it is not listed.
// Listed is what the key may use, whether or not its organization has a key of the provider now:
// that one comes and goes, and a request without it is told so.
//
// Each entry has the fields of both vendors' model objects:
// https://platform.openai.com/docs/api-reference/models/object
// https://docs.claude.com/en/api/models-list
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "flexd/account/snapshot.hpp"
#include "flexd/base/buffer.hpp"
#include "flexd/surface/provider.hpp"

namespace flexd::front {

// kModelsListedMax bounds the list. Models beyond it are found by name all the same. An entry is of
// names of at most 128 bytes, each of which may need six in JSON, five times: under 5 KB, and about
// 350 bytes in life.
inline constexpr size_t kModelsListedMax = 1'000;
// kModelNameMax bounds a name in a path; no model has a longer one.
inline constexpr size_t kModelNameMax = 128;
// kModelCreatedS is `created` of each model, in Unix seconds: the epoch, which says "unknown" in
// Anthropic's API; nobody told the gateway when a model was made.
inline constexpr uint64_t kModelCreatedS = 0;
inline constexpr std::string_view kModelCreatedAt = "1970-01-01T00:00:00Z";

// ModelCatalog is what one caller's list is made of.
struct ModelCatalog {
  const surface::FlexModels& flex_models;
  const account::Snapshot& snapshot;
  const account::KeyRecord& key;

  // has tells if the model is known and the key may use it.
  bool has(std::string_view model) const;
};

// decode_model_name takes the percent-escapes out of a path segment (RFC 3986 2.1), into `space`.
// Empty if it is empty, too long or ill-formed: no model is called that.
std::string_view decode_model_name(std::string_view escaped, std::span<char, kModelNameMax> space);

// write_model_list and write_model append a JSON object; false if the pool has no room.
bool write_model_list(const ModelCatalog& catalog, Buffer& out);
bool write_model(std::string_view model, const surface::FlexModels& flex_models, Buffer& out);

}  // namespace flexd::front
