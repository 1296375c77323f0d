// call.hpp: an attempt, what it sends, and a record of what it is told.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flexd/origin/attempt.hpp"
#include "flexd/origin/pool.hpp"

namespace flexd::origin::test {

// Failure is an AttemptFailure that outlives its callback.
struct Failure {
  FailureKind kind;
  bool never_processed;
  bool head_seen;
  std::string detail;
};

class Call final : public AttemptHandler {
 public:
  explicit Call(std::string request_body = "{}") : request_body(std::move(request_body)) {}

  void start(Pool& pool) {
    AttemptRequest request;
    request.path = path;
    request.fields = &fields;
    request.body = SplicedReader(request_body, splices_);
    in_start_ = true;
    attempt->start(pool, request);
    in_start_ = false;
  }
  void cancel() { attempt->cancel(); }
  bool is_open() const { return attempt != nullptr && attempt->is_open(); }
  // endings counts what an attempt is told exactly one of.
  size_t endings() const { return ends + failures.size(); }
  const Failure& failure() const {
    REQUIRE(failures.size() == 1);
    REQUIRE(ends == 0);
    return failures.front();
  }

  std::string request_body;
  std::string path = "/v1/responses";
  http::FieldList fields;
  std::unique_ptr<Attempt> attempt = std::make_unique<Attempt>(*this);

  bool consumes = true;
  unsigned status = 0;
  size_t heads = 0;
  size_t ends = 0;
  std::string body;
  std::vector<Failure> failures;
  // What a test does from inside a callback, after it was recorded.
  std::function<void()> when_head;
  std::function<void()> when_body;
  std::function<void()> when_end;
  std::function<void()> when_failure;

 private:
  void on_head(const http::ResponseHead& head) override {
    CHECK_FALSE(in_start_);
    CHECK(is_open());
    heads++;
    status = head.status;
    if (when_head) when_head();
  }
  void on_body(std::string_view bytes) override {
    CHECK(is_open());
    CHECK(heads > 0);
    body += bytes;
    if (consumes) attempt->consume(bytes.size());
    if (when_body) when_body();
  }
  void on_end() override {
    CHECK_FALSE(is_open());
    ends++;
    if (when_end) when_end();
  }
  void on_failure(const AttemptFailure& failure) override {
    CHECK_FALSE(in_start_);
    CHECK_FALSE(is_open());
    failures.push_back(
        {failure.kind, failure.never_processed, failure.head_seen, std::string(failure.detail)});
    if (when_failure) when_failure();
  }

  SpliceList splices_;
  bool in_start_ = false;
};

}  // namespace flexd::origin::test
