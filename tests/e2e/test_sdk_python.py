"""The Python SDKs before flexd and flexsim. Runs itself in an environment that has the newest ones.

The matrix of callers, providers and scenarios is python/matrix.py; it runs with the newest SDKs and
with the majors before them, each in an environment of its own.
"""

import asyncio
import concurrent.futures
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import unittest

import harness

if importlib.util.find_spec("openai") is None:
    if os.environ.get("E2E_IN_VENV"):
        raise RuntimeError("openai is not installed in the environment made for it")
    python = str(harness.python_with_sdks())
    os.environ["E2E_IN_VENV"] = "1"
    os.execv(python, [python, *sys.argv])

import anthropic  # noqa: E402
import openai  # noqa: E402
import pydantic  # noqa: E402
from google import genai  # noqa: E402

MODELS = ("gpt-5.4", "gemini-3.5-flash", "claude-opus-4-8")
START = {"start_within": "default"}
WRONG_KEY = "flex_live_" + "0" * 30


class PythonSdk(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())
        cls.flexd = cls.start(harness.Flexd(
            cls.flexsim.url, "--auth-failures-per-minute", "0", ca=cls.flexsim.ca))
        cls.client = openai.OpenAI(
            api_key=cls.flexd.key, base_url=cls.flexd.url + "/v1", max_retries=0)
        cls.addClassCleanup(cls.client.close)

    def request(self, start_within="default", text="Hello", **more):
        self.trace = f"{self.id()}-{time.monotonic_ns()}"[-60:]
        return {"model": "gpt-5.4", "input": text, "metadata": {"trace": self.trace},
                "extra_body": {"start_within": start_within}, **more}

    def create(self, *args, **kwargs):
        return self.client.responses.create(**self.request(*args, **kwargs))

    def ended(self):
        """The record of this test's attempt, once it has ended."""
        return harness.wait_until(
            lambda: next((r for r in self.flexsim.records(self.trace) if r["end"] != "open"), None),
            "the attempt to end")

    def test_create(self):
        for window, reason in (("default", "tier_direct"), ("00h-00m-30s", "flex_won")):
            raw = self.client.responses.with_raw_response.create(**self.request(window))
            self.assertEqual(raw.headers["x-flexinference-routing-reason"], reason)
            self.assertEqual(raw.parse().output_text, "Hello! This is a simulated answer.")

    def test_models(self):
        models = {model.id: model for model in self.client.models.list()}
        self.assertIn("gpt-5.4", models)
        self.assertNotIn("gpt-4o", models)
        one = self.client.models.retrieve("gemini-3.5-flash")
        self.assertEqual(one, models[one.id])
        self.assertEqual((one.object, one.owned_by, one.created), ("model", "gemini", 0))
        self.assertEqual(one.flexinference["tiers"], ["flex", "standard", "priority"])
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.models.retrieve("a/b c")
        self.assertEqual(caught.exception.code, "model_not_found")
        with anthropic.Anthropic(api_key=self.flexd.key, base_url=self.flexd.url,
                                 max_retries=0) as client:
            page = client.models.list(limit=5)
            self.assertEqual([model.id for model in page], list(models))
            self.assertEqual(client.models.retrieve("gpt-5.4").display_name, "gpt-5.4")
            with self.assertRaises(anthropic.NotFoundError):
                client.models.retrieve("claude-nothing")

    def test_create_with_stream(self):
        for window in ("default", "00h-00m-30s"):
            with self.create(window, stream=True) as stream:
                events = list(stream)
            self.assertEqual(events[0].type, "response.created")
            self.assertEqual(events[-1].type, "response.completed")
            self.assertEqual([e.sequence_number for e in events], list(range(len(events))))

    def test_stream_helper(self):
        for text in ("Hello", "[flexsim:tool-call]", "[flexsim:reasoning]"):
            with self.client.responses.stream(**self.request("00h-00m-30s", text)) as stream:
                final = stream.get_final_response()
            self.assertEqual(final.status, "completed")
            self.assertTrue(final.output)

    def test_typed_errors(self):
        cases = [
            (openai.BadRequestError, 400, "invalid_start_within", "start_within", ("30s",)),
            (openai.BadRequestError, 400, "service_tier_not_allowed", "service_tier",
             ("default", "x"), {"service_tier": "flex"}),
            (openai.BadRequestError, 400, "model_not_flex_capable", "model",
             ("00h-00m-30s", "x"), {"model": "gpt-4o"}),
        ]
        for kind, status, code, param, args, *more in cases:
            with self.assertRaises(kind) as caught:
                request = {**self.request(*args), **(more[0] if more else {})}
                self.client.responses.create(**request)
            error = caught.exception
            self.assertEqual((error.status_code, error.code, error.param), (status, code, param))
            self.assertRegex(error.request_id, "^req_")

    def test_wrong_key(self):
        with self.client.with_options(api_key="flex_live_" + "0" * 30) as client:
            with self.assertRaises(openai.AuthenticationError) as caught:
                client.responses.create(**self.request())
        self.assertEqual((caught.exception.code, caught.exception.type),
                         ("invalid_api_key", "authentication_error"))

    def test_body_too_large(self):
        for size in (1_000_100, 1_900_000, 8_000_000):
            with self.assertRaises(openai.APIStatusError) as caught:
                self.create("default", "x" * size)
            self.assertEqual((caught.exception.status_code, caught.exception.code),
                             (413, "request_too_large"))
            self.assertEqual(self.create().status, "completed")

    def test_errors_of_the_provider(self):
        for status, kind in ((400, openai.BadRequestError), (401, openai.AuthenticationError),
                             (429, openai.RateLimitError), (500, openai.InternalServerError)):
            for stream in (False, True):
                with self.assertRaises(kind) as caught:
                    self.create("default", f"[flexsim:error {status}]", stream=stream)
                self.assertEqual(caught.exception.status_code, status)
                self.assertRegex(caught.exception.request_id, "^req_[0-9a-f]{32}$")

    def test_retries(self):
        patient = self.client.with_options(max_retries=3)
        patient.responses.create(**self.request("default", "[flexsim:error 500 times=1]"))
        self.assertEqual(len(self.flexsim.records(self.trace)), 2)
        with self.assertRaises(openai.BadRequestError):
            patient.responses.create(**self.request("30s"))
        # A spent race: the first retry is told that another cannot help.
        with self.assertRaises(openai.InternalServerError):
            patient.responses.create(**self.request("00h-00m-30s", "[flexsim:die-mid]"))
        flex = [r for r in self.flexsim.records(self.trace) if r["tier"] == "flex"]
        self.assertEqual(len(flex), 2)

    def test_abort_amid_a_stream(self):
        with self.create("00h-00m-30s", "[flexsim:stall-mid]", stream=True) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    break
            aborted_ns = time.monotonic_ns()
        record = self.ended()
        self.assertEqual((record["end"], record["reset_code"]), ("cancelled", 8))
        after_ms = (record["end_ns"] - aborted_ns) / 1e6
        print(f"abort to RST_STREAM at the provider: {after_ms:.2f} ms", flush=True)
        self.assertLess(after_ms, 2000)

    def test_timeout_cancels_the_attempt(self):
        with self.assertRaises(openai.APITimeoutError):
            self.create("00h-10m-00s", "[flexsim:queue-forever]", timeout=0.5)
        record = self.ended()
        self.assertEqual((record["end"], record["reset_code"]), ("cancelled", 8))

    def test_fifty_at_once(self):
        async def ask_all():
            async with openai.AsyncOpenAI(
                    api_key=self.flexd.key, base_url=self.flexd.url + "/v1") as client:
                return await asyncio.gather(*(
                    client.responses.create(**self.request(
                        "00h-00m-30s" if i % 2 else "default", f"[flexsim:ok bytes={i + 1}]"))
                    for i in range(50)))
        answers = asyncio.run(ask_all())
        self.assertEqual([len(a.output_text) for a in answers], list(range(1, 51)))


