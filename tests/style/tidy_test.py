#!/usr/bin/env python3
"""tools/tidy.py catches what it is there to catch: one small bad tree for each rule.

Usage: tidy_test.py PATH_OF_TIDY. Each case is a good tree with one thing wrong, and the words that
the finding must have. The good tree itself must have no finding.
"""
import importlib.util
import pathlib
import sys
import tempfile
import unittest

HEADER = "// {}: a header of the test.\n#pragma once\n"
GOOD = {
    "meson.build": "project('x')\n",
    "README.md": "# x\n",
    ".ci/run": "#!/bin/sh\nexec true\n",
    "include/flexd/base/span.hpp": HEADER.format("span.hpp"),
    "include/flexd/json/finder.hpp": HEADER.format("finder.hpp")
                                     + '#include "flexd/base/span.hpp"\n',
    "include/flexd/http/message.hpp": HEADER.format("message.hpp"),
    "include/flexd/http/h2_client.hpp": HEADER.format("h2_client.hpp"),
    "include/flexd/errors/table.hpp": HEADER.format("table.hpp"),
    "include/flexd/surface/request.hpp": HEADER.format("request.hpp")
                                         + '#include "flexd/http/message.hpp"\n',
    "include/flexd/front/worker.hpp": HEADER.format("worker.hpp"),
    "src/http/h2_state.hpp": HEADER.format("h2_state.hpp"),
    "src/http/h2_client.cpp": '#include "h2_state.hpp"\n#include <nghttp2/nghttp2.h>\n'
                              '// strcpy(a, b) in a comment, and throw; "std::map" too\n'
                              'const char* text() { return "atoi( throw"; }\n',
    "src/io/sim/state.cpp": '#include "../sockets.hpp"\n',
    "src/io/sockets.hpp": HEADER.format("sockets.hpp"),
    "src/race/race.cpp": '#include "flexd/surface/request.hpp"\n#include "flexd/json/finder.hpp"\n',
    "tests/unit/http/x_test.cpp": '#include <doctest/doctest.h>\n'
                                  '#include "../../../src/http/h2_state.hpp"\n',
    "tests/conformance/x.tsv": "a\tb \n",
}
LONG_FUNCTION = "int f(int x) {\n" + "  x++;\n" * 60 + "  return x;\n}\n"

