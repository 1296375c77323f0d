"""The public listener as curl and raw sockets see it: bodies, refusals, keep-alive, pipelining."""

import json
import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

import harness

LIMIT = 1_000_000


def padded(total, start_within="default"):
    """A good request body of exactly `total` bytes."""
    text = json.dumps({"model": "gpt-5.4", "start_within": start_within, "input": ""})
    return text.replace('"input": ""', '"input": "%s"' % ("x" * (total - len(text)))).encode()


class HttpCase(harness.Case):
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())
        cls.flexd = cls.start(harness.Flexd(cls.flexsim.url, *cls.flags, ca=cls.flexsim.ca))
        directory = tempfile.TemporaryDirectory(prefix="flexd-curl-")
        cls.addClassCleanup(directory.cleanup)
        cls.directory = pathlib.Path(directory.name)

    def file(self, data):
        path = self.directory / f"body-{len(data)}"
        path.write_bytes(data)
        return path

    def curl(self, *argv, key=None, path="/v1/responses", stdin=None):
        """Runs curl; its answer, and what -v told in `.trace`."""
        done = subprocess.run(
            ["curl", "-sv", "--max-time", "30", "-w", "\n%{http_code}",
             "-H", f"Authorization: Bearer {key or self.flexd.key}",
             "-H", "Content-Type: application/json", *map(str, argv), self.flexd.url + path],
            input=stdin, capture_output=True, check=False)
        trace = done.stderr.decode("latin-1")
        self.assertEqual(done.returncode, 0, trace)
        body, _, status = done.stdout.rpartition(b"\n")
        headers = {}
        for line in trace.splitlines():
            if match := re.match(r"< ([A-Za-z0-9-]+): ?(.*?)\r?$", line):
                headers[match[1].lower()] = match[2]
        answer = harness.Answer(int(status), headers, body)
        answer.trace = trace
        return answer

    def raw(self):
        connection = harness.RawConnection(self.flexd.address)
        self.addCleanup(connection.close)
        return connection

    def head(self, *lines, key=None, length=None):
        """The head of a POST, with a blank line."""
        fields = ["POST /v1/responses HTTP/1.1", "Host: flexd",
                  f"Authorization: Bearer {key or self.flexd.key}",
                  "Content-Type: application/json", *lines]
        if length is not None:
            fields.append(f"Content-Length: {length}")
        return "\r\n".join(fields) + "\r\n\r\n"

    def ask(self, connection, text=None):
        """A good request on a connection that is to work still."""
        text = text or json.dumps({"model": "gpt-5.4", "input": "hi", "start_within": "default"})
        connection.send(self.head(length=len(text)) + text)
        answer = connection.read_answer()
        self.assertIsNotNone(answer, "the connection was closed")
        return answer


