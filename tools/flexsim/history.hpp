// history.hpp: what a request's conversation says to the simulated provider, whatever its dialect.
//
// The reader of each dialect tells it the items in order. All texts are the insides of JSON
// strings, escaped as they were sent, so that they can be put into an answer as they are.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flexd::flexsim {

class History {
 public:
  // user_text is a text of the user's; consecutive ones are one turn.
  void user_text(std::string_view text);
  // model_item is anything that the model said: a text, a thought, a call.
  void model_item();
  // result is what a tool answered.
  void result(std::string_view text);
  // image and file are part of the user's turn, or of a result: "image/png base64 95 bytes".
  void image(std::string_view description) { add(images_, images_count_, description); }
  void file(std::string_view description) { add(files_, files_count_, description); }

  // last_user_text is the text of the last user turn that has one.
  const std::string& last_user_text() const { return last_user_text_; }
  // waits_on_results: a tool's results are the newest thing, but perhaps for a text of the user's.
  bool waits_on_results() const { return results_count_ > 0; }
  // has_text_after_results: last_user_text came after them.
  bool has_text_after_results() const { return text_after_results_; }
  // results are those since the model's last item, divided by " | ".
  const std::string& results() const { return results_; }
  // loop_results are those since the user's last request, of which loop_count were made.
  const std::string& loop_results() const { return loop_results_; }
  size_t loop_count() const { return loop_count_; }
  // attachments describes all images and files: "1 image: ...; 2 files: ..., ...", or "no images".
  std::string attachments() const;

 private:
  static void add(std::string& list, size_t& count, std::string_view text);

  std::string last_user_text_;
  std::string results_;
  std::string loop_results_;
  std::string images_;
  std::string files_;
  size_t results_count_ = 0;
  size_t loop_count_ = 0;
  size_t images_count_ = 0;
  size_t files_count_ = 0;
  bool in_user_turn_ = false;
  bool text_after_results_ = false;
};

// describe_base64 is the description of inline data: type, and the size when decoded.
[[nodiscard]] std::string describe_base64(std::string_view mime, std::string_view data);
// describe_uri describes a data: URI like describe_base64, and any other one as "url URI".
[[nodiscard]] std::string describe_uri(std::string_view uri);

}  // namespace flexd::flexsim
