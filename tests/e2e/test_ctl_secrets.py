"""flexctl and secrets: provider keys, the master key, and what is never shown."""

import concurrent.futures
import os
import pathlib
import select
import sqlite3
import stat
import subprocess
import tempfile
import time
import unittest

import harness
from flexctl import CtlCase, environment

PROVIDER_SECRET = "sk-proj-" + "marked0123456789" * 3


class ProviderKeys(CtlCase):
    def setUp(self):
        super().setUp()
        self.new_org()

    def set(self, provider="openai", secret=PROVIDER_SECRET):
        return self.store.good("provider-key", "set", "acme", provider, stdin=secret)

    def rows(self):
        return self.store.json("provider-key", "list", "acme")["provider_keys"]

    def test_set_list_remove(self):
        self.assertEqual(self.rows(), [])
        self.set("openai", PROVIDER_SECRET + "\n")
        self.set("anthropic", "short-key\r\n")
        rows = {r["provider"]: r for r in self.rows()}
        self.assertEqual(set(rows), {"openai", "anthropic"})
        self.assertEqual(rows["openai"]["shown"], PROVIDER_SECRET[-4:])
        # The end of a short secret would be too much of it.
        self.assertEqual(rows["anthropic"]["shown"], "")
        self.assert_table(self.store.good("provider-key", "list", "acme").out,
                          r"(?m)^openai +6789 +20")
        shown = self.store.json("org", "show", "acme")["provider_keys"]
        self.assertEqual(len(shown), 2)
        self.set("openai", "x" * 512)
        self.assertEqual(len(self.rows()), 2)
        self.store.good("provider-key", "remove", "acme", "openai")
        self.assertEqual([r["provider"] for r in self.rows()], ["anthropic"])
        self.assert_fails(1, "no provider key", "provider-key", "remove", "acme", "openai")

    def test_bad_secrets(self):
        for secret in ("", "\n", "marked secret", "marked\nmarked", "marked\x00", "marked\x1b",
                       "m" * 513):
            result = self.assert_fails(1, "stdin", "provider-key", "set", "acme", "openai",
                                       stdin=secret)
            self.assertNotIn("marked", result.err)
        self.assert_fails(2, "openai, gemini or anthropic", "provider-key", "set", "acme",
                          "google", stdin="x")
        self.assert_fails(1, "no organization", "provider-key", "set", "other", "openai",
                          stdin="x")
        self.assertEqual(self.rows(), [])

    def test_a_secret_in_argv_is_refused_and_not_repeated(self):
        for words in (("openai", PROVIDER_SECRET), (PROVIDER_SECRET,)):
            result = self.assert_fails(2, "", "provider-key", "set", "acme", *words)
            self.assertNotIn("marked", result.out + result.err)
        self.assertEqual(self.rows(), [])

    def test_without_a_master_key(self):
        self.store.master_key.unlink()
        self.assert_fails(1, "master key", "provider-key", "set", "acme", "openai", stdin="x")

    def test_a_terminal_shows_nothing(self):
        controller, terminal = os.openpty()
        self.addCleanup(os.close, controller)
        child = subprocess.Popen(self.store.argv("provider-key", "set", "acme", "gemini"),
                                 stdin=terminal, stdout=subprocess.PIPE, stderr=terminal,
                                 env=environment(), start_new_session=True)
        os.close(terminal)
        shown = b""

        def read_until(wanted):
            nonlocal shown
            give_up = time.monotonic() + harness.PATIENCE_S
            while wanted not in shown and time.monotonic() < give_up:
                if select.select([controller], [], [], 0.1)[0]:
                    shown += os.read(controller, 4096)
            self.assertIn(wanted, shown)

        read_until(b"provider key of acme for gemini (not shown): ")
        os.write(controller, PROVIDER_SECRET.encode() + b"\n")
        out, _ = child.communicate(timeout=harness.PATIENCE_S)
        self.assertEqual(child.returncode, 0, out)
        read_until(b"\n")
        self.assertNotIn(b"marked", shown + out)
        self.assertEqual(self.rows()[0]["shown"], PROVIDER_SECRET[-4:])


