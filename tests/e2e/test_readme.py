"""The README's examples, run as they stand there: of clients, before flexd and flexsim, and of
running flexd with a store.

A block of code under `<!-- run: NAME -->` is one; the kind of NAME says how it is run. Agents are
large and want an account: a stand-in takes their place, which finds flexd by the settings that the
agent would read, and asks as the agent does.
"""

import os
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
import unittest

import flexctl
import harness
from test_agents import codex

README = harness.HERE.parents[1] / "README.md"
SECTION = "Pointing SDKs and agents at flexd"
HELLO = "Hello! This is a simulated answer."
# How often each example says hello.
EXAMPLES = {
    "openai.mjs": 2, "openai.py": 2, "anthropic.mjs": 1, "anthropic.py": 1, "genai.mjs": 1,
    "genai.py": 1, "flexinference.mjs": 1, "langchain.py": 2, "ai-sdk.mjs": 2,
    "claude-code.sh": 1, "codex.toml": 1,
}

# What Claude Code does with its settings, in the place of `claude`.
CLAUDE = f"""#!{sys.executable}
import json, os, sys, urllib.request
sys.path.insert(0, {str(harness.HERE)!r})
from test_agents import CLAUDE_CODE_FIELDS, claude_code
body = claude_code(os.environ["ANTHROPIC_MODEL"], [{{"role": "user", "content": sys.argv[2]}}])
body.update(json.loads(os.environ["CLAUDE_CODE_EXTRA_BODY"]), stream=False)
request = urllib.request.Request(
    os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages?beta=true", json.dumps(body).encode(),
    {{"authorization": "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"],
      "content-type": "application/json", **CLAUDE_CODE_FIELDS}})
print(json.load(urllib.request.urlopen(request))["content"][0]["text"])
"""


def blocks():
    """The examples by name, and all other blocks of the section."""
    text = README.read_text(encoding="utf-8")
    section = re.search(rf"^## {SECTION}\n(.*?)(?=^## |\Z)", text, re.S | re.M)[1]
    return marked_blocks(section), [b for n, b in all_blocks(section) if not n]


def all_blocks(text):
    return re.findall(r"(?:<!-- run: (\S+) -->\n)?```\w+\n(.*?)^```", text, re.S | re.M)


def marked_blocks(text):
    return {name: block for name, block in all_blocks(text) if name}


