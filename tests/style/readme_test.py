#!/usr/bin/env python3
"""README.md says what the program does: its lists are the program's, its links lead somewhere.

Usage: readme_test.py SOURCE_ROOT
"""
import pathlib
import re
import subprocess
import sys
import unittest


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def section(name):
    return re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", read("README.md"), re.S | re.M).group(1)


def first_cells(text):
    """The first cell of each row of the tables in `text`, without backquotes."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.M)


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class ReadmeTest(unittest.TestCase):
    def test_flags(self):
        source = read("src/config/flags.cpp")
        hidden = set(re.findall(r'"(--[a-z-]+)", [^;]*->group\(""\)', source))
        flags = set(re.findall(r'(?:add_option|add_flag|_option)\w*(?:<[\w:]+>)?\(\s*(?:app, )?'
                               r'"(--[a-z-]+)"', source)) - hidden
        self.assertIn("--listen", flags)
        self.assertIn("--idle-timeout", flags)
        told = [cell.split()[0] for cell in first_cells(section("Flags"))]
        self.assertEqual(sorted(told), sorted(flags))

    def test_flag_defaults(self):
        # The help text ends with the default in parentheses, where there is one.
        source = re.sub(r'"\s*\n\s*"', "", read("src/config/flags.cpp"))
        compared = 0
        for row in re.findall(r"^\| `(--[a-z-]+)[^`]*` \| ([^|]*) \|", section("Flags"), re.M):
            flag, default = row
            plain = re.search(rf'"{flag}", [^;]*?"[^"]*\(([^()"]*)\)"', source)
            timed = re.search(rf'"{flag}", s\w*\.\w+,\s*"[^"]*",\s*k\w+,\s*"([^"]*)"', source)
            match = timed or plain
            if default in ("off", "", "the API's public page") or match is None:
                continue
            if flag in ("--origin-ca", "--log-level", "--log-format"):
                continue
            compared += 1
            with self.subTest(flag):
                self.assertEqual(default, match.group(1))
        self.assertGreater(compared, 15)

    def test_every_error_has_a_heading(self):
        rows = [line.split("\t") for line in read("tests/conformance/errors.tsv").splitlines()
                if line and not line.startswith("#")]
        told = re.findall(r"^#### (\w+)\n\n(\d+) `(\w+)`, retry: (\w+)\. ", section("Errors"), re.M)
        self.assertGreater(len(rows), 30)
        self.assertEqual(told, [(row[0], row[1], row[2], row[4]) for row in rows])

    def test_metrics(self):
        source = read("include/flexd/metrics/catalog.hpp")
        lists = source[source.index("kCounters ="):]
        names = re.findall(r'\{"(\w+)",\s*"', lists)
        self.assertGreater(len(names), 20)
        self.assertEqual([n for n in first_cells(section("Metrics")) if "_bucket" not in n],
                         ["flexd_" + name for name in names])

    def test_access_log(self):
        source = read("src/front/access_log.cpp")
        fields = re.findall(r'(?:text\(|word\(|number\(|milliseconds\(|field\(\{)"(\w+)"', source)
        self.assertGreater(len(fields), 15)
        self.assertEqual(first_cells(section("Access log")), fields)

    def test_routing_reasons(self):
        source = read("include/flexd/metrics/catalog.hpp")
        words = re.search(r"kReasons = \{(.*?)\}", source, re.S).group(1)
        told = re.findall(r"^\| `(tier_direct|flex_\w+)` \|", section("start_within"), re.M)
        self.assertEqual(told + ["none"], re.findall(r'"(\w+)"', words))

    def test_flex_models(self):
        source = read("src/surface/provider.cpp")
        told = re.search(r"flex tier: (.*?), or your own", section("start_within"), re.S).group(1)
        for model in re.split(r",\s+", told):
            self.assertIn(f'"{model}"', source)
        for model in re.findall(r'"((?:gpt-|o\d)[\w.-]*)"', source):
            self.assertIn(model, re.split(r",\s+", told))

    def test_shell_blocks(self):
        for page in ("README.md", "packaging/README.md"):
            blocks = re.findall(r"^```sh\n(.*?)^```", read(page), re.S | re.M)
            self.assertTrue(blocks, page)
            for block in blocks:
                with self.subTest(block):
                    done = subprocess.run(["bash", "-n"], input=block, text=True,
                                          capture_output=True, check=False)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    for path in re.findall(r"(?<![\w/.-])((?:tools|bench|packaging|src)/[\w./-]+)",
                                           block):
                        if path not in ("src/app/flexd", "src/ctl/flexctl"):
                            self.assertTrue((ROOT / path).exists(), path)

    def test_python_blocks(self):
        blocks = re.findall(r"^```python\n(.*?)^```", read("README.md"), re.S | re.M)
        self.assertTrue(blocks)
        for block in blocks:
            compile(block, "README.md", "exec")

    def test_links(self):
        for page in ("README.md", "packaging/README.md", "src/ARCHITECTURE.md"):
            text = read(page)
            anchors = {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.M)}
            for target in re.findall(r"\]\(([^)]+)\)", text):
                with self.subTest(f"{page}: {target}"):
                    if target.startswith("#"):
                        self.assertIn(target[1:], anchors)
                    elif not target.startswith("http"):
                        self.assertTrue((ROOT / page).parent.joinpath(target).exists())

    def test_files_named_in_the_architecture_exist(self):
        names = set(re.findall(r"`((?:[\w./]+/)?[\w]+\.(?:hpp|cpp|py|tsv))`",
                               read("src/ARCHITECTURE.md")))
        self.assertGreater(len(names), 20)
        known = ["/" + path.relative_to(ROOT).as_posix()
                 for folder in ("src", "include", "tests", "tools")
                 for path in (ROOT / folder).rglob("*")]
        for name in names:
            with self.subTest(name):
                self.assertTrue(any(path.endswith("/" + name) for path in known), name)


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv.pop(1))
    unittest.main()
