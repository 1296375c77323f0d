"""Usage: after thousands of mixed requests the store has what the provider counted."""

import concurrent.futures
import http.client
import json
import random
import signal
import threading
import time
import unittest

import flexctl
import harness

REQUESTS = 10_000
CLIENTS = 16
WORKERS = 4
KEYS = 5
COUNTS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
LOSS_S = 2.0  # a second between two rounds, and slack
# A provider's word for the tier of an answer, as usage has it, is the provider's.
MODELS = {"openai": "gpt-5.4", "gemini": "gemini-3.5-flash", "anthropic": "claude-sonnet-4-5"}
SCENARIOS = ["ok", "ok", "ok", "cached", "reasoning", "ok input=1000", "ok bytes=3000",
             "incomplete"]


def body_of(dialect, provider, text, start_within, stream):
    """A request of one user text, and the path it goes to."""
    model = MODELS[provider]
    body = {"model": model, "start_within": start_within}
    if stream:
        body["stream"] = True
    if dialect == "responses":
        return "/v1/responses", {**body, "input": text, "max_output_tokens": 1000}
    if dialect == "interactions":
        return "/v1beta/interactions", {**body, "input": text,
                                        "generation_config": {"max_output_tokens": 1000}}
    messages = [{"role": "user", "content": text}]
    if dialect == "chat":
        return "/v1/chat/completions", {**body, "messages": messages,
                                        "max_completion_tokens": 1000}
    return "/v1/messages", {**body, "messages": messages, "max_tokens": 1000}


def draw(random_source):
    """One request of the mix: path, body, and how it is to end (good, or refused by flexd)."""
    provider = random_source.choice(list(MODELS))
    dialect = random_source.choice(["responses", "chat", "interactions", "messages"])
    races = provider != "anthropic" and random_source.random() < 0.4
    start_within = "00h-00m-30s" if races else random_source.choice(["default", "priority"])
    kind = random_source.random()
    scenario = random_source.choice(SCENARIOS)
    if races and kind < 0.15:
        scenario = "refuse"
    text = f"[flexsim:{scenario}] {random_source.randrange(10**6)}"
    path, body = body_of(dialect, provider, text, start_within, random_source.random() < 0.5)
    if kind > 0.97:
        del body["start_within"]  # missing_start_within
    elif kind > 0.94:
        body["service_tier"] = "flex"  # service_tier_not_allowed
    return path, body


class Client:
    """A connection that is kept, and what came back on it."""

    def __init__(self, address, keys, seed):
        self.connection = http.client.HTTPConnection(*address, timeout=60)
        self.random = random.Random(seed)
        self.keys = keys
        self.good = {key: 0 for key in keys}
        self.bad = {key: 0 for key in keys}
        self.bad_statuses = set()

    def ask(self, count):
        for _ in range(count):
            path, body = draw(self.random)
            key = self.random.choice(self.keys)
            self.connection.request("POST", path, body=json.dumps(body), headers={
                "authorization": f"Bearer {key}", "content-type": "application/json"})
            answer = self.connection.getresponse()
            answer.read()
            if answer.status == 200:
                self.good[key] += 1
            else:
                self.bad[key] += 1
                self.bad_statuses.add(answer.status)
        self.connection.close()