# name: (files that replace or join those of the good tree, words of the finding)
CASES = {
    "json may not see errors": (
        {"src/json/a.cpp": '#include "flexd/errors/table.hpp"\n'}, "json may not include"),
    "base sees itself alone": (
        {"include/flexd/base/a.hpp": HEADER.format("a.hpp")
         + '#include "flexd/json/finder.hpp"\n'}, "base may not include"),
    "surface sees the message alone of http": (
        {"src/surface/a.cpp": '#include "flexd/http/h2_client.hpp"\n'}, "surface may not include"),
    "nothing below front sees front": (
        {"src/origin/a.cpp": '#include "flexd/front/worker.hpp"\n'}, "origin may not include"),
    "race is without io": (
        {"include/flexd/io/a.hpp": HEADER.format("a.hpp"),
         "src/race/a.cpp": '#include "flexd/io/a.hpp"\n'}, "race may not include"),
    "an unknown area": ({"src/misc/a.cpp": "int x;\n"}, "not in the table"),
    "a private header of another area": (
        {"src/front/a.cpp": '#include "../http/h2_state.hpp"\n'}, "another area"),
    "a private header as if it were public": (
        {"src/front/a.cpp": '#include "h2_state.hpp"\n'}, "not in src/front"),
    "a public header that needs a private one": (
        {"include/flexd/http/a.hpp": HEADER.format("a.hpp") + '#include "h2_state.hpp"\n'},
        "public ones only"),
    "a header that does not exist": (
        {"src/json/a.cpp": '#include "flexd/json/gone.hpp"\n'}, "does not exist"),
    "ours in angle brackets": (
        {"src/json/a.cpp": "#include <flexd/json/finder.hpp>\n"}, "is ours"),
    "liburing outside its files": (
        {"src/io/reactor.cpp": "#include <liburing.h>\n"}, "src/io/uring_"),
    "nghttp2 outside its files": (
        {"src/http/h1.cpp": "#include <nghttp2/nghttp2.h>\n"}, "src/http/h2_"),
    "nghttp2 in a public header": (
        {"include/flexd/http/h2_client.hpp": HEADER.format("h2_client.hpp")
         + "#include <nghttp2/nghttp2.h>\n"}, "src/http/h2_"),
    "BoringSSL outside its areas": (
        {"src/front/a.cpp": "#include <openssl/ssl.h>\n"}, "tls|crypto"),
    "SQLite outside the store": ({"src/front/a.cpp": "#include <sqlite3.h>\n"}, "src/store/"),
    "CLI11 outside the flags": ({"src/config/a.cpp": "#include <CLI/CLI.hpp>\n"}, "flags"),
    "doctest outside the tests": (
        {"src/json/a.cpp": "#include <doctest/doctest.h>\n"}, "tests/ alone"),
    "doctest in a tool": ({"tools/a.cpp": "#include <doctest/doctest.h>\n"}, "tests/ alone"),
    "a file too long": ({"src/json/a.cpp": "int x;\n" * 501}, "501 lines"),
    "a script too long": ({"tools/a.py": "x = 1\n" * 501}, "501 lines"),
    "a line too long": ({"src/json/a.cpp": "// " + "x" * 98 + "\n"}, "101 columns"),
    "a function too long": ({"src/json/a.cpp": LONG_FUNCTION}, "a function of 63 lines"),
    "a member function too long": (
        {"src/json/a.cpp": "namespace a {\nclass B {\n public:\n" + LONG_FUNCTION + "};\n}\n"},
        "a function of 63 lines"),
    "no pragma once": (
        {"include/flexd/json/a.hpp": "// a.hpp: text.\nint x();\n"}, "#pragma once"),
    "no first line": ({"include/flexd/json/a.hpp": "#pragma once\n"}, "first line of a header"),
    "the first line of another header": (
        {"include/flexd/json/a.hpp": HEADER.format("b.hpp")}, "first line of a header"),
    "a tab": ({"src/json/a.cpp": "\tint x;\n"}, "a tab"),
    "trailing space": ({"README.md": "# x \n"}, "space at the end"),
    "no end of the last line": ({"README.md": "# x"}, "no end"),
    "an unfinished word": ({"src/json/a.cpp": "// TO" + "DO later\n"}, "unfinished"),
    "an unfinished sentence": ({"tools/a.py": "# not imple" + "mented\n"}, "unfinished"),
    "a test passed over": (
        {"tests/unit/http/x_test.cpp": "doctest::s" + "kip()\n"}, "passed over"),
    "strcpy": ({"src/json/a.cpp": "void f() { strcpy(a, b); }\n"}, "strcpy"),
    "sprintf": ({"src/json/a.cpp": "void f() { sprintf(a, b); }\n"}, "sprintf"),
    "atoi": ({"src/json/a.cpp": "int f() { return atoi(a); }\n"}, "atoi"),
    "rand": ({"src/json/a.cpp": "int f() { return rand(); }\n"}, "rand"),
    "gettimeofday": ({"src/json/a.cpp": "void f() { gettimeofday(a, b); }\n"}, "gettimeofday"),
    "a throw on a worker": ({"src/http/a.cpp": "void f() { throw 1; }\n"}, "throw"),
    "std::function on a worker": (
        {"include/flexd/http/a.hpp": HEADER.format("a.hpp") + "std::function<void()> f;\n"},
        "std::function"),
    "std::map on a worker": ({"src/front/a.cpp": "std::map<int, int> m;\n"}, "std::map"),
    "a lock on a worker": ({"src/front/a.cpp": "std::mutex m;\n"}, "std::mutex"),
    "a stray file at the top": ({"notes.md": "# notes\n"}, "top level"),
    "a stray folder at the top": ({"docs/a.md": "# a\n"}, "top level"),
    "a path of one machine": ({"README.md": "cd /ho" + "me/me/flexd\n"}, "one machine"),
    "a script without the mode": ({"tools/run.sh": "#!/bin/sh\n"}, "mode 755"),
    "a mode without a shebang": ({"tools/run": "mode 755\n"}, "no #! line"),
}


def load_tidy(path):
    spec = importlib.util.spec_from_file_location("tidy", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def findings(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**GOOD, **files}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755 if name in (".ci/run", "tools/run") else 0o644)
        return TIDY.Tree(folder).check()


class TidyTest(unittest.TestCase):
    def test_good_tree(self):
        self.assertEqual(findings({}), [])

    def test_each_bad_tree(self):
        for name, (files, words) in CASES.items():
            with self.subTest(name):
                found = findings(files)
                self.assertEqual(len(found), 1, found)
                self.assertIn(words, found[0])
                self.assertTrue(any(file.split("/")[0] in found[0] for file in files), found)

    def test_long_files_only_become_fewer(self):
        TIDY.LONG_FILES.append("README.md")
        try:
            found = findings({})
        finally:
            TIDY.LONG_FILES.pop()
        self.assertEqual(len(found), 1, found)
        self.assertIn("LONG_FILES", found[0])


if __name__ == "__main__":
    TIDY = load_tidy(sys.argv.pop(1))
    unittest.main()
