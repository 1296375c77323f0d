"""flexctl's words: help, wrong usage, completion in bash, and the tables of usage."""

import datetime
import pathlib
import re
import sqlite3
import subprocess
import unittest

import harness
from flexctl import COLUMNS_MAX, CtlCase, environment

COMPLETION = harness.HERE.parents[1] / "packaging/completion/flexctl.bash"
COMMANDS = ["init", "org create", "org list", "org show", "org set", "org credit", "key create",
            "key list", "key revoke", "key deactivate", "key activate", "key check",
            "provider-key set", "provider-key list", "provider-key remove", "model set",
            "model list", "usage", "rotate-master-key"]
COLUMNS = ["org", "key", "day", "model", "provider", "asked", "served", "reason"]
USAGE_TABLE = ("organization", "key", "day", "model", "provider", "tier_asked", "tier_served",
               "reason", "requests", "errors", "client_closed", "input_tokens", "cached_tokens",
               "cache_write_tokens", "output_tokens", "reasoning_tokens", "unpriced",
               "cost_nanos", "standard_nanos", "possible_double_bills", "drawn_nanos")


class Usage(CtlCase):
    """flexd writes usage; here its rows are put into the database by hand."""

    def setUp(self):
        super().setUp()
        self.key_ids = []
        rows = []
        today = (datetime.datetime.now(datetime.timezone.utc).date()
                 - datetime.date(1970, 1, 1)).days
        for number, org in enumerate(("acme", "beta"), 1):
            self.new_org(org)
            self.key_ids.append(self.new_key(org=org)["id"])
            for day in (today - 10, today):
                rows.append((number, number, day, "gpt-5.4", "openai", "flex", "flex", "flex_won",
                             10, 1, 2, 1000, 300, 0, 500, 200, 0, 1_000_000_001, 2_000_000_002,
                             0, 0))
                rows.append((number, number, day, "gemini-3.5-flash", "gemini", "flex", "standard",
                             "flex_deadline", 5, 0, 0, 2**33, 0, 0, 7, 0, 5, 0, 0, 3, 0))
        marks = ", ".join("?" * len(USAGE_TABLE))
        with sqlite3.connect(self.store.path) as database:
            database.executemany(
                f"INSERT INTO usage ({', '.join(USAGE_TABLE)}) VALUES ({marks})", rows)
        database.close()
        self.today = datetime.date(1970, 1, 1) + datetime.timedelta(days=today)

    def total(self, *words):
        return self.store.json("usage", *words)["total"]

    def test_by_day(self):
        usage = self.store.json("usage")
        self.assertEqual(usage["by"], ["day"])
        self.assertEqual([r["day"] for r in usage["rows"]],
                         [str(self.today - datetime.timedelta(days=10)), str(self.today)])
        wanted = {"requests": 60, "errors": 4, "client_closed": 8, "cached_tokens": 1200,
                  "output_tokens": 2028, "reasoning_tokens": 800, "unpriced": 20,
                  "cost_usd": "4.000000004", "standard_usd": "8.000000008",
                  "saved_usd": "4.000000004", "possible_double_bills": 12}
        self.assertEqual({k: usage["total"][k] for k in wanted}, wanted)
        lines = self.assert_table(self.store.good("usage").out,
                                  rf"(?m)^{self.today} +30 +2 +4 +17179871184 +1014 "
                                  r"+\$2\.000000 +\$4\.000000 +\$2\.000000 +6$",
                                  r"(?m)^-+$", r"(?m)^total +60 +4 +8 ",
                                  r"(?m)^without a price, [^\n]+: 20 requests$")
        self.assertRegex(lines[0], r"\Aday +requests +errors +499 +in +out +cost +standard +saved"
                                   r" +double\Z")

    def test_every_column(self):
        for column in COLUMNS:
            usage = self.store.json("usage", "--by", column)
            self.assertEqual(len(usage["rows"]), 1 if column == "asked" else 2, column)
            self.assertEqual(usage["total"], self.total())
            self.assertEqual(sum(r["requests"] for r in usage["rows"]), 60)
            self.assert_table(self.store.good("usage", "--by", column).out, rf"\A{column} ")
        self.assertEqual([r["org"] for r in self.store.json("usage", "--by", "org")["rows"]],
                         ["acme", "beta"])
        self.assertEqual([r["key"] for r in self.store.json("usage", "--by", "key")["rows"]],
                         self.key_ids)

    def test_all_columns_at_once(self):
        text = self.store.good("usage", "--by", ",".join(COLUMNS)).out
        self.assert_table(text, r"acme", r"flex_deadline", self.key_ids[0])
        usage = self.store.json("usage", "--by", ",".join(reversed(COLUMNS)))
        self.assertEqual(usage["by"], COLUMNS[::-1])
        self.assertEqual(len(usage["rows"]), 8)
        self.assertEqual(list(usage["rows"][0])[:8], COLUMNS[::-1])

    def test_filters(self):
        self.assertEqual(self.total("acme")["requests"], 30)
        self.assertEqual(self.total("acme", "--since", "7d")["requests"], 15)
        self.assertEqual(self.total("--since", str(self.today))["requests"], 30)
        self.assertEqual(self.total("--until", "7d")["requests"], 30)
        self.assertEqual(self.total("--since", "9d", "--until", "1d")["requests"], 0)
        self.assertEqual(self.total("--key", self.key_ids[1])["requests"], 30)
        self.assertEqual(self.store.good("usage", "--until", "2020-01-01").out, "no usage\n")
        self.assert_fails(1, "not one of acme", "usage", "acme", "--key", self.key_ids[1])
        self.assert_fails(1, "no organization", "usage", "other")
        self.assert_fails(1, "no key", "usage", "--key", "key_0123456789ab")
        for words in (("--by", "color"), ("--by", ""), ("--by", "day,day"), ("--since", "x")):
            self.assert_fails(2, words[0], "usage", *words)

    def test_a_model_cannot_write_to_the_terminal(self):
        with sqlite3.connect(self.store.path) as database:
            database.execute("UPDATE usage SET model = 'evil' || char(27) || '[2J' "
                             "WHERE model = 'gpt-5.4'")
        database.close()
        self.assertIn("evil?[2J", self.store.good("usage", "--by", "model").out)
        self.assertEqual(self.store.json("usage", "--by", "model")["rows"][0]["model"],
                         "evil\x1b[2J")