class City(pydantic.BaseModel):
    model_config = {"extra": "forbid"}
    city: str
    population: int


class OtherSurfaces(harness.Case):
    """Errors of flexd's own and helpers of the SDKs; what answers hold is the matrix's part."""

    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())
        cls.flexd = cls.start(harness.Flexd(
            cls.flexsim.url, "--auth-failures-per-minute", "0", ca=cls.flexsim.ca,
            env=harness.PROVIDER_KEYS))

    def openai(self, key=None):
        return self.run_client(openai.OpenAI(
            base_url=self.flexd.url + "/v1", api_key=key or self.flexd.key, max_retries=0))

    def anthropic(self, key=None):
        return self.run_client(anthropic.Anthropic(
            base_url=self.flexd.url, api_key=key or self.flexd.key, max_retries=0))

    def genai(self, key=None):
        return genai.Client(api_key=key or self.flexd.key, http_options={
            "base_url": self.flexd.url, "retry_options": {"attempts": 1}})

    def run_client(self, client):
        self.addCleanup(client.close)
        return client

    def check(self, error, name, status, code, param, body):
        self.assertEqual((type(error).__name__, error.status_code), (name, status))
        self.assertEqual((body["code"], body["param"]), (code, param))
        self.assertIn(body["message"][:40], str(error))

    def test_errors_of_chat(self):
        request = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "hi"}]}
        cases = [(None, {}, "BadRequestError", 400, "missing_start_within", "start_within"),
                 (None, {"extra_body": START, "seed": 7}, "BadRequestError", 400,
                  "unsupported_parameter", "seed"),
                 (WRONG_KEY, {"extra_body": START}, "AuthenticationError", 401,
                  "invalid_api_key", None)]
        for key, more, *expected in cases:
            for stream in (False, True):
                with self.subTest(expected, stream=stream), \
                        self.assertRaises(openai.APIStatusError) as caught:
                    self.openai(key).chat.completions.create(**request, **more, stream=stream)
                error = caught.exception
                self.check(error, *expected, error.body)
                self.assertEqual((error.code, error.param), tuple(expected[2:]))
                self.assertRegex(error.request_id, "^req_")

    def test_errors_of_messages(self):
        request = {"model": "claude-opus-4-8", "max_tokens": 99,
                   "messages": [{"role": "user", "content": "hi"}]}
        cases = [(None, {}, "BadRequestError", 400, "missing_start_within", "start_within"),
                 (None, {"extra_body": {**START, "top_k": 5}}, "BadRequestError", 400,
                  "unsupported_parameter", "top_k"),
                 (WRONG_KEY, {"extra_body": START}, "AuthenticationError", 401,
                  "invalid_api_key", None)]
        for key, more, *expected in cases:
            for stream in (False, True):
                with self.subTest(expected, stream=stream), \
                        self.assertRaises(anthropic.APIStatusError) as caught:
                    self.anthropic(key).messages.create(**request, **more, stream=stream)
                error = caught.exception
                self.assertEqual(error.body["type"], "error")
                self.check(error, *expected, error.body["error"])
                self.assertRegex(error.request_id, "^req_")
        with self.assertRaises(anthropic.NotFoundError) as caught:
            self.anthropic().messages.count_tokens(
                model="claude-opus-4-8", messages=request["messages"])
        self.check(caught.exception, "NotFoundError", 404, "unknown_url", None,
                   caught.exception.body["error"])

    def test_errors_of_interactions(self):
        request = {"model": "gemini-3.5-flash", "input": "hi"}
        cases = [(None, {}, "BadRequestError", 400, "missing_start_within", "start_within"),
                 (None, {"extra_body": START, "generation_config": {"seed": 7}},
                  "BadRequestError", 400, "unsupported_generation_config",
                  "generation_config.seed"),
                 (WRONG_KEY, {"extra_body": START}, "AuthenticationError", 401,
                  "invalid_api_key", None)]
        for key, more, *expected in cases:
            client = self.genai(key)  # a client that nobody holds closes itself
            for stream in (False, True):
                # The SDK's errors are of no public module.
                with self.subTest(expected, stream=stream), self.assertRaises(Exception) as caught:
                    client.interactions.create(**request, **more, stream=stream)
                error = caught.exception
                self.check(error, *expected, error.body["error"])

    def test_structured_output_is_parsed(self):
        turns = [{"role": "user", "content": "[flexsim:json]"}]
        expected = City(city="Paris", population=2100000)
        client, other = self.openai(), self.anthropic()
        for model in MODELS:
            with self.subTest(model):
                answer = client.responses.parse(
                    model=model, input=turns, text_format=City, max_output_tokens=99,
                    extra_body=START)
                self.assertEqual(answer.output_parsed, expected)
                answer = client.chat.completions.parse(
                    model=model, messages=turns, response_format=City,
                    max_completion_tokens=99, extra_body=START)
                self.assertEqual(answer.choices[0].message.parsed, expected)
                answer = other.messages.parse(
                    model=model, messages=turns, output_format=City, max_tokens=99,
                    extra_body=START)
                self.assertEqual(answer.parsed_output, expected)

    def test_asynchronous_streams(self):
        async def ask(model):
            async with anthropic.AsyncAnthropic(
                    base_url=self.flexd.url, api_key=self.flexd.key) as client:
                async with client.messages.stream(
                        model=model, max_tokens=99, extra_body=START,
                        messages=[{"role": "user", "content": "hi"}]) as stream:
                    return "".join([text async for text in stream.text_stream])

        async def ask_all():
            return await asyncio.gather(*(ask(model) for model in MODELS * 5))
        self.assertEqual(set(asyncio.run(ask_all())), {"Hello! This is a simulated answer."})


