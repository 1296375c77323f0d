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
    "answer-2k": "[flexsim:ok bytes=1000 events=1]",  # 2 KB of JSON when not streamed
    "answer-sse": "[flexsim:ok bytes=1000 events=100]",
}

# What the 2 KB requests say, whatever the dialect: a system text, three turns and a tool. The last
# text is filled up to the 2 KB.
SYSTEM = ("You answer questions about the weather. Say where a number comes from, use the tool "
          "for what is happening now, and do not guess.")
TURNS = [("user", "What is the difference between \"sleet\" and \"freezing rain\"?"),
         ("assistant", "Sleet freezes on its way down.\nFreezing rain freezes when it lands."),
         ("user", "@MARKER@ Then tell me about this report: @PAD@")]
TOOL = {"name": "get_weather", "description": "The weather of a place at this moment.",
        "schema": {"type": "object", "properties": {
            "city": {"type": "string", "description": "Name of the city, in English"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"], "additionalProperties": False}}

# Variants of flexd by the size of the store they serve from, beside the one with --dev.
ONE_KEY, MANY_KEYS = "flexd 1-key", "flexd 100k-keys"
STORES = {ONE_KEY: 1, MANY_KEYS: 100_000}


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
    path: str = "/v1/responses"
    # The workload that it is measured beside, round by round, and whose cost is subtracted.
    base: str = ""
    # The variants of flexd that take part: names of proxies.
    variants: tuple = ()

    @property
    def unit(self):
        return "event" if self.is_stream else "request"


def body_of(kind, start_within, stream=False):
    body = {"model": "gpt-5-mini", "start_within": start_within}
    if stream:
        body["stream"] = True
    body["input"] = f"{MARKERS[kind]}@PAD@"
    return json.dumps(body, separators=(",", ":"))


def responses_2k():
    return {"instructions": SYSTEM,
            "input": [{"role": role, "content": text} for role, text in TURNS],
            "tools": [{"type": "function", "name": TOOL["name"], "strict": True,
                       "description": TOOL["description"], "parameters": TOOL["schema"]}],
            "max_output_tokens": 1000}


def chat_2k():
    turns = [("system", SYSTEM), *TURNS]
    return {"messages": [{"role": role, "content": text} for role, text in turns],
            "tools": [{"type": "function", "function": {
                "name": TOOL["name"], "strict": True, "description": TOOL["description"],
                "parameters": TOOL["schema"]}}],
            "max_completion_tokens": 1000}


def messages_2k():
    return {"system": SYSTEM,
            "messages": [{"role": role, "content": text} for role, text in TURNS],
            "tools": [{"name": TOOL["name"], "strict": True, "description": TOOL["description"],
                       "input_schema": TOOL["schema"]}],
            "max_tokens": 1000}


# Dialect -> where it is posted to, and the same request of 2 KB in it.
DIALECTS = {"responses": ("/v1/responses", responses_2k),
            "chat": ("/v1/chat/completions", chat_2k),
            "messages": ("/v1/messages", messages_2k)}


def translated_workloads():
    """One request to one provider, in its own dialect and in two that are translated."""
    made = []
    for stream in (False, True):
        marker = MARKERS["answer-sse" if stream else "answer-2k"]
        what = "100 deltas" if stream else "2 KB JSON back"
        base = "sse-responses" if stream else "responses-2k"
        for dialect, (path, request) in DIALECTS.items():
            body = {"model": "gpt-5-mini", "start_within": "default",
                    **({"stream": True} if stream else {}), **request()}
            is_base = dialect == "responses"
            made.append(Workload(
                base if is_base else dialect + ("-sse" if stream else ""),
                f"POST 2 KB in the dialect {dialect}, {what}, 64 connections",
                json.dumps(body, separators=(",", ":")).replace("@MARKER@", marker),
                body_bytes=2048, is_stream=stream, only_flexd=not is_base, needs_flexsim=True,
                path=path, base="" if is_base else base))
    return made


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
    made += translated_workloads()
    made.append(Workload(
        "keys", "POST 1 KB, 1 KB JSON back, 64 connections; from a store with 1 and 100,000 keys",
        direct, only_flexd=True, variants=(ONE_KEY, MANY_KEYS)))
    made.append(Workload("abort", "client closes after 10 events; origin sees it", body_of(
        "abort", "default", True), 1, is_stream=True, is_abort=True, needs_flexsim=True))
    return {workload.key: workload for workload in made}
