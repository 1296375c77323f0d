"""A backup that is moved over the store of a flexd that runs."""

import contextlib
import os
import sqlite3
import unittest

import harness
from test_store import EFFECT_S, StoreCase


class Replaced(StoreCase):
    def test_a_backup_takes_effect_and_the_failing_time_between_is_told(self):
        old_id, old = self.key()
        _, kept = self.key()
        flexd = self.flexd("--auth-failures-per-minute", "0")
        self.store.good("key", "revoke", old_id)
        backup = self.store.path.with_name("backup.db")
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            database.execute(f"VACUUM INTO '{backup}'")
        os.chmod(backup, 0o600)
        # Since then: a key that the backup has not.
        _, new = self.key()
        for key, code in ((new, "200"), (kept, "200"), (old, "invalid_api_key")):
            self.wait_code(flexd, key, code)
        os.rename(backup, self.store.path)
        self.wait_code(flexd, new, "invalid_api_key")
        self.assertEqual(self.code(flexd, kept), "200")
        harness.wait_until(lambda: flexd.log("store_replaced"), "a line of it", EFFECT_S)
        # It is the one that is changed and read from now on, and what was used is written there.
        made_id, made = self.key()
        self.wait_code(flexd, made, "200")
        self.store.good("key", "revoke", made_id)
        self.wait_code(flexd, made, "invalid_api_key")
        harness.wait_until(lambda: self.store.json("usage", "acme", "--by", "key")["total"]
                           ["requests"] >= 1, "its usage", EFFECT_S)
        self.assertEqual(len(flexd.log("store_replaced")), 1)
        with contextlib.closing(sqlite3.connect(self.store.path)) as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))

        # Something that is no store: the last keys go on, and it is told once.
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