class Matrix(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())
        cls.flexd = cls.start(harness.Flexd(
            cls.flexsim.url, "--auth-failures-per-minute", "0", ca=cls.flexsim.ca, workers=2,
            env=harness.PROVIDER_KEYS))
        cls.scenarios = tempfile.NamedTemporaryFile(suffix=".json")
        cls.addClassCleanup(cls.scenarios.close)
        subprocess.run([harness.node_path(), harness.HERE / "node/print_scenarios.mjs"],
                       stdout=cls.scenarios, check=True)
        cls.pythons = [harness.python_with_sdks(name) for name in
                       ("requirements.txt", "requirements-previous.txt")]

    def run_matrix(self, python, env):
        child = harness.Program([python, harness.HERE / "python/matrix.py"], env={
            "SCENARIOS": self.scenarios.name, **env})
        try:
            code = child.wait_exit(180)
        finally:
            child.stop()
        print(*child.lines["stdout"][-1:], flush=True)
        self.assertEqual(code, 0, child.output()[-6000:])

    def run_both(self, env):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(self.run_matrix, python, env) for python in self.pythons]:
                done.result()

    def test_matrix(self):
        self.run_both({"FLEXD_URL": self.flexd.url, "FLEXD_KEY": self.flexd.key})

    def test_matrix_at_the_own_provider(self):
        """What the matrix expects is what each SDK gets without flexd."""
        self.run_both({"FLEXSIM_URL": self.flexsim.url, "SSL_CERT_FILE": self.flexsim.ca})


if __name__ == "__main__":
    unittest.main(verbosity=2)
