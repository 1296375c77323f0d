#!/usr/bin/env python3
"""packaging: the unit and its user, as systemd itself reads them. No systemd has to be running.

Usage: service_test.py PATH_OF_UNIT PATH_OF_SYSUSERS PATH_OF_SETTINGS_HPP
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
                "connect", "bind", "listen", "accept4", "sendmsg", "mmap", "madvise", "clone3",
                # SQLite's: locks, the store and its log, and the memory shared with flexctl.
                "openat", "fcntl", "pread64", "pwrite64", "ftruncate", "fsync", "fdatasync",
                "newfstatat", "lseek", "unlink", "munmap", "access", "getcwd", "readlink"]
PROGRAM = "/usr/local/bin/flexd"
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

    def verify(self, text):
        """What systemd-analyze has to say of a unit, with a program that is there."""
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder, "flexd.service")
            unit.write_text(text.replace(PROGRAM, "/bin/true"), encoding="utf-8")
            done = run("systemd-analyze", "verify", "--man=no", str(unit))
            return done.returncode, done.stdout + done.stderr

    def test_systemd_understands_every_line(self):
        self.assertEqual(self.verify(self.text), (0, ""))

    def test_verify_would_complain(self):
        self.assertIn("notifi", self.verify(self.text.replace("Type=notify", "Type=notifi"))[1])

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

    def test_store_and_master_key(self):
        # flexd finds both by the directories that systemd makes: no flag names them. Nothing secret
        # is in the command or the environment, and no shell takes part.
        self.assertEqual(self.value("ExecStart"), PROGRAM + " $FLEXD_FLAGS")
        self.assertEqual(self.value("Environment"), "FLEXD_FLAGS=")
        self.assertEqual(self.value("LoadCredential").split(":")[0], "master.key")
        self.assertEqual(self.value("StateDirectory"), "flexd")
        self.assertEqual(self.value("StateDirectoryMode"), "0700")
        self.assertEqual(self.value("UMask"), "0077")

    def test_the_user_is_made(self):
        # Under another root, so that no account of this machine is touched.
        user = self.value("User")
        with tempfile.TemporaryDirectory() as root:
            pathlib.Path(root, "etc").mkdir()
            done = run("systemd-sysusers", f"--root={root}", str(SYSUSERS))
            self.assertEqual(done.returncode, 0, done.stderr)
            accounts = pathlib.Path(root, "etc/passwd").read_text(encoding="utf-8")
        fields = accounts.strip().split(":")
        self.assertEqual((fields[0], fields[5], fields[6]),
                         (user, "/var/lib/" + self.value("StateDirectory"), "/usr/sbin/nologin"))


if __name__ == "__main__":
    SETTINGS = pathlib.Path(sys.argv.pop(3))
    SYSUSERS = pathlib.Path(sys.argv.pop(2)).resolve()
    UNIT = pathlib.Path(sys.argv.pop(1))
    if shutil.which("systemd-analyze") is None:
        sys.exit("systemd-analyze is missing: install the package systemd")
    unittest.main()
