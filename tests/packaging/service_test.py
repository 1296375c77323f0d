#!/usr/bin/env python3
"""packaging/systemd/flexd.service, as systemd itself reads it. No systemd has to be running.

Usage: service_test.py PATH_OF_UNIT PATH_OF_SETTINGS_HPP
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

# What flexd asks of the kernel that a stricter filter is known to take away.
SYSTEM_CALLS = ["io_uring_setup", "io_uring_enter", "io_uring_register", "sched_setaffinity",
                "setrlimit", "prlimit64", "prctl", "signalfd4", "eventfd2", "getrandom", "socket",
                "connect", "bind", "listen", "accept4", "sendmsg", "mmap", "madvise", "clone3"]
EXPOSURE_MAX = 20  # tenths, of 100: systemd calls below 2.0 "OK"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False)


def expand(name, seen):
    """All system calls of a systemd filter set."""
    text = run("systemd-analyze", "syscall-filter", "--no-pager", name).stdout
    for line in text.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            expand(word, seen)
        elif word and not word.startswith("#"):
            seen.add(word)
    return seen


class ServiceTest(unittest.TestCase):
    def setUp(self):
        self.text = UNIT.read_text(encoding="utf-8")
        self.lines = [line for line in self.text.splitlines() if not line.startswith("#")]

    def value(self, name):
        found = [line.split("=", 1)[1] for line in self.lines if line.startswith(name + "=")]
        self.assertTrue(found, name)
        return found[-1]

    def test_systemd_understands_every_line(self):
        done = run("systemd-analyze", "verify", "--man=no", str(UNIT))
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_verify_would_complain(self):
        with tempfile.TemporaryDirectory() as folder:
            bad = pathlib.Path(folder, "flexd.service")
            bad.write_text(self.text.replace("Type=notify", "Type=notifi"), encoding="utf-8")
            done = run("systemd-analyze", "verify", "--man=no", str(bad))
            self.assertIn("notifi", done.stdout + done.stderr)

    def test_exposure(self):
        done = run("systemd-analyze", "security", "--no-pager", "--offline=true",
                   f"--threshold={EXPOSURE_MAX}", str(UNIT))
        self.assertEqual(done.returncode, 0, done.stdout[-300:] + done.stderr)

    def test_filter_leaves_what_flexd_needs(self):
        allowed = set()
        for line in self.lines:
            if line.startswith("SystemCallFilter="):
                names = line.split("=", 1)[1]
                for name in names.lstrip("~").split():
                    calls = expand(name, set())
                    self.assertTrue(calls, name)
                    allowed = allowed - calls if names.startswith("~") else allowed | calls
        self.assertTrue(allowed)
        self.assertEqual([call for call in SYSTEM_CALLS if call not in allowed], [])
        for call in ("mount", "reboot", "init_module", "setuid", "chroot"):
            self.assertNotIn(call, allowed)

    def test_stop_outlasts_the_drain(self):
        match = re.search(r"drain_timeout_ns = (\d+) \* kSecondNs", SETTINGS.read_text())
        self.assertGreater(int(self.value("TimeoutStopSec")), int(match.group(1)) + 5)

    def test_what_the_service_promises(self):
        self.assertEqual(self.value("Type"), "notify")
        self.assertEqual(self.value("LimitCORE"), "0")
        self.assertEqual(self.value("StateDirectory"), "flexd")
        self.assertTrue(self.value("LoadCredential").startswith("keys:/"))

    def test_start_command(self):
        # What the shell of ExecStart makes of the credentials and the flags: keys go into the
        # environment, never into the arguments, and flags are split into words.
        for keys, told in (({"openai": "sk-secret\n"}, "sk-secret - -"),
                           ({"gemini": "AIza-secret", "anthropic": "sk-ant secret\n"},
                            "- AIza-secret sk-ant secret")):
            self.assertEqual(self.start(keys), told + " 4 --dev --pin --workers 2\n")

    def start(self, keys):
        command = re.fullmatch(r"/bin/sh -c '(.*)'", self.value("ExecStart")).group(1)
        with tempfile.TemporaryDirectory() as folder:
            for name, key in keys.items():
                pathlib.Path(folder, "keys_" + name).write_text(key, encoding="utf-8")
            stub = pathlib.Path(folder, "flexd")
            stub.write_text('#!/bin/sh\necho "${OPENAI_API_KEY--}" "${GEMINI_API_KEY--}" '
                            '"${ANTHROPIC_API_KEY--}" "$#" "$@"\n', encoding="utf-8")
            stub.chmod(0o755)
            command = command.replace("$$", "$").replace("/usr/local/bin/flexd", str(stub))
            done = subprocess.run(["/bin/sh", "-c", command], text=True, check=True,
                                  stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                  env={"CREDENTIALS_DIRECTORY": folder,
                                       "FLEXD_FLAGS": "--pin --workers 2"})
            return done.stdout


if __name__ == "__main__":
    SETTINGS = pathlib.Path(sys.argv.pop(2))
    UNIT = pathlib.Path(sys.argv.pop(1))
    if shutil.which("systemd-analyze") is None:
        sys.exit("systemd-analyze is missing: install the package systemd")
    unittest.main()
