#include "flexd/origin/pool.hpp"

#include <algorithm>
#include <utility>

#include "connection.hpp"
#include "flexd/metrics/core.hpp"

namespace flexd::origin {

void WaitingList::push(Attempt& attempt) {
  attempt.next_ = nullptr;
  attempt.previous_ = tail_;
  (tail_ == nullptr ? head_ : tail_->next_) = &attempt;
  tail_ = &attempt;
  ++size_;
}

void WaitingList::remove(Attempt& attempt) {
  (attempt.previous_ == nullptr ? head_ : attempt.previous_->next_) = attempt.next_;
  (attempt.next_ == nullptr ? tail_ : attempt.next_->previous_) = attempt.previous_;
  attempt.next_ = attempt.previous_ = nullptr;
  --size_;
}

Pool::Pool(io::Reactor& reactor, http::h2::Resources& resources, tls::ClientContext* tls,
           errors::Provider provider, PoolOptions options)
    : reactor_(reactor),
      resources_(resources),
      tls_(tls),
      provider_(provider),
      options_(std::move(options)),
      authority_(options_.url.authority()),
      timer_(timer_callback<Pool, &Pool::on_timer>, this),
      http1_(options_.url.scheme == config::OriginUrl::Scheme::http),
      streams_each_(options_.streams_per_connection_max) {
  connections_.reserve(options_.connections_max);
}

Pool::~Pool() {
  FLEXD_ASSERT(connections_.empty());
  FLEXD_ASSERT(waiting_.size() == 0 && doomed_.size() == 0);
}

void Pool::add(Attempt& attempt) {
  if (waiting_.size() == 0 && place(attempt)) return;
  if (waiting_.size() >= options_.waiting_max || shut_down_) {
    doom(attempt);
    return;
  }
  attempt.stream_ = 0;
  waiting_.push(attempt);
  open_connections();
}

// doom has an attempt told that there is no place for it. Callbacks never come from inside `start`.
void Pool::doom(Attempt& attempt) {
  doomed_.push(attempt);
  attempt.stream_ = -1;
  reactor_.timers().set(timer_, reactor_.now_ns());
}

void Pool::count_refused() {
  if (auto* metrics = reactor_.metrics()) {
    metrics->add(metrics::Counter::origin_refused_streams, metrics::at(provider_));
  }
}

void Pool::forget(Attempt& attempt) {
  (attempt.stream_ == -1 ? doomed_ : waiting_).remove(attempt);
}

// place puts an attempt on the fullest connection with room: the more streams share one, the fewer
// records and sends there are. Of equal ones that which was heard last is taken: the warmest, and
// of idle HTTP/1.1 connections the one that its peer will close last.
bool Pool::place(Attempt& attempt) {
  Connection* best = nullptr;
  for (const auto& connection : connections_) {
    if (!connection->has_room()) continue;
    const auto rank = [](const Connection& one) {
      return std::pair(one.stream_count(), one.received_ns());
    };
    if (best == nullptr || rank(*connection) >= rank(*best)) best = connection.get();
  }
  return best != nullptr && best->place(attempt);
}

void Pool::dispatch() {
  while (Attempt* const attempt = waiting_.front()) {
    if (!place(*attempt)) break;
    waiting_.remove(*attempt);
  }
  open_connections();
}

size_t Pool::opening_count() const {
  return static_cast<size_t>(
      std::count_if(connections_.begin(), connections_.end(),
                    [](const auto& connection) { return connection->is_opening(); }));
}

size_t Pool::stream_count() const {
  size_t count = 0;
  for (const auto& connection : connections_) count += connection->stream_count();
  return count;
}

// open_connections opens as many as the waiting attempts need beyond those being opened.
void Pool::open_connections() {
  if (waiting_.size() == 0 || shut_down_) return;
  const size_t each = http1_ ? 1 : streams_each_;
  size_t opening = opening_count();
  while (opening * each < waiting_.size() && connections_.size() < options_.connections_max) {
    connections_.push_back(std::make_unique<Connection>(*this));
    connections_.back()->open();
    ++opening;
  }
}

void Pool::on_room() {
  dispatch();
}

// on_open_failed tells the attempts that this connection would have carried. Others wait for the
// connections still being opened, or get one of their own.
void Pool::on_open_failed(const AttemptFailure& failure) {
  const size_t each = http1_ ? 1 : streams_each_;
  const bool last = opening_count() <= 1;
  size_t count = last ? waiting_.size() : std::min(each, waiting_.size());
  while (count-- > 0 && waiting_.front() != nullptr) {
    Attempt* const attempt = waiting_.front();
    waiting_.remove(*attempt);
    attempt->fail(failure);
  }
}

void Pool::on_connection_closed(Connection& connection) {
  const auto found =
      std::find_if(connections_.begin(), connections_.end(),
                   [&connection](const auto& each) { return each.get() == &connection; });
  FLEXD_ASSERT(found != connections_.end());
  connections_.erase(found);
  dispatch();
}

void Pool::on_timer() {
  // One that is started again at once finds the pool as full, and waits for the next turn.
  for (size_t count = doomed_.size(); count > 0 && doomed_.front() != nullptr; --count) {
    Attempt* const attempt = doomed_.front();
    doomed_.remove(*attempt);
    attempt->fail({.kind = FailureKind::overloaded, .never_processed = false});
  }
}

void Pool::shut_down() {
  shut_down_ = true;
  // No connection is opened any more, so nothing would ever end their waiting.
  while (Attempt* const attempt = waiting_.front()) {
    waiting_.remove(*attempt);
    doom(*attempt);
  }
  // retire may close a connection, but it leaves the list only in a later turn.
  for (const auto& connection : connections_) connection->retire();
}

}  // namespace flexd::origin
