#!/usr/bin/env python3
"""Holds the tree to its own rules: who includes whom, sizes, names of calls, file modes.

    tools/tidy.py [--root DIR]      the rules below, for the whole tree
    tools/tidy.py --headers         compiles every public header by itself

It runs as the test `tidy`; its own test is tests/style/tidy_test.py. The compiler, clang-format
and clang-tidy see to what they can see; here is the rest. Exit 1 and one line a finding.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

# The areas of src and include/flexd, lowest first, with what each may include besides itself and
# base. What a named area may include, its user may too. "http/message" is that header alone.
AREAS = {
    "base": [],
    "crypto": [],
    "json": [],
    "sse": [],
    "metrics": [],
    "config": [],
    "errors": ["json", "sse"],
    "io": ["metrics", "config"],
    "tls": ["config"],
    "http": [],
    "store": ["crypto", "json", "config"],
    "account": ["store", "errors", "metrics"],
    "surface": ["json", "sse", "http/message", "errors", "crypto"],
    "origin": ["io", "tls", "http", "surface", "metrics"],
    "race": ["surface", "errors"],
    "front": ["account", "origin", "race"],
    "app": ["front", "store"],
    "ctl": ["front", "store"],
}
# Third parties: the include line and the only places of src and include/flexd that may have it.
# bench, tests and tools use what they like, except where a rule says otherwise.
THIRD_PARTIES = [
    (r"<liburing", r"src/io/uring_"),
    (r"<nghttp2/", r"src/http/h2_"),
    (r"<openssl/", r"src/(tls|crypto)/"),
    (r"<sqlite3", r"src/store/"),
    (r"<CLI/", r"(src/config/flags\.cpp|src/ctl/|tools/|bench/|tests/)"),
    (r"<doctest/", r"tests/"),
    (r"<llhttp", r"tests/"),
]
# Areas whose code serves requests: nothing there throws, and nothing allocates behind the back.
WORKER_AREAS = ["http", "json", "sse", "race", "surface", "origin", "front"]
# Within them, files that run on the control thread alone.
CONTROL_FILES = r"/front/admin(_\w+)?\."
BANNED = [
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok)\s*\(", "use bounded spans or fmt"),
    (r"\b(atoi|atol|atoll|atof)\s*\(", "use std::from_chars"),
    (r"(?<![\w.>])(rand|srand)\s*\(|std::random_device", "randomness is the reactor's"),
    (r"\bgettimeofday\s*\(", "time is the reactor's"),
    (r"\b(localtime|gmtime|ctime|asctime)\s*\(", "not safe with threads"),
]
BANNED_IN_WORKERS = [
    (r"\bstd::function\b", "std::function allocates"),
    (r"\bstd::(multi)?(map|set)\b", "node containers allocate"),
    (r"\bthrow\b", "nothing that runs on a worker throws"),
    (r"\bstd::(mutex|lock_guard|unique_lock|shared_mutex)\b", "a worker never locks"),
]
# Files over FILE_LINES_MAX that exist already. An entry that is no longer needed is a finding, so
# that this list can only become shorter.
LONG_FILES = []
FILE_LINES_MAX = 500
LINE_COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 60
TEST_LINES_MAX = 80  # of one test case: a story may be longer than a function

CPP = (".cpp", ".hpp", ".h", ".c")
CODE = CPP + (".py", ".sh", ".mjs", ".js")
# Formats in which trailing space or a tab means something, and data that is input to parsers.
FREE_FORM = (".tsv", ".bin", ".pem")
TOP_LEVEL = {"meson.build", "meson_options.txt", "src", "include", "tests", "bench", "tools",
             "packaging", "README.md", "LICENSE"}
SKIPPED_FOLDERS = {".git", ".cache", "node_modules", "__pycache__"}
UNFINISHED = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b|not imple[m]ented|unimple[m]ented")
SOFT_TESTS = re.compile(r"GTEST_S[K]IP|DOCTEST_S[K]IP|doctest::s[k]ip|should_f[a]il|may_f[a]il"
                        r"|pytest\.s[k]ip|\.s[k]ip\(")
MACHINE_PATH = re.compile(r"(?<![\w.${}~*-])/(home|root|work|Users|workspace|builds)/\w")


def may_include(area):
    """The areas and single headers that `area` may include, transitively."""
    allowed, waiting = {area, "base"}, [area]
    while waiting:
        for name in AREAS[waiting.pop()]:
            if name in allowed:
                continue
            allowed.add(name)
            if "/" not in name:
                waiting.append(name)
    return allowed


STRIP = re.compile(r'//[^\n]*|/\*.*?\*/|R"(?P<tag>\w*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
                   r"|(?<![\w])'(?:\\.|[^'\\\n])+'", re.S)


def strip(text):
    """C++ without comments and literals, every line in its place."""
    return STRIP.sub(lambda m: " " + "\n" * m.group().count("\n"), text)


class Tree:
    """One run over one tree."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.findings = []

    def say(self, path, line, text):
        self.findings.append(f"{path}:{line}: {text}" if line else f"{path}: {text}")

    def files(self):
        for folder, folders, names in os.walk(self.root):
            inside = pathlib.Path(folder).relative_to(self.root)
            top = inside == pathlib.Path(".")
            folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS
                                and not (top and f.startswith("build"))
                                and not (inside.as_posix() == "bench" and f == "results"))
            for name in sorted(names):
                yield (inside / name).as_posix()

    def check(self):
        self.check_top_level()
        for path in self.files():
            full = self.root / path
            if full.is_symlink() or "/corpus/" in path:
                continue
            self.check_mode(path, full)
            try:
                text = full.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                if path.endswith(CODE + (".md",)):
                    self.say(path, 0, "is not UTF-8")
                continue
            self.check_text(path, text)
            if path.endswith(CPP) and path != "LICENSE":
                self.check_cpp(path, text)
        for path in LONG_FILES:
            full = self.root / path
            if not full.exists() or len(full.read_text().splitlines()) <= FILE_LINES_MAX:
                self.say(path, 0, "is short now: take it off LONG_FILES in tools/tidy.py")
        return self.findings

    def check_top_level(self):
        for entry in sorted(os.listdir(self.root)):
            if entry in TOP_LEVEL or entry.startswith((".", "build")):
                continue
            self.say(entry, 0, "does not belong to the top level")

    def check_mode(self, path, full):
        executable = bool(full.stat().st_mode & 0o111)
        with open(full, "rb") as file:
            shebang = file.read(2) == b"#!"
        if executable and not shebang:
            self.say(path, 0, "is executable and has no #! line")
        if shebang and full.stat().st_mode & 0o777 != 0o755:
            self.say(path, 0, "begins with #! and has not mode 755")

    def check_text(self, path, text):
        code = path.endswith(CODE) or text.startswith("#!")
        lines = text.splitlines()
        if code and len(lines) > FILE_LINES_MAX and path not in LONG_FILES:
            self.say(path, 0, f"has {len(lines)} lines, more than {FILE_LINES_MAX}")
        if text and not text.endswith("\n") and not path.endswith(FREE_FORM):
            self.say(path, len(lines), "the last line has no end")
        for number, line in enumerate(lines, 1):
            if not path.endswith(FREE_FORM) and path != "LICENSE":
                if "\t" in line:
                    self.say(path, number, "a tab")
                if line != line.rstrip():
                    self.say(path, number, "space at the end of the line")
            if code and len(line) > LINE_COLUMNS_MAX:
                self.say(path, number, f"{len(line)} columns, more than {LINE_COLUMNS_MAX}")
            if UNFINISHED.search(line):
                self.say(path, number, "unfinished: finish it, or open an issue")
            if path.startswith("tests/") and SOFT_TESTS.search(line):
                self.say(path, number, "a test that may be passed over")
            if MACHINE_PATH.search(line):
                self.say(path, number, "a path of one machine")

    def check_cpp(self, path, text):
        lines = text.splitlines()
        if path.endswith(".hpp"):
            name = path.rsplit("/", 1)[-1]
            if not lines or not lines[0].startswith(f"// {name}: "):
                self.say(path, 1, f"the first line of a header says what it is for: // {name}: …")
            if lines.count("#pragma once") != 1:
                self.say(path, 0, "wants one #pragma once")
        self.check_includes(path, lines)
        clean = strip(text)
        if path.startswith(("src/", "include/")):
            area = self.area_of(path)
            worker = area in WORKER_AREAS and not re.search(CONTROL_FILES, path)
            rules = BANNED + (BANNED_IN_WORKERS if worker else [])
            for number, line in enumerate(clean.splitlines(), 1):
                for pattern, why in rules:
                    found = re.search(pattern, line)
                    if found and not line.lstrip().startswith("#include"):
                        self.say(path, number, f"{found.group().strip('( ')}: {why}")
        most = TEST_LINES_MAX if path.startswith("tests/") else FUNCTION_LINES_MAX
        for number, length in function_lengths(clean):
            if length > most:
                self.say(path, number, f"a function of {length} lines, more than {most}")

    @staticmethod
    def area_of(path):
        match = re.match(r"(?:src|include/flexd)/([^/]+)/", path)
        return match.group(1) if match else None

    def check_includes(self, path, lines):
        area = self.area_of(path)
        ours = path.startswith(("src/", "include/"))
        if ours and area not in AREAS:
            self.say(path, 0, f"the area {area} is not in the table of tools/tidy.py")
            return
        for number, line in enumerate(lines, 1):
            match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            quote, target = match.groups()
            for pattern, where in THIRD_PARTIES:
                scope = ours or not re.match(r"tests/", where) and "tests/" in where
                scope = scope or where == "tests/"
                if re.match(pattern, quote + target) and scope and not re.match(where, path):
                    self.say(path, number, f"{target} is included in {where} alone")
            if quote == '"' and ours:
                self.check_own_include(path, area, number, target)
            if quote == "<" and target.startswith("flexd/"):
                self.say(path, number, f'{target} is ours: "…", not <…>')

    def check_own_include(self, path, area, number, target):
        if not target.startswith("flexd/"):
            # A private header: beside the file, or in a folder of the same area.
            home = (self.root / path).parent
            if path.startswith("include/"):
                self.say(path, number, f"{target}: a public header includes public ones only")
            elif not (home / target).is_file():
                self.say(path, number, f"{target} is not in src/{area}: a public header is "
                                       f'"flexd/…"')
            elif self.area_of((home / target).resolve().relative_to(
                    self.root.resolve()).as_posix()) != area:
                self.say(path, number, f"{target}: a private header of another area")
            return
        parts = target.split("/")
        their_area = parts[1] if len(parts) > 2 else None
        if not (self.root / "include" / target).is_file():
            self.say(path, number, f"{target} does not exist")
        allowed = may_include(area)
        header = f"{their_area}/{parts[-1].removesuffix('.hpp')}"
        if their_area not in allowed and header not in allowed:
            self.say(path, number, f"{area} may not include {target}")


