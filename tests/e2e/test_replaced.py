"""A file that is put in the place of the store of a flexd that runs."""

import contextlib
import os
import sqlite3
import unittest

import harness
from test_store import EFFECT_S, StoreCase


class Replaced(StoreCase):
    def test_a_backup_takes_effect_with_the_next_start_and_the_time_between_is_told(self):
        """As the README has it but for the order: the backup comes while flexd still runs."""
        _, kept = self.key()
        flexd = self.flexd("--auth-failures-per-minute", "0")
        backup = self.store.path.with_name("backup.db")
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            database.execute(f"VACUUM INTO '{backup}'")
        os.chmod(backup, 0o600)
        _, new = self.key()  # since then: one that the backup has not
        for key in (new, kept):
            self.wait_code(flexd, key, "200")
        os.rename(backup, self.store.path)
        harness.wait_until(lambda: flexd.log("store_failing"), "a line of it", EFFECT_S)
        self.assertIn("another file", flexd.log("store_failing")[0]["error"])
        # Nobody's requests fail for it, and nothing is written into the backup.
        for key in (new, kept):
            self.assertEqual(self.code(flexd, key), "200")
        flexd.stop()
        self.assertEqual(len(flexd.log("store_failing")), 1)
        self.assertTrue(flexd.log("usage_lost"))
        for end in ("-wal", "-shm"):
            self.store.path.with_name(self.store.path.name + end).unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        flexd = self.flexd("--auth-failures-per-minute", "0")
        self.assertEqual(self.code(flexd, kept), "200")
        self.assertEqual(self.code(flexd, new), "invalid_api_key")

    def test_a_store_that_comes_back_is_the_same_store(self):
        _, kept = self.key()
        flexd = self.flexd()
        away = self.store.path.with_name("away.db")
        os.rename(self.store.path, away)
        self.store.path.write_bytes(b"nothing that could be read")
        harness.wait_until(lambda: flexd.log("store_failing"), "the failing store", EFFECT_S)
        self.assertEqual(self.code(flexd, kept), "200")
        os.rename(away, self.store.path)
        harness.wait_until(lambda: flexd.log("store_recovered"), "the store", EFFECT_S)
        self.assertEqual(len(flexd.log("store_failing")), 1)
        _, last = self.key()
        self.wait_code(flexd, last, "200")


if __name__ == "__main__":
    unittest.main(verbosity=2)
