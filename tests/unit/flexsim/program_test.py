#!/usr/bin/env python3
"""The flexsim program, asked by curl and nghttp over TLS with its own authority's certificate.

usage: program_test.py FLEXSIM
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

FLEXSIM = ""
DEADLINE_S = 20


class Program:
    """A running flexsim. Ends with SIGTERM, and has then written its report."""

    def __init__(self, *args):
        self.directory = tempfile.TemporaryDirectory()
        self.ca = os.path.join(self.directory.name, "ca.pem")
        self.port_file = os.path.join(self.directory.name, "port")
        self.report_file = os.path.join(self.directory.name, "report.json")
        self.process = subprocess.Popen(
            [FLEXSIM, "--cert-dir", self.directory.name, "--port-file", self.port_file,
             "--report-file", self.report_file, *args],
            stdout=subprocess.PIPE, text=True)
        self.lines = [self.process.stdout.readline().strip()]
        scheme, _, address = self.lines[0].partition("listening on ")[2].partition("://")
        self.scheme = scheme
        self.port = int(address.rpartition(":")[2])
        deadline = time.monotonic() + DEADLINE_S
        while not os.path.exists(self.port_file) and time.monotonic() < deadline:
            time.sleep(0.01)

    def url(self, path="/v1/responses", host="localhost"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_S)
        with open(self.report_file, encoding="utf-8") as file:
            report = json.load(file)
        self.process.stdout.close()
        self.directory.cleanup()
        return code, report


def request(text, stream=True, tier="flex"):
    return json.dumps({"model": "gpt-5.4", "input": text, "stream": stream, "service_tier": tier})


def curl(program, text, *args, stream=True, key="sk-test", path="/v1/responses", host="localhost",
         data=True):
    """Returns curl's exit code, the status, the HTTP version, the head and the body."""
    head = os.path.join(program.directory.name, "head")
    body = os.path.join(program.directory.name, "body")
    for name in (head, body):
        with open(name, "wb"):
            pass
    done = subprocess.run(
        ["curl", "--silent", "--noproxy", "*", "--max-time", str(DEADLINE_S),
         "--cacert", program.ca, "--dump-header", head, "--output", body,
         "--write-out", "%{http_code} %{http_version}",
         "--header", f"authorization: Bearer {key}",
         "--header", "content-type: application/json",
         *(["--data-binary", request(text, stream)] if data else []), *args,
         program.url(path, host)],
        capture_output=True, text=True, check=False)
    status, _, version = done.stdout.partition(" ")
    with open(head, encoding="latin-1") as file:
        head_text = file.read()
    with open(body, "rb") as file:
        return done.returncode, int(status), version, head_text, file.read()


