"""Secrets: planted with marks, they show up in nothing that flexd or flexctl leave behind.

Provider keys go in by stdin, callers' keys come out once, the master key is a file. Then traffic of
every kind runs, errors above all, and all that can be read from outside is searched: logs at every
level, metrics, answers, the admin API, the processes' arguments and environment, the store's files.
"""

import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import flexctl
import harness

MARK = "MARKED"
PROVIDER_SECRETS = {"openai": "sk-MARKED-openai-0123456789abcdef",
                    "gemini": "AIzaMARKED-gemini-0123456789abcdef",
                    "anthropic": "sk-ant-MARKED-anthropic-0123456789"}
BAD_SECRETS = {"openai": "sk-bad-MARKED-openai-0123456789", "gemini": "AIza-bad-MARKED-0123456789",
               "anthropic": "sk-ant-bad-MARKED-0123456789"}
MODELS = {"openai": "gpt-5.4", "gemini": "gemini-3.5-flash", "anthropic": "claude-opus-4-8"}
# A key of the right form, whose checksum is wrong, and one that nobody holds: what a caller pastes
# into the wrong place is a secret too.
WRONG_KEYS = ["flex_live_" + "0badc0de" * 3 + "ffffff", "flex_live_feedfacefeedface",
              "sk-ant-api03-MARKED-of-a-caller"]
NOBODY = 65534
SCENARIOS = ["ok", "refuse", "error 400 bad_thing", "error 401 invalid_api_key", "error 500",
             "error-html 502", "error-badjson 500", "failed-after-start", "die-before-headers",
             "die-mid", "end-without-terminal"]


def body_of(dialect, provider, text, start_within="default", stream=False):
    body = {"model": MODELS[provider], "start_within": start_within}
    if stream:
        body["stream"] = True
    if dialect == "responses":
        return "/v1/responses", {**body, "input": text, "max_output_tokens": 100}
    if dialect == "interactions":
        return "/v1beta/interactions", {**body, "input": text,
                                        "generation_config": {"max_output_tokens": 100}}
    messages = [{"role": "user", "content": text}]
    if dialect == "chat":
        return "/v1/chat/completions", {**body, "messages": messages, "max_completion_tokens": 100}
    return "/v1/messages", {**body, "messages": messages, "max_tokens": 100}


class Echo(http.server.ThreadingHTTPServer):
    """A provider that is so careless as to tell a caller the key it was asked with."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            key = (self.headers.get("x-api-key") or self.headers.get("x-goog-api-key")
                   or self.headers.get("authorization", ""))
            self.server.keys.append(key)
            body = json.dumps({"error": {"message": f"Incorrect API key provided: {key}",
                                         "type": "invalid_request_error", "param": None,
                                         "code": key}}).encode()
            self.send_response(401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("www-authenticate", f'Bearer realm="{key}"')
            self.send_header("x-request-key", key)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Echo.Handler)
        self.keys = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class SecretsCase(harness.Case):
    def setUp(self):
        self.store = self.run_here(flexctl.Store())
        self.secrets = set(WRONG_KEYS)
        self.organization("acme", PROVIDER_SECRETS)
        self.organization("wrong", BAD_SECRETS)
        self.secrets.add(self.store.master_key.read_text().strip())
        self.key, self.key_of_wrong = self.new_key("acme"), self.new_key("wrong")
        self.management = self.new_key("acme", "--management")

    def organization(self, name, keys):
        self.store.good("org", "create", name)
        for provider, secret in keys.items():
            self.store.good("provider-key", "set", name, provider, stdin=secret + "\n")
            self.secrets.add(secret)

    def new_key(self, org, *options):
        key = self.store.json("key", "create", org, *options)["key"]
        self.store.seen.pop()  # both outputs of the creation, which is where it may be shown
        self.store.seen.pop()
        self.secrets.add(key)
        return key

    def assert_hidden(self, text, where):
        text = text if isinstance(text, bytes) else text.encode()
        for secret in self.secrets:
            # The end alone is too much as well. What flexctl shows to tell provider keys apart are
            # four characters.
            for part in (secret, secret[-12:], secret.upper()):
                at = text.find(part.encode())
                if at >= 0:
                    self.fail(f"{where} has {part}: {text[max(0, at - 100):at + 50]!r}")

    def assert_process_is_clean(self, pid, where):
        for name in ("cmdline", "environ"):
            self.assert_hidden(pathlib.Path(f"/proc/{pid}/{name}").read_bytes(), f"{where} {name}")

    def assert_all_hidden(self, flexd):
        """Everything that the gateway and the store leave."""
        self.assert_hidden(flexd.get_admin("/metrics").body, "/metrics")
        self.assert_process_is_clean(flexd.pid, "flexd")
        for name, content in self.store.files().items():
            if name != "master.key":
                self.assert_hidden(content, name)
        flexd.signal(signal.SIGTERM)
        self.assertEqual(flexd.wait_exit(), 0)
        self.assert_hidden(flexd.output(), "the output of flexd")
        for words in (("org", "show", "acme"), ("key", "list", "acme"), ("usage",),
                      ("provider-key", "list", "acme")):
            self.store.good(*words)
            self.store.good(*words, "--json")
        self.assert_hidden("".join(self.store.seen), "what flexctl printed")

    def ask(self, flexd, path, body, key=None, headers=None):
        """One request; neither its answer's head nor its body may show a secret."""
        fields = {"authorization": f"Bearer {key or self.key}"} if headers is None else headers
        try:
            answer = flexd.post(body, fields, path=path)
        except (OSError, http.client.HTTPException):
            return None  # cut off, as the provider was
        self.assert_hidden(repr(answer.headers), f"the head of an answer at {path}")
        self.assert_hidden(answer.body, f"the answer at {path}")
        return answer


