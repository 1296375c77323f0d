"""The README's examples of clients, run as they stand there, before flexd and flexsim.

A block of code under `<!-- run: NAME -->` is one; the kind of NAME says how it is run. Agents are
large and want an account: a stand-in takes their place, which finds flexd by the settings that the
agent would read, and asks as the agent does.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

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
    found = re.findall(r"(?:<!-- run: (\S+) -->\n)?```\w+\n(.*?)^```", section, re.S | re.M)
    return {name: block for name, block in found if name}, [b for n, b in found if not n]


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


if __name__ == "__main__":
    unittest.main(verbosity=2)
