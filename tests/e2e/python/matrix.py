"""The Python SDKs of this interpreter with every surface, provider and scenario, like
node/matrix.test.mjs. Scenarios come from node/print_scenarios.mjs, as the file SCENARIOS.

FLEXD_URL, FLEXD_KEY: flexd. With FLEXSIM_URL instead each SDK asks its own provider there.
"""

import concurrent.futures
import contextlib
import faulthandler
import gc
import json
import os
import sys
import threading
import traceback

import anthropic
import openai
from google import genai

from dialects import (Chat, Interactions, Messages, Responses, StreamFailed, fold_interaction)

DIRECT = os.environ.get("FLEXSIM_URL")
URL = DIRECT or os.environ["FLEXD_URL"]
MODELS = {"openai": "gpt-5.4", "gemini": "gemini-3.5-flash", "anthropic": "claude-opus-4-8"}
OWN = {"responses": "openai", "interactions": "gemini", "messages": "anthropic"}
WINDOWS = {"openai": ["default", "00h-00m-30s"], "gemini": ["default", "00h-00m-30s"],
           "anthropic": ["default"]}
TOLD = ("An error occurred", "An internal error", "The server had an error",
        "Internal server error")


def key(own):
    return own if DIRECT else os.environ["FLEXD_KEY"]


class Clients(threading.local):
    """The SDKs' clients, of each thread its own: a pool that threads share may close an idle
    connection as expired which another thread has just begun to use (httpcore 1.0.9).
    """

    def __init__(self):
        super().__init__()
        self.openai = CLOSING.enter_context(openai.OpenAI(
            base_url=URL + "/v1", api_key=key("sk-test"), max_retries=0))
        self.anthropic = CLOSING.enter_context(anthropic.Anthropic(
            base_url=URL, api_key=key("sk-ant-test"), max_retries=0))
        self.genai = genai.Client(api_key=key("AIza-test"), http_options={
            "base_url": URL, "retry_options": {"attempts": 1}})


CLOSING = contextlib.ExitStack()
CLIENTS = Clients()


def final(context, getter):
    with context as stream:
        for _ in stream:
            pass
        return getattr(stream, getter)()


def final_response(context):
    """get_final_response() raises for answers that were cut; their last event has them."""
    with context as stream:
        for event in stream:
            if event.type == "error":
                raise StreamFailed(str(event))
            if event.type in ("response.incomplete", "response.failed"):
                return event.response
        return stream.get_final_response()


def final_completion(context):
    """The helper raises for every answer that was cut, with the answer in the error."""
    try:
        return final(context, "get_final_completion")
    except openai.LengthFinishReasonError as error:
        return error.completion
    except openai.ContentFilterFinishReasonError as error:
        return getattr(error, "completion", None)  # from 3.x on


def interact(**params):
    return CLIENTS.genai.interactions.create(**params)


def interact_streaming(**params):
    with interact(stream=True, **params) as stream:
        return fold_interaction(stream)


# The dialect of a surface, and the ways in which its SDK asks.
SURFACES = {
    "responses": (Responses, {
        "whole": lambda **p: CLIENTS.openai.responses.create(**p),
        "stream": lambda **p: final_response(CLIENTS.openai.responses.stream(**p))}),
    "chat": (Chat, {
        "whole": lambda **p: CLIENTS.openai.chat.completions.create(**p),
        "stream": lambda **p: final_completion(CLIENTS.openai.chat.completions.stream(
            stream_options={"include_usage": True}, **p))}),
    "messages": (Messages, {
        "whole": lambda **p: CLIENTS.anthropic.messages.create(**p),
        "stream": lambda **p: final(CLIENTS.anthropic.messages.stream(**p), "get_final_message")}),
    "interactions": (Interactions, {
        "whole": interact,
        "stream": interact_streaming}),
}


def expect(actual, expected, what):
    if actual != expected:
        raise AssertionError(f"{what}:\n  got      {actual}\n  expected {expected}")


def check_turns(dialect, ask, params, scenario, turns):
    for at, turn in enumerate(turns):
        answer = ask(**params)
        if answer is None:
            expect("safety", turn["stop"], "content filter")
            return
        calls = dialect.calls(answer)
        got = {**dialect.read(answer), "calls": [{"name": n, "args": a} for _, n, a in calls]}
        expect(got, turn, f"turn {at + 1}")
        results = [(i, name, scenario["results"][name]) for i, name, _ in calls]
        params = dialect.follow(params, answer, results)


def status_of(error):
    return getattr(error, "status_code", None) or getattr(error, "status", None)


def check_failure(case, ask, params, failure):
    surface, provider, _, mode, window = case
    # The provider's own body, or the cut of it, is relayed: nothing of flexd's is in it.
    is_relayed = OWN.get(surface) == provider and mode == "whole" and window == "default"
    try:
        answer = ask(**params)
    except (openai.APIError, anthropic.APIError, StreamFailed, RuntimeError) as error:
        shown = f"{error} {getattr(error, 'body', '')} {error.args}"
        status = status_of(error)
    except Exception as error:  # genai's errors have no public base class of their own
        if "genai" not in type(error).__module__ and not is_relayed:
            raise
        shown, status = str(error), status_of(error)
    else:
        # The helper of Responses hands a failed answer over instead of raising.
        if not failure.get("late") or getattr(answer, "status", None) != "failed":
            raise AssertionError(f"no error: {answer}")
        shown, status = str(answer.error), None
    if "status" in failure:
        expect(status, failure["status"], shown)
    elif not is_relayed:
        words = ["upstream_stream_failed"] if failure.get("cut") else TOLD
        if not any(word in shown for word in words):
            raise AssertionError(f"does not say why: {shown}")
        if mode == "whole":
            expect(status, 502 if failure.get("cut") else 500, shown)


def run(case, scenario):
    surface, provider, _, mode, window = case
    dialect, modes = SURFACES[surface]
    params = {**scenario["requests"][surface], "model": MODELS[provider]}
    if window:
        params["extra_body"] = {"start_within": window}
    if "failure" in scenario:
        check_failure(case, modes[mode], params, scenario["failure"])
    else:
        check_turns(dialect, modes[mode], params, scenario,
                    scenario["turns"][surface][provider])


def cases(scenarios):
    for surface, (_, modes) in SURFACES.items():
        for provider in MODELS:
            if DIRECT and OWN.get(surface) != provider:
                continue
            for scenario in scenarios:
                # Without a gateway a cut answer looks different in each SDK.
                if DIRECT and scenario.get("failure", {}).get("late"):
                    continue
                for mode in modes:
                    for window in [None] if DIRECT else WINDOWS[provider]:
                        yield (surface, provider, scenario["name"], mode, window), scenario


def main():
    faulthandler.dump_traceback_later(150, exit=True)  # shows what hangs
    # A collection amid httpcore's pool may close an answer, which waits for the pool's own lock.
    gc.disable()
    with open(os.environ["SCENARIOS"], encoding="utf-8") as file:
        scenarios = json.load(file)
    failed = passed = 0
    with CLOSING, concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [(case, pool.submit(run, case, scenario)) for case, scenario in cases(scenarios)]
        for case, job in jobs:
            error = job.exception()
            passed += error is None
            failed += error is not None
            if error:
                print("not ok", *case)
                print("".join(traceback.format_exception(error)[-2:]))
                while error := error.__cause__ or error.__context__:
                    print(f"  because of {type(error).__name__}: {error}")
    print(f"openai {openai.__version__}, anthropic {anthropic.__version__}, google-genai "
          f"{genai.__version__}: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