class Words(CtlCase):
    def help(self, *words):
        result = self.store.run(*words, "--help")
        self.assertEqual((result.code, result.err), (0, ""))
        for line in result.out.splitlines():
            self.assertLessEqual(len(line), COLUMNS_MAX, line)
        return result.out

    def test_help_of_every_command_has_an_example(self):
        top = self.help()
        for command in COMMANDS:
            words = command.split()
            self.assertIn(words[0], top)
            text = self.help(*words)
            self.assertRegex(text, rf"Example:\n  flexctl {command}\b")
            for option in ("--store", "--master-key-file", "--json"):
                self.assertIn(option, text)
            if len(words) > 1:
                self.assertRegex(self.help(words[0]), rf"(?m)^  {words[1]}\b")

    def test_version(self):
        self.assertRegex(self.store.good("--version").out, r"\Aflexctl \d+\.\d+\.\d+\n\Z")

    def test_wrong_usage_is_one_line_and_exit_2(self):
        for words in ((), ("org",), ("org", "show"), ("org", "list", "extra"), ("nothing",),
                      ("org", "list", "--no-such")):
            self.assert_fails(2, "", *words)

    def test_a_typing_error_suggests_a_command(self):
        for words, meant in ((("org", "crate", "acme"), "org create"),
                             (("ogr", "list"), "org list"), (("usgae",), "usage"),
                             (("create", "key"), "key create"),
                             (("provider-key", "remvoe", "acme", "openai"), "provider-key remove"),
                             (("rotate-master",), None), (("serve",), None)):
            pattern = f"did you mean `{meant}`\\?" if meant else "no command"
            self.assert_fails(2, pattern, *words)
        self.assert_fails(2, "did you mean --expires", "key", "create", "acme", "--expire", "1d")


class Completion(CtlCase):
    def complete(self, line):
        """What bash offers at the end of `line`."""
        script = f"""
            source {COMPLETION}
            COMP_LINE=$1 COMP_POINT=${{#1}}
            read -ra COMP_WORDS <<<"${{1//=/ = }}"
            [[ $1 == *" " || $1 == *"=" ]] && COMP_WORDS+=("")
            [[ $1 == *"=" ]] && unset 'COMP_WORDS[-1]'
            COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            complete -p flexctl >/dev/null || exit 1
            _flexctl flexctl "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(["bash", "--norc", "-uc", script, "bash", line], check=False,
                              capture_output=True, text=True, env=environment())
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.split())

    def test_commands(self):
        offered = self.complete("flexctl ")
        self.assertLessEqual({c.split()[0] for c in COMMANDS}, offered)
        for group in ("org", "key", "provider-key", "model"):
            wanted = {c.split()[1] for c in COMMANDS if c.split()[0] == group}
            self.assertEqual(self.complete(f"flexctl {group} "), wanted)
        self.assertEqual(self.complete("flexctl org cre"), {"create", "credit"})
        self.assertEqual(self.complete("flexctl --json --store x.db org sh"), {"show"})
        self.assertEqual(self.complete("flexctl --store=x.db org sh"), {"show"})

    def test_options_are_those_of_the_help(self):
        for command in COMMANDS:
            text = self.store.good(*command.split(), "--help").out
            options = set(re.findall(r"(?m)^  (?:-h,)?(--[a-z-]+)", text))
            self.assertEqual(self.complete(f"flexctl {command} --"), options, command)

    def test_values(self):
        self.assertEqual(self.complete("flexctl org set acme --billing "),
                         {"ok", "overdue", "no-payment-method"})
        self.assertEqual(self.complete("flexctl org set acme --billing=o"), {"ok", "overdue"})
        self.assertEqual(self.complete("flexctl org set acme --billing="),
                         {"ok", "overdue", "no-payment-method"})
        self.assertEqual(self.complete("flexctl model set gpt-5.4 --maintenance o"), {"on", "off"})
        self.assertEqual(self.complete("flexctl provider-key set acme "),
                         {"openai", "gemini", "anthropic"})
        self.assertEqual(self.complete("flexctl provider-key remove --json acme g"), {"gemini"})
        self.assertEqual(self.complete("flexctl usage --by "), set(COLUMNS))
        self.assertEqual(self.complete("flexctl usage --by org,mo"), {"org,model"})
        self.assertEqual(self.complete("flexctl org show "), set())
        self.assertEqual(self.complete("flexctl org credit acme --add-usd "), set())
        pathlib.Path(self.store.path.parent, "some").touch()
        self.assertEqual(self.complete(f"flexctl --store {self.store.path.parent}/so"),
                         {f"{self.store.path.parent}/some"})


if __name__ == "__main__":
    unittest.main()
