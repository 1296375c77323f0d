#include "flexd/json/finder.hpp"

#include <algorithm>

#include "flexd/json/cursor.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define FLEXD_JSON_INLINE __attribute__((always_inline)) inline

namespace flexd::json {
namespace {

#if defined(__SSE2__)
// short_string_bytes is how many plain ASCII bytes stand before a closing quote, if there are at
// most 15 of them, else 16. It may read 16 bytes. Most strings are names and words as short as
// that, for which a call of a kernel would cost more than the search.
inline size_t short_string_bytes(const char* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  // As signed numbers the bytes of longer UTF-8 sequences are below those of control characters.
  const __m128i other = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  const auto quotes = static_cast<uint32_t>(_mm_movemask_epi8(quote));
  const auto bad = static_cast<uint32_t>(_mm_movemask_epi8(_mm_or_si128(slash, other)));
  const uint32_t first = quotes & (0U - quotes);
  return first == 0 || (bad & (first - 1U)) != 0 ? 16 : static_cast<size_t>(__builtin_ctz(first));
}
#endif

}  // namespace

// Parser walks one document. It keeps its own stack, so that depth costs no machine stack.
class Parser {
 public:
  // `fields` may be nullptr if there are no names.
  Parser(std::string_view document, const Names& names, Fields* fields, const TextKernels& kernels)
      : begin_(document.data()),
        at_(begin_),
        end_(begin_ + document.size()),
        names_(names),
        fields_(fields),
        kernels_(kernels) {
    if (fields_ != nullptr) fields_->present_ = 0;
  }

  // run walks the document; false if it has a fault.
  bool run();
  const Error& error() const { return error_; }
  Type top_type() const { return top_type_; }

 private:
  enum class Next : uint8_t { kValue, kKey, kAfter };

