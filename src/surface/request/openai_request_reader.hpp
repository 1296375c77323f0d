// openai_request_reader.hpp: what chat and Responses say alike.
#pragma once

#include "request_reader.hpp"

namespace flexd::surface {

class OpenaiRequestReader : public RequestReader {
 protected:
  using RequestReader::RequestReader;

  // read_data fills a part from the text of a file: a data URL, or base64 of unknown type.
  void read_data(Part& part, const json::Value& string);
  // read_file_id is the id of a file that OpenAI keeps: no other provider can read it.
  bool read_file_id(Part& part, const json::Value& id);

  // read_word_choice takes "none", "auto" or "required" in tool_choice.
  bool read_word_choice(const json::Value& word);
  // read_subset takes {"mode":...,"tools":[...]}.
  bool read_subset(const json::Value& subset);
  // function_name is `name` of {"type":"function","name":...} or, as chat nests it, of its member
  // `function`; absent after a fault.
  json::Value function_name(const json::Value& choice);
};

}  // namespace flexd::surface