class Traffic(SecretsCase):
    def drive(self, flexd):
        seen = set()
        for dialect in ("responses", "chat", "interactions", "messages"):
            for provider in MODELS:
                for number, scenario in enumerate(SCENARIOS):
                    races = provider != "anthropic" and number % 2 == 1
                    path, body = body_of(dialect, provider, f"[flexsim:{scenario}] hello",
                                         "00h-00m-30s" if races else "default", number % 3 == 0)
                    answer = self.ask(flexd, path, body)
                    seen.add(answer.status if answer else "cut")
                path, body = body_of(dialect, provider, "hello")
                answer = self.ask(flexd, path, body, self.key_of_wrong)
                seen.add(answer.status)
        self.assertLessEqual({200, 401, 500, 502}, seen)

    def drive_refusals(self, flexd):
        path, good = body_of("responses", "openai", "hello")
        text = json.dumps(good)
        for body in (text[:-1], text[:20], "", "[]", "\x00", '"' + self.key + '"',
                     text.replace('"default"', f'"{self.key}"'),
                     text.replace('"start_within"', f'"{self.key}": 1, "start_within"')):
            self.ask_with_own_words(flexd, path, body)
        for key in WRONG_KEYS:
            for fields in ({"authorization": f"Bearer {key}"}, {"authorization": f"Basic {key}"},
                           {"authorization": key}, {"x-api-key": key}, {"x-goog-api-key": key}):
                self.assertIn(self.ask(flexd, path, good, headers={
                    "authorization": "", **fields}).status, (400, 401, 429))
        for wrong in ("/v1/" + "x" * 300, "/v1/models/none", "/v1/respones"):
            self.ask(flexd, wrong, good)
        self.assertEqual(self.ask(flexd, path, good, self.management).code(), "wrong_key_type")
        with harness.RawConnection(flexd.address) as connection:
            connection.send(f"POST {path} HTTP/1.1\r\nHost: x\r\n"
                            f"Authorization: Bearer {self.key}\r\nContent-Length: 12\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n")
            answer = connection.read_answer()
            self.assert_hidden(answer.body + repr(answer.headers).encode(), "a refusal of HTTP")

    def ask_with_own_words(self, flexd, path, body):
        """The answer may quote a few bytes of the caller's own body to the caller; nothing else."""
        answer = flexd.post(body, {"authorization": f"Bearer {self.key}"}, path=path)
        for secret in self.secrets - {self.key}:
            self.assertNotIn(secret.encode(), answer.body)

    def drive_admin(self, flexd):
        def call(method, path, body=None, key=self.management):
            fields = {"authorization": f"Bearer {key}"}
            return harness.request(flexd.admin_address, method, path, body, fields)

        made = call("POST", "/api/keys", json.dumps({"name": "by the API"}))
        self.assertEqual(made.status, 201, made.body)
        self.secrets.add(made.json()["key"])
        others = [call(*words) for words in (
            ("GET", "/api/keys"), ("GET", "/api/balance"), ("GET", "/api/orgs/acme"),
            ("GET", "/api/usage?by=key,model"), ("GET", "/api/nothing"), ("DELETE", "/api/keys"),
            ("POST", "/api/keys", "{"), ("POST", "/api/keys", '{"budget_usd": "much"}'),
            ("POST", f"/api/keys/{made.json()['id']}/revoke"), ("POST", "/api/keys/key_0/revoke"))]
        others += [call("GET", "/api/keys", key=k) for k in (self.key, *WRONG_KEYS)]
        self.assertLessEqual({200, 400, 401, 403, 404, 405}, {a.status for a in others})
        for answer in others:
            self.assert_hidden(answer.body + repr(answer.headers).encode(), "the admin API")

    def test_nothing_shows_a_secret(self):
        flexsim = self.run_here(harness.Flexsim())
        for shape in ("json", "text"):
            with self.subTest(shape):
                flexd = self.run_here(harness.Flexd(
                    flexsim.url, "--log-level", "debug", "--auth-failures-per-minute", "0",
                    ca=flexsim.ca, store=self.store, workers=2, log_format=shape))
                self.drive(flexd)
                self.drive_refusals(flexd)
                self.drive_admin(flexd)
                self.assert_all_hidden(flexd)

    def test_a_provider_that_tells_the_key(self):
        echo = self.run_here(Echo())
        flexd = self.run_here(harness.Flexd(echo.url, "--log-level", "debug", store=self.store))
        for dialect in ("responses", "chat", "interactions", "messages"):
            for provider in MODELS:
                path, body = body_of(dialect, provider, "hello")
                answer = flexd.post(body, {"authorization": f"Bearer {self.key}"}, path=path)
                # The body is the provider's, byte for byte: it is relayed. Its fields are not.
                self.assertEqual(answer.status, 401)
                self.assert_hidden(repr(answer.headers), "the head of a provider's answer")
        self.assertEqual({k.removeprefix("Bearer ") for k in echo.keys},
                         set(PROVIDER_SECRETS.values()))
        self.assert_all_hidden(flexd)

    def test_keys_that_do_not_open(self):
        other = self.store.path.parent / "other.key"
        other.write_text("5" * 64 + "\n", encoding="ascii")
        other.chmod(0o600)
        self.secrets.add("5" * 64)
        flexd = self.run_here(harness.Flexd("http://127.0.0.1:9", "--master-key-file", other,
                                            "--log-level", "debug", store=self.store))
        path, body = body_of("responses", "openai", "hello")
        self.assert_error(self.ask(flexd, path, body), 400, "no_byok_key")
        other.unlink()
        self.assert_all_hidden(flexd)


