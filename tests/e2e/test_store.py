"""flexd over a store that flexctl changes meanwhile: keys, limits, money, and what is refused."""

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

import flexctl
import harness

GOOD = {"model": "gpt-5.4", "input": "Hello", "start_within": "default"}
RACE = {**GOOD, "start_within": "00h-00m-30s"}
EFFECT_S = 5.0  # two are promised, and bench/keys.py measures 0.25; a busy machine takes longer
WORKERS = 4


class StoreCase(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())

    def setUp(self):
        self.store = self.run_here(flexctl.Store())
        self.store.good("org", "create", "acme")
        self.store.good("provider-key", "set", "acme", "openai", stdin="sk-flexsim\n")

    def flexd(self, *flags, **kwargs):
        kwargs = {"ca": self.flexsim.ca, "store": self.store, "workers": WORKERS, **kwargs}
        return self.run_here(harness.Flexd(self.flexsim.url, *flags, **kwargs))

    def key(self, *options, org="acme"):
        """A new key of the organization: its id and its text."""
        made = self.store.json("key", "create", org, *options)
        return made["id"], made["key"]

    def ask(self, flexd, key, body=None, **kwargs):
        return flexd.post(body or GOOD, {"authorization": f"Bearer {key}"}, **kwargs)

    def code(self, flexd, key, body=None):
        answer = self.ask(flexd, key, body)
        return "200" if answer.status == 200 else answer.code()

    def wait_code(self, flexd, key, code, body=None, seconds=EFFECT_S):
        """Waits until requests are answered so, no longer than a change may take."""
        harness.wait_until(lambda: self.code(flexd, key, body) == code, code, seconds)


