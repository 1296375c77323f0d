// interaction_steps.hpp: the conversation of an Interactions request.
// https://ai.google.dev/api/interactions-api
#pragma once

#include "request_reader.hpp"

namespace flexd::surface {

class InteractionSteps : public RequestReader {
 protected:
  using RequestReader::RequestReader;

  // read_input takes the field of that name: a string, a content, or a list that is either of
  // contents or of steps.
  bool read_input(const json::Value& input);

 private:
  bool read_list(const json::Value& input);
  bool read_step(const json::Value& step, const json::Value& type);
  bool read_said(const json::Value& step, Item::Role role);
  bool read_thought(const json::Value& step);
  bool read_call(const json::Value& step);
  bool read_result(const json::Value& step);
  bool read_result_value(const json::Value& result);
  bool find_result_call(Item& item);
  // read_contents takes a string, a content or a list of contents.
  bool read_contents(const json::Value& contents, MayDrop may_drop);
  bool read_content(const json::Value& content, MayDrop may_drop);
  bool read_media(const json::Value& content, Part::Kind kind, MayDrop may_drop);
  bool read_uri(Part& part, const json::Value& uri);
};

}  // namespace flexd::surface
