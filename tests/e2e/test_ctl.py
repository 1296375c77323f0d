"""flexctl: every command, on real stores, by people (tables) and programs (--json)."""

import concurrent.futures
import os
import stat
import subprocess
import tempfile
import time
import unittest

import harness
from flexctl import CtlCase, Store, environment, flexctl_path

PROVIDER_SECRET = "sk-proj-" + "marked0123456789" * 3
KEY_FORM = r"flex_live_[0-9a-f]{30}"
DAY = 86_400


class Init(harness.Case):
    def setUp(self):
        self.store = self.run_here(Store(init=False))

    def mode(self, path):
        return stat.S_IMODE(path.stat().st_mode)

    def test_makes_store_and_master_key(self):
        made = self.store.json("init")
        self.assertEqual(made, {"store": str(self.store.path), "store_created": True,
                                "master_key_file": str(self.store.master_key),
                                "master_key_created": True})
        self.assertEqual(self.mode(self.store.path), 0o600)
        self.assertEqual(self.mode(self.store.master_key), 0o600)
        self.assertRegex(self.store.master_key.read_text(), r"\A[0-9a-f]{64}\n\Z")
        self.assertEqual(self.store.json("org", "list"), {"organizations": []})

    def test_refuses_to_overwrite(self):
        self.store.good("init")
        before = self.store.master_key.read_bytes()
        again = self.store.run("init")
        self.assertEqual(again.code, 1)
        self.assertIn("there already", again.err)
        self.assertEqual(self.store.master_key.read_bytes(), before)

    def test_a_link_that_leads_nowhere_is_no_key(self):
        self.store.master_key.symlink_to("elsewhere")
        told = self.store.run("init")
        self.assertEqual(told.code, 1)
        self.assertIn("is a symbolic link that leads to no file", told.err)
        self.assertFalse(self.store.path.exists())

    def test_keeps_a_key_that_is_there(self):
        self.store.good("init")
        before = self.store.master_key.read_bytes()
        for path in self.store.path.parent.glob("flexd.db*"):
            path.unlink()
        made = self.store.json("init")
        self.assertEqual((made["store_created"], made["master_key_created"]), (True, False))
        self.assertEqual(self.store.master_key.read_bytes(), before)

    def test_a_lost_key_is_replaced_only_where_nothing_needs_it(self):
        self.store.good("init")
        self.store.good("org", "create", "acme")
        self.store.master_key.unlink()
        made = self.store.json("init")
        self.assertEqual((made["store_created"], made["master_key_created"]), (False, True))
        self.store.good("provider-key", "set", "acme", "openai", stdin=PROVIDER_SECRET)
        self.store.master_key.unlink()
        refused = self.store.run("init")
        self.assertEqual(refused.code, 1)
        self.assertIn("1 provider key sealed under a master key", refused.err)
        self.assertFalse(self.store.master_key.exists())

    def test_a_bad_key_file_is_not_taken_over(self):
        for text, mode in (("short\n", 0o600), ("", 0o600), ("0" * 64 + "\n", 0o644)):
            self.store.master_key.write_text(text)
            self.store.master_key.chmod(mode)
            refused = self.store.run("init")
            self.assertEqual(refused.code, 1, text)
            self.assertRegex(refused.err, r"\Aflexctl: master key file [^\n]+\n\Z")
            self.assertFalse(self.store.path.exists())

    def test_a_folder_that_is_not_there(self):
        self.store.path = self.store.path.parent / "none" / "flexd.db"
        refused = self.store.run("init")
        self.assertEqual(refused.code, 1)
        self.assertRegex(refused.err, r"\Aflexctl: [^\n]+\n\Z")

    def test_other_commands_say_that_there_is_no_store(self):
        for words in (("org", "list"), ("org", "create", "a"), ("usage",)):
            refused = self.store.run(*words)
            self.assertEqual(refused.code, 1)
            self.assertIn("flexctl init", refused.err)
            self.assertFalse(self.store.path.exists())
        self.store.path.write_text("this is no database, " * 100)
        refused = self.store.run("org", "list")
        self.assertEqual(refused.code, 1)
        self.assertRegex(refused.err, r"\Aflexctl: [^\n]+\n\Z")

    def test_defaults_come_from_the_environment(self):
        with tempfile.TemporaryDirectory() as state, tempfile.TemporaryDirectory() as here:
            env = {**environment(), "STATE_DIRECTORY": state}
            subprocess.run([flexctl_path(), "init"], env=env, cwd=here, check=True,
                           stdout=subprocess.DEVNULL)
            self.assertEqual(os.listdir(here), [])
            self.assertIn("flexd.db", os.listdir(state))
            self.assertIn("master.key", os.listdir(state))
            subprocess.run([flexctl_path(), "init"], env=environment(), cwd=here, check=True,
                           stdout=subprocess.DEVNULL)
            self.assertIn("flexd.db", os.listdir(here))