class Keys(StoreCase):
    def test_a_revoked_key_stops_on_every_worker(self):
        key_id, key = self.key("--name", "first")
        _, other = self.key()
        flexd = self.flexd("--auth-failures-per-minute", "0")
        with contextlib.ExitStack() as stack:
            lines = [stack.enter_context(contextlib.closing(Line(flexd, key))) for _ in range(32)]
            self.assertEqual({line.ask().status for line in lines}, {200})
            under_way = harness.RawConnection(flexd.address)
            stack.enter_context(contextlib.closing(under_way))
            body = json.dumps({**RACE, "input": "[flexsim:start-after 4s]"})
            under_way.send(
                f"POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
            harness.wait_until(
                lambda: self.flexsim.report()["tiers"]["flex"]["open"], "the attempt")
            self.store.good("key", "revoke", key_id)
            time.sleep(EFFECT_S)
            answers = [line.ask() for line in lines]
            self.assertEqual({(a.status, a.code()) for a in answers}, {(401, "invalid_api_key")})
            self.assertEqual(self.code(flexd, other), "200")
            # What was under way is not touched.
            self.assertEqual(under_way.read_answer().json()["status"], "completed")

    def test_a_new_key_is_served(self):
        flexd = self.flexd()
        _, key = self.key()
        self.wait_code(flexd, key, "200")

    def test_deactivated_and_back(self):
        key_id, key = self.key()
        flexd = self.flexd()
        self.assertEqual(self.code(flexd, key), "200")
        self.store.good("key", "deactivate", key_id)
        self.wait_code(flexd, key, "key_deactivated")
        self.assertEqual(self.ask(flexd, key).status, 403)
        self.store.good("key", "activate", key_id)
        self.wait_code(flexd, key, "200")

    def test_expired(self):
        _, key = self.key("--expires", "3s")
        flexd = self.flexd()
        self.wait_code(flexd, key, "expired_api_key", seconds=5)
        self.assertEqual(self.ask(flexd, key).status, 401)

    def test_management_keys_call_no_models(self):
        _, key = self.key("--management")
        flexd = self.flexd()
        self.assert_error(self.ask(flexd, key), 403, "wrong_key_type")

    def test_allow_list_and_default(self):
        _, key = self.key("--model", "gpt-5.4", "--model", "o3*", "--start-within", "priority")
        flexd = self.flexd()
        bare = {"model": "gpt-5.4", "input": "Hello"}
        self.assertEqual(
            self.ask(flexd, key, bare).headers["x-flexinference-served-tier"], "priority")
        self.assertEqual(self.code(flexd, key, {**GOOD, "model": "o3-2025"}), "200")
        refused = self.ask(flexd, key, {**bare, "model": "gpt-5.4-mini"})
        self.assert_error(refused, 403, "model_not_allowed", "model")


class Line:
    """A connection that is kept, on which requests follow each other."""

    def __init__(self, flexd, key):
        self._connection = http.client.HTTPConnection(*flexd.address, timeout=harness.PATIENCE_S)
        self._fields = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def ask(self, body=None):
        self._connection.request("POST", "/v1/responses", json.dumps(body or GOOD), self._fields)
        response = self._connection.getresponse()
        fields = {k.lower(): v for k, v in response.getheaders()}
        return harness.Answer(response.status, fields, response.read())

    def close(self):
        self._connection.close()


class Limits(StoreCase):
    def burst(self, flexd, key, count):
        """The answers to requests that come on connections of their own, all at once."""
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            return list(pool.map(lambda _: self.ask(flexd, key), range(count)))

    def test_a_ceiling_holds_over_four_workers(self):
        limit = 20
        _, key = self.key("--rpm", limit)
        flexd = self.flexd()
        answers = self.burst(flexd, key, 80)
        good = [a for a in answers if a.status == 200]
        self.assertGreaterEqual(len(good), limit)
        self.assertLessEqual(len(good), limit + WORKERS)
        for answer in good:
            self.assertEqual(answer.headers["x-flexinference-ratelimit-limit-requests"], "20")
        for answer in answers:
            if answer.status == 200:
                continue
            self.assert_error(answer, 429, "rate_limit_exceeded")
            self.assertEqual(answer.headers["x-ratelimit-remaining-requests"], "0")
            self.assertLessEqual(int(answer.headers["retry-after"]), 60)
            self.assertGreater(int(answer.headers["x-ratelimit-reset-requests"]), time.time() - 1)
        # A reload of keys resets nothing.
        self.key()
        time.sleep(1)
        self.assertEqual(self.code(flexd, key), "rate_limit_exceeded")

    def test_a_budget_of_requests_holds_over_four_workers(self):
        _, key = self.key("--budget-requests", 30)
        flexd = self.flexd()
        answers = self.burst(flexd, key, 60)
        good = sum(a.status == 200 for a in answers)
        self.assertGreaterEqual(good, 30)
        self.assertLessEqual(good, 30 + WORKERS)
        self.assertEqual({a.code() for a in answers if a.status != 200}, {"quota_exceeded"})

    def test_the_rate_of_an_organization(self):
        _, key = self.key()
        self.store.good("org", "set", "acme", "--rate", 5)
        flexd = self.flexd()
        answers = self.burst(flexd, key, 60)
        refused = [a for a in answers if a.status != 200]
        self.assertGreater(len(refused), 0)
        self.assert_error(refused[0], 429, "rate_limit_exceeded")
        self.assertEqual(refused[0].headers["retry-after"], "5")
        self.store.good("org", "set", "acme", "--rate", 100_000)
        time.sleep(EFFECT_S)
        self.assertEqual({a.status for a in self.burst(flexd, key, 60)}, {200})


class Money(StoreCase):
    def test_overdue_pauses_durations_only(self):
        self.store.good("provider-key", "set", "acme", "anthropic", stdin="sk-ant-flexsim\n")
        _, key = self.key()
        flexd = self.flexd()
        self.assertEqual(self.code(flexd, key, RACE), "200")
        self.store.good("org", "set", "acme", "--billing", "overdue")
        self.wait_code(flexd, key, "payment_required", RACE)
        error = self.assert_error(self.ask(flexd, key, RACE), 402, "payment_required")
        self.assertEqual(error["type"], "billing_error")
        for word in ("default", "priority", "auto"):
            self.assertEqual(self.code(flexd, key, {**GOOD, "start_within": word}), "200")
        claude = {"model": "claude-opus-4-1", "max_output_tokens": 100, "input": "Hello",
                  "start_within": "default"}
        self.assertEqual(self.code(flexd, key, claude), "200")
        self.store.good("org", "set", "acme", "--billing", "no-payment-method")
        harness.wait_until(
            lambda: self.ask(flexd, key, RACE).json()["error"]["message"] != error["message"],
            "the other message", EFFECT_S)
        self.store.good("org", "set", "acme", "--billing", "ok")
        self.wait_code(flexd, key, "200", RACE)

    def test_credit_spent_and_topped_up(self):
        _, key = self.key()
        self.store.good("org", "credit", "acme", "--add-usd", "0.000001")
        flexd = self.flexd()
        # The request under way when credit ends is served in full.
        self.assertEqual(self.code(flexd, key), "200")
        self.wait_code(flexd, key, "insufficient_balance")
        self.assertEqual(self.ask(flexd, key).status, 402)
        self.store.good("org", "credit", "acme", "--add-usd", "10")
        self.wait_code(flexd, key, "200")

    def test_maintenance(self):
        _, key = self.key()
        flexd = self.flexd()
        self.store.good("model", "set", "gpt-5.4", "--maintenance", "on", "--retry-after", 17)
        self.wait_code(flexd, key, "service_unavailable")
        answer = self.ask(flexd, key)
        self.assertEqual(answer.headers["retry-after"], "17")
        self.assertIn("gpt-5.4", self.assert_error(answer, 503, "service_unavailable")["message"])
        self.assertEqual(self.code(flexd, key, {**GOOD, "model": "gpt-5.4-mini"}), "200")
        self.store.good("model", "set", "gpt-5.4", "--maintenance", "off")
        self.wait_code(flexd, key, "200")


class ProviderKeys(StoreCase):
    def test_set_and_removed_while_running(self):
        self.store.good("org", "create", "other")
        _, key = self.key(org="other")
        flexd = self.flexd()
        self.assert_error(self.ask(flexd, key), 400, "no_byok_key")
        self.store.good("provider-key", "set", "other", "openai", stdin="sk-flexsim\n")
        self.wait_code(flexd, key, "200")
        self.store.good("provider-key", "remove", "other", "openai")
        self.wait_code(flexd, key, "no_byok_key")

    def test_another_master_key_opens_nothing_and_says_so_once(self):
        _, key = self.key()
        wrong = self.store.path.parent / "wrong.key"
        wrong.write_text("0" * 64 + "\n")
        wrong.chmod(0o600)
        flexd = self.flexd("--master-key-file", str(wrong))
        self.assert_error(self.ask(flexd, key), 400, "no_byok_key")
        # More snapshots of the same do not say it again.
        _, second = self.key()
        self.wait_code(flexd, second, "no_byok_key")
        lines = flexd.log("provider_key_unreadable")
        self.assertEqual(len(lines), 1, flexd.output())
        self.assertEqual(lines[0]["provider"], "openai")

    def test_a_rotation_is_no_matter_to_callers(self):
        _, key = self.key()
        flexd = self.flexd()
        self.assertEqual(self.code(flexd, key), "200")
        self.store.good("rotate-master-key")
        time.sleep(1)
        self.assertEqual(self.code(flexd, key), "200")
        self.assertEqual(flexd.log("provider_key_unreadable"), [])
        _, second = self.key()
        self.wait_code(flexd, second, "200")


class Start(StoreCase):
    def refused(self, *flags):
        done = subprocess.run([harness.flexd_path(), *map(str, flags)], capture_output=True,
                              text=True, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertRegex(done.stderr, r"\Aflexd: [^\n]+\n\Z")
        return done.stderr

    def test_what_is_missing_is_told(self):
        with tempfile.TemporaryDirectory() as directory:
            nowhere = pathlib.Path(directory) / "flexd.db"
            for check in ([], ["--check-config"]):
                told = self.refused("--store", nowhere, *check)
                self.assertIn(str(nowhere), told)
                self.assertIn("flexctl init", told)
                told = self.refused("--store", self.store.path, "--master-key-file",
                                    directory + "/none.key", *check)
                self.assertIn("none.key", told)
            garbage = pathlib.Path(directory) / "garbage.db"
            garbage.write_bytes(b"not a database, but long enough to look at " * 50)
            self.assertIn("garbage.db", self.refused("--store", garbage))
            self.assertFalse(nowhere.exists())
        self.assertIn("--dev", self.refused("--dev", "--store", self.store.path))

    def test_check_config_accepts_a_good_store(self):
        done = subprocess.run(
            [harness.flexd_path(), "--store", self.store.path, "--check-config", "--origin-ca",
             self.flexsim.ca], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_locked_store_does_not_stop_service(self):
        key_id, key = self.key()
        flexd = self.flexd()
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            database.execute("BEGIN EXCLUSIVE")
            for _ in range(5):
                self.assertEqual(self.code(flexd, key), "200")
                time.sleep(0.2)
            database.rollback()
        self.store.good("key", "revoke", key_id)
        self.wait_code(flexd, key, "invalid_api_key")

    @contextlib.contextmanager
    def locked_beside_requests(self, flexd, key, count):
        """The store, locked, with requests whose use flexd could not write."""
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            database.execute("BEGIN IMMEDIATE")
            for _ in range(count):
                self.assertEqual(self.code(flexd, key), "200")
            harness.wait_until(lambda: flexd.log("usage_waits"), "a write that waits")
            yield database

    def test_sigterm_under_anothers_lock_ends_in_time_and_says_what_is_lost(self):
        _, key = self.key()
        flexd = self.flexd()
        with self.locked_beside_requests(flexd, key, 7) as database:
            began = time.monotonic()
            flexd.signal(signal.SIGTERM)
            self.assertEqual(flexd.wait_exit(), 0)
            self.assertLess(time.monotonic() - began, 2.2 + EFFECT_S)  # it tries for two seconds
            database.rollback()
        lost = flexd.log("usage_lost")
        self.assertEqual([(line["requests"], line["key_uses"]) for line in lost], [(7, 1)])
        self.assertEqual(len(flexd.log("stopped")), 1)
        self.assertEqual(self.store.json("usage")["total"]["requests"], 0)

    def test_sigterm_writes_what_waited_for_a_lock_that_is_given_up(self):
        _, key = self.key()
        flexd = self.flexd()
        with self.locked_beside_requests(flexd, key, 7) as database:
            flexd.signal(signal.SIGTERM)
            time.sleep(0.5)
            database.rollback()
        self.assertEqual(flexd.wait_exit(), 0)
        self.assertEqual(flexd.log("usage_lost"), [])
        self.assertEqual(self.store.json("usage")["total"]["requests"], 7)

    def test_a_damaged_store_is_told_once_and_service_goes_on(self):
        _, key = self.key()
        flexd = self.flexd()
        self.assertEqual(self.code(flexd, key), "200")
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            database.execute("ALTER TABLE configuration RENAME TO gone")
            database.commit()
        harness.wait_until(lambda: flexd.log("store_failing"), "a warning")
        time.sleep(1)
        self.assertEqual(len(flexd.log("store_failing")), 1)
        self.assertEqual(self.code(flexd, key), "200")
        page = flexd.get_admin("/metrics").body.decode()
        self.assertIn("\nflexd_store_failing 1\n", page)
        flexd.signal(signal.SIGTERM)
        self.assertEqual(flexd.wait_exit(), 0)


if __name__ == "__main__":
    unittest.main()
