"""Runs flexctl on a store of its own."""

import json
import os
import pathlib
import subprocess
import tempfile

import harness

COLUMNS_MAX = 100  # of a table


def flexctl_path():
    return harness.program("FLEXCTL", str(harness.HERE.parents[1] / "build/src/ctl/flexctl"))


class Result:
    """What a run of flexctl left: `.code`, `.out`, `.err`."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def json(self):
        return json.loads(self.out)


class Store:
    """A directory for a store and its master key; `stop` removes it."""

    def __init__(self, init=True):
        self._directory = tempfile.TemporaryDirectory(prefix="flexctl-")
        self.path = pathlib.Path(self._directory.name) / "flexd.db"
        self.master_key = pathlib.Path(self._directory.name) / "master.key"
        self.seen = []  # everything that any run printed
        if init:
            self.good("init")

    def argv(self, *words):
        return [flexctl_path(), *map(str, words), "--store", str(self.path)]

    def run(self, *words, stdin=""):
        done = subprocess.run(self.argv(*words), input=stdin, capture_output=True, text=True,
                              timeout=60, check=False, env=environment())
        self.seen += [done.stdout, done.stderr]
        return Result(done)

    def good(self, *words, stdin=""):
        """A run that has to succeed, without a word on stderr."""
        result = self.run(*words, stdin=stdin)
        if result.code != 0 or result.err:
            raise AssertionError(f"flexctl {' '.join(map(str, words))}: exit {result.code}\n"
                                 f"{result.err}")
        return result

    def json(self, *words, stdin=""):
        return self.good(*words, "--json", stdin=stdin).json()

    def files(self):
        """The bytes of all files of the store."""
        folder = pathlib.Path(self._directory.name)
        return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}

    def stop(self):
        self._directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class CtlCase(harness.Case):
    """A test class whose tests each have a store, made by `flexctl init`."""

    def setUp(self):
        self.store = self.run_here(Store())

    def new_org(self, name="acme"):
        return self.store.json("org", "create", name)

    def new_key(self, *options, org="acme"):
        return self.store.json("key", "create", org, *options)

    def assert_fails(self, code, pattern, *words, stdin="", store=None):
        """The run ends with this exit code and one line on stderr; returns that line."""
        result = (store or self.store).run(*words, stdin=stdin)
        self.assertEqual(result.code, code, result.err)
        self.assertRegex(result.err, r"\Aflexctl: [^\n]+\n\Z")
        self.assertRegex(result.err, pattern or ".")
        return result

    def assert_table(self, text, *patterns):
        lines = text.splitlines()
        for line in lines:
            self.assertLessEqual(len(line), COLUMNS_MAX, line)
            self.assertEqual(line, line.rstrip())
        for pattern in patterns:
            self.assertRegex(text, pattern)
        return lines


def environment():
    hidden = ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY")
    return {k: v for k, v in os.environ.items() if k not in hidden}
