#include "llhttp_oracle.hpp"

#include <llhttp.h>

namespace flexd::http {
namespace {

struct Reader {
  llhttp_t parser;
  bool without_body = false;
  OracleReading reading;
};

Reader& reader_of(llhttp_t* parser) {
  return *static_cast<Reader*>(parser->data);
}

llhttp_settings_t make_settings() {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = [](llhttp_t* parser, const char* at, size_t size) {
    reader_of(parser).reading.target.append(at, size);
    return 0;
  };
  settings.on_body = [](llhttp_t* parser, const char* at, size_t size) {
    reader_of(parser).reading.body.append(at, size);
    return 0;
  };
  settings.on_header_field_complete = [](llhttp_t* parser) {
    OracleReading& reading = reader_of(parser).reading;
    if (!reading.head_complete) ++reading.fields;
    return 0;
  };
  settings.on_headers_complete = [](llhttp_t* parser) {
    Reader& reader = reader_of(parser);
    OracleReading& reading = reader.reading;
    reading.head_complete = true;
    reading.chunked = (parser->flags & F_CHUNKED) != 0;
    reading.has_length = (parser->flags & F_CONTENT_LENGTH) != 0;
    reading.content_length = parser->content_length;
    reading.status = parser->status_code;
    if (parser->type == HTTP_REQUEST) {
      reading.method = llhttp_method_name(static_cast<llhttp_method_t>(parser->method));
    }
    return reader.without_body ? 1 : 0;
  };
  settings.on_message_complete = [](llhttp_t* parser) {
    reader_of(parser).reading.message_complete = true;
    return static_cast<int>(HPE_PAUSED);
  };
  return settings;
}

bool is_framing_error(llhttp_errno_t error) {
  return error == HPE_UNEXPECTED_CONTENT_LENGTH || error == HPE_INVALID_CONTENT_LENGTH ||
         error == HPE_INVALID_TRANSFER_ENCODING;
}

OracleReading read(std::string_view bytes, llhttp_type_t type, bool without_body) {
  static const llhttp_settings_t settings = make_settings();
  Reader reader;
  reader.without_body = without_body;
  llhttp_init(&reader.parser, type, &settings);
  reader.parser.data = &reader;
  const llhttp_errno_t error = llhttp_execute(&reader.parser, bytes.data(), bytes.size());
  OracleReading& reading = reader.reading;
  if (error == HPE_OK) {
    if (type == HTTP_RESPONSE && reading.head_complete) llhttp_finish(&reader.parser);
    reading.consumed = bytes.size();
  } else if (reading.message_complete && (error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE)) {
    const char* stopped = llhttp_get_error_pos(&reader.parser);
    reading.consumed = static_cast<size_t>(stopped - bytes.data());
  } else {
    const char* reason = llhttp_get_error_reason(&reader.parser);
    reading.failed = true;
    reading.error = std::string(llhttp_errno_name(error)) + ": " + (reason ? reason : "");
    reading.trailer_framing = reading.head_complete && is_framing_error(error);
  }
  return reading;
}

}  // namespace

OracleReading oracle_request(std::string_view bytes) {
  return read(bytes, HTTP_REQUEST, false);
}

OracleReading oracle_response(std::string_view bytes, bool without_body) {
  return read(bytes, HTTP_RESPONSE, without_body);
}

}  // namespace flexd::http
