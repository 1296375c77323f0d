#!/usr/bin/env python3
"""Counts user instructions per request under callgrind and holds them to a committed baseline.

Two runs of different lengths are made and their difference divided by the difference in requests,
which removes start-up and stop. Only flexd runs under valgrind, with one worker and one client
connection with one request at a time, so that nothing batches by chance; flexsim and flexbench run
natively. A kind that costs more than 3 % above bench/instructions.json makes the run fail;
--update writes what was measured there instead.

The kind `keys` has no baseline: it is responses-2k once from a store with one key and once from
one with 100,000, and fails if a request costs over 2 % more with the latter. It counts the worker's
thread alone, as the others read the store, which no request waits for.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile

import programs
import stores
import workloads
from programs import BenchError

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "instructions.json"
TOLERANCE = 0.03
# Kind -> what is sent and the two run lengths. A stream costs as much as many plain requests.
KINDS = {
    "direct": ("direct-64", 2000, 6000),
    "sse": ("sse", 200, 600),
    "race": ("race", 1000, 3000),
    "responses-2k": ("responses-2k", 300, 900),
    "chat": ("chat", 300, 900),
    "messages": ("messages", 300, 900),
    "sse-responses": ("sse-responses", 60, 180),
    "chat-sse": ("chat-sse", 60, 180),
    "messages-sse": ("messages-sse", 60, 180),
}
KEYS = "keys"
KEYS_WORKLOAD = ("responses-2k", 100, 400)
KEYS_TOLERANCE = 0.02


# Test runners set this to have the C library fill memory, which costs instructions.
os.environ.pop("MALLOC_PERTURB_", None)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--flexd", type=pathlib.Path, help="another flexd than the build's")
    parser.add_argument("--flexd-arg", action="append", default=[], help="a flag more for flexd")
    parser.add_argument("--origin", choices=["flexsim", "nginx"], default="flexsim")
    parser.add_argument("--kinds", default=",".join([*KINDS, KEYS]),
                        help="of " + " ".join([*KINDS, KEYS]))
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the run lengths")
    parser.add_argument("--update", action="store_true", help="write the baseline, do not compare")
    parser.add_argument("--baseline", type=pathlib.Path, default=BASELINE)
    arguments = parser.parse_args()
    arguments.kinds = arguments.kinds.split(",")
    for kind in arguments.kinds:
        if kind not in KINDS and kind != KEYS:
            parser.error(f"no kind {kind!r}")
    return arguments


def read_total(path):
    """The instructions of a whole run, from callgrind's own sum over all its threads."""
    match = re.search(r"^(?:summary|totals): (\d+)", path.read_text(), re.MULTILINE)
    if not match:
        raise BenchError(f"{path.name}: no total; was the program killed?")
    return int(match[1])


def read_worker_total(directory):
    """The instructions of the busiest thread but the first, which is the only worker."""
    return max(read_total(path) for path in directory.glob("callgrind.out-*")
               if not path.name.endswith("-01"))


def count_run(arguments, what, requests, directory, store=None):
    """User instructions of one flexd process from its start to its end after `requests`; with a
    store, those of its worker."""
    workload = workloads.all_workloads()[what]
    build = arguments.build
    origin_directory = directory / "origin"
    if arguments.origin == "flexsim":
        origin = programs.start_flexsim(build / "tools" / "flexsim" / "flexsim", origin_directory)
    else:
        origin = programs.start_nginx_origin(origin_directory)
    flexd = None
    try:
        out = directory / "callgrind.out"
        flexd = programs.start_flexd(
            arguments.flexd or build / "src" / "app" / "flexd", origin, directory / "flexd",
            extra=["--exit-after", str(requests), "--yield-each-turn", *arguments.flexd_arg],
            wrapper=[programs.find_tool("valgrind"), "--tool=callgrind", "--quiet",
                     f"--callgrind-out-file={out}",
                     *(["--separate-threads=yes"] if store else [])], store=store)
        report = programs.flexbench(build / "bench" / "flexbench", flexd, workload, directory,
                                    connections=1, count=requests)
        code = flexd.process.popen.wait(60)
        if code != 0:
            raise BenchError(f"flexd left with status {code} after {requests} requests: "
                             + flexd.process.err_path.read_text()[-300:])
        return read_worker_total(directory) if store else read_total(out), (
            report["events"] // requests)
    finally:
        if flexd:
            flexd.process.stop()
        origin.process.stop()


def measure(arguments, name, lengths, directory, store=None):
    """The cost of a request: of workload `name`, by two runs of these lengths."""
    what, short, long = lengths
    short, long = max(1, int(short * arguments.scale)), max(2, int(long * arguments.scale))
    totals = []
    for requests in (short, long):
        total, events = count_run(arguments, what, requests, directory / f"{name}-{requests}",
                                  store)
        totals.append(total)
    per_request = (totals[1] - totals[0]) / (long - short)
    if per_request <= 0:
        raise BenchError(f"{name}: the longer run cost less; the runs did not do the same")
    return {"instructions": round(per_request), "events": events}


def measure_keys(arguments, directory):
    """What a request costs with one key and with many; returns what is wrong."""
    flexctl = arguments.build / "src" / "ctl" / "flexctl"
    costs = []
    counts = list(workloads.STORES.values())
    for count in counts:
        name = f"{KEYS}-{count}"
        store = stores.Store(flexctl, directory / f"{name}-store", count)
        costs.append(measure(arguments, name, KEYS_WORKLOAD, directory, store)["instructions"])
        print(f"{name:13} {costs[-1]:>10} instructions a request, the worker's alone")
    if costs[1] > costs[0] * (1 + KEYS_TOLERANCE):
        return [f"{KEYS}: with {counts[1]} keys a request costs {costs[1] / costs[0] - 1:+.2%}, "
                f"over the {KEYS_TOLERANCE:.0%} allowed"]
    return []


def compare(measured, baseline):
    """Prints a line a kind; returns what is wrong."""
    problems = []
    for kind, value in measured.items():
        now, before = value["instructions"], baseline.get(kind, {}).get("instructions")
        if before is None:
            problems.append(f"{kind}: no baseline; --update writes one")
            print(f"{kind:13} {now:>10} instructions a request")
            continue
        change = now / before - 1
        print(f"{kind:13} {now:>10} instructions a request, baseline {before}, {change:+.1%}")
        if now > before * (1 + TOLERANCE):
            problems.append(f"{kind}: {change:+.2%} is over the {TOLERANCE:.0%} allowed; win it "
                            "back, or commit a new baseline (--update) and say why")
        elif change < -TOLERANCE:
            print("         cheaper than the baseline: --update keeps the gain")
    return problems


def main():
    arguments = parse_arguments()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="flexinstructions-"))
    baseline = json.loads(arguments.baseline.read_text()) if arguments.baseline.exists() else {}
    problems = []
    measured = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the children are stopped
    try:
        for kind in arguments.kinds:
            try:
                if kind == KEYS:
                    problems += measure_keys(arguments, directory)
                else:
                    measured[kind] = measure(arguments, kind, KINDS[kind], directory)
            except (BenchError, OSError) as error:
                problems.append(f"{kind}: {error}")
        if arguments.update and not problems:
            for kind, value in measured.items():
                print(f"{kind:13} {value['instructions']:>10} instructions a request")
            text = json.dumps({**baseline, **measured}, indent=2, sort_keys=True)
            arguments.baseline.write_text(text + "\n")
        else:
            problems += compare(measured, baseline)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for problem in problems:
        print(f"instructions.py: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
