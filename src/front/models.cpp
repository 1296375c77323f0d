#include "models.hpp"

#include <algorithm>

#include "flexd/account/gates.hpp"
#include "flexd/base/ascii.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/json/writer.hpp"

namespace flexd::front {
namespace {

// BufferSink appends to a buffer until that has no room.
class BufferSink {
 public:
  explicit BufferSink(Buffer& out) : out_(out) {}
  void append(std::string_view text) { good_ = good_ && out_.append(text); }
  bool good() const { return good_; }

 private:
  Buffer& out_;
  bool good_ = true;
};

using Writer = json::Writer<BufferSink>;

// is_exact: an entry of a key's list that is the name of a model.
bool is_exact(std::string_view entry) {
  return !entry.ends_with('*');
}

// write_tiers lists the provider's words for the tiers that start_within can reach.
void write_tiers(Writer& writer, errors::Provider provider, bool has_flex) {
  using enum surface::Tier;
  writer.begin_array();
  std::string_view last;
  for (const surface::Tier tier : {flex, standard, priority, automatic}) {
    const std::string_view word = surface::tier_word(provider, tier);
    // Anthropic's priority and automatic are one.
    if (word.empty() || word == last || (tier == flex && !has_flex)) continue;
    writer.string(word);
    last = word;
  }
  writer.end_array();
}

void write_entry(Writer& writer, std::string_view model, bool has_flex) {
  const errors::Provider provider = errors::provider_of(model);
  const std::string_view word = errors::provider_word(provider);
  writer.begin_object().key("id").string(model).key("object").string("model");
  writer.key("created").integer(kModelCreatedS).key("owned_by").string(word);
  writer.key("type").string("model").key("display_name").string(model);
  writer.key("created_at").string(kModelCreatedAt);
  writer.key("flexinference").begin_object().key("flex_race").boolean(has_flex).key("tiers");
  write_tiers(writer, provider, has_flex);
  writer.key("providers").begin_array().string(word).end_array().end_object().end_object();
}

// for_each calls `visit` with each model of the catalog, the flex list and the store's merged by
// name, then the key's own.
template <typename Visit>
void for_each(const ModelCatalog& catalog, Visit visit) {
  const auto& flex = catalog.flex_models.names();
  const auto stored = catalog.snapshot.models();
  auto next_flex = flex.begin();
  auto next_stored = stored.begin();
  const auto offer = [&](std::string_view model) {
    if (account::allows_model(catalog.key, model)) visit(model);
  };
  while (next_flex != flex.end() || next_stored != stored.end()) {
    if (next_stored == stored.end() ||
        (next_flex != flex.end() && *next_flex < next_stored->name)) {
      offer(*next_flex++);
      continue;
    }
    if (next_flex != flex.end() && *next_flex == next_stored->name) ++next_flex;
    offer((next_stored++)->name);
  }
  for (const std::string_view model : catalog.key.models) {
    if (!is_exact(model) || catalog.flex_models.has(model)) continue;
    if (catalog.snapshot.model(model) == nullptr) visit(model);
  }
}

}  // namespace

bool ModelCatalog::has(std::string_view model) const {
  // A pattern on the key's list is no model's name.
  if (model.empty() || !is_exact(model) || !account::allows_model(key, model)) return false;
  return flex_models.has(model) || snapshot.model(model) != nullptr ||
         std::ranges::find(key.models, model) != key.models.end();
}

std::string_view decode_model_name(std::string_view escaped, std::span<char, kModelNameMax> space) {
  size_t size = 0;
  while (!escaped.empty()) {
    char byte = escaped.front();
    if (byte == '%') {
      if (escaped.size() < 3) return {};
      const int high = hex_value(escaped[1]);
      const int low = hex_value(escaped[2]);
      if (high < 0 || low < 0) return {};
      byte = static_cast<char>(high * 16 + low);
      escaped.remove_prefix(2);
    }
    escaped.remove_prefix(1);
    if (size == space.size()) return {};
    space[size++] = byte;
  }
  return {space.data(), size};
}

bool write_model_list(const ModelCatalog& catalog, Buffer& out) {
  BufferSink sink(out);
  Writer writer(sink);
  writer.begin_object().key("object").string("list").key("data").begin_array();
  std::string_view first;
  std::string_view last;
  size_t count = 0;
  for_each(catalog, [&](std::string_view model) {
    if (count == kModelsListedMax) return;
    if (count++ == 0) first = model;
    last = model;
    write_entry(writer, model, catalog.flex_models.has(model));
  });
  writer.end_array().key("has_more").boolean(false);
  if (count == 0) {
    writer.key("first_id").null().key("last_id").null();
  } else {
    writer.key("first_id").string(first).key("last_id").string(last);
  }
  writer.end_object();
  return sink.good();
}

bool write_model(std::string_view model, const surface::FlexModels& flex_models, Buffer& out) {
  BufferSink sink(out);
  Writer writer(sink);
  write_entry(writer, model, flex_models.has(model));
  return sink.good();
}

}  // namespace flexd::front
