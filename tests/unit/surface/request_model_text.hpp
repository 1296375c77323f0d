// request_model_text.hpp: a request model as text, one line an item and one for each further part,
// for tests to compare.
//
//   user: text "hi"
//     | image base64 image/png AAAA detail "low"
//   call "f" id "c1" arguments "{}"
//   result id "c1" error: text "no"
//   thought blob "gw1.x": text "hm"
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "flexd/json/path.hpp"
#include "readers.hpp"

namespace flexd::surface {

inline std::string part_text(const Part& part) {
  static constexpr std::array<std::string_view, 6> kKinds = {"text",  "refusal", "json",
                                                             "image", "file",    "audio"};
  static constexpr std::array<std::string_view, 5> kSources = {"none", "base64", "url", "file_id",
                                                               "plain"};
  std::string out(kKinds[static_cast<size_t>(part.kind)]);
  if (part.content.exists()) out += " " + std::string(part.content.text);
  if (part.source != Part::Source::none) {
    out += " " + std::string(kSources[static_cast<size_t>(part.source)]);
    if (!part.media_type.empty()) out += " " + std::string(part.media_type);
    out += " " + std::string(part.data);
  }
  if (part.filename.exists()) out += " name " + std::string(part.filename.text);
  if (part.detail.exists()) out += " detail " + std::string(part.detail.text);
  return out;
}

inline std::string item_text(const RequestModel& model, const Item& item) {
  static constexpr std::array<std::string_view, 3> kRoles = {"user", "assistant", "system"};
  std::string out;
  switch (item.kind) {
    case Item::Kind::message:
      out = kRoles[static_cast<size_t>(item.role)];
      break;
    case Item::Kind::call:
      out = "call";
      break;
    case Item::Kind::result:
      out = "result";
      break;
    case Item::Kind::reasoning:
      out = "thought";
      break;
  }
  if (item.name.exists()) out += " " + std::string(item.name.text);
  if (item.call_id.exists()) out += " id " + std::string(item.call_id.text);
  if (item.call != kNoItem) out += " of item " + std::to_string(item.call);
  if (item.arguments.exists()) out += " arguments " + std::string(item.arguments.text);
  if (item.blob.exists()) out += " blob " + std::string(item.blob.text);
  if (item.is_error) out += " error";
  std::string_view between = ": ";
  for (const Part& part : model.parts_of(item)) {
    out += std::string(between) + part_text(part);
    between = "\n  | ";
  }
  return out;
}

inline std::string items_text(const RequestModel& model) {
  std::string out;
  for (const Item& item : model.items.items()) out += item_text(model, item) + "\n";
  return out;
}

using Read = Result<void, Fault> (*)(json::Value body, const ReadOptions& options,
                                     RequestModel& model);

inline Read reader_of(errors::Dialect dialect) {
  static constexpr std::array<Read, errors::kDialectCount> kReaders = {
      read_responses, read_chat, read_interactions, read_messages};
  return kReaders[static_cast<size_t>(dialect)];
}

// Reading is one body read; it holds what its views point into.
struct Reading {
  std::string body;
  std::unique_ptr<BlockPool> pool;
  std::unique_ptr<RequestModel> model;
  Result<void, Fault> result;

  // items is the model, or the fault as `code at path (detail)`.
  std::string items() const { return result ? items_text(*model) : fault(); }
  std::string fault() const {
    if (result) return "none";
    const Fault& found = result.error();
    std::array<char, 256> space;
    std::string out(errors::row(found.code).name);
    out += " " + std::string(found.at.empty() ? found.param
                                              : json::path_of(body, found.at.data(), space));
    if (!found.detail.empty()) out += " (" + std::string(found.detail) + ")";
    return out;
  }
  // path is where the fault is, after its code.
  std::string path() const {
    const std::string text = fault();
    return text.substr(0, text.find(" ("));
  }
};

inline Reading read_body(errors::Dialect dialect, std::string body, const ReadOptions& options,
                         size_t budget_bytes = size_t{64} << 20U) {
  Reading reading{.body = std::move(body),
                  .pool = std::make_unique<BlockPool>(budget_bytes),
                  .model = nullptr,
                  .result = {}};
  reading.model = std::make_unique<RequestModel>(*reading.pool);
  reading.result = reader_of(dialect)(json::Value::value_in(reading.body), options, *reading.model);
  return reading;
}

}  // namespace flexd::surface
