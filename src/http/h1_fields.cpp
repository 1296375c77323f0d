#include "h1_fields.hpp"

namespace flexd::http {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// bad_name says why a name ended at `c`.
H1Verdict bad_name(char c, bool empty) {
  if (empty && c == ':') return H1Verdict::name_empty;
  if (c == '_') return H1Verdict::name_underscore;
  if (is_blank(c) && !empty) return H1Verdict::space_before_colon;
  if (c == '\n') return H1Verdict::bare_lf;
  return H1Verdict::name_invalid;
}

H1Verdict note_length(std::string_view value, FieldFacts& facts) {
  if (facts.has_length) return H1Verdict::length_repeated;
  facts.has_length = true;
  return parse_content_length(value, facts.content_length) ? H1Verdict::complete
                                                           : H1Verdict::length_invalid;
}

H1Verdict note_coding(std::string_view value, FieldFacts& facts) {
  if (facts.has_coding) return H1Verdict::coding_repeated;
  facts.has_coding = true;
  facts.coding_chunked = iequals(value, "chunked");
  return H1Verdict::complete;
}

void note_connection(std::string_view value, FieldFacts& facts) {
  if (has_token(value, "close")) facts.connection_close = true;
  if (has_token(value, "keep-alive")) facts.connection_keep_alive = true;
}

H1Verdict note_host(std::string_view value, FieldFacts& facts) {
  if (facts.has_host) return H1Verdict::host_repeated;
  facts.has_host = true;
  facts.host = value;
  return is_valid_authority(value) ? H1Verdict::complete : H1Verdict::host_invalid;
}

void note_expect(std::string_view value, FieldFacts& facts) {
  if (iequals(value, "100-continue")) {
    facts.expect_continue = true;
  } else {
    facts.expect_other = true;
  }
}

// note_field looks at the fields that the codec itself must understand. The lengths of their names
// differ, so the others cost one switch.
H1Verdict note_field(const Field& field, Side side, FieldFacts& facts) {
  const std::string_view name = field.name;
  switch (name.size()) {
    case 4:
      if (side == Side::request && iequals(name, "host")) {
        return note_host(field.value, facts);
      }
      break;
    case 6:
      if (side == Side::request && iequals(name, "expect")) {
        note_expect(field.value, facts);
      }
      break;
    case 10:
      if (iequals(name, "connection")) note_connection(field.value, facts);
      break;
    case 14:
      if (iequals(name, "content-length")) return note_length(field.value, facts);
      break;
    case 17:
      if (iequals(name, "transfer-encoding")) return note_coding(field.value, facts);
      break;
    default:
      break;
  }
  return H1Verdict::complete;
}

// read_field takes one field line. The cursor is not empty and not at the end of the head.
inline H1Verdict read_field(Cursor& cursor, scan::Class name_class, Field& field) {
  const char* name = cursor.at;
  const char* name_end = scan::skip_name(name, cursor.end, name_class);
  if (name_end == cursor.end) return H1Verdict::incomplete;
  if (*name_end != ':' || name_end == name) return bad_name(*name_end, name_end == name);
  const char* value = name_end + 1;
  while (value != cursor.end && is_blank(*value)) ++value;
  const char* value_end = scan::skip_value(value, cursor.end);
  if (value_end == cursor.end) return H1Verdict::incomplete;
  if (*value_end != '\r' && *value_end != '\n') return H1Verdict::value_invalid;
  cursor.at = value_end;
  const H1Verdict verdict = read_line_end(cursor);
  if (verdict != H1Verdict::complete) return verdict;
  while (value_end != value && is_blank(value_end[-1])) --value_end;
  field.name = {name, static_cast<size_t>(name_end - name)};
  field.value = {value, static_cast<size_t>(value_end - value)};
  return H1Verdict::complete;
}

}  // namespace

bool can_skip_parse(std::string_view bytes, size_t scanned) {
  if (scanned == 0 || scanned > bytes.size()) return false;
  if (bytes.size() >= kHeadBytesMax) return false;
  // The first line may have run over its limit; an empty line may stand before it.
  if (scanned < kRequestLineMax + 4 && bytes.size() >= kRequestLineMax + 2) return false;
  const char* end = bytes.data() + bytes.size();
  return scan::skip_value(bytes.data() + scanned, end) == end;
}

H1Verdict read_line_end(Cursor& cursor) {
  if (cursor.empty()) return H1Verdict::incomplete;
  if (*cursor.at == '\n') return H1Verdict::bare_lf;
  if (cursor.left() < 2) return H1Verdict::incomplete;
  if (cursor.at[1] != '\n') return H1Verdict::bare_cr;
  cursor.at += 2;
  return H1Verdict::complete;
}

H1Verdict read_version(Cursor& cursor, H1Verdict malformed, Version& version, bool& supported) {
  constexpr std::string_view kPattern = "HTTP/d.d";
  const char* text = cursor.at;
  for (size_t i = 0; i < kPattern.size(); ++i) {
    if (text + i == cursor.end) return H1Verdict::incomplete;
    const bool fits = kPattern[i] == 'd' ? is_digit(text[i]) : text[i] == kPattern[i];
    if (!fits) return malformed;
  }
  cursor.at += kPattern.size();
  supported = text[5] == '1' && text[7] <= '1';
  version = text[7] == '1' ? Version::h1_1 : Version::h1_0;
  return H1Verdict::complete;
}

H1Verdict read_fields(Cursor& cursor, Side side, FieldList& fields, FieldFacts& facts) {
  const scan::Class name_class = side == Side::request ? scan::kFieldName : scan::kToken;
  for (;;) {
    if (cursor.empty()) return H1Verdict::incomplete;
    const char first = *cursor.at;
    if (first == '\r' || first == '\n') return read_line_end(cursor);
    if (is_blank(first)) return H1Verdict::line_folded;
    Field field;
    H1Verdict verdict = read_field(cursor, name_class, field);
    if (verdict != H1Verdict::complete) return verdict;
    if (!fields.push(field.name, field.value)) return H1Verdict::too_many_fields;
    verdict = note_field(field, side, facts);
    if (verdict != H1Verdict::complete) return verdict;
  }
}

H1Verdict check_framing(const FieldFacts& facts, Version version) {
  if (!facts.has_coding) return H1Verdict::complete;
  if (version == Version::h1_0) return H1Verdict::coding_in_http10;
  if (facts.has_length) return H1Verdict::coding_with_length;
  return facts.coding_chunked ? H1Verdict::complete : H1Verdict::coding_unsupported;
}

bool keeps_alive(const FieldFacts& facts, Version version) {
  if (facts.connection_close) return false;
  return version == Version::h1_1 || facts.connection_keep_alive;
}

}  // namespace flexd::http