class FlexsimTest(unittest.TestCase):
    def test_scenarios_over_both_versions(self):
        program = Program()
        for version, wanted in (("--http2", "2"), ("--http1.1", "1.1")):
            with self.subTest(version):
                code, status, spoken, head, body = curl(program, "hi", version)
                self.assertEqual((code, status, spoken), (0, 200, wanted))
                self.assertIn(b"event: response.completed\n", body)
                self.assertIn("x-request-id: req_", head)
                code, status, _, _, body = curl(program, "hi", version, stream=False)
                self.assertEqual(json.loads(body)["object"], "response")
                code, status, _, head, body = curl(program, "[flexsim:refuse]", version)
                self.assertEqual(status, 429)
                self.assertEqual(json.loads(body)["error"]["code"], "flex_unavailable")
                code, status, _, _, body = curl(program, "[flexsim:error-big 500]", version)
                self.assertEqual((code, status, len(body)), (0, 500, 1 << 20))
                code, _, _, _, body = curl(program, "[flexsim:die-mid 2]", version)
                self.assertNotEqual(code, 0)
                self.assertEqual(body.count(b"event: response.output_text.delta\n"), 2)
                code, status, _, _, body = curl(program, "hi", version,
                                                key="sk-flexsim-error_503")
                self.assertEqual(status, 503)
        code, report = program.end()
        self.assertEqual(code, 0)
        flex = report["tiers"]["flex"]
        self.assertEqual(flex["attempts"], 12)
        self.assertEqual(flex["died"], 2)
        self.assertEqual(flex["open"], 0)

    def test_the_path_picks_the_provider(self):
        program = Program()
        gemini = json.dumps({"model": "gemini-3.5-flash", "input": "hi", "service_tier": "flex"})
        anthropic = json.dumps({"model": "claude-opus-4-7", "max_tokens": 9,
                                "messages": [{"role": "user", "content": "hi"}]})
        for path, body, headers, kept in (
                ("/v1/interactions", gemini, ["x-goog-api-key: AIzaX"],
                 "x-gemini-service-tier: flex"),
                ("/v1beta/interactions", gemini, ["x-goog-api-key: AIzaX"], "server-timing: "),
                ("/v1/messages?beta=true", anthropic,
                 ["x-api-key: sk-ant-x", "anthropic-version: 2026-10-21"], "request-id: req_")):
            with self.subTest(path):
                more = [word for header in headers for word in ("--header", header)]
                code, status, _, head, answer = curl(
                    program, "", "--data-binary", body, *more, path=path, data=False)
                self.assertEqual((code, status), (0, 200), answer)
                self.assertIn(kept, head)
                self.assertIn("Hello! This is a simulated answer.", json.dumps(json.loads(answer)))
        _, report = program.end()
        self.assertEqual(report["providers"]["gemini"]["flex"]["completed"], 2)
        self.assertEqual(report["providers"]["anthropic"]["unset"]["completed"], 1)
        self.assertEqual([record["provider"] for record in report["records"]],
                         ["gemini", "gemini", "anthropic"])

    def test_gzip_label_is_true(self):
        program = Program()
        _, status, _, head, body = curl(program, "[flexsim:error-gzip 500]", "--compressed")
        self.assertEqual(status, 500)
        self.assertIn("content-encoding: gzip", head)
        self.assertEqual(json.loads(body)["error"]["type"], "server_error")
        program.end()

    def test_certificate_is_for_all_names(self):
        program = Program("--listen", "127.0.0.1:0")
        for host in ("localhost", "127.0.0.1"):
            self.assertEqual(curl(program, "hi", host=host)[:2], (0, 200))
        program.end()

    def test_nghttp_and_many_workers(self):
        program = Program("--workers", "2")
        body = os.path.join(program.directory.name, "request")
        with open(body, "w", encoding="utf-8") as file:
            file.write(request("[flexsim:ok bytes=5000 events=50]"))
        done = subprocess.run(
            ["nghttp", "--multiply=20", "--data", body, "--header=authorization: Bearer sk-x",
             program.url(host="127.0.0.1")], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count(b"event: response.completed\n"), 20)
        _, report = program.end()
        self.assertEqual(report["tiers"]["flex"]["completed"], 20)
        self.assertGreater(report["streams_open_max"], 1)

    def test_plain_listener(self):
        program = Program("--plain")
        for version, wanted in (("--http2-prior-knowledge", "2"), ("--http1.1", "1.1")):
            self.assertEqual(curl(program, "hi", version)[:3], (0, 200, wanted))
        self.assertEqual(program.end()[0], 0)

    def test_cancel_is_recorded_while_the_program_ends(self):
        program = Program("--default-scenario", "queue-forever")
        code = curl(program, "hi", "--max-time", "0.3")[0]
        self.assertEqual(code, 28)
        code, report = program.end()
        self.assertEqual(code, 0)
        self.assertEqual(len(report["records"]), 1)
        self.assertIn(report["records"][0]["end"], ("cancelled", "connection_closed"))

    def test_bad_flag_is_one_line(self):
        for args in (["--listen", "nowhere"], ["--no-such-flag"], ["--plain", "--tls"]):
            done = subprocess.run([FLEXSIM, *args], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertTrue(done.stderr.startswith("flexsim: "))


if __name__ == "__main__":
    FLEXSIM = sys.argv.pop(1)
    unittest.main()