class Curl(HttpCase):
    GOOD = '{"model": "gpt-5.4", "input": "Hello", "start_within": "00h-00m-30s"}'

    def test_flex_request(self):
        answer = self.curl("-d", self.GOOD)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json()["object"], "response")
        self.assertEqual(answer.headers["x-flexinference-routing-reason"], "flex_won")

    def test_streamed(self):
        answer = self.curl("-N", "-d", self.GOOD.replace("{", '{"stream": true, ', 1))
        self.assertEqual(answer.status, 200)
        self.assertRegex(answer.headers["content-type"], "^text/event-stream")
        self.assertEqual(answer.events()[-1][0], "response.completed")

    def test_wrong_key(self):
        for key in ("flex_live_" + "0" * 30, "sk-proj-abc", self.flexd.key.upper()):
            answer = self.curl("-d", self.GOOD, key=key)
            self.assert_error(answer, 401, "invalid_api_key")
            self.assertEqual(answer.headers["x-should-retry"], "false")
            self.assertNotIn(key.encode(), answer.body)

    def test_no_key(self):
        for header in ("Authorization:", "Authorization: Basic abc", "Authorization: Bearer"):
            done = subprocess.run(
                ["curl", "-s", "-H", header, "-H", "Content-Type: application/json",
                 "-d", self.GOOD, self.flexd.url + "/v1/responses"],
                capture_output=True, check=True)
            self.assertEqual(json.loads(done.stdout)["error"]["code"], "missing_api_key", header)

    def test_get(self):
        answer = self.curl()
        self.assert_error(answer, 405, "method_not_allowed")
        self.assertEqual(answer.headers["allow"], "POST")

    def test_head(self):
        answer = self.curl("--head")
        self.assertEqual(answer.status, 405)
        self.assertEqual(answer.headers["allow"], "POST")
        self.assertRegex(answer.headers["content-length"], r"^\d+$")

    def test_unknown_path(self):
        for path in ("/", "/v1", "/v1/response", "/v1/v1/responses", "/responses", "/healthz",
                     "/metrics"):
            answer = self.curl("-d", self.GOOD, path=path)
            error = self.assert_error(answer, 404, "unknown_url")
            self.assertIn("/v1/responses", error["message"])

    def test_body_of_exactly_the_limit(self):
        for flags in (["--data-binary"], ["-H", "Transfer-Encoding: chunked", "--data-binary"]):
            answer = self.curl(*flags, f"@{self.file(padded(LIMIT))}")
            self.assertEqual(answer.status, 200, answer.body[:300])

    def test_body_past_the_limit_by_its_length(self):
        answer = self.curl("--data-binary", f"@{self.file(padded(LIMIT + 1))}")
        self.assert_error(answer, 413, "request_too_large")

    def test_body_past_the_limit_in_chunks(self):
        answer = self.curl("-X", "POST", "-T", "-", stdin=padded(LIMIT + 1))
        self.assert_error(answer, 413, "request_too_large")
        self.assertIn("Transfer-Encoding: chunked", answer.trace)

    def test_far_past_the_limit(self):
        for flags in ([], ["-H", "Expect:"]):
            answer = self.curl("-X", "POST", "-T", "-", *flags, stdin=padded(3 * LIMIT))
            self.assert_error(answer, 413, "request_too_large")
            answer = self.curl("--data-binary", f"@{self.file(padded(LIMIT + 900_000))}", *flags)
            self.assert_error(answer, 413, "request_too_large")

    def test_expect_continue(self):
        # curl asks for leave to send a body of more than 1 MB by itself; here at the limit.
        answer = self.curl("-H", "Expect: 100-continue", "--data-binary",
                           f"@{self.file(padded(LIMIT))}")
        self.assertEqual(answer.status, 200)
        self.assertIn("HTTP/1.1 100 Continue", answer.trace)

    def test_refused_before_the_body_when_asked(self):
        answer = self.curl("-H", "Expect: 100-continue", "--data-binary",
                           f"@{self.file(padded(LIMIT + 1))}")
        self.assert_error(answer, 413, "request_too_large")
        self.assertNotIn("100 Continue", answer.trace)
        answer = self.curl("-H", "Expect: 100-continue", "--data-binary",
                           f"@{self.file(padded(LIMIT))}", key="flex_live_" + "0" * 30)
        self.assert_error(answer, 401, "invalid_api_key")
        self.assertNotIn("100 Continue", answer.trace)

    def test_http10(self):
        answer = self.curl("--http1.0", "-d", self.GOOD)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json()["object"], "response")
        self.assertNotEqual(answer.headers.get("transfer-encoding"), "chunked")
        answer = self.curl("--http1.0", "-d", self.GOOD.replace("{", '{"stream": true, ', 1))
        self.assertEqual(answer.events()[-1][0], "response.completed")
        self.assertNotIn("transfer-encoding", answer.headers)

    def test_request_id(self):
        answer = self.curl("-d", "[]", "-H", "x-request-id: my-request.1")
        self.assertEqual(answer.headers["x-flexinference-request-id"], "my-request.1")
        self.assertEqual(answer.headers["x-request-id"], "my-request.1")
        answer = self.curl("-d", self.GOOD, "-H", "x-request-id: my-request.2")
        self.assertEqual(answer.headers["x-flexinference-request-id"], "my-request.2")
        self.assertNotEqual(answer.headers["x-request-id"], "my-request.2", "it is the provider's")
        answer = self.curl("-d", "[]", "-H", 'x-request-id: a "b" <c>')
        self.assertRegex(answer.headers["x-flexinference-request-id"], "^req_[0-9a-f]+$")
        answer = self.curl("-d", "[]", "-H", "x-request-id: " + "a" * 5000)
        self.assertRegex(answer.headers["x-flexinference-request-id"], "^req_[0-9a-f]+$")

    def test_codes_of_bodies(self):
        good = {"model": "gpt-5.4", "input": "hi", "start_within": "default"}
        cases = [
            ("{", 400, "invalid_json", None),
            ('{"model": "gpt-5.4", "model": "gpt-5"}', 400, "invalid_json", None),
            ("[" * 200 + "]" * 200, 400, "invalid_json", None),
            ("[1]", 400, "invalid_body", None),
            ({**good, "model": ""}, 400, "missing_model", "model"),
            ({"model": "gpt-5.4"}, 400, "missing_start_within", "start_within"),
            ({**good, "start_within": None}, 400, "invalid_start_within", "start_within"),
            ({**good, "start_within": "00h-00m-04s"}, 400, "invalid_start_within", "start_within"),
            ({**good, "start_within": "00h-10m-01s"}, 400, "invalid_start_within", "start_within"),
            ({**good, "service_tier": "flex"}, 400, "service_tier_not_allowed", "service_tier"),
            ({**good, "model": "gpt-4o", "start_within": "00h-00m-30s"}, 400,
             "model_not_flex_capable", "model"),
            ({**good, "background": True}, 400, "unsupported_parameter", "background"),
            ({**good, "cache": {"a": 1}}, 400, "unsupported_parameter", "cache"),
            ({**good, "model": "gemini-2.5-pro"}, 400, "no_gemini_key", None),
            ({**good, "model": "claude-x", "max_output_tokens": 5}, 400, "no_anthropic_key", None),
            ({**good, "model": "claude-x"}, 400, "missing_max_tokens", "max_output_tokens"),
        ]
        attempts = self.flexsim.report()["requests"]
        for body, status, code, param in cases:
            with self.subTest(code=code, body=str(body)[:60]):
                self.assert_error(self.flexd.post(body), status, code, param)
        self.assertEqual(self.flexsim.report()["requests"], attempts, "nothing was sent upstream")


