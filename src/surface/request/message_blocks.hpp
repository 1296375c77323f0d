// message_blocks.hpp: the conversation of a Messages request.
// https://docs.anthropic.com/en/api/messages
#pragma once

#include "request_reader.hpp"

namespace flexd::surface {

class MessageBlocks : public RequestReader {
 protected:
  using RequestReader::RequestReader;

  // read_system takes the field of that name, read_messages the list.
  bool read_system(const json::Value& system);
  bool read_messages(const json::Value& messages);

 private:
  bool read_message(const json::Value& message);
  bool read_content(const json::Value& content, Item& message);
  // A message becomes several items where its blocks are not all said by one side: flush ends the
  // text so far.
  bool flush(Item& message);
  bool read_block(const json::Value& block, Item& message);
  // The parts of a user's message and of a result.
  bool read_part(const json::Value& block, const json::Value& type);
  bool read_text(const json::Value& block, MayDrop may_drop);
  bool read_image(const json::Value& block);
  bool read_document(const json::Value& block);
  bool read_source(const json::Value& source, Part& part);
  // The blocks of an assistant.
  bool read_said(const json::Value& block, const json::Value& type, Item& message);
  bool read_thinking(const json::Value& block);
  bool read_tool_use(const json::Value& block);
  bool read_tool_result(const json::Value& block);
};

}  // namespace flexd::surface
