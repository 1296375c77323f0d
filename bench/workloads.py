"""The requests that are measured. The words in [flexsim:...] choose what the simulator plays."""

import dataclasses
import json

# What flexsim is asked to do; tools/flexsim explains each.
MARKERS = {
    "direct": "",                                   # its default answer: 1 KB of JSON at once
    "race": "[flexsim:ok]",                         # the flex attempt starts without delay
    "sse": "[flexsim:ok bytes=1000 events=100]",    # 100 deltas as fast as they are taken
    "sse-paced": "[flexsim:ok bytes=1000 events=100 gap=2ms]",
    "abort": "[flexsim:ok bytes=20000 events=2000 gap=5ms]",  # more than are ever read
}


@dataclasses.dataclass(frozen=True)
class Workload:
    key: str
    title: str
    body: str
    connections: int = 64
    body_bytes: int = 1024
    is_stream: bool = False     # the unit of cost is the event
    is_abort: bool = False
    only_flexd: bool = False
    needs_flexsim: bool = False

    @property
    def unit(self):
        return "event" if self.is_stream else "request"


def body_of(kind, start_within, stream=False):
    body = {"model": "gpt-5-mini", "start_within": start_within}
    if stream:
        body["stream"] = True
    body["input"] = f"{MARKERS[kind]}@PAD@"
    return json.dumps(body, separators=(",", ":"))


def all_workloads():
    direct = body_of("direct", "default")
    made = [Workload(f"direct-{n}", f"POST 1 KB, 1 KB JSON back, {n} connections", direct, n)
            for n in (16, 64, 256)]
    made.append(Workload("race", "flex race that wins, not streamed, 64 connections",
                         body_of("race", "00h-00m-30s"), only_flexd=True, needs_flexsim=True))
    made.append(Workload("sse", "server-sent events in a burst, 64 connections",
                         body_of("sse", "default", True), is_stream=True))
    made.append(Workload("sse-paced", "server-sent events 2 ms apart, 64 connections", body_of(
        "sse-paced", "default", True), is_stream=True, needs_flexsim=True))
    made.append(Workload("abort", "client closes after 10 events; origin sees it", body_of(
        "abort", "default", True), 1, is_stream=True, is_abort=True, needs_flexsim=True))
    return {workload.key: workload for workload in made}
