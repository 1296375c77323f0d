"""Makes stores of any size for flexd to serve from."""

import contextlib
import json
import pathlib
import sqlite3
import subprocess

from programs import PROVIDER_KEY, BenchError

class Store:
    """A store with one organization, its key at OpenAI, and so many callers' keys: `key` is one
    that is known, in the middle of the others."""

    def __init__(self, flexctl, directory, keys=1):
        self.flexctl = flexctl
        self.path = pathlib.Path(directory) / "flexd.db"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.run("init")
        self.run("org", "create", "bench")
        self.run("provider-key", "set", "bench", "openai", stdin=PROVIDER_KEY)
        first = self.create_key() if keys > 1 else None
        if first:
            self._copy(first["id"], (keys - 1) // 2)
        made = self.create_key()
        self.key, self.key_id = made["key"], made["id"]
        if first:
            self._copy(first["id"], keys - 2 - (keys - 1) // 2)

    def run(self, *words, stdin=None):
        if not pathlib.Path(self.flexctl).exists():
            raise BenchError(f"{self.flexctl} is missing: ninja -C its build directory")
        done = subprocess.run([self.flexctl, *words, "--json", "--store", self.path], input=stdin,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"flexctl {words[0]}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def create_key(self, *options):
        return self.run("key", "create", "bench", *options)

    def revoke(self, key_id):
        self.run("key", "revoke", key_id)

    def _copy(self, key_id, count):
        """Copies of a key in one transaction, each with an id of its own and a digest that no key
        has. flexctl, a process for each, would take an hour."""
        with contextlib.closing(sqlite3.connect(self.path)) as database, database:
            own = {"id": "'key_' || lower(hex(randomblob(6)))", "digest": "randomblob(32)"}
            columns = [row[1] for row in database.execute("PRAGMA table_info(keys)")
                       if row[1] != "number"]
            database.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                f"INSERT INTO keys ({', '.join(columns)}) "
                f"SELECT {', '.join(own.get(column, column) for column in columns)} "
                "FROM keys, n WHERE keys.id = ?", (count, key_id))