class Organizations(CtlCase):
    def test_create_list_show(self):
        made = self.new_org()
        self.assertRegex(made["id"], r"\Aorg_[0-9a-f]{12}\Z")
        self.assertEqual((made["name"], made["billing"]), ("acme", "ok"))
        self.assertIsNone(made["requests_per_second"])
        self.assertIsNone(made["balance_usd"])
        self.assertRegex(self.store.good("org", "create", "beta.team-2_x").out, r"beta\.team-2_x")
        listed = self.store.json("org", "list")["organizations"]
        self.assertEqual([o["name"] for o in listed], ["acme", "beta.team-2_x"])
        self.assert_table(self.store.good("org", "list").out, r"(?m)^name +id +created +billing",
                          r"(?m)^acme +org_\w{12} +20\d\d-\d\d-\d\d \d\d:\d\d +ok +not prepaid$")
        for name in ("acme", made["id"]):
            shown = self.store.json("org", "show", name)
            self.assertEqual(shown["id"], made["id"])
            self.assertEqual(shown["keys"]["active"], 0)
            self.assertEqual(shown["provider_keys"], [])
        self.assert_table(self.store.good("org", "show", "acme").out,
                          r"(?m)^name +acme$", r"(?m)^requests per second +the gateway's default$",
                          r"(?m)^keys +none$", r"(?m)^balance +not prepaid$")

    def test_names(self):
        self.new_org()
        self.assert_fails(1, "already", "org", "create", "acme")
        for bad in ("", "a b", "a/b", "é", "a\n", "x" * 65, "org_0123456789ab"):
            self.assert_fails(2, "name", "org", "create", bad)
        self.new_org("x" * 64)
        self.new_org("init")  # like a command
        self.assert_fails(1, "no organization", "org", "show", "other")
        self.assertEqual(len(self.store.json("org", "list")["organizations"]), 3)

    def test_a_long_name_keeps_the_table_narrow(self):
        self.new_org("x" * 64)
        self.assert_table(self.store.good("org", "list").out, "x…")

    def test_set(self):
        self.new_org()
        changed = self.store.json("org", "set", "acme", "--billing", "overdue", "--rate", "50",
                                  "--race-slots", "7")
        self.assertEqual((changed["billing"], changed["requests_per_second"],
                          changed["race_slots"]), ("overdue", 50, 7))
        changed = self.store.json("org", "set", "acme", "--billing", "no-payment-method")
        self.assertEqual((changed["billing"], changed["requests_per_second"]),
                         ("no-payment-method", 50))
        changed = self.store.json("org", "set", "acme", "--rate", "0", "--race-slots", "default",
                                  "--billing", "ok")
        self.assertEqual((changed["billing"], changed["requests_per_second"],
                          changed["race_slots"]), ("ok", 0, None))
        self.assertIn("no limit", self.store.good("org", "show", "acme").out)
        changed = self.store.json("org", "set", "acme", "--rate", "default")
        self.assertIsNone(changed["requests_per_second"])
        self.assertIn("acme", self.store.good("org", "set", "acme", "--rate", "5").out)
        self.assert_fails(2, "nothing to set", "org", "set", "acme")
        self.assert_fails(2, "ok, overdue or no-payment-method", "org", "set", "acme",
                          "--billing", "late")
        self.assert_fails(1, "no organization", "org", "set", "other", "--rate", "1")

    def test_credit_is_exact(self):
        self.new_org()
        for amount, balance in (("0.1", "0.1"), ("0.2", "0.3"), ("0.000001", "0.300001"),
                                ("25", "25.300001"), ("-5.3", "20.000001")):
            shown = self.store.json("org", "credit", "acme", "--add-usd", amount)
            self.assertEqual(shown["balance_usd"], balance)
            self.assertTrue(shown["prepaid"])
        self.assertIn("$21.000001", self.store.good("org", "credit", "acme", "--add-usd", "1").out)
        self.assertRegex(self.store.good("org", "show", "acme").out,
                         r"(?m)^balance +\$21\.000001$")
        self.assert_fails(1, "negative", "org", "credit", "acme", "--add-usd", "-22")
        self.assert_fails(1, "too large", "org", "credit", "acme", "--add-usd", "9223372036")
        self.assert_fails(2, "dollars", "org", "credit", "acme", "--add-usd", "0.0000001")
        self.assert_fails(2, "add-usd", "org", "credit", "acme")
        self.assertEqual(self.store.json("org", "show", "acme")["balance_usd"], "21.000001")


