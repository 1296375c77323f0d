"""Starts and stops what a benchmark needs: the origin, the proxies under test, and flexbench.

Everything runs pinned to a core, with its files in one directory that the caller removes.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS = 120  # under valgrind, on a machine that is busy
PROVIDER_KEY = "sk-bench-0123456789abcdef"


class BenchError(Exception):
    """A program that did not start, or answers that were not as expected: one line for a person."""


def free_port():
    """A port nobody has at the moment; in a network namespace of our own it stays free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_tool(name):
    """The path of an installed program, also where an ordinary user's PATH has no sbin."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise BenchError(f"{name} is not installed")
    return path


class Process:
    """A child with its output in files, and every process it has started itself."""

    def __init__(self, name, command, directory, core=None, env=None):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.out_path = self.directory / "stdout"
        self.err_path = self.directory / "stderr"
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, **(env or {})})

    def wait_until(self, ready, what):
        """Polls `ready` until it returns something true, and returns that."""
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit:
            result = ready()
            if result:
                return result
            if self.popen.poll() is not None:
                break
            time.sleep(0.02)
        self.stop()
        tail = (self.out_path.read_text("utf-8", "replace")
                + self.err_path.read_text("utf-8", "replace")).strip()[-600:]
        raise BenchError(f"{self.name}: {what} did not happen: {tail or 'no output'}")

    def wait_for_port(self, port):
        def answers():
            with socket.socket() as probe:
                return self.popen.poll() is None and probe.connect_ex(("127.0.0.1", port)) == 0
        self.wait_until(answers, f"listening on port {port}")

    def wait_for_text(self, pattern):
        return self.wait_until(
            lambda: re.search(pattern, self.out_path.read_text("utf-8", "replace")),
            f"a line like {pattern!r}")

    def pids(self):
        """The child and all its descendants."""
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = pathlib.Path("/proc", entry, "stat").read_text()
                except OSError:
                    continue
                parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
        found = [self.popen.pid]
        for pid in found:
            found.extend(parents.get(pid, []))
        return found

    def stop(self):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


def render(template, target, words):
    text = (HERE / "baselines" / template).read_text()
    for word, value in words.items():
        text = text.replace(f"@{word}@", str(value))
    left = re.search(r"@[A-Z_]+@", text.replace("@WORDS@", ""))
    if left:
        raise BenchError(f"{template}: nothing to put in place of {left[0]}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def user_line():
    """nginx's workers change to another user when started by root, who owns our directory."""
    return "user root;" if os.geteuid() == 0 else ""


class Origin:
    """Where the proxies forward to: TLS on `port`, verified against `ca_file` as localhost."""

    def __init__(self, kind, process, port, ca_file):
        self.kind, self.process, self.port, self.ca_file = kind, process, port, ca_file

    def report(self):
        """What flexsim counted, or None for an origin that counts nothing."""
        if self.kind != "flexsim":
            return None
        context = ssl.create_default_context(cafile=str(self.ca_file))
        url = f"https://localhost:{self.port}/flexsim/report?records=10000"
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            return json.load(answer)


def start_flexsim(path, directory, core=None):
    port_file = directory / "port"
    process = Process("flexsim", [
        path, "--listen", "127.0.0.1:0", "--tls", "--cert-dir", directory,
        "--port-file", port_file, "--workers", "1"], directory, core)

    def port():
        found = port_file.exists() and re.search(r"\d+\s*$", port_file.read_text())
        return int(found[0]) if found else None
    return Origin("flexsim", process, process.wait_until(port, "a port file"), directory / "ca.pem")


def start_nginx_origin(directory, core=None):
    directory.mkdir(parents=True)
    subprocess.run([
        find_tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", directory / "key.pem", "-out",
        directory / "ca.pem"], check=True, capture_output=True)
    filler = "x" * 1000
    answer = '{"id":"resp_1","text":"' + filler[:1024 - 25] + '"}'
    events = "".join(
        f'event: response.output_text.delta\ndata: {{"sequence_number":{i},"delta":"'
        f'{filler[:80]}"}}\n\n' for i in range(100))
    for name in ("sse", "events"):  # the first is asked for with POST, refused, and must exist
        (directory / name).write_text(events)
    port = free_port()
    render("origin-nginx.conf.in", directory / "nginx.conf",
           {"USER": user_line(), "DIR": directory, "PORT": port, "JSON": answer})
    process = Process("origin", [find_tool("nginx"), "-e", directory / "error.log", "-c",
                                 directory / "nginx.conf"], directory, core)
    process.wait_for_port(port)
    return Origin("nginx", process, port, directory / "ca.pem")