class Rotation(CtlCase):
    def setUp(self):
        super().setUp()
        for org in ("acme", "beta"):
            self.new_org(org)
            for provider in ("openai", "gemini"):
                self.store.good("provider-key", "set", org, provider, stdin=PROVIDER_SECRET)

    def sealed(self):
        """The sealed bytes of all provider keys, in order."""
        with sqlite3.connect(f"file:{self.store.path}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT sealed FROM provider_keys ORDER BY 1").fetchall()
        database.close()
        return [r[0] for r in rows]

    def test_all_is_sealed_anew_under_one_new_key(self):
        key, sealed = self.store.master_key.read_text(), self.sealed()
        done = self.store.json("rotate-master-key")
        self.assertEqual((done["provider_keys"], done["resumed"]), (4, False))
        after = self.store.master_key.read_text()
        self.assertRegex(after, r"\A[0-9a-f]{64}\n\Z")
        self.assertNotEqual(after, key)
        self.assertFalse(set(sealed) & set(self.sealed()))
        self.assertEqual(stat.S_IMODE(self.store.master_key.stat().st_mode), 0o600)
        # It opens, as the next rotation shows.
        told = self.store.good("rotate-master-key").out
        self.assertIn("4 provider keys", told)
        self.assertIn("restart", told)

    def test_it_goes_through_a_link_and_waits_for_whoever_names_the_file_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            link = pathlib.Path(folder, "link")
            link.symlink_to(self.store.master_key)
            for _ in range(3):
                with concurrent.futures.ThreadPoolExecutor(4) as pool:
                    codes = list(pool.map(lambda words: self.store.run(*words).code, [
                        ("rotate-master-key", "--master-key-file", link), ("rotate-master-key",),
                        ("rotate-master-key", "--master-key-file", link), ("rotate-master-key",)]))
                self.assertEqual(codes, [0] * 4)
            self.assertTrue(link.is_symlink())
        self.assertFalse(self.store.master_key.is_symlink())
        self.assertRegex(self.store.master_key.read_text(), r"\A[0-9a-f]{64}\n\Z")
        self.assertEqual(self.store.json("rotate-master-key")["provider_keys"], 4)

    def test_an_interrupted_rotation_is_finished(self):
        # As after a crash between drawing the new key and sealing with it.
        old = self.store.master_key.read_text()
        new = "5" * 64 + "\n"
        self.store.master_key.write_text(new + old)
        done = self.store.json("rotate-master-key")
        self.assertEqual((done["provider_keys"], done["resumed"]), (4, True))
        self.assertEqual(self.store.master_key.read_text(), new)
        self.store.good("rotate-master-key")

    def test_what_does_not_open_stops_it_before_anything_changes(self):
        self.store.master_key.write_text("7" * 64 + "\n")
        sealed = self.sealed()
        self.assert_fails(1, "provider key of acme for (openai|gemini) does not open",
                          "rotate-master-key")
        self.assertEqual(self.store.master_key.read_text(), "7" * 64 + "\n")
        self.assertEqual(self.sealed(), sealed)
        self.store.master_key.unlink()
        self.assert_fails(1, "master key file", "rotate-master-key")

    def test_killed_at_any_moment_it_can_be_run_again(self):
        for milliseconds in range(0, 40, 2):
            child = subprocess.Popen(self.store.argv("rotate-master-key"),
                                     stdout=subprocess.DEVNULL, env=environment())
            time.sleep(milliseconds / 1000)
            child.kill()
            child.wait()
            done = self.store.json("rotate-master-key")
            self.assertEqual(done["provider_keys"], 4)

    def test_rotations_and_new_secrets_at_the_same_time(self):
        def rotate(_):
            return self.store.run("rotate-master-key").code

        def put(_):
            return self.store.run("provider-key", "set", "acme", "anthropic",
                                  stdin=PROVIDER_SECRET).code

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            rotations, puts = pool.map(rotate, range(6)), pool.map(put, range(6))
            codes = [*rotations, *puts]
        self.assertEqual(codes, [0] * 12)
        self.assertEqual(self.store.json("rotate-master-key")["provider_keys"], 5)


class Secrets(CtlCase):
    def test_nothing_but_creation_shows_one(self):
        self.new_org()
        self.store.good("provider-key", "set", "acme", "openai", stdin=PROVIDER_SECRET)
        made = [self.new_key("--name", "a"), self.new_key("--management")]
        self.store.seen.clear()
        for words in (("org", "list"), ("org", "show", "acme"), ("key", "list", "acme"),
                      ("provider-key", "list", "acme"), ("usage",), ("usage", "--by", "key,org"),
                      ("rotate-master-key",), ("key", "deactivate", made[0]["id"])):
            self.store.good(*words)
            self.store.good(*words, "--json")
        for key in made:
            self.store.run("key", "check", stdin=key["key"])
            self.store.run("key", "check", "--json", stdin=key["key"])
        printed = "".join(self.store.seen)
        secrets = [PROVIDER_SECRET, *(k["key"] for k in made),
                   self.store.master_key.read_text().strip()]
        for secret in secrets:
            self.assertNotIn(secret, printed)
            self.assertNotIn(secret[-16:], printed)
        for name, content in self.store.files().items():
            for secret in secrets[:3]:
                self.assertNotIn(secret.encode(), content, name)
        self.assertNotIn(b"marked", self.store.path.read_bytes())

    def test_a_key_that_cannot_be_printed_is_a_failure(self):
        self.new_org()
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(self.store.argv("key", "create", "acme"), stdout=writer,
                              stderr=subprocess.PIPE, env=environment(), check=False)
        os.close(writer)
        self.assertEqual(done.returncode, 1)
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(self.store.argv("key", "create", "acme"), stdout=full,
                                  stderr=subprocess.PIPE, text=True, env=environment(), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("stdout cannot be written", done.stderr)


if __name__ == "__main__":
    unittest.main()
