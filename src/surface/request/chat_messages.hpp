// chat_messages.hpp: the conversation of a Chat Completions request.
// https://platform.openai.com/docs/api-reference/chat/create
#pragma once

#include "openai_request_reader.hpp"

namespace flexd::surface {

class ChatMessages : public OpenaiRequestReader {
 protected:
  using OpenaiRequestReader::OpenaiRequestReader;

  // read_messages takes the whole list.
  bool read_messages(const json::Value& messages);

 private:
  bool read_message(const json::Value& message);
  bool read_user(const json::Value& message);
  bool read_system(const json::Value& message);
  bool read_assistant(const json::Value& message);
  bool read_tool(const json::Value& message);
  bool read_function(const json::Value& message);

  bool read_call(const json::Value& call);
  bool read_function_call(const json::Value& function_call);
  bool read_thoughts(const json::Value& call);
  bool push_thought(const json::Value& thought);

  using ReadPart = bool (ChatMessages::*)(const json::Value& part, const json::Value& type);
  // read_content takes a string or a list of parts.
  bool read_content(const json::Value& content, ReadPart read_part);
  bool read_text(const json::Value& part, const json::Value& type);
  bool read_said(const json::Value& part, const json::Value& type);
  bool read_user_part(const json::Value& part, const json::Value& type);
  bool read_image(const json::Value& part, const json::Value& object);
  bool read_file(const json::Value& part, const json::Value& object);
  bool read_audio(const json::Value& part, const json::Value& object, const json::Value& type);
};

}  // namespace flexd::surface
