#!/usr/bin/env python3
"""What a change of keys costs when a store holds 100,000 of them.

Under a steady load, keys are made and revoked by flexctl. Printed are, for a store with one key and
with 100,000: the time from the end of `flexctl key revoke` to the first refusal of that key on each
of the workers' connections, the CPU that the threads of flexd spent on one change (the keeper reads
the store and builds, the control thread hands over), and the slowest answer while it happened.
"""

import argparse
import http.client
import json
import pathlib
import shutil
import statistics
import sys
import tempfile
import threading
import time

import programs
import stores
import workloads
from programs import BenchError

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHANGES = 8
REVOKED_MAX_S = 2.0
SWAP_MAX_MS = 50.0  # of the control thread's CPU time
LINES = 8
SETTLE_S = 1.0
BODY = json.dumps({"model": "gpt-5-mini", "input": "Hello", "start_within": "default"})


class Line:
    """A connection that is kept, on which requests follow each other."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, key):
        self.connection.request("POST", "/v1/responses", BODY, {
            "authorization": f"Bearer {key}", "content-type": "application/json"})
        response = self.connection.getresponse()
        response.read()
        return response.status


def thread_cpu_ms(pid):
    """CPU time by the names of the threads; the control thread is the process's first."""
    times = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = "control" if task.name == str(pid) else (task / "comm").read_text().strip()
        times[name] = int((task / "schedstat").read_text().split()[0]) / 1e6
    return times


class Load:
    """Asks with one key all the time and keeps the slowest answers by when they came."""

    def __init__(self, port, key):
        self.port, self.key = port, key
        self.slowest_ms = 0.0
        self.failed = None
        self.running = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        line = Line(self.port)
        while self.running and not self.failed:
            start = time.perf_counter()
            status = line.ask(self.key)
            self.slowest_ms = max(self.slowest_ms, (time.perf_counter() - start) * 1000)
            if status != 200:
                self.failed = f"status {status} for a good key"

    def stop(self):
        self.running = False
        self.thread.join()
        if self.failed:
            raise BenchError(self.failed)


def wait_status(lines, key, status, limit_s=10.0):
    """Milliseconds until the last of the lines gets this status."""
    start = time.perf_counter()
    waiting = list(lines)
    while waiting:
        waiting = [line for line in waiting if line.ask(key) != status]
        if time.perf_counter() - start > limit_s:
            raise BenchError(f"no {status} for a key within {limit_s:g} s")
    return (time.perf_counter() - start) * 1000


def measure(flexd, store, flexd_port):
    lines = [Line(flexd_port) for _ in range(LINES)]
    revoked, keeper, control = [], [], []
    pid = flexd.process.popen.pid
    time.sleep(SETTLE_S)
    idle = thread_cpu_ms(pid)
    time.sleep(SETTLE_S)
    idle = {name: spent - idle.get(name, 0.0) for name, spent in thread_cpu_ms(pid).items()}
    load = Load(flexd_port, store.key)
    try:
        time.sleep(SETTLE_S)
        calm_ms, load.slowest_ms = load.slowest_ms, 0.0
        for _ in range(CHANGES):
            made = store.create_key()
            wait_status(lines, made["key"], 200)
            time.sleep(SETTLE_S)
            before, began = thread_cpu_ms(pid), time.perf_counter()
            store.revoke(made["id"])
            revoked.append(wait_status(lines, made["key"], 401))
            time.sleep(SETTLE_S)
            after, seconds = thread_cpu_ms(pid), time.perf_counter() - began
            spent = {name: after[name] - before.get(name, 0.0) - idle.get(name, 0.0) * seconds
                     / SETTLE_S for name in after}
            keeper.append(spent["flexd-keeper"])
            control.append(spent["control"])
    finally:
        load.stop()
    return {"revoked": revoked, "keeper": keeper, "control": control, "calm_ms": calm_ms,
            "swap_ms": load.slowest_ms}


def describe(name, values):
    middle = {key: statistics.median(values[key]) for key in ("revoked", "keeper", "control")}
    print(f"{name}: a revoked key is refused everywhere after {middle['revoked']:.0f} ms (at most "
          f"{max(values['revoked']):.0f}); CPU of a change: keeper {middle['keeper']:.1f} ms, "
          f"control thread {middle['control']:.2f} ms; slowest answer {values['swap_ms']:.1f} ms, "
          f"without changes {values['calm_ms']:.1f} ms")
    problems = []
    if max(values["revoked"]) > REVOKED_MAX_S * 1000:
        problems.append(f"{name}: a revoked key was served for longer than {REVOKED_MAX_S:g} s")
    if statistics.median(values["control"]) > SWAP_MAX_MS:
        problems.append(f"{name}: a swap cost the control thread more than {SWAP_MAX_MS:g} ms")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    arguments = parser.parse_args()
    build = arguments.build
    directory = pathlib.Path(tempfile.mkdtemp(prefix="flexkeys-"))
    problems, running = [], []
    try:
        origin = programs.start_flexsim(build / "tools" / "flexsim" / "flexsim",
                                        directory / "origin")
        running.append(origin)
        for name, count in workloads.STORES.items():
            folder = directory / name.replace(" ", "-")
            store = stores.Store(build / "src" / "ctl" / "flexctl", folder / "store", count)
            flexd = programs.start_flexd(
                build / "src" / "app" / "flexd", origin, folder, store=store, name=name,
                extra=["--auth-failures-per-minute", "0"])
            running.append(flexd)
            problems += describe(name, measure(flexd, store, flexd.port))
            flexd.process.stop()
    except (BenchError, OSError) as error:
        problems.append(str(error))
    finally:
        for one in reversed(running):
            one.process.stop()
        shutil.rmtree(directory, ignore_errors=True)
    for problem in problems:
        print(f"keys.py: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