class Processes(SecretsCase):
    def test_flexctl_while_it_holds_a_secret(self):
        child = subprocess.Popen(self.store.argv("provider-key", "set", "acme", "openai"),
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=flexctl.environment())
        self.addCleanup(child.kill)
        child.stdin.write(PROVIDER_SECRETS["openai"].encode())
        child.stdin.flush()
        time.sleep(0.1)
        self.assertIsNone(child.poll(), "it waits for the end of stdin")
        self.assert_process_is_clean(child.pid, "flexctl")
        out, err = child.communicate(timeout=harness.PATIENCE_S)
        self.assertEqual(child.returncode, 0)
        self.assert_hidden(out + err, "flexctl")

    def test_environment_of_a_service_has_no_provider_keys(self):
        flexd = self.run_here(harness.Flexd("http://127.0.0.1:9", store=self.store))
        self.assert_process_is_clean(flexd.pid, "flexd")


@unittest.skipIf(os.getuid() != 0, "only root can be two users")
class Owners(SecretsCase):
    """As packaging/ sets it up: flexd as a user of its own, flexctl as root."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="flexd-owners-")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        self.root.chmod(0o755)
        self.state, self.secret, self.credentials = (
            self.root / name for name in ("state", "secret", "credentials"))
        for folder in (self.state, self.secret, self.credentials):
            folder.mkdir(mode=0o700)
        os.chown(self.state, NOBODY, NOBODY)
        self.program = self.root / "flexd"
        shutil.copy(harness.flexd_path(), self.program)
        self.program.chmod(0o755)

    def flexctl(self, *words, stdin=""):
        done = subprocess.run(
            [flexctl.flexctl_path(), *words, "--json", "--store", self.state / "flexd.db",
             "--master-key-file", self.secret / "master.key"], input=stdin, capture_output=True,
            text=True, timeout=60, check=False, env=flexctl.environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_owner()
        return json.loads(done.stdout)

    def assert_owner(self):
        for path in self.state.iterdir():
            self.assertEqual((path.stat().st_uid, path.stat().st_mode & 0o777), (NOBODY, 0o600),
                             path.name)

    def service(self, *flags):
        """flexd with what systemd gives it: another user, its directories, a copy of the key."""
        copy = self.credentials / "master.key"
        shutil.copy(self.secret / "master.key", copy)
        copy.chmod(0o440)
        for path in (copy, self.credentials):
            os.chown(path, NOBODY, NOBODY)
        flexd = self.run_here(harness.Program(
            ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs",
             self.program, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
             "--openai-url", self.echo.url, "--log-format", "json", *flags],
            env={"STATE_DIRECTORY": str(self.state),
                 "CREDENTIALS_DIRECTORY": str(self.credentials)}))
        url = flexd.wait_for(r"^flexd: listening on http://(\S+)$")[1]
        flexd.address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        return flexd

    def status(self, flexd, key):
        path, body = body_of("responses", "openai", "hello")
        return harness.request(flexd.address, "POST", path, json.dumps(body), {
            "authorization": f"Bearer {key}", "content-type": "application/json"})

    def test_root_beside_the_service(self):
        self.echo = self.run_here(Echo())
        self.flexctl("init")
        self.flexctl("org", "create", "acme")
        self.flexctl("provider-key", "set", "acme", "openai", stdin=PROVIDER_SECRETS["openai"])
        flexd = self.service()
        # While it runs: root writes the log of the same store.
        key = self.flexctl("key", "create", "acme")["key"]
        harness.wait_until(lambda: self.status(flexd, key).status == 401 and self.echo.keys,
                           "the provider to be asked")
        self.assertEqual(self.echo.keys[-1], "Bearer " + PROVIDER_SECRETS["openai"])
        # The service writes too: usage, after root did.
        harness.wait_until(
            lambda: self.flexctl("usage")["total"]["requests"] > 0, "the usage to be written")
        # A rotation, of which the service has only the old key: what it had opened serves on.
        self.flexctl("rotate-master-key")
        time.sleep(1)
        asked = len(self.echo.keys)
        self.assertEqual(self.status(flexd, key).status, 401)
        self.assertEqual(len(self.echo.keys), asked + 1)
        # One that is set after it cannot be opened; the log says what to do.
        self.flexctl("provider-key", "set", "acme", "gemini", stdin=PROVIDER_SECRETS["gemini"])
        told = harness.wait_until(lambda: [line for line in flexd.output().splitlines()
                                           if "provider_key_unreadable" in line],
                                  "the provider key that does not open")
        self.assertIn("restart flexd", told[0])
        flexd.signal(signal.SIGTERM)
        self.assertEqual(flexd.wait_exit(), 0, flexd.output())
        self.assert_owner()
        # And after a restart with the new one.
        self.flexctl("org", "create", "other")
        flexd = self.service()
        self.status(flexd, key)
        self.assertEqual(len(self.echo.keys), asked + 2)

    def test_the_service_user_cannot_look_into_the_process(self):
        self.echo = self.run_here(Echo())
        self.flexctl("init")
        self.flexctl("org", "create", "acme")
        self.flexctl("provider-key", "set", "acme", "openai", stdin=PROVIDER_SECRETS["openai"])
        for flags, is_open in (([], False), (["--allow-core-dumps"], True)):
            flexd = self.service(*flags)
            for name in ("mem", "environ", "maps"):
                read = subprocess.run(
                    ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                     "sh", "-c", f": </proc/{flexd.pid}/{name}"], capture_output=True, check=False)
                self.assertEqual(read.returncode == 0, is_open, (flags, name, read.stderr))
            flexd.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
