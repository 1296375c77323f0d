#include "history.hpp"

#include "flexd/base/ascii.hpp"

namespace flexd::flexsim {

void History::user_text(std::string_view text) {
  if (!in_user_turn_) {
    last_user_text_.clear();
    in_user_turn_ = true;
    if (results_count_ == 0) {
      loop_results_.clear();
      loop_count_ = 0;
    }
  }
  if (!last_user_text_.empty()) last_user_text_ += "\\n";
  last_user_text_ += text;
  text_after_results_ = results_count_ > 0;
}

void History::model_item() {
  in_user_turn_ = text_after_results_ = false;
  results_.clear();
  results_count_ = 0;
}

void History::result(std::string_view text) {
  constexpr std::string_view kDivider = " | ";
  if (results_count_++ > 0) results_ += kDivider;
  results_ += text;
  if (loop_count_++ > 0) loop_results_ += kDivider;
  loop_results_ += text;
  in_user_turn_ = text_after_results_ = false;
}

std::string History::attachments() const {
  const auto counted = [](size_t count, std::string_view noun, const std::string& list) {
    return std::string(DecimalText(uint64_t{count}).view()) + " " + std::string(noun) +
           (count == 1 ? ": " : "s: ") + list;
  };
  std::string text = images_count_ == 0 ? "no images" : counted(images_count_, "image", images_);
  if (files_count_ > 0) text += "; " + counted(files_count_, "file", files_);
  return text;
}

void History::add(std::string& list, size_t& count, std::string_view text) {
  if (count++ > 0) list += ", ";
  list += text;
}

std::string describe_base64(std::string_view mime, std::string_view data) {
  size_t digits = data.size();
  while (digits > 0 && data[digits - 1] == '=') digits--;
  return std::string(mime) + " base64 " +
         std::string(DecimalText(uint64_t{digits * 3 / 4}).view()) + " bytes";
}

std::string describe_uri(std::string_view uri) {
  constexpr std::string_view kData = "data:";
  constexpr std::string_view kBase64 = ";base64";
  const size_t comma = uri.find(',');
  if (!uri.starts_with(kData) || comma == std::string_view::npos) {
    return "url " + std::string(uri);
  }
  std::string_view type = uri.substr(kData.size(), comma - kData.size());
  if (!type.ends_with(kBase64)) return "data without base64";
  type.remove_suffix(kBase64.size());
  return describe_base64(type.substr(0, type.find(';')), uri.substr(comma + 1));
}

}  // namespace flexd::flexsim
