"""flexd before providers that share no code with it: Node.js, HTTP/2 and HTTP/1.1; nghttpd."""

import json
import pathlib
import tempfile
import threading
import unittest

import harness


def body(trace, marker="", start_within="default", **more):
    return {"model": "gpt-5.4", "input": f"Hello {marker}", "start_within": start_within,
            "metadata": {"trace": trace}, **more}


class OriginCase(harness.Case):
    mode = "h2"

    @classmethod
    def setUpClass(cls):
        certificates = harness.Certificates()
        cls.addClassCleanup(certificates.close)
        cls.certificates = certificates
        cls.origin = cls.start(harness.NodeOrigin(cls.mode, certificates))
        cls.flexd = cls.start(harness.Flexd(cls.origin.url, ca=certificates.ca))

    def post(self, *args, **kwargs):
        return self.flexd.post(body(*args, **kwargs))

    def assert_whole_stream(self, answer, text="Hello wörld"):
        self.assertEqual(answer.status, 200, answer.body)
        events = answer.events()
        self.assertEqual(events[0][0], "response.created")
        self.assertEqual(events[-1][0], "response.completed")
        self.assertEqual([e[1]["sequence_number"] for e in events], list(range(len(events))))
        said = "".join(e[1]["delta"] for e in events if e[0] == "response.output_text.delta")
        self.assertEqual(said, text)


