"""Starts and stops the real programs of the end-to-end tests: flexd, flexsim, other origins.

Every program listens on a port of its own choosing on the loopback address and is stopped by its
process id. Waiting is always for something that shows (a line, a port, an exit), with a deadline.

Where things are comes from the environment, which tests/e2e/meson.build sets:
  FLEXD, FLEXSIM  the programs
  E2E_DIR         a directory of the build for installed SDKs
  E2E_NODE        another Node.js than the one in PATH (optional)
"""

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PROVIDER_KEYS = {"OPENAI_API_KEY": "sk-flexsim", "GEMINI_API_KEY": "AIza-flexsim",
                 "ANTHROPIC_API_KEY": "sk-ant-flexsim"}
PATIENCE_S = 20.0  # for anything that should happen at once, on a machine that is busy


def program(name, default):
    path = os.environ.get(name, default)
    if not pathlib.Path(path).exists():
        raise RuntimeError(f"{name}: {path} does not exist; set {name} to the program")
    return path


def flexd_path():
    return program("FLEXD", str(HERE.parents[1] / "build/src/app/flexd"))


def flexsim_path():
    return program("FLEXSIM", str(HERE.parents[1] / "build/tools/flexsim/flexsim"))


def build_dir():
    path = pathlib.Path(os.environ.get("E2E_DIR", tempfile.gettempdir() + "/flexd-e2e"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def node_path():
    path = os.environ.get("E2E_NODE") or shutil.which("node")
    if not path:
        raise RuntimeError("node is missing: install nodejs")
    return path


def wait_until(condition, what, seconds=PATIENCE_S):
    """Asks `condition` until it returns something true, and returns that."""
    give_up = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.005)


class Program:
    """A child process whose output is read line by line."""

    def __init__(self, argv, env=None, cwd=None):
        merged = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
        merged.update(env or {})
        self.argv = [str(a) for a in argv]
        self.lines = {"stdout": [], "stderr": []}
        self._changed = threading.Condition()
        self._child = subprocess.Popen(
            self.argv, env=merged, cwd=cwd, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        self._readers = [
            threading.Thread(target=self._read, args=(name,), daemon=True) for name in self.lines]
        for reader in self._readers:
            reader.start()

    def _read(self, name):
        for line in getattr(self._child, name):
            with self._changed:
                self.lines[name].append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def pid(self):
        return self._child.pid

    def output(self):
        return "\n".join(self.lines["stdout"] + self.lines["stderr"])

    def wait_for(self, pattern, stream="stdout", seconds=PATIENCE_S):
        """Waits for a line that matches and returns the match."""
        give_up = time.monotonic() + seconds
        at = 0
        with self._changed:
            while True:
                lines = self.lines[stream]
                while at < len(lines):
                    match = re.search(pattern, lines[at])
                    if match:
                        return match
                    at += 1
                left = give_up - time.monotonic()
                ended = self._child.poll() is not None and not any(
                    r.is_alive() for r in self._readers)
                if left <= 0 or ended:
                    state = f"exit {self._child.returncode}" if ended else "running"
                    raise AssertionError(
                        f"{self.argv[0]} ({state}) printed no line like {pattern!r}:\n"
                        f"{self.output()[-4000:]}")
                self._changed.wait(min(left, 0.1))

    def signal(self, number):
        self._child.send_signal(number)

    def is_running(self):
        return self._child.poll() is None

    def wait_exit(self, seconds=PATIENCE_S):
        code = self._child.wait(timeout=seconds)
        for reader in self._readers:
            reader.join(timeout=5)
        return code

    def stop(self):
        """Ends the process if it still runs; its exit code."""
        if self.is_running():
            self._child.terminate()
            try:
                self._child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait(timeout=10)
        for reader in self._readers:
            reader.join(timeout=5)
        self._child.stdout.close()
        self._child.stderr.close()
        return self._child.returncode


class Flexd(Program):
    """flexd with --dev, or over a `store` (flexctl.Store), whose keys the test brings itself.

    `origin` is a URL, of all three providers; extra flags follow. With --dev it has OpenAI's key
    alone unless `env` holds others: see PROVIDER_KEYS."""

    def __init__(self, origin, *flags, ca=None, env=None, workers=1, store=None,
                 log_format="json"):
        keys = ["--store", store.path] if store else ["--dev"]
        argv = [flexd_path(), *keys, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                "--openai-url", origin, "--gemini-url", origin, "--anthropic-url", origin,
                "--workers", workers, "--log-format", log_format]
        if ca:
            argv += ["--origin-ca", ca]
        super().__init__(argv + list(flags), env={"OPENAI_API_KEY": "sk-flexsim", **(env or {})})
        try:
            self.url = self.wait_for(r"^flexd: listening on (http://\S+)$")[1]
            self.admin = self.wait_for(r"^flexd: admin on (http://\S+)$")[1]
            self.key = None if store else self.wait_for(
                r"^flexd: dev key (flex_live_[0-9a-f]{30})$")[1]
        except BaseException:
            self.stop()
            raise

    @property
    def address(self):
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    @property
    def admin_address(self):
        host, port = self.admin.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    def post(self, body, headers=None, path="/v1/responses", timeout=PATIENCE_S):
        """One request on a connection of its own; see Answer."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        sent = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        sent.update(headers or {})
        return request(self.address, "POST", path, body, sent, timeout)

    def get_admin(self, path):
        return request(self.admin_address, "GET", path)

    def log(self, event="request"):
        """The lines of the log about an event, parsed. All lines have to be JSON."""
        return [e for e in map(json.loads, list(self.lines["stderr"])) if e["event"] == event]

    def wait_log(self, condition, what="a log line", seconds=PATIENCE_S):
        """Waits for a request's log line for which `condition` holds."""
        return wait_until(lambda: next(filter(condition, self.log()), None), what, seconds)


class Flexsim(Program):
    """The provider simulator, over TLS. `.ca` is the certificate authority to trust."""

    def __init__(self, *flags):
        self._directory = tempfile.TemporaryDirectory(prefix="flexsim-")
        super().__init__([flexsim_path(), "--tls", "--listen", "127.0.0.1:0",
                          "--cert-dir", self._directory.name, *flags])
        try:
            self.url = self.wait_for(r"flexsim: listening on (https://\S+)")[1]
        except BaseException:
            self.stop()
            raise
        self.ca = str(pathlib.Path(self._directory.name) / "ca.pem")

    def request(self, method, path, body=None, headers=None):
        """A request to the simulator itself, past flexd."""
        host, port = self.url.removeprefix("https://").rsplit(":", 1)
        context = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
        return exchange(connection, method, path, body, headers)

    def report(self):
        return self.request("GET", "/flexsim/report").json()

    def records(self, trace=None):
        """What it remembers of requests, or of those whose metadata.trace is `trace`."""
        records = self.report()["records"]
        return [r for r in records if trace is None or r.get("trace") == trace]

    def stop(self):
        code = super().stop()
        self._directory.cleanup()
        return code


class Certificates:
    """A certificate authority and a server certificate for `names`, made by openssl."""

    def __init__(self, names="IP:127.0.0.1,DNS:localhost"):
        self._directory = tempfile.TemporaryDirectory(prefix="flexd-certs-")
        base = pathlib.Path(self._directory.name)
        self.ca, self.key, self.cert = (str(base / n) for n in ("ca.pem", "key.pem", "cert.pem"))
        ca_key, request_file, extensions = (
            str(base / n) for n in ("ca-key.pem", "request.pem", "extensions.cnf"))
        pathlib.Path(extensions).write_text(f"subjectAltName={names}\n", encoding="ascii")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self._run("req", "-x509", *new_key, "-keyout", ca_key, "-out", self.ca, "-days", "2",
                  "-subj", "/CN=flexd test authority")
        self._run("req", *new_key, "-keyout", self.key, "-out", request_file,
                  "-subj", "/CN=flexd test origin")
        self._run("x509", "-req", "-in", request_file, "-CA", self.ca, "-CAkey", ca_key,
                  "-CAcreateserial", "-out", self.cert, "-days", "2", "-extfile", extensions)

    @staticmethod
    def _run(*argv):
        subprocess.run(["openssl", *argv], check=True, capture_output=True)

    def close(self):
        self._directory.cleanup()


class NodeOrigin(Program):
    """node/origin.mjs: a provider in a few lines of Node.js. MODE is h2, h2only or h1."""

    def __init__(self, mode, certificates):
        super().__init__([node_path(), HERE / "node/origin.mjs", mode, certificates.cert,
                          certificates.key])
        try:
            self.url = self.wait_for(r"^origin: listening on (https://\S+)$")[1]
        except BaseException:
            self.stop()
            raise

    def events(self, trace=None):
        """What happened at the origin, in order: objects with `what` and `trace`."""
        events = [json.loads(e) for e in list(self.lines["stdout"]) if e.startswith("{")]
        return [e for e in events if trace is None or e["trace"] == trace]

    def wait_event(self, trace, what, seconds=PATIENCE_S):
        return wait_until(
            lambda: next((e for e in self.events(trace) if e["what"] == what), None),
            f"{what} at the origin", seconds)


class Answer:
    """An HTTP answer. Names of headers are in lower case; of repeated ones the last counts."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def code(self):
        return self.json()["error"]["code"]

    def events(self):
        return parse_sse(self.body)


def request(address, method, path, body=None, headers=None, timeout=PATIENCE_S):
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    return exchange(connection, method, path, body, headers)


def exchange(connection, method, path, body, headers):
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        fields = {k.lower(): v for k, v in response.getheaders()}
        return Answer(response.status, fields, response.read())


def parse_sse(body):
    """The events of a stream as (name, data) pairs; comments and an unfinished end are left out."""
    events = []
    for frame in body.decode().split("\n\n")[:-1]:
        lines = [line for line in frame.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        name = next((x[6:].strip() for x in lines if x.startswith("event:")), "")
        data = "\n".join(x[5:].removeprefix(" ") for x in lines if x.startswith("data:"))
        events.append((name, json.loads(data)))
    return events


class RawConnection:
    """A TCP connection on which a test writes any bytes and reads HTTP answers."""

    def __init__(self, address, timeout=PATIENCE_S):
        self.socket = socket.create_connection(address, timeout=timeout)
        self._input = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def read_head(self):
        status = self._input.readline()
        if not status:
            return None, {}
        headers = {}
        while (line := self._input.readline()) not in (b"\r\n", b""):
            name, value = line.decode("latin-1").split(":", 1)
            headers[name.strip().lower()] = value.strip()
        return int(status.split()[1]), headers

    def read_answer(self, has_body=True):
        """The next final answer, or None at the end of the connection. 1xx are passed over."""
        status, headers = self.read_head()
        while status is not None and 100 <= status < 200:
            status, headers = self.read_head()
        if status is None:
            return None
        body = b""
        if has_body and headers.get("transfer-encoding") == "chunked":
            while size := int(self._input.readline(), 16):
                body += self._input.read(size)
                self._input.readline()
            self._input.readline()
        elif has_body and "content-length" in headers:
            body = self._input.read(int(headers["content-length"]))
        elif has_body:
            body = self._input.read()
        return Answer(status, headers, body)

    def readline(self):
        return self._input.readline()

    def at_end(self):
        """Waits for the peer to close; false if more bytes come instead."""
        try:
            return self._input.read(1) == b""
        except ConnectionResetError:
            return True

    def reset(self):
        """Closes with RST, as a client that dies does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self):
        self._input.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def install_once(name, sources, install):
    """Runs `install` into E2E_DIR/name unless what is there was made from the same `sources`."""
    target = build_dir() / name
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    stamp = target / ".installed"
    with open(build_dir() / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text(encoding="ascii") == digest.hexdigest():
            return target
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        install(target)
        stamp.write_text(digest.hexdigest(), encoding="ascii")
    return target


def node_modules():
    """The directory with the JavaScript SDKs and the programs of tests/e2e/node."""
    sources = [HERE / "node/package.json", HERE / "node/package-lock.json"]

    def install(target):
        for source in sources:
            shutil.copy(source, target)
        subprocess.run(
            ["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts",
             "--loglevel=error"],
            cwd=target, check=True, stdout=sys.stderr)

    return install_once("node", sources, install)


def python_with_sdks(name="requirements.txt"):
    """The interpreter of a virtual environment with the Python SDKs that the file `name` lists."""
    requirements = HERE / name

    def install(target):
        subprocess.run([sys.executable, "-m", "venv", target], check=True)
        subprocess.run(
            [target / "bin/pip", "install", "-q", "--disable-pip-version-check",
             "-r", requirements], check=True, stdout=sys.stderr)

    directory = "venv" + name.removeprefix("requirements").removesuffix(".txt")
    return install_once(directory, [requirements], install) / "bin/python"


class Case(unittest.TestCase):
    """A test class with programs that its tests share: `cls.start(program)` in setUpClass."""

    maxDiff = None

    @classmethod
    def start(cls, started):
        cls.addClassCleanup(started.stop)
        return started

    def run_here(self, started):
        """The same for the programs of one test."""
        self.addCleanup(started.stop)
        return started

    def assert_error(self, answer, status, code, param=None):
        self.assertEqual((answer.status, answer.code()), (status, code), answer.body)
        error = answer.json()["error"]
        self.assertEqual(list(error), ["message", "type", "code", "param", "doc_url"])
        self.assertEqual(error["param"], param)
        self.assertRegex(answer.headers["x-flexinference-request-id"], r".")
        return error
