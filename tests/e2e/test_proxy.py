"""flexd behind a balancer: PROXY headers and X-Forwarded-For, from real sockets."""

import json
import pathlib
import re
import socket
import struct
import subprocess
import tempfile
import unittest

import harness

GOOD = json.dumps({"model": "gpt-5.4", "input": "Hello", "start_within": "default"})
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 192.0.2.7 127.0.0.1 56324 8080\r\n"


def block(source, destination="127.0.0.1", command=1, more=b""):
    """A version 2 header; `more` are TLVs."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    rest = (socket.inet_pton(family, source) + socket.inet_pton(family, destination)
            + struct.pack(">HH", 56324, 8080) + more)
    kind = 0x21 if family == socket.AF_INET6 else 0x11
    return SIGNATURE + bytes([0x20 | command, kind]) + struct.pack(">H", len(rest)) + rest


class ProxyCase(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())

    def flexd(self, *flags):
        return self.run_here(harness.Flexd(self.flexsim.url, *flags, ca=self.flexsim.ca))

    def post(self, flexd, *lines, key=None):
        """The bytes of a good request."""
        fields = ["POST /v1/responses HTTP/1.1", "Host: flexd", "Content-Type: application/json",
                  f"Authorization: Bearer {key or flexd.key}", *lines,
                  f"Content-Length: {len(GOOD)}"]
        return ("\r\n".join(fields) + "\r\n\r\n" + GOOD).encode()

    def raw(self, flexd):
        connection = harness.RawConnection(flexd.address)
        self.addCleanup(connection.close)
        return connection

    def client_of(self, flexd, answer):
        """Who the access log says that an answer went to."""
        wanted = answer.headers["x-flexinference-request-id"]
        return flexd.wait_log(lambda line: line["request_id"] == wanted)["client"]

    def refused(self, flexd, cause):
        page = flexd.get_admin("/metrics").body.decode()
        pattern = rf'^flexd_proxy_headers_refused_total\{{cause="{cause}"\}} (\d+)$'
        found = re.search(pattern, page, re.M)
        return int(found[1]) if found else 0


class ProxyProtocol(ProxyCase):
    def test_both_versions_name_the_client(self):
        flexd = self.flexd("--proxy-protocol")
        for header, client in ((LINE, "192.0.2.7"),
                               (b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n", "2001:db8::7"),
                               (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
                               (block("192.0.2.8"), "192.0.2.8"),
                               (block("2001:db8::8", "::1", more=b"\x04\0\x03abc"), "2001:db8::8"),
                               (block("192.0.2.9", command=0), "127.0.0.1")):
            with self.subTest(header=header):
                connection = self.raw(flexd)
                connection.send(header + self.post(flexd))
                answer = connection.read_answer()
                self.assertEqual(answer.status, 200, answer.body)
                self.assertEqual(self.client_of(flexd, answer), client)
                connection.send(self.post(flexd))
                answer = connection.read_answer()
                self.assertEqual(answer.status, 200, answer.body)
                self.assertEqual(self.client_of(flexd, answer), client)

    def test_byte_by_byte(self):
        flexd = self.flexd("--proxy-protocol")
        for header in (LINE, block("192.0.2.7")):
            connection = self.raw(flexd)
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in header + self.post(flexd):
                connection.send(bytes([byte]))
            answer = connection.read_answer()
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(self.client_of(flexd, answer), "192.0.2.7")

    def test_without_a_header_no_answer(self):
        flexd = self.flexd("--proxy-protocol", "--header-timeout", "300ms")
        for count, sent in enumerate((self.post(flexd), b"\x16\x03\x01", b"PROXY TCP4\r\n",
                                      SIGNATURE + b"\x21\x11\xff\xff"), 1):
            connection = self.raw(flexd)
            connection.send(sent)
            self.assertTrue(connection.at_end(), sent)
            self.assertEqual(self.refused(flexd, "malformed"), count)
        waiting = self.raw(flexd)
        waiting.send(LINE[:-1])
        self.assertTrue(waiting.at_end())
        self.assertEqual(self.refused(flexd, "timeout"), 1)
        told = flexd.log("proxy_header_refused")
        self.assertEqual({line["peer"] for line in told}, {"127.0.0.1"})
        self.assertEqual([line["cause"] for line in told], ["malformed"] * 4 + ["timeout"])
        self.assertEqual(flexd.log(), [], "no request was seen")
        # The admin listener is not behind the balancer.
        self.assertEqual(flexd.get_admin("/healthz").status, 200)

    def test_health_checks_are_no_failures(self):
        # HAProxy's connect, and reset at once or after a header: their address is gone by then.
        flexd = self.flexd("--proxy-protocol", "--trusted-proxy", "127.0.0.1")
        for count in range(40):
            connection = harness.RawConnection(flexd.address)
            if count % 2:
                connection.send(block("127.0.0.1", command=0))
            connection.reset()
        connection = self.raw(flexd)
        connection.send(LINE + self.post(flexd))
        self.assertEqual(connection.read_answer().status, 200)
        for cause in ("malformed", "timeout", "untrusted"):
            self.assertEqual(self.refused(flexd, cause), 0)
        self.assertEqual(flexd.log("proxy_header_refused"), [])

    def test_strangers_may_send_none(self):
        flexd = self.flexd("--proxy-protocol", "--trusted-proxy", "192.0.2.0/24")
        connection = self.raw(flexd)
        try:
            connection.send(LINE + self.post(flexd))
        except OSError:
            pass  # it may be closed by then
        self.assertTrue(connection.at_end())
        harness.wait_until(lambda: self.refused(flexd, "untrusted") == 1, "the refusal")
        flexd = self.flexd("--proxy-protocol", "--trusted-proxy", "127.0.0.0/8")
        connection = self.raw(flexd)
        connection.send(LINE + self.post(flexd, "X-Forwarded-For: 6.6.6.6"))
        answer = connection.read_answer()
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.client_of(flexd, answer), "192.0.2.7")


class ForwardedFor(ProxyCase):
    def test_of_a_trusted_peer(self):
        flexd = self.flexd("--trusted-proxy", "127.0.0.1", "--trusted-proxy", "10.0.0.0/8")
        for value, client in (("6.6.6.6, 192.0.2.1, 10.1.2.3", "192.0.2.1"),
                              ("[2001:db8::7]:5678", "2001:db8::7"),
                              ("nonsense", "127.0.0.1")):
            answer = flexd.post(GOOD, {"x-forwarded-for": value})
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(self.client_of(flexd, answer), client)
        connection = self.raw(flexd)
        connection.send(self.post(flexd, "X-Forwarded-For: 6.6.6.6, 192.0.2.2",
                                  "x-forwarded-for: 10.0.0.1"))
        self.assertEqual(self.client_of(flexd, connection.read_answer()), "192.0.2.2")

    def test_of_a_stranger(self):
        for flags in ((), ("--trusted-proxy", "10.0.0.0/8")):
            flexd = self.flexd(*flags)
            answer = flexd.post(GOOD, {"x-forwarded-for": "6.6.6.6"})
            self.assertEqual(self.client_of(flexd, answer), "127.0.0.1")

    def test_of_a_peer_on_a_unix_socket(self):
        with tempfile.TemporaryDirectory(prefix="flexd-proxy-") as directory:
            path = pathlib.Path(directory) / "flexd.sock"
            for flags, client in (((), "unix"), (("--trusted-proxy", "::1"), "192.0.2.1")):
                flexd = self.flexd("--listen", f"unix:{path}", *flags)
                with socket.socket(socket.AF_UNIX) as peer:
                    peer.settimeout(harness.PATIENCE_S)
                    peer.connect(str(path))
                    peer.sendall(self.post(flexd, "X-Forwarded-For: 192.0.2.1"))
                    self.assertTrue(peer.recv(100).startswith(b"HTTP/1.1 200 "))
                line = flexd.wait_log(lambda line: line["status"] == 200)
                self.assertEqual(line["client"], client)
                flexd.stop()

    def test_failed_authentications_count_by_client(self):
        flexd = self.flexd("--trusted-proxy", "127.0.0.1", "--auth-failures-per-minute", "2")
        wrong = {"authorization": "Bearer flex_live_" + "0" * 30}

        def status(client, headers):
            return flexd.post(GOOD, {"x-forwarded-for": client, **headers}).status

        self.assertEqual([status("192.0.2.1", wrong) for _ in range(3)], [401, 401, 429])
        self.assertEqual(status("192.0.2.2", wrong), 401)
        self.assertEqual(status("192.0.2.1", {}), 200)
        self.assertEqual(status("192.0.2.9, 192.0.2.1", wrong), 429)
        addresses = [f"2001:db8:0:1::{n:x}" for n in range(3)]
        self.assertEqual([status(a, wrong) for a in addresses], [401, 401, 429])


class Flags(unittest.TestCase):
    def test_a_bad_network_is_one_line_and_exit_2(self):
        for network in ("10.0.0.0/33", "balancer", "10.0.0.0/8,192.0.2.1", ""):
            done = subprocess.run([harness.flexd_path(), "--dev", "--trusted-proxy", network],
                                  capture_output=True, text=True, check=False, timeout=30)
            self.assertEqual(done.returncode, 2, network)
            self.assertEqual(done.stdout, "")
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn("--trusted-proxy", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