class AnyVersion:
    """What has to work whatever HTTP the provider speaks."""

    version = "2.0"

    def test_create(self):
        answer = self.post("create")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["output"][0]["content"][0]["text"], "Hello wörld")
        self.assertEqual(answer.headers["x-flexinference-routing-reason"], "tier_direct")
        self.assertEqual(answer.headers["x-flexinference-served-tier"], "default")
        self.assertEqual(answer.headers["x-ratelimit-limit-requests"], "500")
        self.assertEqual(answer.headers["openai-processing-ms"], "12")
        self.assertNotIn("set-cookie", answer.headers)
        seen = self.origin.wait_event("create", "request")
        self.assertEqual((seen["version"], seen["tier"]), (self.version, "default"))
        self.assertNotIn("start_within", json.loads(seen["body"]))
        self.assertNotIn(self.flexd.key, json.dumps(seen))
        self.assertEqual(seen["headers"]["accept-encoding"], "identity")

    def test_create_with_content_length(self):
        answer = self.post("length", "[origin:length]")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["output"][0]["content"][0]["text"], "Hello wörld")

    def test_stream(self):
        self.assert_whole_stream(self.post("stream", stream=True))

    def test_stream_with_content_length(self):
        self.assert_whole_stream(self.post("stream-length", "[origin:length]", stream=True))

    def test_stream_in_pieces(self):
        answer = self.post("slow", "[origin:slow]", stream=True)
        self.assert_whole_stream(answer)

    def test_long_stream(self):
        answer = self.post("long", "[origin:long]", stream=True)
        self.assert_whole_stream(answer, "".join(f"word {i} " for i in range(2000)))

    def test_race_folds_the_stream(self):
        answer = self.post("race", "[origin:slow]", "00h-00m-30s")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["x-flexinference-routing-reason"], "flex_won")
        self.assertEqual(answer.headers["x-flexinference-served-tier"], "flex")
        self.assertEqual(answer.json()["service_tier"], "flex")
        self.assertEqual(answer.json()["output"][0]["content"][0]["text"], "Hello wörld")

    def test_race_streamed(self):
        answer = self.post("race-stream", "", "00h-00m-30s", stream=True)
        self.assert_whole_stream(answer)
        self.assertEqual(answer.headers["x-flexinference-routing-reason"], "flex_won")

    def test_deadline_goes_to_standard_and_cancels_flex(self):
        answer = self.post("deadline", "[origin:flex hang]", "00h-00m-05s", stream=True)
        self.assert_whole_stream(answer)
        self.assertEqual(answer.headers["x-flexinference-routing-reason"], "flex_deadline")
        self.assertEqual(answer.headers["x-flexinference-served-tier"], "default")
        aborted = self.origin.wait_event("deadline", "aborted")
        self.assertEqual(aborted["tier"], "flex")
        tiers = [e["tier"] for e in self.origin.events("deadline") if e["what"] == "request"]
        self.assertEqual(tiers, ["flex", "default"])

    def test_flex_refused_with_429(self):
        for play, reason in (("busy", "flex_capacity"), ("error429", "flex_upstream_error")):
            answer = self.post(play, f"[origin:flex {play}]", "00h-00m-30s")
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(answer.headers["x-flexinference-routing-reason"], reason)

    def test_flex_reset_before_it_started(self):
        answer = self.post("reset-flex", "[origin:flex reset]", "00h-00m-30s")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["x-flexinference-routing-reason"], "flex_not_started")

    def test_provider_error_byte_for_byte(self):
        answer = self.post("e429", "[origin:error429]")
        self.assertEqual(answer.status, 429)
        self.assertEqual(
            answer.body.decode(),
            '{ "error": {"message":"slow  down","type":"requests","param":null,'
            '"code":"rate_limit_exceeded"} }\n')
        self.assertEqual(answer.headers["retry-after"], "7")
        self.assertEqual(answer.headers["x-should-retry"], "true")
        self.assertRegex(answer.headers["x-request-id"], "^req_resp_")

    def test_cut_mid_stream_ends_in_a_failure_event(self):
        answer = self.post("cut", "[origin:cut]", stream=True)
        self.assertEqual(answer.status, 200)
        events = answer.events()
        name, last = events[-1]
        self.assertEqual(name, "response.failed")
        self.assertEqual(last["response"]["id"], events[0][1]["response"]["id"])
        self.assertEqual(last["sequence_number"], events[-2][1]["sequence_number"] + 1)

    def test_cut_before_an_answer(self):
        answer = self.post("reset", "[origin:reset]")
        self.assertEqual(answer.status, 502, answer.body)
        self.assertIn(answer.code(), ("upstream_stream_failed", "upstream_unreachable"))

    def test_interim_answers_are_passed_over(self):
        answer = self.post("info", "[origin:info]", stream=True)
        self.assert_whole_stream(answer)

    def test_large_response_headers(self):
        answer = self.post("headers", "[origin:headers]")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertNotIn("x-filler-0", answer.headers)

    def test_caller_leaves_mid_stream(self):
        with harness.RawConnection(self.flexd.address) as caller:
            text = json.dumps(body("leave", "[origin:hang-mid]", stream=True))
            caller.send(f"POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                        f"{self.flexd.key}\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(text)}\r\n\r\n{text}")
            self.assertEqual(caller.read_head()[0], 200)
        aborted = self.origin.wait_event("leave", "aborted")
        self.check_abort(aborted)
        line = self.flexd.wait_log(lambda e: e["status"] == 499)
        self.assertEqual(line["code"], "client_closed_request")

    def test_caller_leaves_a_race_whose_headers_are_withheld(self):
        with harness.RawConnection(self.flexd.address) as caller:
            text = json.dumps(body("leave-race", "[origin:flex hang]", "00h-10m-00s"))
            caller.send(f"POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                        f"{self.flexd.key}\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(text)}\r\n\r\n{text}")
            self.origin.wait_event("leave-race", "request")
            caller.reset()
        self.check_abort(self.origin.wait_event("leave-race", "aborted"))

    def check_abort(self, aborted):
        self.assertEqual(aborted["what"], "aborted")

    def test_fifty_at_once(self):
        answers = [None] * 50

        def ask(i):
            answers[i] = self.post(f"many-{i}", "[origin:slow]", "00h-00m-30s", stream=i % 2 == 0)

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([a.status for a in answers], [200] * 50)
        for i, answer in enumerate(answers):
            if i % 2 == 0:
                self.assert_whole_stream(answer)
            else:
                self.assertEqual(answer.json()["status"], "completed")


