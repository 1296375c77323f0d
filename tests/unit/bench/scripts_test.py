#!/usr/bin/env python3
"""Tests the parts of the bench scripts that compute. Argument: the bench folder."""

import argparse
import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, sys.argv.pop(1))

import instructions  # noqa: E402
import measure  # noqa: E402
import programs  # noqa: E402
import run  # noqa: E402
import stores  # noqa: E402
import tables  # noqa: E402
import workloads  # noqa: E402


def summary(cpu_us):
    names = ("cpu_us", "user_us", "system_us", "busy", "others", "per_second", "memory_mb",
             "p50_us", "p99_us", "late_p99_us",
             "first_event_p50_us", "first_event_p99_us", "gap_p99_us")
    return {"events_per_request": 100, "latency_rate_per_s": 10.0,
            **{name: measure.spread([cpu_us, cpu_us, cpu_us]) for name in names}}


class Aborts(unittest.TestCase):
    def test_each_abort_takes_the_first_cancel_after_it(self):
        aborts = [{"monotonic_ns": at} for at in (1000, 5000, 9000)]
        self.assertEqual(run.match_aborts(aborts, [9500, 500, 1200, 5100]), [0.2, 0.1, 0.5])

    def test_a_cancel_that_never_came_is_missed(self):
        aborts = [{"monotonic_ns": at} for at in (1000, 5000)]
        self.assertEqual(run.match_aborts(aborts, [1500]), [0.5])
        self.assertEqual(run.match_aborts(aborts, []), [])


class Costs(unittest.TestCase):
    def test_the_exact_total_is_split_as_the_ticks_are(self):
        cost = measure.Cpu(9_000_000, 30, 20) - measure.Cpu(1_000_000, 5, 5)
        total, user, system = cost.split_us(1000)
        self.assertEqual(total, 8.0)
        self.assertAlmostEqual(user, 8.0 * 25 / 40)
        self.assertAlmostEqual(user + system, total)

    def test_nothing_done_costs_nothing(self):
        self.assertEqual(measure.Cpu().split_us(0), (0, 0, 0))

    def test_our_own_process_has_a_cost_and_a_size(self):
        before = measure.read_cpu([os.getpid()])
        sum(range(300_000))
        self.assertGreater((measure.read_cpu([os.getpid()]) - before).total_ns, 0)
        self.assertGreater(measure.read_memory_mb([os.getpid()]), 1)


class Tables(unittest.TestCase):
    def test_the_cheapest_rival_is_the_measure(self):
        result = {"flexd": summary(7.5), "nginx": summary(12.0), "haproxy-h2": summary(10.0)}
        self.assertEqual(tables.best_rival(result), ("haproxy-h2", 10.0))
        text = tables.render_workload(workloads.all_workloads()["direct-64"], result)
        self.assertIn("ratio is against haproxy-h2", text)
        self.assertRegex(text, r"flexd +7\.50 .* 0\.75 ")
        self.assertIn("reached", tables.render_goals({"direct-64": result}))
        result["flexd"] = summary(9.0)
        self.assertIn("0.90, missed by 20%", tables.render_goals({"direct-64": result}))

    def test_streams_are_held_to_nginx(self):
        result = {"flexd": summary(1.0), "nginx": summary(1.1), "haproxy-h1": summary(0.5)}
        self.assertIn("of nginx: 0.91, reached", tables.render_goals({"sse": result}))
        self.assertIn("gap p99", tables.render_workload(workloads.all_workloads()["sse"], result))

    def test_what_a_translation_adds_is_told_by_the_round(self):
        result = {"flexd": summary(1.0), "flexd chat-sse": summary(3.0)}
        result["flexd"]["events_per_request"] = 200
        text = tables.render_workload(workloads.all_workloads()["sse-responses"], result)
        self.assertIn("flexd chat-sse adds 0.50 us of CPU per event (0.50 to 0.50)", text)
        self.assertIsNone(tables.best_rival(result))

    def test_without_a_rival_there_is_no_ratio(self):
        text = tables.render_workload(workloads.all_workloads()["race"], {"flexd": summary(2.0)})
        self.assertRegex(text, r"flexd +2\.00 .* - ")
        self.assertEqual(tables.render_goals({"race": {"flexd": summary(2.0)}}), "")


