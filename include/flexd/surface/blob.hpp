// blob.hpp: what a provider wants back untouched, on its way through another dialect.
//
// Providers hand out opaque texts (encrypted reasoning, signatures of thoughts) and refuse a later
// turn without them. Only the provider that made one can read it. A caller of another dialect gets
// it wrapped in its own dialect's opaque slot:
//
//   gw1.<provider>.<base64url of {"m":model,"t":type,"d":data,"i":id,"s":text}>
//
// and sends it back without looking, as it would its own provider's. Unwrapped, it goes to the
// provider that made it and to no other. flexd keeps no state for this.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/errors/dialect.hpp"
#include "flexd/json/cursor.hpp"

namespace flexd::surface {

// Blob is an opaque text and what belongs to it. All are the raw insides of JSON strings.
struct Blob {
  std::string_view type;   // encrypted_content, thinking, redacted_thinking, thought
  std::string_view data;   // the opaque text
  std::string_view model;  // that made it
  std::string_view id;     // of the item that had it, if it is wanted back too
  // text is the thought itself where the caller's dialect has no other place for it, else empty.
  std::string_view text;
};

// Base64UrlWriter encodes text piece by piece (RFC 4648 5, no padding) into a sink that has
// append(std::string_view).
template <typename Sink>
class Base64UrlWriter {
 public:
  explicit Base64UrlWriter(Sink& sink) : sink_(sink) {}

  void append(std::string_view text) {
    for (const char c : text) {
      bits_ = (bits_ << 8U) | static_cast<unsigned char>(c);
      if (++count_ == 3) put(4);
    }
  }
  // finish writes what is left.
  void finish() {
    if (count_ == 0) return;
    const unsigned chars = count_ + 1;
    bits_ <<= 8U * (3 - count_);
    put(chars);
  }

 private:
  void put(unsigned chars) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::array<char, 4> out;
    for (unsigned i = 0; i < 4; ++i) out[i] = kAlphabet[(bits_ >> (18U - 6U * i)) & 63U];
    sink_.append({out.data(), chars});
    bits_ = 0;
    count_ = 0;
  }

  Sink& sink_;
  uint32_t bits_ = 0;
  unsigned count_ = 0;
};

// write_blob writes a wrapped blob: text that needs no escapes inside a JSON string.
template <typename Sink>
void write_blob(Sink& sink, errors::Provider provider, const Blob& blob) {
  sink.append("gw1.");
  sink.append(errors::provider_word(provider));
  sink.append(".");
  Base64UrlWriter<Sink> out(sink);
  const auto member = [&out](std::string_view before, std::string_view raw) {
    out.append(before);
    out.append(raw);
    out.append("\"");
  };
  member("{\"m\":\"", blob.model);
  member(",\"t\":\"", blob.type);
  member(",\"d\":\"", blob.data);
  if (!blob.id.empty()) member(",\"i\":\"", blob.id);
  if (!blob.text.empty()) member(",\"s\":\"", blob.text);
  out.append("}");
  out.finish();
}

// unwrap_blob reads a blob that `provider` made. `text` is the raw inside of a JSON string. The
// result's views are in `space`, after what stood there (which must not move meanwhile: reserve
// text.size() more first). nullopt if it is not wrapped, another provider's, broken, or there is no
// room.
std::optional<Blob> unwrap_blob(std::string_view text, errors::Provider provider, Buffer& space);

}  // namespace flexd::surface
