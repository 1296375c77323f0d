#include "flexd/json/finder.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "flexd/json/cursor.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define FLEXD_JSON_INLINE __attribute__((always_inline)) inline

namespace flexd::json {
namespace {

#if defined(__SSE2__)
// plain_ascii_bytes is how many of 16 bytes stand before the first that is not plain ASCII or that
// does not stand for itself in a string.
FLEXD_JSON_INLINE size_t plain_ascii_bytes(const char* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  // As signed numbers the bytes of longer UTF-8 sequences are below those of control characters.
  const __m128i other = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  const auto stops =
      static_cast<uint32_t>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), other)));
  return static_cast<size_t>(__builtin_ctz(stops | 1U << 16U));
}
#endif

}  // namespace

// Parser walks one document. It keeps its own stack, so that depth costs no machine stack.
//
// Its functions take the place where their part of the text begins and give the place behind it, or
// nullptr after a fault.
class Parser {
 public:
  // `fields` may be nullptr if there are no names.
  Parser(std::string_view document, const Names& names, Fields* fields, const TextKernels& kernels)
      : begin_(document.data()),
        end_(begin_ + document.size()),
        names_(names),
        fields_(fields),
        kernels_(kernels) {
    if (fields_ == nullptr) return;
    fields_->present_ = 0;
    fields_->member_count_ = 0;
    fields_->outline_.start(begin_);
  }

  // run walks the document; false if it has a fault.
  bool run();
  const Error& error() const { return error_; }
  Type top_type() const { return top_type_; }

 private:
  // Bracket is one that is open: what is around it, and its place in the outline.
  struct Bracket {
    uint16_t place;
    bool outer_in_object;
  };