def function_lengths(clean):
    """Yields (first line, lines) of each function, by its braces. Rough: clang-tidy is exact."""
    stack, head, line = [], "", 1
    for line, text in enumerate(clean.splitlines(), 1):
        if text.lstrip().startswith("#"):
            continue
        for char in text + " ":
            if char == "{":
                outer = all(kind != "function" for kind, _ in stack)
                if re.search(r"\b(namespace|class|struct|union|enum|extern)\b", head) and (
                        ")" not in re.sub(r"\b(alignas|__attribute__)\s*\(.*?\)", "", head)):
                    kind = "scope"
                elif outer and ")" in head:
                    kind = "function"
                else:
                    kind = "other"
                stack.append((kind, line))
                head = ""
            elif char == "}":
                if stack:
                    kind, first = stack.pop()
                    if kind == "function":
                        yield first, line - first + 1
                head = ""
            elif char == ";":
                head = ""
            else:
                head += char


def check_headers(root):
    """Compiles each public header by itself: it includes all that it needs."""
    headers = sorted(p for p in pathlib.Path(root, "include").rglob("*.hpp"))
    compiler = ["g++", "-std=c++23", "-Wall", "-Wextra", "-Wno-pragma-once-outside-header",
                "-fsyntax-only", "-fno-exceptions", "-x", "c++", "-I", f"{root}/include"]

    def compile_one(header):
        done = subprocess.run([*compiler, str(header)], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        return header, done.returncode, done.stderr

    findings = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, code, text in pool.map(compile_one, headers):
            if code:
                findings.append(f"{header}: does not compile by itself\n{text.rstrip()}")
    print(f"{len(headers)} headers compiled")
    return findings


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--headers", action="store_true", help="compile every public header alone")
    options = parser.parse_args()
    found = check_headers(options.root) if options.headers else Tree(options.root).check()
    for text in found:
        print(text)
    if found:
        print(f"tidy: {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
