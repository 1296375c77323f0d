// fold_steps.hpp: writes a folded step out of its pieces.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "flexd/base/buffer.hpp"
#include "flexd/base/limits.hpp"
#include "flexd/json/cursor.hpp"
#include "flexd/surface/fold.hpp"

namespace flexd::surface {

// FoldSink appends to a Buffer, no more than limits::kFoldBytesMax in all.
class FoldSink {
 public:
  explicit FoldSink(Buffer& out) : out_(out), begin_(out.size()) {}

  void append(std::string_view text) {
    if (failed_ || text.empty()) return;
    failed_ = text.size() > limits::kFoldBytesMax - (out_.size() - begin_) || !out_.append(text);
  }
  bool failed() const { return failed_; }
  // undo takes everything back.
  void undo() { out_.truncate(begin_); }

 private:
  Buffer& out_;
  size_t begin_;
  bool failed_ = false;
};

// Kind says what a piece's text is. Raw: the inside of a string, as escaped as it came.
enum class Fold::Kind : uint8_t {
  start,                // the step object
  content_text,         // raw
  content_annotations,  // an array
  content_part,         // a JSON value
  summary_text,
  summary_annotations,
  summary_part,
  signature,  // a JSON string
  arguments,  // raw
  members,    // an object, whose members become the step's
};

// PieceHead stands before a piece's text, unaligned.
struct Fold::PieceHead {
  uint32_t next = 0;  // offset of the step's next piece; 0 at the end
  uint32_t size = 0;  // of the text
  Kind kind = Kind::start;
};

// StepWriter writes one step.
class Fold::StepWriter {
 public:
  StepWriter(std::string_view pieces, Buffer& scratch, FoldSink& sink)
      : pieces_(pieces), scratch_(scratch), sink_(sink) {}

  // write is false if the scratch buffer had no room.
  bool write(const Step& step);

 private:
  // Place is where in a step's list of pieces a walk stands.
  struct Place {
    PieceHead head;
    std::string_view text;
    bool at_end = false;
  };
  // PartKinds are the kinds of the pieces that one array is made of.
  struct PartKinds {
    Kind text;
    Kind annotations;
    Kind part;
  };
  static constexpr PartKinds kContent{Kind::content_text, Kind::content_annotations,
                                      Kind::content_part};
  static constexpr PartKinds kSummary{Kind::summary_text, Kind::summary_annotations,
                                      Kind::summary_part};
  static bool is_of(const PartKinds& kinds, Kind kind) {
    return kind == kinds.text || kind == kinds.annotations || kind == kinds.part;
  }
  static constexpr size_t kFieldsMax = 16;

  void note_pieces(const Step& step);
  void note_members(const json::Value& object);
  bool is_changed(size_t field) const;
  void write_field(size_t field, const json::Value& start);
  void write_array(const PartKinds& kinds, const json::Value& start);
  // write_text_part writes one part and leaves `place` behind what it is made of.
  void write_text_part(const PartKinds& kinds, const json::Value& start, Place& place);
  void write_texts(const PartKinds& kinds, Place place);
  void write_annotations(const PartKinds& kinds, const json::Value& start, Place place);
  bool has_annotations(const PartKinds& kinds, Place place) const;
  void write_arguments(const json::Value& start);
  // unescaped_arguments is what the fragments say, if it is an object.
  std::optional<std::string_view> unescaped_arguments();

  Place place_at(uint32_t offset) const;
  Place next(const Place& place) const;
  Place first_of(const PartKinds& kinds) const;
  void skip_to(const PartKinds& kinds, Place& place) const;
  void separate(bool& comma_due);
  void write_name(bool& comma_due, std::string_view name);

  std::string_view pieces_;
  Buffer& scratch_;
  FoldSink& sink_;
  uint32_t first_ = 0;
  json::Value start_;
  std::array<json::Value, kFieldsMax> values_{};  // of fields that deltas have replaced
  bool has_content_ = false;
  bool has_summary_ = false;
  bool has_arguments_ = false;
  bool no_room_ = false;
};

}  // namespace flexd::surface