class Readme(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.modules = harness.node_modules()
        cls.examples, cls.others = blocks()
        cls.flexsim = cls.start(harness.Flexsim())
        cls.flexd = cls.start(harness.Flexd(
            cls.flexsim.url, "--native-parameters", "--dev-start-within", "00h-00m-30s",
            ca=cls.flexsim.ca, env=harness.PROVIDER_KEYS))
        cls.directory = tempfile.TemporaryDirectory(prefix="flexd-readme-")
        cls.addClassCleanup(cls.directory.cleanup)

    def run_program(self, name, *argv, **more):
        env = {**os.environ, "FLEXD_URL": self.flexd.url, "FLEXD_KEY": self.flexd.key, **more}
        done = subprocess.run([str(a) for a in argv], env=env, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines(), [HELLO] * EXAMPLES[name])

    def file(self, name, directory=None):
        # Not the plain name, which would hide the SDK of that name.
        path = pathlib.Path(directory or self.directory.name) / f"example-{name}"
        path.write_text(self.examples[name], encoding="utf-8")
        return path

    def test_every_block_is_run(self):
        self.assertEqual(sorted(self.examples), sorted(EXAMPLES))
        self.assertEqual(self.others, [])

    def test_differences_are_listed(self):
        """What the SDK matrix lets pass as inherent has a row in the table."""
        program = ('import { differences } from "./scenarios.mjs";'
                   'console.log(differences.map((d) => d.readme).join("\\n"));')
        rows = subprocess.run(
            [harness.node_path(), "--input-type=module", "-e", program], check=True, text=True,
            cwd=harness.HERE / "node", capture_output=True).stdout.splitlines()
        self.assertGreater(len(rows), 2)
        for row in rows:
            self.assertIn("\n" + row, README.read_text(encoding="utf-8"))

    def test_javascript(self):
        for name in filter(lambda n: n.endswith(".mjs"), EXAMPLES):
            with self.subTest(name):
                self.run_program(name, harness.node_path(),
                                 self.file(name, self.modules))

    def test_python(self):
        newest, previous = (harness.python_with_sdks(r) for r in (
            "requirements.txt", "requirements-previous.txt"))
        for name in filter(lambda n: n.endswith(".py"), EXAMPLES):
            # LangChain does not take the newest SDKs yet.
            for python in [previous] if name == "langchain.py" else [newest, previous]:
                with self.subTest(name, python=python):
                    self.run_program(name, python, self.file(name))

    def test_claude_code(self):
        path = pathlib.Path(self.directory.name) / "claude"
        path.write_text(CLAUDE, encoding="utf-8")
        path.chmod(0o755)
        self.run_program("claude-code.sh", "sh", "-eu", self.file("claude-code.sh"),
                         PATH=f"{path.parent}:{os.environ['PATH']}")
        entry = self.flexd.wait_log(lambda e: e["path"] == "/v1/messages" and
                                    e["model"] == "gpt-5.4", "the request of Claude Code")
        self.assertEqual((entry["tier"], entry["status"]), ("flex", 200))

    def test_codex(self):
        """Codex with this configuration: its requests have no start_within."""
        config = tomllib.loads(self.examples["codex.toml"])
        provider = config["model_providers"][config["model_provider"]]
        self.assertEqual((provider["wire_api"], provider["env_key"]), ("responses", "FLEXD_KEY"))
        base = provider["base_url"].removeprefix("http://127.0.0.1:8080")
        body = codex(config["model"], [{"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "Hello!"}]}])
        del body["max_output_tokens"]
        answer = self.flexd.post(body, path=base + "/responses")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["x-flexinference-served-tier"], "flex")
        last = answer.events()[-1][1]["response"]
        self.assertEqual(last["output"][0]["content"][0]["text"], HELLO)


class Operator(harness.Case):
    """The blocks that make a store and manage it."""

    NAMES = ["admin.sh", "backup.sh", "store.sh"]

    def setUp(self):
        everything = marked_blocks(README.read_text(encoding="utf-8"))
        self.examples = {n: b for n, b in everything.items() if n not in EXAMPLES}
        directory = tempfile.TemporaryDirectory(prefix="flexd-readme-")
        self.addCleanup(directory.cleanup)
        self.here = pathlib.Path(directory.name)
        for name, program in (("ctl/flexctl", flexctl.flexctl_path()),
                              ("app/flexd", harness.flexd_path())):
            place = self.here / "build/src" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(pathlib.Path(program).resolve())

    def run_script(self, text, **env):
        done = subprocess.run(["bash", "-eu", "-c", text], cwd=self.here, capture_output=True,
                              text=True, timeout=60, check=False,
                              env={**flexctl.environment(), "no_proxy": "*", **env})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_every_block_is_run(self):
        self.assertEqual(sorted(self.examples), self.NAMES)

    def test_from_nothing_to_a_request_and_its_backup(self):
        flexsim = self.run_here(harness.Flexsim())
        (self.here / "openai-key.txt").write_text("sk-flexsim\n", encoding="ascii")
        # The last command is flexd, which stays.
        *commands, last = self.examples["store.sh"].splitlines()
        self.assertEqual(last, "build/src/app/flexd")
        out = self.run_script("\n".join(commands))
        key = re.search(r"flex_live_[0-9a-f]{30}", out)[0]
        flexd = self.run_here(harness.Program(
            [self.here / last, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
             "--openai-url", flexsim.url, "--origin-ca", flexsim.ca],
            cwd=self.here, env=flexctl.environment()))
        url = flexd.wait_for(r"^flexd: listening on http://(\S+)$")[1]
        admin = flexd.wait_for(r"^flexd: admin on http://(\S+)$")[1]

        def status(with_key):
            host, port = url.rsplit(":", 1)
            body = json.dumps({"model": "gpt-5-mini", "input": "Hello!", "start_within": "default"})
            return harness.request((host, int(port)), "POST", "/v1/responses", body, {
                "authorization": f"Bearer {with_key}", "content-type": "application/json"}).status

        self.assertEqual(status(key), 200)
        made = self.run_script("build/src/ctl/flexctl key create acme --management --json")
        management = json.loads(made)["key"]
        harness.wait_until(lambda: "error" not in self.api(admin, management), "the new key", 3)
        told = self.run_script(self.examples["admin.sh"].replace("127.0.0.1:8081", admin),
                               FLEXD_MANAGEMENT_KEY=management)
        new, keys, usage = map(json.loads, told.strip().splitlines())
        self.assertEqual((new["name"], new["models"]), ("batch", ["gpt-5*"]))
        self.assertEqual(len(keys["data"]), 3)
        self.assertIn("total", usage)
        harness.wait_until(lambda: status(new["key"]) == 200, "the key of the API", 3)

        self.run_script(self.examples["backup.sh"])
        with sqlite3.connect(self.here / "flexd-backup.db") as copy:
            self.assertEqual(copy.execute("SELECT count(*) FROM keys").fetchone(), (3,))
        copy.close()

    def api(self, admin, key):
        host, port = admin.rsplit(":", 1)
        return harness.request((host, int(port)), "GET", "/api/keys",
                               headers={"authorization": f"Bearer {key}"}).json()


if __name__ == "__main__":
    unittest.main(verbosity=2)