class Keys(CtlCase):
    def setUp(self):
        super().setUp()
        self.new_org()

    def test_create_prints_the_key_once(self):
        made = self.new_key("--name", "batch job", "--expires", "30d", "--start-within",
                            "00h-00m-30s", "--model", "gpt-5*", "--model", "o3", "--rpm", "60",
                            "--budget-requests", "1000", "--budget-usd", "2.5",
                            "--native-parameters")
        self.assertRegex(made["key"], rf"\A{KEY_FORM}\Z")
        self.assertRegex(made["id"], r"\Akey_[0-9a-f]{12}\Z")
        wanted = {"org": "acme", "name": "batch job", "kind": "inference", "state": "active",
                  "start_within": "00h-00m-30s", "models": ["gpt-5*", "o3"],
                  "requests_per_minute": 60, "budget_requests": 1000, "budget_usd": "2.5",
                  "native_parameters": True, "revoked_at": None, "last_used_at": None}
        self.assertEqual({k: made[k] for k in wanted}, wanted)
        self.assertAlmostEqual(made["expires_at"] - made["created_at"], 30 * DAY, delta=10)
        self.assertTrue(made["key"].startswith(made["shown"]))
        self.assertLess(len(made["shown"]), 16)
        plain = self.store.good("key", "create", "acme").out
        self.assertRegex(plain, rf"\A{KEY_FORM}\nkey key_\w{{12}} of acme\. [^\n]+\n\Z")
        listed = self.store.json("key", "list", "acme")["keys"]
        self.assertEqual(listed[0], {k: v for k, v in made.items() if k != "key"})
        self.assertEqual(len(listed), 2)
        self.assertNotIn(made["key"], self.store.good("key", "list", "acme").out)

    def test_a_key_with_nothing_has_no_limits(self):
        made = self.new_key()
        for name in ("expires_at", "start_within", "requests_per_minute", "budget_requests",
                     "budget_usd"):
            self.assertIsNone(made[name], name)
        self.assertEqual((made["models"], made["native_parameters"]), ([], False))

    def test_expiry_by_date(self):
        self.assertEqual(self.new_key("--expires", "2038-01-19")["expires_at"], 2147472000)
        self.assertEqual(self.new_key("--expires", "2038-01-19T03:14:08Z")["expires_at"], 2**31)
        self.assert_fails(2, "is over", "key", "create", "acme", "--expires", "2026-01-01")
        self.assert_fails(2, "30d", "key", "create", "acme", "--expires", "soon")

    def test_wrong_values(self):
        for words in (["--start-within", "30s"], ["--start-within", "00h-11m-00s"],
                      ["--model", "*5"], ["--model", ""], ["--rpm", "0"], ["--rpm", "x"],
                      ["--budget-usd", "-1"], ["--name", "x" * 65], ["--name", "a\tb"],
                      ["--management", "--model", "o3"]):
            self.assert_fails(2, "", "key", "create", "acme", *words)
        self.assert_fails(1, "no organization", "key", "create", "other")
        self.assertEqual(self.store.json("key", "list", "acme")["keys"], [])

    def test_life_of_a_key(self):
        made = self.new_key()
        listed = self.store.json("key", "deactivate", made["id"])
        self.assertEqual((listed["state"], listed["org"]), ("deactivated", "acme"))
        self.assertIn("is active", self.store.good("key", "activate", made["id"]).out)
        revoked = self.store.json("key", "revoke", made["id"])
        self.assertEqual(revoked["state"], "revoked")
        self.assertAlmostEqual(revoked["revoked_at"], time.time(), delta=60)
        self.assert_fails(1, "revoked", "key", "activate", made["id"])
        self.assert_fails(1, "no key", "key", "revoke", "key_0123456789ab")
        counts = self.store.json("org", "show", "acme")["keys"]
        self.assertEqual(counts, {"active": 0, "deactivated": 0, "expired": 0, "revoked": 1})

    def test_list_of_full_rows_fits(self):
        self.new_key("--name", "n" * 64, "--expires", "365d", "--rpm", "1000000",
                     "--budget-requests", "1000000000", "--budget-usd", "123456.123456")
        self.new_key("--management")
        self.assert_table(self.store.good("key", "list", "acme").out, r"(?m)^id +name",
                          r"flexm_\w{4} +active +never", r"n…")

    def check(self, key, code=0):
        result = self.store.run("key", "check", "--json", stdin=key + "\n")
        self.assertEqual(result.code, code, result.err)
        self.assertNotIn(key, result.out + result.err)
        return result.json()

    def test_check(self):
        made = self.new_key("--name", "batch", "--rpm", "5")
        checked = self.check(made["key"])
        self.assertTrue(checked["accepted"])
        self.assertEqual((checked["id"], checked["org"], checked["name"], checked["holds"]),
                         (made["id"], "acme", "batch", []))
        text = self.store.good("key", "check", stdin=made["key"]).out
        self.assert_table(text, r"(?m)^flexd says +accepted$", r"(?m)^limits +5/min$")
        self.assertNotIn(made["key"], text)
        self.store.good("key", "deactivate", made["id"])
        self.assertEqual(self.check(made["key"], 1)["code"], "key_deactivated")
        self.store.good("key", "revoke", made["id"])
        self.assertEqual(self.check(made["key"], 1)["code"], "invalid_api_key")
        self.assert_fails(1, "401 invalid_api_key", "key", "check", stdin=made["key"])

    def test_check_of_an_expired_key(self):
        made = self.new_key("--expires", "1s")
        harness.wait_until(lambda: time.time() >= made["expires_at"], "the key to expire")
        checked = self.check(made["key"], 1)
        self.assertEqual((checked["status"], checked["code"]), (401, "expired_api_key"))

    def test_check_of_what_is_no_key(self):
        unknown = "flex_live_0123456789abcdef01234567"
        made = self.new_key()
        wrong_end = made["key"][:-1] + ("0" if made["key"][-1] != "0" else "1")
        for text in ("hello", unknown, wrong_end, made["key"].upper()):
            self.assertEqual(self.check(text, 1)["code"], "invalid_api_key")
        with Store() as other:
            other.good("org", "create", "acme")
            foreign = other.json("key", "create", "acme")["key"]
        self.assertFalse(self.check(foreign, 1)["accepted"])
        self.assert_fails(1, "empty", "key", "check", stdin="")

    def test_check_tells_of_the_organization(self):
        made = self.new_key()
        self.store.good("org", "set", "acme", "--billing", "overdue")
        self.assert_fails(1, "above 0", "org", "credit", "acme", "--add-usd", "0")
        self.store.good("org", "credit", "acme", "--add-usd", "1")
        self.store.good("org", "credit", "acme", "--add-usd", "-1")
        self.assertEqual(self.check(made["key"])["holds"],
                         ["payment_required", "insufficient_balance"])
        self.assertIn("402 payment_required for requests with a duration",
                      self.store.good("key", "check", stdin=made["key"]).out)
        spent = self.new_key("--budget-requests", "0")
        self.assertEqual(self.check(spent["key"], 1)["code"], "quota_exceeded")

    def test_management_keys(self):
        made = self.new_key("--management", "--name", "billing")
        self.assertRegex(made["key"], r"\Aflexm_[0-9a-f]{30}\Z")
        self.assertEqual(made["kind"], "management")
        self.assertEqual(self.check(made["key"])["kind"], "management")


