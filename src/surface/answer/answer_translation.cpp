#include "flexd/surface/answer_translation.hpp"

#include <new>
#include <variant>

#include "chat_writer.hpp"
#include "flexd/base/assert.hpp"
#include "interactions_writer.hpp"
#include "messages_writer.hpp"
#include "readers.hpp"
#include "responses_writer.hpp"

namespace flexd::surface {

// Impl has one reader and one writer of each kind in turn. The reader holds a reference to the
// writer: neither moves.
struct AnswerTranslation::Impl {
  Impl(const AnswerContext& context, BlockPool& pool) {
    switch (context.dialect) {
      case errors::Dialect::responses:
        writer = &writers.emplace<ResponsesWriter>(context, pool);
        break;
      case errors::Dialect::chat:
        writer = &writers.emplace<ChatWriter>(context, pool);
        break;
      case errors::Dialect::interactions:
        writer = &writers.emplace<InteractionsWriter>(context, pool);
        break;
      case errors::Dialect::messages:
        writer = &writers.emplace<MessagesWriter>(context, pool);
        break;
    }
    switch (context.provider) {
      case errors::Provider::openai:
        reader = &readers.emplace<OpenaiReader>(*writer, pool);
        break;
      case errors::Provider::gemini:
        reader = &readers.emplace<GeminiReader>(*writer, pool);
        break;
      case errors::Provider::anthropic:
        reader = &readers.emplace<AnthropicReader>(*writer, pool);
        break;
    }
  }

  // good: nothing was lost.
  bool good(bool read) const { return read && !writer->failed(); }

  std::variant<std::monostate, ResponsesWriter, ChatWriter, InteractionsWriter, MessagesWriter>
      writers;
  std::variant<std::monostate, OpenaiReader, GeminiReader, AnthropicReader> readers;
  AnswerWriter* writer = nullptr;
  AnswerReader* reader = nullptr;
};

bool AnswerTranslation::begin(const AnswerContext& context) {
  static_assert(sizeof(Impl) <= kBlockBytesMin && alignof(Impl) <= 64);
  release();
  std::byte* const block = pool_.take(sizeof(Impl));
  if (block == nullptr) return false;
  impl_ = new (block) Impl(context, pool_);
  return true;
}

bool AnswerTranslation::feed(const Event& event, Buffer& out) {
  FLEXD_ASSERT(impl_ != nullptr);
  impl_->writer->set_output(out);
  return impl_->good(impl_->reader->feed(event));
}

bool AnswerTranslation::translate_object(std::string_view object, Buffer& out) {
  FLEXD_ASSERT(impl_ != nullptr);
  impl_->writer->set_output(out);
  const bool read = impl_->reader->read_object(json::Value::front_of(object));
  return impl_->good(read) && impl_->writer->ended();
}

const AnswerEnd* AnswerTranslation::object_end() const {
  FLEXD_ASSERT(impl_ != nullptr);
  return impl_->reader->told_end();
}

errors::StreamPosition AnswerTranslation::position() const {
  FLEXD_ASSERT(impl_ != nullptr);
  return impl_->writer->position();
}

bool AnswerTranslation::ended() const {
  FLEXD_ASSERT(impl_ != nullptr);
  return impl_->writer->ended();
}

void AnswerTranslation::release() {
  if (impl_ == nullptr) return;
  impl_->~Impl();
  pool_.give(reinterpret_cast<std::byte*>(impl_), BlockPool::class_bytes(sizeof(Impl)));
  impl_ = nullptr;
}

}  // namespace flexd::surface
