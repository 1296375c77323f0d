#!/usr/bin/env python3
"""flexd tells a service manager the truth (sd_notify(3)), over a socket as systemd would make one.

Usage: notify_test.py PATH_OF_FLEXD. READY=1 comes once every listener takes connections and not
before; STOPPING=1 comes with SIGTERM, while answers may still be under way; the exit is clean. A
start that fails never says READY.
"""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

PATIENCE_S = 30


class Service:
    """flexd as a service, with the test as its manager."""

    def __init__(self, folder, abstract=False, arguments=()):
        name = f"\0flexd-notify-{os.getpid()}" if abstract else str(pathlib.Path(folder, "notify"))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(PATIENCE_S)
        environment = {key: value for key, value in os.environ.items()
                       if not key.endswith("_API_KEY")}
        environment["OPENAI_API_KEY"] = "sk-test"
        environment["NOTIFY_SOCKET"] = name.replace("\0", "@")
        self.admin = pathlib.Path(folder, "admin")
        self.process = subprocess.Popen(
            [FLEXD, "--dev", "--workers", "2", "--listen", "127.0.0.1:0", "--admin-listen",
             f"unix:{self.admin}", "--drain-timeout", "5s", *arguments],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.socket.close()

    def words(self):
        """The assignments of the next message."""
        return self.socket.recv(4096).decode().split("\n")

    def wait_for(self, word):
        """Reads messages until one has `word`; returns all assignments seen."""
        seen = []
        while word not in seen:
            seen += self.words()
        return seen

    def silent(self):
        self.socket.setblocking(False)
        try:
            return self.socket.recv(4096)
        except BlockingIOError:
            return None


class NotifyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def check_life(self, abstract):
        with Service(self.folder, abstract) as service:
            seen = service.wait_for("READY=1")
            self.assertNotIn("STOPPING=1", seen)
            # The listeners' lines are flushed before READY, and each takes connections now.
            line = service.process.stdout.readline()
            port = int(re.fullmatch(r"flexd: listening on http://127\.0\.0\.1:(\d+)\n",
                                    line).group(1))
            request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/responses", data=b"{}")
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    request, timeout=PATIENCE_S)
            self.assertEqual(refused.exception.code, 401)
            refused.exception.close()
            with socket.socket(socket.AF_UNIX) as admin:
                admin.settimeout(PATIENCE_S)
                admin.connect(str(service.admin))
                admin.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                self.assertIn(b" 200 ", admin.recv(4096).split(b"\r\n")[0])

            service.process.send_signal(signal.SIGTERM)
            seen = service.wait_for("STOPPING=1")
            self.assertNotIn("READY=1", seen)
            self.assertEqual(service.process.wait(PATIENCE_S), 0)

    def test_path_socket(self):
        self.check_life(abstract=False)

    def test_abstract_socket(self):
        self.check_life(abstract=True)

    def test_stopping_is_said_while_a_request_is_still_coming(self):
        with Service(self.folder) as service:
            service.wait_for("READY=1")
            line = service.process.stdout.readline()
            port = int(line.rsplit(":", 1)[1])
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as caller:
                # Half a head: the connection is busy until its clock or the drain ends it.
                caller.sendall(b"POST /v1/responses HTTP/1.1\r\nhost: x\r\n")
                service.process.send_signal(signal.SIGTERM)
                service.wait_for("STOPPING=1")
            self.assertEqual(service.process.wait(PATIENCE_S), 0)

    def test_a_failed_start_is_never_ready(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            with Service(self.folder, arguments=("--listen", address)) as service:
                self.assertEqual(service.process.wait(PATIENCE_S), 2)
                self.assertIsNone(service.silent())
                self.assertRegex(service.process.stderr.read(), r"^flexd: --listen [^\n]+\n$")


if __name__ == "__main__":
    FLEXD = sys.argv.pop(1)
    unittest.main()