class Models(CtlCase):
    def test_maintenance(self):
        done = self.store.json("model", "set", "gpt-5.4", "--maintenance", "on",
                               "--retry-after", "600")
        self.assertEqual(done, {"name": "gpt-5.4", "maintenance": True, "retry_after_s": 600})
        self.assertEqual(self.store.json("model", "list"), {"models": [done]})
        self.assertRegex(self.store.good("model", "list").out, r"(?m)^gpt-5\.4 +on +600 s$")
        self.assertIn("under maintenance",
                      self.store.good("model", "set", "gpt-5.4", "--maintenance", "on").out)
        self.assertIn("is not", self.store.good("model", "set", "gpt-5.4", "--maintenance",
                                                "off").out)
        # Nothing is left of it.
        self.assertEqual(self.store.json("model", "list"), {"models": []})
        self.assertEqual(self.store.good("model", "list").out, "no model is under maintenance\n")
        self.assert_fails(2, "model", "model", "set", "gpt-5*", "--maintenance", "on")
        self.assert_fails(2, "off or on", "model", "set", "gpt-5.4", "--maintenance", "yes")
        self.assert_fails(2, "maintenance", "model", "set", "gpt-5.4")


class Concurrency(CtlCase):
    def test_many_processes_on_one_store(self):
        self.new_org()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            keys = list(pool.map(lambda i: self.new_key("--name", f"n{i}"), range(40)))
        self.assertEqual(len({k["key"] for k in keys}), 40)
        listed = self.store.json("key", "list", "acme")["keys"]
        self.assertEqual({k["id"] for k in listed}, {k["id"] for k in keys})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: self.store.run("org", "create", "one").code, range(8)))
        self.assertEqual(sorted(made), [0] + [1] * 7)

    def test_credit_adds_up(self):
        self.new_org()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: self.store.good("org", "credit", "acme", "--add-usd",
                                                    "0.000001"), range(24)))
        self.assertEqual(self.store.json("org", "show", "acme")["balance_usd"], "0.000024")


if __name__ == "__main__":
    unittest.main()
