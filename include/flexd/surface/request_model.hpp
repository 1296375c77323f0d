// request_model.hpp: a caller's request in a form that is nobody's dialect.
//
// A reader for each dialect fills a RequestModel from the caller's body, a writer for each provider
// makes the provider's body of it (translate.hpp). What is not in the model has no equivalent
// elsewhere and is refused by the reader, with the field's name.
//
// Nothing is converted on the way: every Value and every view points into the caller's body, which
// outlives the model, and text stays as escaped as the caller wrote it. So strings are copied span
// by span, numbers keep their spelling, and an error can name the field it is about by where it
// stands (path.hpp of json). A Value that is null in the body is absent in the model.
#pragma once

#include <cstdint>
#include <string_view>

#include "flexd/base/pooled_list.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/errors/table.hpp"
#include "flexd/json/cursor.hpp"

namespace flexd::surface {

// Fault is why a request cannot be translated. `at` is the text of the value at fault, inside the
// caller's body: the error's param becomes its path. Without it `param` is the name (static).
struct Fault {
  errors::Code code = errors::Code::unsupported_parameter;
  errors::Variant variant = errors::Variant::none;
  std::string_view at{};
  std::string_view param{};
  std::string_view detail{};  // static, or inside the body
};

// Part is a piece of a message, of a tool's result or of a reasoning summary.
struct Part {
  enum class Kind : uint8_t {
    text,
    refusal,  // text with which an assistant refused
    json,     // `content` is any JSON value, to be handed on as its text (a tool's result)
    image,
    file,  // a document
    audio,
  };
  // Source says what `data` of an image, a file or audio is.
  enum class Source : uint8_t { none, base64, url, file_id, plain_text };

  Kind kind = Kind::text;
  Source source = Source::none;
  // whole is the part as it stands, for errors; of a shorthand the string itself.
  json::Value whole;
  // content of text and refusal is a JSON string, of json any value.
  json::Value content;
  // data is the raw inside of a JSON string, escapes unread: base64 text, a URL, an id, plain text.
  std::string_view data;
  // media_type likewise, such as image/png (slashes may stand as `\/`: compare with is_media_type).
  // Empty where unknown. Of chat's audio it is static text.
  std::string_view media_type;
  // filename and detail are JSON strings or absent.
  json::Value filename;
  json::Value detail;
};

// kNoItem is no index of an item.
inline constexpr uint32_t kNoItem = UINT32_MAX;

// Item is a turn or a part of one, in the order of the conversation.
struct Item {
  enum class Kind : uint8_t {
    message,
    call,       // the assistant calls a function
    result,     // what the function gave
    reasoning,  // what a model keeps of its thoughts
  };
  enum class Role : uint8_t { user, assistant, system };  // developer is system

  Kind kind = Kind::message;
  Role role = Role::user;  // of a message
  // is_error of a result: the function failed.
  bool is_error = false;
  // answered is a note of the readers of dialects whose results may lack an id.
  bool answered = false;
  json::Value whole;
  // parts[first_part, first_part + part_count) of the model: of a message, a result, or the summary
  // of reasoning (text).
  uint32_t first_part = 0;
  uint32_t part_count = 0;
  // call_id of call and result: a JSON string. Absent only in chat's deprecated pair of
  // `function_call` and `function` message, which has none.
  json::Value call_id;
  // call is the item that a result without call_id answers (of the same name), else kNoItem.
  uint32_t call = kNoItem;
  // name of the function: a JSON string; of a result only where the caller gave it.
  json::Value name;
  // arguments of a call: a JSON string that holds an object's text, or the object. Absent: none.
  json::Value arguments;
  // blob of reasoning is the opaque text that came with an earlier answer: a JSON string, or
  // absent. Only one that flexd wrapped (blob.hpp) is of use to another provider.
  json::Value blob;
};

// Tool is something the model may call.
struct Tool {
  enum class Kind : uint8_t { function, web_search };
  Kind kind = Kind::function;
  json::Value whole;
  json::Value name;         // JSON string
  json::Value description;  // JSON string or absent
  json::Value parameters;   // JSON Schema, an object, or absent
  // strict as the caller set it (true or false), or absent.
  json::Value strict;
};

// ToolChoice says whether the model has to call, and which.
struct ToolChoice {
  enum class Kind : uint8_t {
    absent,
    automatic,
    none,
    required,  // some function
    one,       // the function `name`
    subset,    // any, but only of model.choice_names
  };
  Kind kind = Kind::absent;
  bool subset_required = false;  // of a subset: it must call
  json::Value whole;
  json::Value name;
};

// Format is the form the answer's text is to have.
struct Format {
  enum class Kind : uint8_t { text, json_object, json_schema };
  Kind kind = Kind::text;
  json::Value whole;
  json::Value name;
  json::Value description;
  json::Value schema;
  json::Value strict;
};

// Effort is how much a model is to think.
enum class Effort : uint8_t { absent, none, minimal, low, medium, high, xhigh, max };
// Summary is whether its thoughts are told.
enum class Summary : uint8_t { absent, none, automatic, concise, detailed };

struct RequestModel {
  explicit RequestModel(BlockPool& pool)
      : items(pool), parts(pool), tools(pool), choice_names(pool) {}

  errors::Dialect dialect = errors::Dialect::responses;  // of the caller
  json::Value model;                                     // JSON string

  // items: system messages first if the caller has a field of their own for them.
  PooledList<Item> items;
  PooledList<Part> parts;
  PooledList<Tool> tools;
  ToolChoice tool_choice;
  PooledList<json::Value> choice_names;  // of a subset: JSON strings
  // parallel_tool_calls is true or false as the caller set it, or absent. Where the caller's
  // dialect asks the other way round, parallel_off is set and this is the value that did.
  json::Value parallel_tool_calls;
  bool parallel_off = false;

  Format format;
  json::Value verbosity;  // JSON string: low, medium, high; or absent
  Effort effort = Effort::absent;
  json::Value effort_at;  // what said so
  Summary summary = Summary::absent;

  // Numbers, as spelled; absent where not set.
  json::Value max_tokens;
  json::Value temperature;
  json::Value top_p;

  // What OpenAI takes from a chat caller as it is, and others drop as hints.
  json::Value metadata;           // object of strings (labels of Interactions)
  json::Value user;               // JSON string; metadata.user_id of Messages
  json::Value safety_identifier;  // JSON string
  json::Value prompt_cache_key;
  json::Value prompt_cache_options;
  json::Value prompt_cache_retention;
  json::Value moderation;  // chat to OpenAI alone
  // store as a chat caller set it, true or false, or absent. Others' stores are their own default.
  json::Value store;

  bool stream = false;

  std::span<const Part> parts_of(const Item& item) const {
    return parts.items().subspan(item.first_part, item.part_count);
  }
};

}  // namespace flexd::surface