class Proxy:
    """A proxy under test. Event streams go to `stream_port`, everything else to `port`."""

    def __init__(self, name, process, port, stream_port=None, key=PROVIDER_KEY):
        self.name, self.process, self.port, self.key = name, process, port, key
        self.stream_port = stream_port or port

    @property
    def is_flexd(self):
        """Also of the variants: "flexd" and a word behind it."""
        return self.name.partition(" ")[0] == "flexd"


def start_nginx(origin, directory, core=None):
    port, stream_port = free_port(), free_port()
    render("nginx.conf.in", directory / "nginx.conf", {
        "USER": user_line(), "DIR": directory, "PORT": port, "STREAM_PORT": stream_port,
        "ORIGIN_PORT": origin.port, "CA_FILE": origin.ca_file})
    process = Process("nginx", [find_tool("nginx"), "-e", directory / "error.log", "-c",
                                directory / "nginx.conf"], directory, core)
    process.wait_for_port(port)
    return Proxy("nginx", process, port, stream_port)


def start_haproxy(origin, directory, core=None, alpn="h2"):
    port, stream_port = free_port(), free_port()
    server = (f"ssl verify required ca-file {origin.ca_file} verifyhost localhost "
              f"sni str(localhost) alpn {alpn} pool-purge-delay 300s")
    render("haproxy.cfg.in", directory / "haproxy.cfg", {
        "PORT": port, "STREAM_PORT": stream_port, "ORIGIN_PORT": origin.port, "SERVER": server})
    name = "haproxy-h2" if alpn == "h2" else "haproxy-h1"
    process = Process(name, [find_tool("haproxy"), "-db", "-f", directory / "haproxy.cfg"],
                      directory, core)
    process.wait_for_port(port)
    return Proxy(name, process, port, stream_port)


def start_flexd(path, origin, directory, core=None, extra=(), wrapper=(), store=None,
                name="flexd"):
    """flexd with --dev, or serving from a `store` (stores.Store)."""
    process = Process("flexd", [
        *wrapper, path, *(["--store", store.path] if store else ["--dev"]),
        "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
        "--workers", "1", "--openai-url", f"https://localhost:{origin.port}",
        "--origin-ca", origin.ca_file, "--log-format", "json", *extra],
        directory, core, {"OPENAI_API_KEY": PROVIDER_KEY})
    port = int(process.wait_for_text(r"flexd: listening on http://127\.0\.0\.1:(\d+)")[1])
    key = store.key if store else process.wait_for_text(
        r"flexd: dev key (flex_live_[0-9a-f]{30})")[1]
    return Proxy(name, process, port, key=key)


def flexbench(path, proxy, workload, directory, core=None, **flags):
    """Runs flexbench to its end and returns its JSON. `flags` are its long flags, _ for -."""
    # The others pass on what they get; only flexd turns start_within into the provider's tier.
    body = workload.body if proxy.is_flexd else workload.body.replace(
        '"start_within":"default"', '"service_tier":"default"')
    body_file = directory / f"body-{workload.key}-{proxy.name.replace(' ', '-')}.json"
    body_file.write_text(body)
    port = proxy.stream_port if workload.is_stream else proxy.port
    command = [path, f"http://127.0.0.1:{port}{workload.path}", "--json",
               "--body-file", body_file, "--body-bytes", workload.body_bytes,
               "-H", f"Authorization: Bearer {proxy.key}"]
    if workload.is_stream:
        command += ["-H", "x-bench: sse"]
    for flag, value in flags.items():
        if value:
            command += ["--" + flag.replace("_", "-"), value]
    if core is not None:
        command = ["taskset", "-c", core, *command]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise BenchError(f"{proxy.name}: flexbench: {done.stderr.strip()[-300:]}") from None
    if done.returncode != 0:
        raise BenchError(f"{proxy.name}: {report['errors']} errors "
                         f"{report['error_kinds']}; the first: {report['first_error']}")
    return report