class ProviderErrors(HttpCase):
    """What flexsim answers to the same request directly is what flexd hands on, byte for byte."""

    NAMED = ("content-type", "content-encoding", "retry-after", "retry-after-ms", "x-should-retry")

    def test_errors_are_handed_on_unchanged(self):
        plays = [f"error {s}" for s in (400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504)]
        plays += [f"error-{kind} {status}" for kind in ("html", "empty", "gzip", "big", "badjson")
                  for status in (429, 503)]
        for play in plays:
            body = {"model": "gpt-5.4", "input": f"[flexsim:{play}]"}
            direct = self.flexsim.request(
                "POST", "/v1/responses", json.dumps({**body, "service_tier": "default"}),
                {"authorization": "Bearer sk-flexsim", "content-type": "application/json"})
            for more in ({"start_within": "default"}, {"start_within": "priority", "stream": True},
                         {"start_within": "00h-00m-30s"}):
                with self.subTest(play=play, **more):
                    relayed = self.flexd.post({**body, **more})
                    self.assertEqual(relayed.status, direct.status)
                    self.assertTrue(relayed.body == direct.body, relayed.body[:200])
                    for name in self.NAMED:
                        self.assertEqual(relayed.headers.get(name), direct.headers.get(name), name)
                    self.assertIn("x-flexinference-routing-reason", relayed.headers)