  uint32_t offset(const char* at) const { return static_cast<uint32_t>(at - begin_); }
  const char* fault_at(const char* at, Fault fault = Fault::kSyntax) {
    error_ = {.fault = fault, .offset = offset(at), .field = 0};
    return nullptr;
  }
  // skip_space asks but one question where there is none, as nearly everywhere.
  FLEXD_JSON_INLINE const char* skip_space(const char* at) const {
    if (at != end_ && static_cast<uint8_t>(*at) > ' ') return at;
    while (at != end_ && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
    return at;
  }

  // These stand in their callers as if they were written there: a call each would cost as much as
  // they do.
  FLEXD_JSON_INLINE const char* key(const char* at);
  FLEXD_JSON_INLINE const char* colon(const char* at);
  FLEXD_JSON_INLINE const char* value(const char* at, bool& opened);
  FLEXD_JSON_INLINE const char* open(const char* at, bool object, bool& opened);
  FLEXD_JSON_INLINE const char* close(const char* at);
  FLEXD_JSON_INLINE const char* string(const char* at);
  template <size_t kSize>
  FLEXD_JSON_INLINE const char* word(const char* at, const char (&letters)[kSize]);
  const char* members(const char* at);
  const char* inside(const char* at);
  const char* long_string(const char* at);
  const char* string_tail(const char* at);
  const char* escape(const char* at);
  const char* number(const char* at);
  FLEXD_JSON_INLINE const char* digits(const char* at);
  FLEXD_JSON_INLINE bool note_name(std::string_view quoted, Field*& field);

  const char* begin_;
  const char* end_;
  const Names& names_;
  Fields* fields_;
  const TextKernels& kernels_;
  Error error_;
  Type top_type_ = Type::kNull;
  size_t depth_ = 0;
  bool in_object_ = false;
  bool escaped_ = false;  // a string since this was cleared had an escape
  bool has_unicode_escapes_ = false;
  uint64_t inner_names_ = 0;
  std::array<Bracket, kDepthMax> brackets_;
};

const char* Parser::string_tail(const char* at) {
  const char* const text = at;
  bool high = false;
  for (;;) {
    const PlainRun run = kernels_.plain_run(at, end_);
    high |= run.high;
    at = run.stop;
    if (at == end_) return fault_at(at);
    if (*at == '"') break;
    if (*at != '\\') return fault_at(at);
    escaped_ = true;
    at = escape(at + 1);
    if (at == nullptr) return nullptr;
  }
  if (high && !kernels_.utf8_valid(text, at)) {
    const std::string_view contents(text, static_cast<size_t>(at - text));
    return fault_at(text + utf8_error_offset(contents), Fault::kUtf8);
  }
  return at + 1;
}

const char* Parser::long_string(const char* at) {
#if defined(__SSE2__)
  if (end_ - at >= 32) {
    const size_t bytes = plain_ascii_bytes(at + 16);
    if (bytes < 16 && at[16 + bytes] == '"' && plain_ascii_bytes(at) == 16) return at + bytes + 17;
  } else if (end_ - at < 16) {
    // The document ends soon: a word that is looked at by itself. Backslashes stand for its end.
    std::array<char, 16> rest;
    rest.fill('\\');
    std::copy(at, end_, rest.begin());
    const size_t bytes = plain_ascii_bytes(rest.data());
    if (bytes < 16 && rest[bytes] == '"') return at + bytes + 1;
  }
#endif
  const char* const end = string_tail(at);
  if (end != nullptr && fields_ != nullptr)
    fields_->outline_.add_string(offset(at - 1), offset(end));
  return end;
}

// string takes the byte after the opening quote. Most strings are names and words of a few bytes,
// for which a call would cost more than the search.
const char* Parser::string(const char* at) {
#if defined(__SSE2__)
  if (end_ - at >= 16) {
    const size_t bytes = plain_ascii_bytes(at);
    if (bytes < 16 && at[bytes] == '"') return at + bytes + 1;
  }
#endif
  return long_string(at);
}

template <size_t kSize>
const char* Parser::word(const char* at, const char (&letters)[kSize]) {
  constexpr size_t kLetters = kSize - 1;
  if (static_cast<size_t>(end_ - at) >= kLetters && std::memcmp(at, letters, kLetters) == 0) {
    return at + kLetters;
  }
  for (size_t i = 0; i < kLetters && at != end_ && *at == letters[i]; ++i) ++at;
  return fault_at(at);
}

const char* Parser::close(const char* at) {
  const Bracket& bracket = brackets_[--depth_];
  in_object_ = bracket.outer_in_object;
  if (fields_ != nullptr) fields_->outline_.close(bracket.place, offset(at + 1));
  return at + 1;
}

// open enters an object or array; `opened` says that there is something in it, which comes next.
const char* Parser::open(const char* at, bool object, bool& opened) {
  if (depth_ == kDepthMax) return fault_at(at, Fault::kTooDeep);
  Bracket& bracket = brackets_[depth_++];
  bracket.outer_in_object = in_object_;
  if (fields_ != nullptr) {
    bracket.place = static_cast<uint16_t>(fields_->outline_.open(offset(at)));
  }
  in_object_ = object;
  at = skip_space(at + 1);
  if (at != end_ && *at == (object ? '}' : ']')) return close(at);
  opened = true;
  return at;
}

const char* Parser::value(const char* at, bool& opened) {
  if (at == end_) return fault_at(at);
  if (*at == '"') return string(at + 1);
  switch (*at) {
    case '{':
      return open(at, true, opened);
    case '[':
      return open(at, false, opened);
    case 't':
      return word(at, "true");
    case 'f':
      return word(at, "false");
    case 'n':
      return word(at, "null");
    default:
      return number(at);
  }
}

const char* Parser::key(const char* at) {
  return at == end_ || *at != '"' ? fault_at(at) : string(at + 1);
}

// colon reads what stands between a member's name and its value.
const char* Parser::colon(const char* at) {
  if (at != end_ && *at != ':') at = skip_space(at);
  return at == end_ || *at != ':' ? fault_at(at) : skip_space(at + 1);
}

// inside reads what is in the innermost bracket that is open, with all that is in it in turn, and
// the bracket that closes it.
const char* Parser::inside(const char* at) {
  const size_t outside = depth_ - 1;
  for (;;) {
    if (in_object_) {
      const char* const name = at + 1;
      at = key(at);
      if (at == nullptr) return nullptr;
      inner_names_ |= Fields::name_bit(*name, static_cast<size_t>(at - name) - 1);
      at = colon(at);
      if (at == nullptr) return nullptr;
    }
    bool opened = false;
    at = value(at, opened);
    if (at == nullptr) return nullptr;
    if (opened) continue;
    // The brackets that close behind the value, then the comma before the next one.
    for (;;) {
      if (at != end_ && *at != ',') at = skip_space(at);
      if (at == end_) return fault_at(at);
      if (*at == ',') break;
      if (*at != (in_object_ ? '}' : ']')) return fault_at(at);
      at = close(at);
      if (depth_ == outside) return at;
    }
    at = skip_space(at + 1);
  }
}

// note_name finds the field of a member that is listed; false if it stands there twice.
bool Parser::note_name(std::string_view quoted, Field*& field) {
  std::string_view name = quoted.substr(1, quoted.size() - 2);
  std::array<char, kNameBytesMax + 1> unescaped;
  if (escaped_) [[unlikely]] {
    const auto decoded = decode(Value{quoted}, unescaped);
    if (!decoded) return true;  // longer than any name on the list
    name = *decoded;
  }
  const size_t listed = names_.field_of(name);
  if (listed == names_.size()) return true;
  if (fields_->has(listed)) {
    fault_at(quoted.begin(), Fault::kDuplicate);
    error_.field = static_cast<uint32_t>(listed);
    return false;
  }
  fields_->present_ |= 1U << listed;
  field = std::construct_at(fields_->data() + listed);
  return true;
}

// members does the same for the outermost object, and notes its members.
const char* Parser::members(const char* at) {
  uint32_t comma_before = kNoComma;
  for (uint32_t position = 0;; ++position) {
    const char* const begin = at;
    escaped_ = false;
    at = key(at);
    Field* field = nullptr;
    if (at == nullptr) return nullptr;
    if (!note_name({begin, at}, field)) return nullptr;
    at = colon(at);
    if (at == nullptr) return nullptr;
    const char* const value_begin = at;
    bool opened = false;
    at = value(at, opened);
    if (at != nullptr && opened) at = inside(at);
    if (at == nullptr) return nullptr;
    if (field != nullptr) {
      *field = {.member = {offset(begin), offset(at)},
                .value = {offset(value_begin), offset(at)},
                .type = type_at(*value_begin),
                .position = position,
                .comma_before = comma_before};
    }
    at = skip_space(at);
    if (at == end_) return fault_at(at);
    if (*at != ',') {
      fields_->member_count_ = position + 1;
      return *at == '}' ? close(at) : fault_at(at);
    }
    comma_before = offset(at);
    if (field != nullptr) field->comma_after = comma_before;
    at = skip_space(at + 1);
  }
}

// escape takes the byte after a backslash.
const char* Parser::escape(const char* at) {
  if (at == end_) return fault_at(at);
  if (*at == 'u') {
    has_unicode_escapes_ = true;
    ++at;
    for (const char* digits_end = at + 4; at != digits_end; ++at) {
      if (at == end_ || !is_hex_digit(*at)) return fault_at(at);
    }
    return at;
  }
  static constexpr std::string_view kLetters = "\"\\/bfnrt";
  return kLetters.find(*at) == std::string_view::npos ? fault_at(at) : at + 1;
}

// digits wants at least one.
const char* Parser::digits(const char* at) {
  const char* const begin = at;
  while (at != end_ && *at >= '0' && *at <= '9') ++at;
  return at == begin ? fault_at(at) : at;
}

const char* Parser::number(const char* at) {
  if (*at == '-') ++at;
  at = at != end_ && *at == '0' ? at + 1 : digits(at);
  if (at == nullptr || at == end_ || *at == ',') return at;
  if (*at == '.') at = digits(at + 1);
  if (at != nullptr && at != end_ && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end_ && (*at == '+' || *at == '-')) ++at;
    at = digits(at);
  }
  return at;
}