class Usage(harness.Case):
    def setUp(self):
        self.flexsim = self.run_here(harness.Flexsim())
        self.store = self.run_here(flexctl.Store())
        self.keys = {}
        for name, count in (("acme", KEYS - 1), ("other", 1)):
            self.store.good("org", "create", name)
            for provider, secret in (("openai", "sk-flexsim"), ("gemini", "AIza-flexsim"),
                                     ("anthropic", "sk-ant-flexsim")):
                self.store.good("provider-key", "set", name, provider, stdin=secret + "\n")
            for _ in range(count):
                made = self.store.json("key", "create", name)
                self.keys[made["key"]] = made["id"]

    def flexd(self, *flags):
        return self.run_here(harness.Flexd(self.flexsim.url, *flags, ca=self.flexsim.ca,
                                           store=self.store, workers=WORKERS))

    def ask_many(self, flexd, count):
        clients = [Client(flexd.address, list(self.keys), seed) for seed in range(CLIENTS)]
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda client: client.ask(count // CLIENTS), clients))
        return clients

    def test_totals_are_what_the_provider_counted(self):
        flexd = self.flexd()
        clients = self.ask_many(flexd, REQUESTS)
        flexd.signal(signal.SIGTERM)
        self.assertEqual(flexd.wait_exit(), 0)
        sent = CLIENTS * (REQUESTS // CLIENTS)
        good = sum(sum(c.good.values()) for c in clients)
        self.assertGreater(good, sent // 2)
        self.assertEqual(set().union(*(c.bad_statuses for c in clients)), {400})

        total = self.store.json("usage")["total"]
        self.assertEqual(total["requests"], sent)
        self.assertEqual(total["errors"], sent - good)
        self.assertEqual(total["client_closed"], 0)

        # By key: what each caller has seen.
        rows = self.store.json("usage", "--by", "key")["rows"]
        by_key = {row["key"]: row for row in rows}
        for key, key_id in self.keys.items():
            self.assertEqual(by_key[key_id]["requests"],
                             sum(c.good[key] + c.bad[key] for c in clients))
            self.assertEqual(by_key[key_id]["errors"], sum(c.bad[key] for c in clients))

        # By model and tier: what the provider says that it has answered and told.
        counted = {(a["provider"], a["model"], a["tier"]): a
                   for a in self.flexsim.report()["answers"]}
        rows = self.store.json("usage", "--by", "provider,model,served")["rows"]
        served = {(r["provider"], r["model"], r["served"]): r for r in rows if r["served"]}
        self.assertEqual(set(served), set(counted))
        for place, answers in counted.items():
            self.assertEqual(served[place]["requests"] - served[place]["errors"],
                             answers["answers"], place)
            for count in COUNTS:
                self.assertEqual(served[place][count], answers[count], (place, count))
        self.assertEqual(sum(a["answers"] for a in counted.values()), good)
        reasons = {r["reason"] for r in self.store.json("usage", "--by", "reason")["rows"]}
        self.assertLessEqual({"tier_direct", "flex_won", "flex_capacity"}, reasons)

        # Money: flex saves, priority costs more than standard.
        rows = self.store.json("usage", "--by", "served")["rows"]
        saved = {r["served"]: float(r["saved_usd"]) for r in rows}
        self.assertGreater(float(total["cost_usd"]), 0)
        self.assertGreater(saved["flex"], 0)
        self.assertEqual(saved["default"], 0)

    def test_a_kill_loses_the_last_second_at_most(self):
        flexd = self.flexd()
        clients = self.ask_many(flexd, 800)
        harness.wait_until(
            lambda: self.store.json("usage")["total"]["requests"] == 800, "the usage", LOSS_S + 3)
        stopping = threading.Event()
        done = []

        def ask_on():
            key = next(iter(self.keys))
            while not stopping.is_set():
                try:
                    if flexd.post({"model": "gpt-5.4", "input": "x", "start_within": "default"},
                                  {"authorization": f"Bearer {key}"}).status == 200:
                        done.append(time.monotonic())
                except OSError:
                    return

        asking = threading.Thread(target=ask_on)
        asking.start()
        harness.wait_until(lambda: done and done[-1] - done[0] > 3, "three seconds of requests")
        flexd.signal(signal.SIGKILL)
        killed = time.monotonic()
        stopping.set()
        asking.join()
        flexd.wait_exit()
        stored = self.store.json("usage")["total"]["requests"] - 800
        at_least = sum(1 for at in done if at < killed - LOSS_S)
        self.assertGreaterEqual(stored, at_least)
        self.assertLessEqual(stored, len(done) + 1)
        self.assertEqual(sum(sum(c.good.values()) + sum(c.bad.values()) for c in clients), 800)

    def test_cost_stands_in_the_answer_where_it_is_known(self):
        flexd = self.flexd()
        key = next(iter(self.keys))

        def ask(**changes):
            return flexd.post({"model": "gpt-5.4", "input": "[flexsim:ok input=1000]",
                               "start_within": "00h-00m-30s", **changes},
                              {"authorization": f"Bearer {key}"})

        self.assertRegex(ask().headers["x-flexinference-cost"], r"\A0\.\d{2,9}\Z")
        # Passed on as it comes: nothing is held back for it.
        self.assertNotIn("x-flexinference-cost", ask(start_within="default").headers)
        # No price is ever guessed.
        unknown = ask(start_within="default", model="gpt-unheard-of")
        self.assertEqual(unknown.status, 200)
        harness.wait_until(lambda: self.store.json("usage")["total"]["requests"] == 3, "the usage")
        rows = self.store.json("usage", "--by", "model")["rows"]
        self.assertEqual({r["model"]: r["unpriced"] for r in rows},
                         {"gpt-5.4": 0, "gpt-unheard-of": 1})

    def test_a_price_file_of_the_operator(self):
        prices = self.store.path.parent / "prices.txt"
        prices.write_text("as-of 2026-01-01\ngpt-5.4 standard 1000000000 0 0 0\n",
                          encoding="ascii")
        flexd = self.flexd("--prices", prices)
        key = next(iter(self.keys))
        flexd.post({"model": "gpt-5.4", "input": "[flexsim:ok input=1000]",
                    "start_within": "default"}, {"authorization": f"Bearer {key}"})
        harness.wait_until(
            lambda: float(self.store.json("usage")["total"]["cost_usd"]) == 1.0, "a dollar")


if __name__ == "__main__":
    unittest.main()
