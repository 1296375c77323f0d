// request_reader.hpp: what the four readers of requests are made of.
//
// A reader is a class whose functions say false at the first fault; read_with hands it out. All of
// them take absent values, which are good unless a function says otherwise, and null is absent.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "flexd/json/cursor.hpp"
#include "flexd/surface/request_model.hpp"
#include "readers.hpp"
#include "reading.hpp"

namespace flexd::surface {

// MayDrop says whether a member that is not on the list may be left out of the translation. It is
// never asked about null. `name` is empty if it is longer than any name of an API.
using MayDrop = bool (*)(std::string_view name, const json::Value& value);

// drop_none is for what the caller has written; drop_any for what an SDK replays of an earlier
// answer, with all that the answer had.
bool drop_none(std::string_view name, const json::Value& value);
bool drop_any(std::string_view name, const json::Value& value);
// is_own_field tells of a top-level name that it is not the provider's business: flexd's own
// fields, the tier, and those that only the splices write. check_request has judged them.
bool is_own_field(std::string_view name);

// effort_of reads a word such as "low"; nullopt for others. summary_of likewise "auto", "concise",
// "detailed".
std::optional<Effort> effort_of(const json::Value& word);
std::optional<Summary> summary_of(const json::Value& word);

class RequestReader {
 public:
  RequestReader(const ReadOptions& options, errors::Dialect dialect, RequestModel& model)
      : options_(options), model_(model) {
    model.dialect = dialect;
  }
  const Fault& fault() const { return fault_; }

 protected:
  // These three note the fault and are false.
  bool refuse(const json::Value& at);
  bool refuse_value(const json::Value& at, std::string_view expected);
  bool refuse_for_room();

  // elements walks a list, and member_of looks up a single member that may not be null.
  json::Elements elements(const json::Value& list) const {
    return json::Elements(list, options_.outline);
  }
  json::Value member_of(const json::Value& object, std::string_view name) const {
    return present(json::member_of(object, name, options_.outline));
  }
  json::Value type_of(const json::Value& object) const { return member_of(object, "type"); }

  // members looks up `names` in `object`, which must be one: found[i] is the member of that name,
  // absent if there is none or it is null. Two of one name are a fault, because receivers differ in
  // which they believe; others are faults unless may_drop says so.
  template <size_t kCount>
  bool members(const json::Value& object, const json::Names& names,
               std::array<json::Value, kCount>& found, MayDrop may_drop = drop_none) {
    FLEXD_ASSERT(names.size() == kCount);
    return find_members(object, names, found, may_drop);
  }

  // top_members is members for the body itself.
  template <size_t kCount>
  bool top_members(const json::Value& body, const json::Names& names,
                   std::array<json::Value, kCount>& found, MayDrop may_drop) {
    return take_noted(names, found, may_drop) || members(body, names, found, may_drop);
  }

  // wants is false if the value has another type; needs also if it is absent, and then names
  // `whole`.
  bool wants(const json::Value& value, json::Type type);
  bool needs(const json::Value& value, json::Type type, const json::Value& whole,
             std::string_view expected);
  // keep puts a value of the right type into the model.
  bool keep(const json::Value& value, json::Type type, json::Value& place);

  // An item's parts are pushed between begin and push_item.
  Item begin(Item::Kind kind, const json::Value& whole, Item::Role role = Item::Role::user) const;
  bool push_part(const Part& part);
  bool push_item(Item& item);
  // push_text is a message of one text.
  bool push_text(Item::Role role, const json::Value& string);
  // push_texts adds the texts of a list of {"type":type,"text":...} to the item at hand.
  bool push_texts(const json::Value& list, std::string_view type);

  // push_function takes the object with name, description, parameters and strict; `whole` is the
  // tool, or the same. Messages calls the parameters input_schema.
  bool push_function(const json::Value& whole, const json::Value& function);
  // push_web_search takes OpenAI's tool; its options have no equivalent.
  bool push_web_search(const json::Value& tool);

  // read_schema_format takes {"name","description","schema","strict"}, which may have a type.
  bool read_schema_format(const json::Value& whole, const json::Value& object);
  bool read_effort(const json::Value& word);
  bool read_summary(const json::Value& word);
  bool read_stream(const json::Value& value);
  // read_audience takes what chat and Responses say alike of the caller, and hints for caches.
  bool read_audience(const json::Value& metadata, const json::Value& user,
                     const json::Value& safety_identifier);
  bool read_cache_hints(const json::Value& key, const json::Value& options,
                        const json::Value& retention);

  // answer_call finds the nearest earlier call that no result has answered, of that id or, without
  // one, of that name, and notes that it is answered now. kNoItem if there is none near.
  uint32_t answer_call(const json::Value& call_id, const json::Value& name);

  // finish settles what the fields mean together.
  bool finish();

  const ReadOptions& options_;
  RequestModel& model_;
  Fault fault_{};

 private:
  bool refuse_duplicate(const json::Value& at, std::string_view name);
  // may_leave_out judges a member that is not on the list.
  bool may_leave_out(const json::Member& member, MayDrop may_drop) const;
  bool find_members(const json::Value& object, const json::Names& names,
                    std::span<json::Value> found, MayDrop may_drop);
  // take_noted takes the body's members from where the finder has noted them. False if it has not
  // noted all, or one is at fault: then they have to be looked at in their order.
  bool take_noted(const json::Names& names, std::span<json::Value> found, MayDrop may_drop) const;
};

}  // namespace flexd::surface
