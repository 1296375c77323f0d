#!/usr/bin/env python3
"""Measures flexd, nginx and HAProxy side by side. Start it by run.sh; README.md explains."""

import argparse
import dataclasses
import datetime
import json
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import measure
import programs
import stores
import tables
import workloads
from programs import BenchError

ROOT = pathlib.Path(__file__).resolve().parent.parent
LATENCY_LOAD = 0.6  # the open loop's share of the slowest proxy's capacity
ABORTS = 100


def parse_arguments():
    known = list(workloads.all_workloads())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build",
                        help="meson build directory (build)")
    parser.add_argument("--flexd", type=pathlib.Path, help="another flexd than the build's")
    parser.add_argument("--flexd-arg", action="append", default=[], help="a flag more for flexd")
    parser.add_argument("--origin", choices=["flexsim", "nginx"], default="flexsim",
                        help="flexsim, or an nginx that plays neither races nor aborts")
    parser.add_argument("--proxies", default="flexd,nginx,haproxy-h1,haproxy-h2")
    parser.add_argument("--workloads", default=",".join(known),
                        help="of " + " ".join(known) + "; 'direct' means all three of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s: a check, no result")
    parser.add_argument("--proxy-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1, help="for the origin and flexbench")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "bench" / "results")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 2, 1.0
    wanted = []
    for key in arguments.workloads.split(","):
        found = [key] if key in known else [
            name for name in known if key == "direct" and name.startswith("direct-")]
        if not found:
            parser.error(f"no workload {key!r}; there are {', '.join(known)}")
        wanted += found
    arguments.workloads = wanted
    arguments.proxies = arguments.proxies.split(",")
    return arguments


@dataclasses.dataclass(frozen=True)
class Entrant:
    """A proxy with a workload. What is measured beside each other takes turns, round by round."""

    proxy: programs.Proxy
    workload: workloads.Workload

    @property
    def name(self):
        if self.workload.base:
            return f"{self.proxy.name} {self.workload.key}"
        return self.proxy.name


def group_workloads(keys):
    """The wanted workloads, each with those that are compared with it behind it in a list."""
    known = workloads.all_workloads()
    groups = {}
    for key in keys:
        base = known[key].base or key
        group = groups.setdefault(base, [known[base]])
        if known[key] not in group:
            group.append(known[key])
    return list(groups.values())


class Bench:
    def __init__(self, arguments, directory):
        self.arguments = arguments
        self.directory = directory
        self.flexbench_path = arguments.build / "bench" / "flexbench"
        self.flexsim_path = arguments.build / "tools" / "flexsim" / "flexsim"
        self.flexd_path = arguments.flexd or arguments.build / "src" / "app" / "flexd"
        self.origin = None
        self.proxies = []
        self.problems = []

    def start(self):
        for path in [self.flexbench_path] + (
                [self.flexsim_path] if self.arguments.origin == "flexsim" else []) + (
                [self.flexd_path] if "flexd" in self.arguments.proxies else []):
            if not path.exists():
                raise BenchError(f"{path} is missing: ninja -C {self.arguments.build}")
        if self.arguments.origin == "flexsim":
            self.origin = programs.start_flexsim(self.flexsim_path, self.directory / "origin",
                                                 self.arguments.load_core)
        else:
            self.origin = programs.start_nginx_origin(self.directory / "origin",
                                                      self.arguments.load_core)
        for name in self.arguments.proxies:
            self.proxies.append(self.start_proxy(name, self.directory / name))
        known = workloads.all_workloads()
        if "flexd" in self.arguments.proxies:
            for name in {v: 0 for key in self.arguments.workloads for v in known[key].variants}:
                self.proxies.append(self.start_variant(name))

    def start_proxy(self, name, directory):
        core = self.arguments.proxy_core
        if name == "flexd":
            return programs.start_flexd(self.flexd_path, self.origin, directory, core,
                                        self.arguments.flexd_arg)
        if name == "nginx":
            return programs.start_nginx(self.origin, directory, core)
        if name in ("haproxy-h1", "haproxy-h2"):
            return programs.start_haproxy(self.origin, directory, core,
                                          "h2" if name == "haproxy-h2" else "http/1.1")
        raise BenchError(f"no proxy {name!r}")

    def start_variant(self, name):
        directory = self.directory / name.replace(" ", "-")
        store = stores.Store(self.arguments.build / "src" / "ctl" / "flexctl", directory / "store",
                             workloads.STORES[name])
        return programs.start_flexd(self.flexd_path, self.origin, directory,
                                    self.arguments.proxy_core, self.arguments.flexd_arg,
                                    store=store, name=name)

    def stop(self):
        for process in [proxy.process for proxy in self.proxies] + (
                [self.origin.process] if self.origin else []):
            process.stop()

    def load(self, proxy, workload, **flags):
        return programs.flexbench(self.flexbench_path, proxy, workload, self.directory,
                                  self.arguments.load_core, **flags)

    def can_run(self, proxy, workload):
        if proxy.name != "flexd" and (
                workload.only_flexd or proxy.is_flexd) and proxy.name not in workload.variants:
            return False
        is_strange = self.origin.kind != "flexsim" and (
            workload.needs_flexsim or (proxy.is_flexd and workload.is_stream))
        return not is_strange

    def run_group(self, group):
        """Everything about a workload and those that are compared with it: name -> measurements.
        Nothing if no proxy can run any."""
        entrants = [Entrant(proxy, workload) for workload in group for proxy in self.proxies
                    if self.can_run(proxy, workload)]
        run = self.measure_aborts if group[0].is_abort else self.measure_load
        for workload in group:
            print(f"{workload.key}: {workload.title}", file=sys.stderr)
        return run(entrants)

    def guarded(self, entrants, action):
        """Runs `action` for each; one that fails is reported and left out from there on."""
        for entrant in list(entrants):
            try:
                action(entrant)
            except (BenchError, OSError) as error:
                self.problems.append(f"{entrant.workload.key}: {error}")
                print("  " + self.problems[-1], file=sys.stderr)
                entrants.remove(entrant)

    def measure_load(self, entrants):
        samples = {entrant.name: Samples() for entrant in entrants}

        def warm_up(entrant):
            sample, workload = samples[entrant.name], entrant.workload
            sample.events = self.load(entrant.proxy, workload, connections=1, count=1)["events"]
            warm = self.load(entrant.proxy, workload, connections=workload.connections,
                             seconds=max(1.0, self.arguments.seconds / 2),
                             expect_events=sample.events)
            sample.capacity = warm["requests_per_s"]
        self.guarded(entrants, warm_up)
        counts = {samples[entrant.name].events for entrant in entrants
                  if not entrant.workload.base}
        if len(counts) > 1:
            raise BenchError(f"{entrants[0].workload.key}: the proxies pass on different numbers "
                             "of events")
        rate = LATENCY_LOAD * min((samples[entrant.name].capacity for entrant in entrants),
                                  default=0)
        for index in range(self.arguments.rounds if entrants else 0):
            turn = index % max(len(entrants), 1)  # nobody always goes first
            order = entrants[turn:] + entrants[:turn]
            self.guarded(order, lambda entrant: self.one_round(
                entrant.proxy, entrant.workload, samples[entrant.name], rate))
            entrants = [entrant for entrant in entrants if entrant in order]
            print(f"  round {index + 1} of {self.arguments.rounds}", file=sys.stderr)
        return {entrant.name: samples[entrant.name].summary(rate) for entrant in entrants}

    def one_round(self, proxy, workload, sample, rate):
        common = {"connections": workload.connections, "seconds": self.arguments.seconds,
                  "expect_events": sample.events}
        pids = proxy.process.pids()
        before, core_before = measure.read_cpu(pids), measure.read_core(self.arguments.proxy_core)
        full = self.load(proxy, workload, **common)
        cost = measure.read_cpu(pids) - before
        core = measure.read_core(self.arguments.proxy_core) - core_before
        units = full["events"] if workload.is_stream else full["requests"]
        total, user, system = cost.split_us(units)
        sample.add(cpu_us=total, user_us=user, system_us=system,
                   busy=cost.total_ns / 1e9 / full["elapsed_s"],
                   others=max(0.0, core - cost.total_ns / 1e9) / full["elapsed_s"],
                   per_second=full["events_per_s" if workload.is_stream else "requests_per_s"],
                   memory_mb=measure.read_memory_mb(pids))
        paced = self.load(proxy, workload, rate=f"{rate:.1f}", **common)
        sample.add(p50_us=paced["latency_us"]["p50"], p99_us=paced["latency_us"]["p99"],
                   late_p99_us=paced["send_delay_us"]["p99"])
        if workload.is_stream:
            sample.add(first_event_p50_us=paced["first_event_us"]["p50"],
                       first_event_p99_us=paced["first_event_us"]["p99"],
                       gap_p99_us=paced["event_gap_us"]["p99"])

    def measure_aborts(self, entrants):
        results = {}

        def run(entrant):
            proxy, workload = entrant.proxy, entrant.workload
            seen_before = len(self.cancel_times())
            report = self.load(proxy, workload, connections=1, count=ABORTS, abort_after=10)
            limit = time.monotonic() + 3
            seen = self.cancel_times()[seen_before:]
            while len(seen) < ABORTS and time.monotonic() < limit:
                time.sleep(0.05)
                seen = self.cancel_times()[seen_before:]
            latencies = match_aborts(report["aborts"], seen)
            if len(latencies) != ABORTS:
                raise BenchError(f"{proxy.name}: the origin saw {len(latencies)} of {ABORTS}")
            latencies.sort()
            results[proxy.name] = {
                "aborts": ABORTS, "p50_us": latencies[ABORTS // 2],
                "p99_us": latencies[ABORTS * 99 // 100 - 1], "max_us": latencies[-1]}
        self.guarded(entrants, run)
        return results

    def cancel_times(self):
        """CLOCK_MONOTONIC nanoseconds at which the origin saw a stream reset or cut by its peer."""
        try:
            return [record["end_ns"] for record in self.origin.report()["records"]
                    if record["end"] in ("cancelled", "connection_closed")]
        except (KeyError, TypeError):
            raise BenchError("flexsim's report has no records of cancels") from None


def match_aborts(aborts, cancels):
    """Microseconds from each abort to the first cancel after it; one cancel serves one abort."""
    latencies = []
    cancels = sorted(cancels)
    for abort in aborts:
        while cancels and cancels[0] < abort["monotonic_ns"]:
            cancels.pop(0)
        if cancels:
            latencies.append((cancels.pop(0) - abort["monotonic_ns"]) / 1000)
    return latencies


class Samples:
    """What the rounds gave for one proxy and one workload."""

    def __init__(self):
        self.events = 0
        self.capacity = 0.0
        self.values = {}

    def add(self, **values):
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def summary(self, rate):
        return {"events_per_request": self.events, "latency_rate_per_s": rate,
                **{name: measure.spread(values) for name, values in self.values.items()}}


def main():
    arguments = parse_arguments()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="flexbench-"))
    bench = Bench(arguments, directory)
    results = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the children are stopped
    try:
        bench.start()
        machine = measure.describe_machine(ROOT, {
            "nginx": [programs.find_tool("nginx"), "-v"],
            "haproxy": [programs.find_tool("haproxy"), "-v"],
            **({"flexd": [bench.flexd_path, "--version"]} if "flexd" in arguments.proxies else {})})
        machine["origin"] = bench.origin.kind
        print(tables.render_machine(machine, arguments))
        for group in group_workloads(arguments.workloads):
            workload = group[0]
            result = bench.run_group(group)
            if result:
                results[workload.key] = result
                print(tables.render_workload(workload, result), flush=True)
            else:
                print(f"{workload.key}: not run with these proxies and this origin\n")
    except BenchError as error:
        bench.problems.append(str(error))
    except KeyboardInterrupt:
        bench.problems.append("interrupted")
    finally:
        bench.stop()
        shutil.rmtree(directory, ignore_errors=True)
    for problem in bench.problems:
        print(f"run.py: {problem}", file=sys.stderr)
    if results:
        print(tables.render_goals(results))
        arguments.results.mkdir(parents=True, exist_ok=True)
        path = arguments.results / f"{datetime.datetime.now():%Y-%m-%d-%H%M%S}.json"
        path.write_text(json.dumps({
            "machine": machine, "rounds": arguments.rounds, "seconds": arguments.seconds,
            "results": results, "problems": bench.problems}, indent=1) + "\n")
        print(f"written to {path}")
    return 1 if bench.problems or not results else 0


if __name__ == "__main__":
    sys.exit(main())