bool Parser::run() {
  const char* const top = skip_space(begin_);
  if (top != end_) top_type_ = type_at(*top);
  bool opened = false;
  const char* at = value(top, opened);
  if (at != nullptr && opened) at = in_object_ && fields_ != nullptr ? members(at) : inside(at);
  if (at == nullptr) return false;
  if (fields_ != nullptr) {
    fields_->object_ = {offset(top), offset(at)};
    fields_->inner_names_ = inner_names_;
    fields_->has_unicode_escapes_ = has_unicode_escapes_;
  }
  at = skip_space(at);
  return at == end_ || fault_at(at) != nullptr;
}

Result<void, Error> find(std::string_view document, const Names& names, Fields& fields,
                         const TextKernels& kernels) {
  FLEXD_ASSERT(document.size() < UINT32_MAX);
  Parser parser(document, names, &fields, kernels);
  if (!parser.run()) return fail(parser.error());
  if (parser.top_type() != Type::kObject) {
    return fail(Error{.fault = Fault::kNotObject, .offset = fields.object().begin, .field = 0});
  }
  return {};
}

Result<Type, Error> validate(std::string_view document, const TextKernels& kernels) {
  FLEXD_ASSERT(document.size() < UINT32_MAX);
  static constexpr Names kNoNames;
  Parser parser(document, kNoNames, nullptr, kernels);
  if (!parser.run()) return fail(parser.error());
  return parser.top_type();
}

}  // namespace flexd::json
