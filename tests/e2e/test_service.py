"""flexd as a service: health, metrics, access log, draining, failures at start and at origins."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

import harness

GOOD = {"model": "gpt-5.4", "input": "Hello", "start_within": "default"}


class ServiceCase(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())

    def flexd(self, *flags, **kwargs):
        return self.run_here(harness.Flexd(self.flexsim.url, *flags, ca=self.flexsim.ca, **kwargs))

    def begin(self, flexd, text, stream=True, start_within="default"):
        """A request under way on a connection of its own; returns the connection."""
        connection = harness.RawConnection(flexd.address)
        self.addCleanup(connection.close)
        body = json.dumps({**GOOD, "input": text, "stream": stream, "start_within": start_within})
        connection.send(
            f"POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {flexd.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        return connection


class Admin(ServiceCase):
    def test_health_and_readiness(self):
        flexd = self.flexd()
        for path in ("/healthz", "/readyz"):
            self.assertEqual(flexd.get_admin(path).status, 200)
        self.assertEqual(flexd.get_admin("/nothing").status, 404)
        self.assertEqual(
            harness.request(flexd.admin_address, "POST", "/healthz", b"").status, 405)

    def test_metrics_follow_the_text_format(self):
        flexd = self.flexd(workers=2)
        for _ in range(3):
            flexd.post(GOOD)
        flexd.post({**GOOD, "start_within": "00h-00m-30s"})
        flexd.post("[]")
        answer = flexd.get_admin("/metrics")
        self.assertEqual(answer.status, 200)
        self.assertRegex(answer.headers["content-type"], r"^text/plain; ?version=0\.0\.4")
        samples = parse_metrics(answer.body.decode())
        self.assertEqual(
            samples['flexd_requests_total{outcome="ok",reason="tier_direct"}'], 3)
        self.assertEqual(samples['flexd_requests_total{outcome="ok",reason="flex_won"}'], 1)
        self.assertEqual(samples['flexd_responses_total{class="2xx"}'], 4)
        self.assertEqual(samples['flexd_responses_total{class="4xx"}'], 1)
        self.assertNotIn(flexd.key, answer.body.decode())

    def test_admin_paths_are_not_on_the_public_listener(self):
        flexd = self.flexd()
        for path in ("/healthz", "/readyz", "/metrics"):
            self.assertEqual(harness.request(flexd.address, "GET", path).status, 404)

    def test_admin_on_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/admin.sock"
            done = self.run_here(harness.Program(
                [harness.flexd_path(), "--dev", "--listen", "127.0.0.1:0", "--admin-listen",
                 f"unix:{path}", "--origin-ca", self.flexsim.ca],
                env={"OPENAI_API_KEY": "sk-flexsim"}))
            done.wait_for("dev key")
            answer = subprocess.run(
                ["curl", "-s", "--unix-socket", path, "http://localhost/readyz"],
                capture_output=True, check=True)
            self.assertEqual(answer.stdout, b"ready\n")


def parse_metrics(page):
    """Reads the Prometheus text format strictly; a dict from sample to value."""
    name = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
    label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
    sample = re.compile(rf"({name})(\{{{label}(?:,{label})*\}})? (\S+)")
    samples, types, helped, family = {}, {}, set(), None
    if not page.endswith("\n"):
        raise AssertionError("the last line has no end")
    for line in page.splitlines():
        if match := re.fullmatch(rf"# HELP ({name}) \S.*", line):
            if match[1] in helped:
                raise AssertionError(f"two helps: {line}")
            helped.add(match[1])
            continue
        if match := re.fullmatch(rf"# TYPE ({name}) (counter|gauge|histogram)", line):
            if match[1] in types or match[1] not in helped:
                raise AssertionError(f"a type twice or without help: {line}")
            family, types[match[1]] = match[1], match[2]
            continue
        match = sample.fullmatch(line)
        if not match:
            raise AssertionError(f"not a sample: {line!r}")
        base = match[1]
        if types[family] == "histogram":
            base = re.sub("_(bucket|sum|count)$", "", base)
        if base != family or match[1] + (match[2] or "") in samples:
            raise AssertionError(f"out of its family, or twice: {line}")
        if types[family] == "counter" and not family.endswith("_total"):
            raise AssertionError(f"a counter is to end in _total: {line}")
        value = float(match[3])
        if value < 0:
            raise AssertionError(f"below zero: {line}")
        samples[match[1] + (match[2] or "")] = value
    check_histograms(samples, [n for n, t in types.items() if t == "histogram"])
    return samples


def check_histograms(samples, names):
    for name in names:
        series = {}
        for key, value in samples.items():
            if match := re.fullmatch(re.escape(name) + r'_bucket\{(.*?),?le="([^"]+)"\}', key):
                series.setdefault(match[1], []).append((float(match[2]), value))
        for labels, buckets in series.items():
            bounds, counts = zip(*buckets)
            if list(bounds) != sorted(bounds) or bounds[-1] != float("inf"):
                raise AssertionError(f"{name}: bounds {bounds}")
            if list(counts) != sorted(counts):
                raise AssertionError(f"{name}: buckets do not add up")
            suffix = f"{{{labels}}}" if labels else ""
            if samples[f"{name}_count{suffix}"] != counts[-1]:
                raise AssertionError(f"{name}: count differs from the last bucket")
            if f"{name}_sum{suffix}" not in samples:
                raise AssertionError(f"{name}: no sum")


class AccessLog(ServiceCase):
    def test_one_line_a_request(self):
        flexd = self.flexd()
        secret = "a-secret-that-is-said-to-the-model"
        flexd.post({**GOOD, "input": secret}, {"x-request-id": "log-1"})
        flexd.post({**GOOD, "input": secret, "start_within": "00h-00m-30s", "stream": True},
                   {"x-request-id": "log-2", "x-stainless-retry-count": "1"})
        flexd.post("[]", {"x-request-id": "log-3"})
        flexd.post(GOOD, {"x-request-id": "log-4", "authorization": "Bearer sk-wrong-key"})
        harness.request(flexd.address, "GET", "/elsewhere?key=hidden", None,
                        {"x-request-id": "log-5"})
        flexd.post({**GOOD, "input": "[flexsim:error 429]"}, {"x-request-id": "log-6"})
        wanted = {f"log-{i}" for i in range(1, 7)}
        harness.wait_until(lambda: {e["request_id"] for e in flexd.log()} >= wanted, "log lines")
        lines = {e["request_id"]: e for e in flexd.log()}
        self.assertEqual(len(flexd.log()), 6)
        for line in lines.values():
            self.assertEqual(line["client"], "127.0.0.1")
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertGreaterEqual(line["duration_ms"], 0)
        one, two, three, four, five, six = (lines[f"log-{i}"] for i in range(1, 7))
        self.assertEqual((one["status"], one["outcome"], one["routing_reason"], one["tier"]),
                         (200, "ok", "tier_direct", "default"))
        self.assertEqual((one["model"], one["provider"]), ("gpt-5.4", "openai"))
        self.assertRegex(one["upstream_request_id"], "^req_")
        self.assertEqual((two["routing_reason"], two["tier"], two["reported_tier"], two["stream"]),
                         ("flex_won", "flex", "flex", True))
        self.assertEqual(two["retry_count"], 1)
        self.assertGreater(two["output_tokens"], 0)
        self.assertEqual((three["status"], three["outcome"], three["code"]),
                         (400, "own_error", "invalid_body"))
        self.assertEqual((four["status"], four["code"]), (401, "invalid_api_key"))
        self.assertEqual((five["status"], five["code"]), (404, "unknown_url"))
        self.assertEqual((six["status"], six["outcome"]), (429, "provider_error"))
        flexd.stop()
        told = "\n".join(flexd.lines["stderr"])
        for hidden in (flexd.key, "sk-flexsim", "sk-wrong-key", secret, "hidden"):
            self.assertNotIn(hidden, told)


class Drain(ServiceCase):
    def test_answer_under_way_ends_whole(self):
        flexd = self.flexd()
        idle = harness.RawConnection(flexd.address)
        self.addCleanup(idle.close)
        caller = self.begin(flexd, "[flexsim:ok events=40 gap=25ms]")
        self.assertEqual(caller.read_head()[0], 200)
        flexd.signal(signal.SIGTERM)
        harness.wait_until(lambda: flexd.get_admin("/readyz").status == 503, "not ready")
        self.assertEqual(flexd.get_admin("/healthz").status, 200)
        self.assertTrue(idle.at_end(), "an idle connection is closed")
        harness.wait_until(lambda: is_refused(flexd.address), "the listener to close")
        rest = caller._input.read()
        self.assertIn(b"event: response.completed", rest)
        self.assertTrue(rest.endswith(b"0\r\n\r\n"))
        self.assertEqual(flexd.wait_exit(), 0)

    def test_race_under_way_ends_whole(self):
        flexd = self.flexd()
        caller = self.begin(flexd, "[flexsim:start-after 500ms]", False, "00h-00m-30s")
        harness.wait_until(lambda: self.flexsim.report()["tiers"]["flex"]["open"], "the attempt")
        flexd.signal(signal.SIGTERM)
        answer = caller.read_answer()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers.get("connection"), "close")
        self.assertEqual(answer.json()["status"], "completed")
        self.assertEqual(flexd.wait_exit(), 0)

    def test_second_signal_ends_now(self):
        flexd = self.flexd()
        caller = self.begin(flexd, "[flexsim:stall-mid]")
        self.assertEqual(caller.read_head()[0], 200)
        flexd.signal(signal.SIGTERM)
        harness.wait_until(lambda: flexd.get_admin("/readyz").status == 503, "not ready")
        self.assertTrue(flexd.is_running())
        flexd.signal(signal.SIGTERM)
        self.assertEqual(flexd.wait_exit(), 0)
        self.assert_cut_visibly(caller)

    def test_drain_timeout(self):
        flexd = self.flexd("--drain-timeout", "300ms")
        caller = self.begin(flexd, "[flexsim:stall-mid]")
        self.assertEqual(caller.read_head()[0], 200)
        flexd.signal(signal.SIGTERM)
        self.assertEqual(flexd.wait_exit(), 0)
        self.assert_cut_visibly(caller)
        self.assertTrue(flexd.log("drain_timeout"))

    def test_race_that_cannot_end_in_time_gets_503(self):
        flexd = self.flexd("--drain-timeout", "300ms")
        caller = self.begin(flexd, "[flexsim:queue-forever]", False, "00h-10m-00s")
        harness.wait_until(lambda: self.flexsim.report()["tiers"]["flex"]["open"], "the attempt")
        flexd.signal(signal.SIGTERM)
        answer = caller.read_answer()
        self.assert_error(answer, 503, "service_unavailable")
        self.assertIn("retry-after", answer.headers)
        self.assertEqual(flexd.wait_exit(), 0)
        harness.wait_until(lambda: not self.flexsim.report()["tiers"]["flex"]["open"], "a cancel")

    def assert_cut_visibly(self, caller):
        try:
            rest = caller._input.read()
        except ConnectionResetError:
            return
        self.assertFalse(rest.endswith(b"0\r\n\r\n") and b"response.failed" not in rest,
                         "a cut answer looks finished")

    def test_signal_while_nothing_happens(self):
        # Often, because the end of the listener races with the end of its thread.
        for i in range(20):
            flexd = self.flexd(workers=1 + i % 3)
            flexd.signal(signal.SIGINT if i % 2 else signal.SIGTERM)
            self.assertEqual(flexd.wait_exit(), 0, flexd.output())


def is_refused(address):
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


class StartUp(ServiceCase):
    def assert_refused(self, flags, pattern, env=None):
        env = {"OPENAI_API_KEY": "sk-flexsim"} if env is None else env
        child = self.run_here(harness.Program(
            [harness.flexd_path(), "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
             *flags], env=env))
        self.assertEqual(child.wait_exit(), 2, child.output())
        self.assertEqual(child.lines["stdout"], [], "nothing listens before it is sure")
        self.assertEqual(len(child.lines["stderr"]), 1, child.lines["stderr"])
        line = child.lines["stderr"][0]
        self.assertRegex(line, "^flexd: ")
        self.assertRegex(line, pattern)
        self.assertNotIn("sk-flexsim", line)

    def test_bad_flags(self):
        for flags, pattern in [
                (["--nonsense"], "--nonsense"),
                (["--race", "both"], "--race"),
                (["--workers", "0"], "--workers"),
                (["--workers", "many"], "--workers"),
                (["--drain-timeout", "5"], "--drain-timeout"),
                (["--connect-timeout", "0s"], "--connect-timeout"),
                (["--openai-url", "ftp://x"], "--openai-url"),
                (["--listen", "nowhere"], "--listen"),
                (["--listen", "127.0.0.1:99999"], "--listen"),
                (["--admin-listen", "127.0.0.1:x"], "--admin-listen"),
                (["--standard-lead", "soon"], "--standard-lead"),
                (["--log-format", "xml"], "--log-format"),
                (["stray"], "stray")]:
            with self.subTest(flags=flags):
                self.assert_refused(["--dev", *flags], pattern)

    def test_bad_files(self):
        with tempfile.TemporaryDirectory() as directory:
            empty = pathlib.Path(directory) / "empty.pem"
            empty.write_bytes(b"")
            for flags, pattern in [
                    (["--origin-ca", f"{directory}/none.pem"], "--origin-ca"),
                    (["--origin-ca", str(empty)], "--origin-ca"),
                    (["--origin-ca", directory], "--origin-ca"),
                    (["--flex-models", f"{directory}/none"], "--flex-models")]:
                with self.subTest(flags=flags):
                    self.assert_refused(["--dev", *flags], pattern)

    def test_no_keys(self):
        self.assert_refused(["--dev"], "OPENAI_API_KEY", {})
        self.assert_refused([], "--dev")

    def test_busy_ports(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assert_refused(["--dev", "--listen", where], re.escape(where))
            self.assert_refused(["--dev", "--admin-listen", where], "--admin-listen")

    def test_second_address_cannot_be_had(self):
        # 192.0.2.0/24 is for documentation: no machine has it.
        self.assert_refused(["--dev", "--listen", "192.0.2.1:0"], r"--listen.*192\.0\.2\.1")

    def test_port_of_another_flexd(self):
        other = self.flexd()
        self.assert_refused(["--dev", "--listen", "%s:%d" % other.address], "--listen")
        self.assert_refused(["--dev", "--listen", "127.0.0.1:0", "--admin-listen",
                             "%s:%d" % other.address], "--admin-listen")
        self.assertEqual(other.post(GOOD).status, 200)

    def test_one_address_twice(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % free.getsockname()[1]
        self.assert_refused(["--dev", "--listen", address, "--listen", address], "--listen")
        self.assert_refused(["--dev", "--listen", address, "--admin-listen", address],
                            "--admin-listen")

    def test_check_config_help_and_version(self):
        for flags, pattern in [(["--dev", "--check-config"], "good"), (["--help"], "--listen"),
                               (["--version"], r"flexd \d")]:
            child = self.run_here(harness.Program(
                [harness.flexd_path(), *flags], env={"OPENAI_API_KEY": "sk-flexsim"}))
            self.assertEqual(child.wait_exit(), 0, child.output())
            self.assertRegex("\n".join(child.lines["stdout"]), pattern)
            self.assertEqual(child.lines["stderr"], [])


class Secrets(ServiceCase):
    def test_nothing_to_see_from_outside(self):
        flexd = self.flexd()
        command = pathlib.Path(f"/proc/{flexd.pid}/cmdline").read_bytes().decode()
        self.assertNotIn(flexd.key, command)
        self.assertNotIn("sk-flexsim", command)
        limits = pathlib.Path(f"/proc/{flexd.pid}/limits").read_text(encoding="ascii")
        self.assertRegex(limits, r"Max core file size\s+0\s+0\s")

    def test_memory_is_closed_to_its_own_user(self):
        # The kernel gives the files of a process that is not dumpable to root. So the test is not
        # of use as root, who starts it as somebody else.
        user = os.getuid() or 65534
        as_user = [] if os.getuid() else [
            "setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"]
        with tempfile.TemporaryDirectory() as directory:
            program = f"{directory}/flexd"
            os.chmod(directory, 0o755)
            subprocess.run(["cp", harness.flexd_path(), program], check=True)
            os.chmod(program, 0o755)
            for extra, owner in (([], 0), (["--allow-core-dumps"], user)):
                child = self.run_here(harness.Program(
                    [*as_user, program, "--dev", "--listen", "127.0.0.1:0",
                     "--admin-listen", "127.0.0.1:0",
                     "--openai-url", "http://127.0.0.1:9", *extra],
                    env={"OPENAI_API_KEY": "sk-flexsim"}))
                child.wait_for("dev key")
                self.assertEqual(os.stat(f"/proc/{child.pid}/mem").st_uid, owner, extra)
                read = subprocess.run([*as_user, "cat", f"/proc/{child.pid}/environ"],
                                      capture_output=True, check=False)
                self.assertEqual(b"sk-flexsim" in read.stdout, owner == user)


class OriginFailures(harness.Case):
    """Each way in which a provider cannot be reached is told apart."""

    def ask(self, origin, *flags, ca=None, start_within="default"):
        flexd = self.run_here(harness.Flexd(origin, *flags, ca=ca))
        answer = flexd.post({**GOOD, "start_within": start_within})
        line = flexd.wait_log(lambda e: True)
        self.assertEqual(line["status"], answer.status)
        return answer

    def test_certificate_of_another_authority(self):
        ours, theirs = harness.Certificates(), harness.Certificates()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        origin = self.run_here(harness.NodeOrigin("h2", theirs))
        error = self.assert_error(self.ask(origin.url, ca=ours.ca), 502, "upstream_unreachable")
        self.assertIn("certificate", error["message"])

    def test_certificate_of_another_host(self):
        certificates = harness.Certificates("DNS:elsewhere.example,IP:127.0.0.9")
        self.addCleanup(certificates.close)
        origin = self.run_here(harness.NodeOrigin("h2", certificates))
        for url in (origin.url, origin.url.replace("127.0.0.1", "localhost")):
            answer = self.ask(url, ca=certificates.ca)
            error = self.assert_error(answer, 502, "upstream_unreachable")
            self.assertIn("certificate", error["message"])
            self.assertEqual(answer.headers["x-should-retry"], "false")

    def test_name_of_the_host_is_checked_and_resolved(self):
        certificates = harness.Certificates("DNS:localhost")
        self.addCleanup(certificates.close)
        origin = self.run_here(harness.NodeOrigin("h2", certificates))
        answer = self.ask(origin.url.replace("127.0.0.1", "localhost"), ca=certificates.ca)
        self.assertEqual(answer.status, 200, answer.body)

    def test_closed_port(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        error = self.assert_error(
            self.ask(f"https://127.0.0.1:{port}"), 502, "upstream_unreachable")
        self.assertIn("connect", error["message"])

    def test_closed_port_in_a_race(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        answer = self.ask(f"https://127.0.0.1:{port}", start_within="00h-00m-30s")
        self.assert_error(answer, 502, "upstream_unreachable")

    def test_name_that_does_not_exist(self):
        error = self.assert_error(
            self.ask("https://no-such-host.invalid"), 502, "upstream_unreachable")
        self.assertIn("name", error["message"])

    def test_not_tls(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            def serve():
                peer, _ = server.accept()
                with peer:
                    peer.recv(1)
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            thread = threading.Thread(target=serve)
            thread.start()
            answer = self.ask(f"https://127.0.0.1:{server.getsockname()[1]}")
            thread.join()
        error = self.assert_error(answer, 502, "upstream_unreachable")
        self.assertIn("TLS", error["message"])

    def test_connect_timeout(self):
        # A listener whose queue is full takes no further connections: SYNs are dropped.
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            fillers = []
            for _ in range(4):
                filler = socket.socket()
                self.addCleanup(filler.close)
                filler.setblocking(False)
                filler.connect_ex(server.getsockname())
                fillers.append(filler)
            answer = self.ask(f"https://127.0.0.1:{server.getsockname()[1]}",
                              "--connect-timeout", "300ms")
        self.assert_error(answer, 504, "upstream_timeout")

    def test_tls_timeout(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            answer = self.ask(f"https://127.0.0.1:{server.getsockname()[1]}",
                              "--connect-timeout", "300ms")
        self.assert_error(answer, 504, "upstream_timeout")

    def test_first_byte_timeout(self):
        flexsim = self.run_here(harness.Flexsim())
        flexd = self.run_here(harness.Flexd(
            flexsim.url, "--first-byte-timeout", "300ms", ca=flexsim.ca))
        answer = flexd.post({**GOOD, "input": "[flexsim:slow-standard 60s]"})
        self.assert_error(answer, 504, "upstream_timeout")
        harness.wait_until(lambda: flexsim.report()["cancels"], "the attempt to be cancelled")

    def test_idle_timeout(self):
        flexsim = self.run_here(harness.Flexsim())
        flexd = self.run_here(harness.Flexd(flexsim.url, "--idle-timeout", "300ms", ca=flexsim.ca))
        answer = flexd.post({**GOOD, "input": "[flexsim:stall-mid]", "stream": True})
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.events()[-1][0], "response.failed")
        harness.wait_until(lambda: flexsim.report()["cancels"], "the attempt to be cancelled")


if __name__ == "__main__":
    unittest.main(verbosity=2)