class Templates(unittest.TestCase):
    def test_a_word_left_over_is_an_error(self):
        with tempfile.TemporaryDirectory() as directory:
            with self.assertRaises(programs.BenchError):
                programs.render("haproxy.cfg.in", pathlib.Path(directory, "x"), {"PORT": 1})

    def test_bodies_are_json_that_can_be_filled(self):
        for workload in workloads.all_workloads().values():
            body = json.loads(workload.body)
            last = body["messages" if "messages" in body else "input"]
            text = last if isinstance(last, str) else last[-1]["content"]
            self.assertTrue(text.endswith("@PAD@"), workload.key)
            self.assertEqual(body.get("stream", False), workload.is_stream, workload.key)
            self.assertNotIn("@MARKER@", workload.body)
            self.assertLess(len(workload.body), workload.body_bytes, workload.key)

    def test_what_is_compared_is_measured_together(self):
        groups = run.group_workloads(["sse", "messages", "chat"])
        self.assertEqual([[workload.key for workload in group] for group in groups],
                         [["sse"], ["responses-2k", "messages", "chat"]])


class Instructions(unittest.TestCase):
    def compare(self, now):
        with contextlib.redirect_stdout(io.StringIO()):
            return instructions.compare({"direct": {"instructions": now}},
                                        {"direct": {"instructions": 10000}})

    def test_three_percent_is_allowed_and_no_more(self):
        self.assertEqual(self.compare(10300), [])
        self.assertEqual(self.compare(5000), [])
        self.assertEqual(len(self.compare(10301)), 1)

    def test_a_kind_without_a_baseline_is_a_problem(self):
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(len(instructions.compare({"race": {"instructions": 1}}, {})), 1)

    def test_the_total_is_read_from_callgrind(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "out")
            path.write_text("events: Ir\nfn=(1)\n0 5\n\ntotals: 123456\n")
            self.assertEqual(instructions.read_total(path), 123456)
            path.write_text("events: Ir\n")
            with self.assertRaises(programs.BenchError):
                instructions.read_total(path)

    def test_the_workers_total_is_that_of_the_busiest_other_thread(self):
        with tempfile.TemporaryDirectory() as directory:
            for number, total in (("01", 900), ("02", 10), ("03", 500)):
                pathlib.Path(directory, f"callgrind.out-{number}").write_text(f"totals: {total}\n")
            self.assertEqual(instructions.read_worker_total(pathlib.Path(directory)), 500)

    def keys(self, *costs):
        """What is wrong where a request costs so much with one key, and with many."""
        measured = iter(costs)
        arguments = argparse.Namespace(build=pathlib.Path("build"))
        with (contextlib.redirect_stdout(io.StringIO()),
              mock.patch.object(stores, "Store"), mock.patch.object(
                  instructions, "measure", lambda *_: {"instructions": next(measured)})):
            return instructions.measure_keys(arguments, pathlib.Path("."))

    def test_many_keys_may_cost_two_percent(self):
        self.assertEqual(self.keys(10000, 10200), [])
        self.assertEqual(len(self.keys(10000, 10201)), 1)


class Variants(unittest.TestCase):
    def test_each_takes_part_in_its_workload_alone(self):
        bench = run.Bench(argparse.Namespace(
            build=pathlib.Path("build"), flexd=None), pathlib.Path("."))
        bench.origin = programs.Origin("flexsim", None, 0, None)
        known = workloads.all_workloads()
        for name, expected in (("flexd", ["direct-64", "race", "keys"]),
                               (workloads.MANY_KEYS, ["keys"]), ("nginx", ["direct-64"])):
            proxy = programs.Proxy(name, None, 0)
            self.assertEqual([key for key in ("direct-64", "race", "keys")
                              if bench.can_run(proxy, known[key])], expected)


if __name__ == "__main__":
    unittest.main()