class NodeHttp2(AnyVersion, OriginCase):
    def check_abort(self, aborted):
        self.assertEqual(aborted["code"], 8, "RST_STREAM(CANCEL)")

    def test_both_attempts_are_streams_of_one_connection(self):
        self.post("streams", "[origin:flex hang]", "00h-00m-05s")
        sessions = {e["session"] for e in self.origin.events("streams") if e["what"] == "request"}
        self.assertEqual(len(sessions), 1)
        self.assertEqual(self.origin.wait_event("streams", "aborted")["code"], 8)

    def test_trailers(self):
        self.assert_whole_stream(self.post("trailers", "[origin:trailers]", stream=True))

    def test_refused_stream_is_sent_again(self):
        answer = self.post("refused", "[origin:refused]", "00h-00m-30s")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["x-flexinference-routing-reason"], "flex_won")

    def test_goaway_lets_the_answer_end_and_moves_on(self):
        self.assert_whole_stream(self.post("goaway", "[origin:goaway]", stream=True))
        self.assert_whole_stream(self.post("after-goaway", stream=True))
        sessions = [e["session"] for t in ("goaway", "after-goaway")
                    for e in self.origin.events(t) if e["what"] == "request"]
        self.assertEqual(len(set(sessions)), 2, "a new connection after GOAWAY")


class NodeHttp2Only(OriginCase):
    """The same server without HTTP/1.1 to fall back to."""

    mode = "h2only"

    def test_race(self):
        answer = self.post("only", "", "00h-00m-30s", stream=True)
        self.assert_whole_stream(answer)


class NodeHttp1(AnyVersion, OriginCase):
    mode = "h1"
    version = "1.1"

    def test_connection_is_kept(self):
        for i in range(3):
            self.assertEqual(self.post(f"kept-{i}").status, 200)
        page = self.flexd.get_admin("/metrics").body.decode()
        self.assertIn("flexd_origin_connects_total", page)


class Nghttpd(harness.Case):
    """nghttpd answers a POST like a GET, from a file."""

    ANSWER = b'{"id":"resp_1","object":"response","status":"completed","output":[]}\n'

    @classmethod
    def setUpClass(cls):
        certificates = harness.Certificates()
        cls.addClassCleanup(certificates.close)
        docs = tempfile.TemporaryDirectory(prefix="flexd-htdocs-")
        cls.addClassCleanup(docs.cleanup)
        (pathlib.Path(docs.name) / "v1").mkdir()
        (pathlib.Path(docs.name) / "v1/responses").write_bytes(cls.ANSWER)
        cls.origin = cls.start(harness.Program(
            ["nghttpd", "-v", "-d", docs.name, "-a", "127.0.0.1", "0", certificates.key,
             certificates.cert]))
        port = harness.wait_until(lambda: listening_port(cls.origin.pid), "nghttpd's port")
        cls.flexd = cls.start(harness.Flexd(f"https://127.0.0.1:{port}", ca=certificates.ca))

    def test_answer_from_a_file(self):
        for _ in range(3):
            answer = self.flexd.post(body("file"))
            self.assertEqual((answer.status, answer.body), (200, self.ANSWER))

    def test_large_body_goes_up_whole(self):
        # Larger than the 64 KB window that nghttpd grants at first.
        answer = self.flexd.post(body("large", "x" * 900_000))
        self.assertEqual((answer.status, answer.body), (200, self.ANSWER))

    def test_a_race_needs_events(self):
        # JSON although a stream was asked for: flex broke, and so does standard.
        answer = self.flexd.post(body("json", "", "00h-00m-05s"))
        self.assertIn(answer.status, (200, 502))
        line = self.flexd.wait_log(
            lambda e: e.get("routing_reason", "tier_direct") != "tier_direct")
        self.assertNotEqual(line["routing_reason"], "flex_won")


def listening_port(pid):
    """The port of the first listening TCP socket of a process, by /proc."""
    inodes = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for line in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and columns[9] in inodes:
            return int(columns[1].rsplit(":", 1)[1], 16)
    return None


if __name__ == "__main__":
    unittest.main(verbosity=2)
