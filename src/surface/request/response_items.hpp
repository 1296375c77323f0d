// response_items.hpp: the conversation of a Responses request.
// https://platform.openai.com/docs/api-reference/responses/create
#pragma once

#include "openai_request_reader.hpp"

namespace flexd::surface {

class ResponseItems : public OpenaiRequestReader {
 protected:
  using OpenaiRequestReader::OpenaiRequestReader;

  // read_input takes the field of that name: a string or a list of items.
  bool read_input(const json::Value& input);

 private:
  bool read_item(const json::Value& item);
  bool read_message(const json::Value& message);
  bool read_call(const json::Value& call);
  bool read_result(const json::Value& result);
  bool read_reasoning(const json::Value& reasoning);
  bool read_parts(const json::Value& content, Item::Role role);
  bool read_part(const json::Value& part, Item::Role role);
  bool read_said(const json::Value& part, bool refusal, MayDrop may_drop);
  bool read_image(const json::Value& part);
  bool read_file(const json::Value& part);
};

}  // namespace flexd::surface