class Raw(HttpCase):
    BAD_HEADS = [
        ("GET /v1/responses\r\n\r\n", 400, "malformed_request"),
        ("POST /v1/responses HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        ("POST /v1/responses HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed_request"),
        ("POST /v1/responses HTTP/1.1\r\nHost : a\r\n\r\n", 400, "malformed_request"),
        ("POST /v1/responses HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400, "malformed_request"),
        ("POST /v1/responses HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
         400, "malformed_request"),
        ("POST /v1/responses HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n", 400, "malformed_request"),
        ("POST /v1/responses HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400,
         "malformed_request"),
        ("POST /v1/responses HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501,
         "not_implemented"),
        ("POST /v1/responses HTTP/2.0\r\nHost: a\r\n\r\n", 505, "http_version_not_supported"),
        ("POST /v1/responses HTTP/1.1\r\nHost: a\r\nX: " + "x" * 70_000 + "\r\n\r\n", 431,
         "headers_too_large"),
        ("POST /v1/responses HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: tea\r\n\r\n{}",
         417, "expectation_failed"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version_not_supported"),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 40, 400, "malformed_request"),
    ]

    def test_malformed_heads_get_their_codes(self):
        for head, status, code in self.BAD_HEADS:
            with self.subTest(head=head[:80]):
                connection = self.raw()
                connection.send(head.encode("latin-1"))
                answer = connection.read_answer()
                self.assertIsNotNone(answer)
                self.assert_error(answer, status, code)
                self.assertEqual(answer.headers["connection"], "close")
                self.assertTrue(connection.at_end())

    def test_connection_survives_refusals(self):
        connection = self.raw()
        for text, status in (("{", 400), ("[]", 400), ('{"model": 1}', 400)):
            self.assertEqual(self.ask(connection, text).status, status)
        connection.send("GET /v1/responses HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(connection.read_answer().status, 405)
        connection.send("HEAD /v1/responses HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(connection.read_answer(has_body=False).status, 405)
        connection.send("POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        self.assertEqual(connection.read_answer().status, 404)
        connection.send(self.head("Content-Encoding: gzip", length=3) + "abc")
        self.assertEqual(connection.read_answer().status, 415)
        connection.send(self.head(key="flex_live_nobody", length=2) + "{}")
        self.assertEqual(connection.read_answer().status, 401)
        self.assertEqual(self.ask(connection).status, 200)

    def test_413_is_readable_and_the_connection_says_what_becomes_of_it(self):
        connection = self.raw()
        body = padded(LIMIT + 1)
        connection.send(self.head(length=len(body)).encode() + body)
        answer = connection.read_answer()
        self.assert_error(answer, 413, "request_too_large")
        if answer.headers.get("connection") == "close":
            self.assertTrue(connection.at_end())
        else:
            self.assertEqual(self.ask(connection).status, 200)

    def test_413_comes_before_the_body(self):
        connection = self.raw()
        connection.send(self.head(length=10**15))
        self.assert_error(connection.read_answer(), 413, "request_too_large")

    def test_413_reaches_a_client_that_sends_everything_first(self):
        # The client does not read before it has written 1.9 MB; no reset may eat the answer.
        for chunked in (False, True):
            connection = self.raw()
            body = padded(1_900_000)
            if chunked:
                connection.send(self.head("Transfer-Encoding: chunked"))
                for at in range(0, len(body), 100_000):
                    connection.send(b"186a0\r\n" + body[at:at + 100_000] + b"\r\n")
                connection.send("0\r\n\r\n")
            else:
                connection.send(self.head(length=len(body)).encode() + body)
            self.assert_error(connection.read_answer(), 413, "request_too_large")

    def test_chunked_cut_at_the_first_byte_too_many(self):
        connection = self.raw()
        body = padded(LIMIT + 1)
        connection.send(self.head("Transfer-Encoding: chunked"))
        for at in range(0, LIMIT, 100_000):
            connection.send(b"186a0\r\n" + body[at:at + 100_000] + b"\r\n")
        connection.send(b"1\r\n" + body[LIMIT:])
        # Neither the end of this chunk nor the last chunk has been sent.
        self.assert_error(connection.read_answer(), 413, "request_too_large")

    def test_401_before_the_body_is_sent(self):
        connection = self.raw()
        connection.send(self.head(key="flex_live_nobody", length=500_000))
        self.assert_error(connection.read_answer(), 401, "invalid_api_key")
        connection.send(b"x" * 500_000)
        self.assertEqual(self.ask(connection).status, 200)

    def test_broken_chunks(self):
        connection = self.raw()
        connection.send(self.head("Transfer-Encoding: chunked") + "zz\r\n")
        self.assert_error(connection.read_answer(), 400, "malformed_request")
        self.assertTrue(connection.at_end())

    def test_pipelined_requests_are_answered_in_order(self):
        connection = self.raw()
        wire = ""
        for i in range(20):
            text = json.dumps({"model": "gpt-5.4", "start_within": "default",
                               "input": f"[flexsim:ok bytes={10 + i}]", "stream": i % 3 == 0})
            wire += self.head(f"x-request-id: pipe-{i}", length=len(text)) + text
        connection.send(wire)
        for i in range(20):
            answer = connection.read_answer()
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["x-flexinference-request-id"], f"pipe-{i}")
            if i % 3 == 0:
                final = answer.events()[-1][1]["response"]
            else:
                final = answer.json()
            self.assertEqual(len(final["output"][0]["content"][0]["text"]), 10 + i)

    def test_request_in_single_bytes(self):
        connection = self.raw()
        text = json.dumps({"model": "gpt-5.4", "input": "hi", "start_within": "default"})
        for byte in (self.head(length=len(text)) + text).encode():
            connection.send(bytes([byte]))
        self.assertEqual(connection.read_answer().status, 200)

    def test_connection_close_is_honored(self):
        connection = self.raw()
        text = json.dumps({"model": "gpt-5.4", "input": "hi", "start_within": "default"})
        connection.send(self.head("Connection: close", length=len(text)) + text)
        answer = connection.read_answer()
        self.assertEqual((answer.status, answer.headers["connection"]), (200, "close"))
        self.assertTrue(connection.at_end())

    def test_half_closed_client_does_no_harm(self):
        # `nc -N` shuts down its sending side after the request. That cannot be told from a caller
        # that left, so it may get no answer; others are served as before.
        connection = self.raw()
        text = json.dumps({"model": "gpt-5.4", "input": "hi", "start_within": "default"})
        connection.send(self.head(length=len(text)) + text)
        connection.socket.shutdown(socket.SHUT_WR)
        try:
            answer = connection.read_answer()
        except ConnectionResetError:
            answer = None
        self.assertTrue(answer is None or answer.status == 200)
        self.assertEqual(self.ask(self.raw()).status, 200)


class Clocks(HttpCase):
    flags = ("--header-timeout", "200ms", "--body-timeout", "200ms", "--keepalive-timeout", "200ms")

    def test_slow_head(self):
        connection = self.raw()
        connection.send("POST /v1/responses HTTP/1.1\r\nHost: a\r\n")
        self.assert_error(connection.read_answer(), 408, "request_timeout")
        self.assertTrue(connection.at_end())

    def test_slow_body(self):
        connection = self.raw()
        connection.send(self.head(length=100) + "{")
        self.assert_error(connection.read_answer(), 408, "request_timeout")
        self.assertTrue(connection.at_end())

    def test_idle_connection_is_closed_without_a_word(self):
        connection = self.raw()
        self.assertEqual(self.ask(connection).status, 200)
        self.assertIsNone(connection.read_answer())


class AuthFlood(HttpCase):
    flags = ("--auth-failures-per-minute", "5")

    def test_flood_is_limited_and_a_right_key_still_works(self):
        wrong = {"authorization": "Bearer flex_live_" + "0" * 30}
        answers = [self.flexd.post("{}", wrong) for _ in range(8)]
        self.assertEqual([a.status for a in answers[:5]], [401] * 5)
        self.assert_error(answers[-1], 429, "rate_limit_exceeded")
        self.assertEqual(answers[-1].headers["retry-after"], "60")
        good = self.flexd.post({"model": "gpt-5.4", "input": "x", "start_within": "default"})
        self.assertEqual(good.status, 200)


class OrganizationLimit(HttpCase):
    flags = ("--org-requests-per-second", "1")

    def test_limit(self):
        answers = [self.flexd.post("[]") for _ in range(6)]
        limited = [a for a in answers if a.status == 429]
        self.assertTrue(limited, [a.status for a in answers])
        self.assert_error(limited[0], 429, "rate_limit_exceeded")
        self.assertEqual(limited[0].headers["retry-after"], "5")


if __name__ == "__main__":
    unittest.main(verbosity=2)