  uint32_t offset(const char* at) const { return static_cast<uint32_t>(at - begin_); }
  bool fail_at(const char* at, Fault fault = Fault::kSyntax) {
    error_ = {.fault = fault, .offset = offset(at), .field = 0};
    return false;
  }
  // skip_space asks but one question where there is none, as nearly everywhere.
  void skip_space() {
    if (at_ != end_ && static_cast<uint8_t>(*at_) > ' ') return;
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool at_digit() const { return at_ != end_ && *at_ >= '0' && *at_ <= '9'; }

  // These stand in run as if they were written there: a call each would cost as much as they do.
  FLEXD_JSON_INLINE bool value(Next& next);
  FLEXD_JSON_INLINE bool open(bool object, Next& next);
  FLEXD_JSON_INLINE void close();
  FLEXD_JSON_INLINE bool key(Next& next);
  FLEXD_JSON_INLINE bool after(Next& next);
  FLEXD_JSON_INLINE bool string();
  bool long_string();
  bool escape();
  bool number();
  bool digits();
  FLEXD_JSON_INLINE bool word(std::string_view letters);
  bool note_key(const char* key_begin);
  void note_value_end();

  const char* begin_;
  const char* at_;
  const char* end_;
  const Names& names_;
  Fields* fields_;
  const TextKernels& kernels_;
  Error error_;
  Type top_type_ = Type::kNull;
  Field* open_field_ = nullptr;    // the listed top-level member being read
  Field* closed_field_ = nullptr;  // the one just read, which waits for its comma
  uint32_t comma_before_ = kNoComma;
  uint32_t member_count_ = 0;
  size_t depth_ = 0;
  bool in_object_ = false;
  bool escaped_ = false;                         // the last string had an escape
  std::array<bool, kDepthMax> outer_in_object_;  // for each open bracket: what was around it
};

bool Parser::long_string() {
  const char* text = at_;
  bool high = false;
#if defined(__SSE2__)
  if (end_ - at_ < 16) {
    // The document ends soon: a word that is looked at by itself. Backslashes stand for its end.
    std::array<char, 16> rest;
    rest.fill('\\');
    std::copy(at_, end_, rest.begin());
    const size_t bytes = short_string_bytes(rest.data());
    if (bytes < 16) {
      at_ += bytes + 1;
      return true;
    }
  }
#endif
  for (;;) {
    const PlainRun run = kernels_.plain_run(at_, end_);
    high |= run.high;
    at_ = run.stop;
    if (at_ == end_) return fail_at(at_);
    if (*at_ == '"') break;
    if (*at_ != '\\') return fail_at(at_);
    escaped_ = true;
    if (!escape()) return false;
  }
  if (high && !kernels_.utf8_valid(text, at_)) {
    const std::string_view contents(text, static_cast<size_t>(at_ - text));
    return fail_at(text + utf8_error_offset(contents), Fault::kUtf8);
  }
  ++at_;
  return true;
}

bool Parser::string() {
  escaped_ = false;
  ++at_;
#if defined(__SSE2__)
  if (end_ - at_ >= 16) {
    const size_t bytes = short_string_bytes(at_);
    if (bytes < 16) {
      at_ += bytes + 1;
      return true;
    }
  }
#endif
  return long_string();
}

bool Parser::word(std::string_view letters) {
  if (std::string_view(at_, static_cast<size_t>(end_ - at_)).starts_with(letters)) {
    at_ += letters.size();
    return true;
  }
  for (const char letter : letters) {
    if (at_ == end_ || *at_ != letter) break;
    ++at_;
  }
  return fail_at(at_);
}

void Parser::close() {
  ++at_;
  in_object_ = outer_in_object_[--depth_];
}

bool Parser::open(bool object, Next& next) {
  if (depth_ == kDepthMax) return fail_at(at_, Fault::kTooDeep);
  outer_in_object_[depth_++] = in_object_;
  in_object_ = object;
  ++at_;
  skip_space();
  if (at_ != end_ && *at_ == (object ? '}' : ']')) {
    close();
    return true;
  }
  next = object ? Next::kKey : Next::kValue;
  return true;
}

bool Parser::value(Next& next) {
  if (at_ == end_) return fail_at(at_);
  next = Next::kAfter;
  switch (*at_) {
    case '"':
      return string();
    case '{':
      return open(true, next);
    case '[':
      return open(false, next);
    case 't':
      return word("true");
    case 'f':
      return word("false");
    case 'n':
      return word("null");
    default:
      return number();
  }
}

bool Parser::key(Next& next) {
  const char* key_begin = at_;
  if (at_ == end_ || *at_ != '"') return fail_at(at_);
  if (!string()) return false;
  if (depth_ == 1 && !note_key(key_begin)) return false;
  skip_space();
  if (at_ == end_ || *at_ != ':') return fail_at(at_);
  ++at_;
  skip_space();
  if (depth_ == 1 && open_field_ != nullptr) {
    open_field_->value.begin = offset(at_);
    if (at_ != end_) open_field_->type = Value{{at_, 1}}.type();
  }
  next = Next::kValue;
  return true;
}

bool Parser::after(Next& next) {
  const bool top = depth_ == 1 && in_object_;
  if (top) note_value_end();
  skip_space();
  if (at_ == end_) return fail_at(at_);
  if (*at_ == ',') {
    if (top) {
      comma_before_ = offset(at_);
      if (closed_field_ != nullptr) closed_field_->comma_after = comma_before_;
      closed_field_ = nullptr;
    }
    ++at_;
    skip_space();
    next = in_object_ ? Next::kKey : Next::kValue;
    return true;
  }
  if (*at_ != (in_object_ ? '}' : ']')) return fail_at(at_);
  close();
  return true;
}

bool Parser::escape() {
  ++at_;
  if (at_ == end_) return fail_at(at_);
  if (*at_ == 'u') {
    ++at_;
    for (const char* digits_end = at_ + 4; at_ != digits_end; ++at_) {
      if (at_ == end_ || !is_hex_digit(*at_)) return fail_at(at_);
    }
    return true;
  }
  static constexpr std::string_view kLetters = "\"\\/bfnrt";
  if (kLetters.find(*at_) == std::string_view::npos) return fail_at(at_);
  ++at_;
  return true;
}

bool Parser::number() {
  if (*at_ == '-') ++at_;
  if (at_ != end_ && *at_ == '0') {
    ++at_;
  } else if (!digits()) {
    return false;
  }
  if (at_ != end_ && *at_ == '.') {
    ++at_;
    if (!digits()) return false;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!digits()) return false;
  }
  return true;
}

bool Parser::digits() {
  if (!at_digit()) return fail_at(at_);
  while (at_digit()) ++at_;
  return true;
}

bool Parser::note_key(const char* key_begin) {
  const uint32_t position = member_count_++;
  std::string_view name(key_begin + 1, static_cast<size_t>(at_ - key_begin - 2));
  std::array<char, kNameBytesMax + 1> unescaped;
  if (escaped_) {
    const Value quoted{{key_begin, static_cast<size_t>(at_ - key_begin)}};
    const auto decoded = decode(quoted, unescaped);
    if (!decoded) return true;  // longer than any name on the list
    name = *decoded;
  }
  const size_t field = names_.field_of(name);
  if (field == names_.size()) return true;
  if (fields_->has(field)) {
    fail_at(key_begin, Fault::kDuplicate);
    error_.field = static_cast<uint32_t>(field);
    return false;
  }
  fields_->present_ |= 1U << field;
  open_field_ = &fields_->fields_[field];
  *open_field_ = {.member = {.begin = offset(key_begin), .end = 0},
                  .position = position,
                  .comma_before = comma_before_};
  return true;
}

void Parser::note_value_end() {
  if (open_field_ == nullptr) return;
  open_field_->member.end = offset(at_);
  open_field_->value.end = offset(at_);
  closed_field_ = open_field_;
  open_field_ = nullptr;
}

bool Parser::run() {
  skip_space();
  const char* top = at_;
  if (at_ != end_) top_type_ = Value{{at_, 1}}.type();
  Next next = Next::kValue;
  while (next != Next::kAfter || depth_ > 0) {
    const bool good = next == Next::kValue ? value(next)
                      : next == Next::kKey ? key(next)
                                           : after(next);
    if (!good) return false;
  }
  if (fields_ != nullptr) {
    fields_->object_ = {offset(top), offset(at_)};
    fields_->member_count_ = member_count_;
  }
  skip_space();
  return at_ == end_ || fail_at(at_);
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
