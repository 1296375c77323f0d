"""What gateways on one store know of each other, and what the admin API keeps from nobody."""

import concurrent.futures
import contextlib
import signal
import sqlite3
import threading
import time
import unittest

import harness
import test_store


class Gateways(test_store.StoreCase):
    """Two gateways on one store: what one has spent the other knows of, within two seconds."""

    RATE = 25  # requests a second of each

    def ask_for(self, flexd, key, seconds):
        """Asks at RATE; how many were answered well, and the code of the last answer."""
        line = test_store.Line(flexd, key)
        began = time.monotonic()
        good = 0
        answer = None
        with contextlib.closing(line):
            for i in range(int(seconds * self.RATE)):
                time.sleep(max(0, began + i / self.RATE - time.monotonic()))
                answer = line.ask()
                good += answer.status == 200
        return good, answer.code()

    def test_a_budget_holds_over_both(self):
        budget = 200
        _, key = self.key("--budget-requests", budget)
        gateways = [self.flexd(workers=2), self.flexd(workers=2)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            ended = list(pool.map(lambda flexd: self.ask_for(flexd, key, 10), gateways))
        good = sum(count for count, _ in ended)
        self.assertEqual({code for _, code in ended}, {"quota_exceeded"})
        self.assertGreaterEqual(good, budget)
        # One that knew nothing of the other would let the whole budget through again.
        self.assertLessEqual(good, budget + 2 * 2 * self.RATE)
        harness.wait_until(lambda: self.store.json("usage", "--by", "key")["total"]["errors"] ==
                           2 * 10 * self.RATE - good, "all of the usage")
        self.assertEqual(self.month_requests(), good)

    def month_requests(self):
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            return database.execute("SELECT sum(requests) FROM key_use").fetchone()[0]

    def test_what_is_used_up_at_one_is_refused_at_the_other(self):
        _, key = self.key("--budget-requests", 5)
        _, dear = self.key("--budget-usd", "0.000001")
        first, second = self.flexd(), self.flexd()
        for _ in range(5):
            self.assertEqual(self.code(first, key), "200")
        self.assertEqual(self.code(first, dear), "200")
        time.sleep(test_store.EFFECT_S)
        # Nothing of the configuration has changed, and these are its first requests.
        self.assertEqual(self.code(second, key), "quota_exceeded")
        self.assertEqual(self.code(second, dear), "quota_exceeded")
        self.assertEqual(self.code(first, key), "quota_exceeded")

    def test_credit_is_drawn_by_both(self):
        _, key = self.key()
        self.store.good("org", "credit", "acme", "--add-usd", "0.000001")
        first, second = self.flexd(), self.flexd()
        self.assertEqual(self.code(first, key), "200")
        time.sleep(test_store.EFFECT_S)
        self.assertEqual(self.code(second, key), "insufficient_balance")


class AdminLoad(test_store.StoreCase):
    """What one organization asks of the admin API keeps nothing from the others."""

    ROWS = 1_200_000  # a question about them takes about a second

    def setUp(self):
        super().setUp()
        self.store.good("org", "create", "other")
        self.management = self.key("--management")[1]

    def fill(self):
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            columns = [row[1] for row in database.execute("PRAGMA table_info(usage)")]
            counts = ", ".join("1" for _ in columns[8:])
            database.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                "INSERT INTO usage SELECT 1, 0, i % 20000, 'm' || i, '', '', '', '', "
                f"{counts} FROM n", (self.ROWS,))
            database.commit()

    def usage(self, flexd):
        return harness.request(flexd.admin_address, "GET", "/api/usage?by=org",
                               headers={"authorization": f"Bearer {self.management}"}, timeout=60)

    def test_a_revocation_does_not_wait_for_long_questions(self):
        self.fill()
        key_id, key = self.key(org="other")
        other = self.key("--management", org="other")[1]
        self.store.good("provider-key", "set", "other", "openai", stdin="sk-flexsim\n")
        flexd = self.flexd()
        self.assertEqual(self.code(flexd, key), "200")
        began = time.monotonic()
        self.assertEqual(self.usage(flexd).json()["total"]["requests"], self.ROWS)
        question_s = time.monotonic() - began
        stopping = threading.Event()

        def ask_on():
            statuses = set()
            while not stopping.is_set():
                statuses.add(self.usage(flexd).status)
            return statuses

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask_on) for _ in range(4)]
            try:
                time.sleep(1)
                began = time.monotonic()
                revoked = harness.request(
                    flexd.admin_address, "POST", f"/api/keys/{key_id}/revoke",
                    headers={"authorization": f"Bearer {other}"}, timeout=60)
                answered = time.monotonic()
                self.assertEqual(revoked.status, 200, revoked.body)
                self.wait_code(flexd, key, "invalid_api_key")
                held = time.monotonic()
            finally:
                stopping.set()
            statuses = set().union(*(one.result() for one in asking))
        self.assertEqual(statuses, {200})
        # It waited for the question under way, not for the three that came before it too.
        self.assertLess(answered - began, 2.5 * question_s)
        self.assertLess(held - answered, test_store.EFFECT_S)

    def test_a_stop_ends_long_questions_and_answers_those_that_wait(self):
        flexd = self.flexd()
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            database.execute("BEGIN IMMEDIATE")
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                # They wait for the lock: the first with the store, the others for the first.
                asking = [pool.submit(harness.request, flexd.admin_address, "POST", "/api/keys",
                                      "{}", {"authorization": f"Bearer {self.management}"})
                          for _ in range(4)]
                time.sleep(1)
                self.assertFalse(any(one.done() for one in asking))
                began = time.monotonic()
                flexd.signal(signal.SIGTERM)
                answers = [one.result() for one in asking]
            self.assertEqual(flexd.wait_exit(), 0)
            self.assertLess(time.monotonic() - began, test_store.EFFECT_S)
            database.rollback()
        for answer in answers:
            self.assert_error(answer, 503, "service_unavailable")
        self.assertEqual(flexd.log("admin_jobs_dropped")[0]["jobs"], 3)


if __name__ == "__main__":
    unittest.main()
