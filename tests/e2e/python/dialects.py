"""The four dialects as users of the Python SDKs write them, like node/dialects.mjs.

Each class has `read(answer)`, the neutral form that node/scenarios.mjs describes, `calls(answer)`,
and `follow(params, answer, results)`, the parameters of the next turn: what the SDK gave is put
back as it is, then come the results of its calls, (id, name, text).
"""

import json


def joined(parts, kind, field="text"):
    return "".join(getattr(p, field) for p in parts if p.type == kind)


def usage_of(total, cached, output, reasoning):
    return {"input": total, "cached": cached or 0, "output": output, "reasoning": reasoning or 0}


class StreamFailed(Exception):
    pass


class Responses:
    @staticmethod
    def follow(params, answer, results):
        outputs = [{"type": "function_call_output", "call_id": call, "output": text}
                   for call, _, text in results]
        return {**params, "input": [*params["input"], *answer.output, *outputs]}

    @staticmethod
    def calls(answer):
        return [(i.call_id, i.name, json.loads(i.arguments))
                for i in answer.output if i.type == "function_call"]

    @staticmethod
    def read(answer):
        parts = [p for i in answer.output if i.type == "message" for p in i.content]
        summaries = [p for i in answer.output if i.type == "reasoning" for p in i.summary]
        refusal = joined(parts, "refusal", "refusal")
        stop = answer.status
        if stop == "completed":
            stop = "tools" if Responses.calls(answer) else "refusal" if refusal else "stop"
        elif stop == "incomplete":
            stop = {"max_output_tokens": "length", "content_filter": "safety"}[
                answer.incomplete_details.reason]
        usage = answer.usage
        return {
            "text": joined(parts, "output_text"), "thought": joined(summaries, "summary_text"),
            "refusal": refusal, "stop": stop,
            "usage": usage and usage_of(
                usage.input_tokens, usage.input_tokens_details.cached_tokens,
                usage.output_tokens, usage.output_tokens_details.reasoning_tokens)}


class Chat:
    @staticmethod
    def follow(params, answer, results):
        outputs = [{"role": "tool", "tool_call_id": call, "content": text}
                   for call, _, text in results]
        return {**params, "messages": [*params["messages"], answer.choices[0].message, *outputs]}

    @staticmethod
    def calls(answer):
        return [(c.id, c.function.name, json.loads(c.function.arguments))
                for c in answer.choices[0].message.tool_calls or []]

    @staticmethod
    def read(answer):
        message, reason = answer.choices[0].message, answer.choices[0].finish_reason
        stop = {"stop": "refusal" if message.refusal else "stop", "tool_calls": "tools",
                "content_filter": "safety"}.get(reason, reason)
        usage = answer.usage
        return {
            "text": message.content or "", "thought": "", "refusal": message.refusal or "",
            "stop": stop,
            "usage": usage and usage_of(
                usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens,
                usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens)}


class Messages:
    @staticmethod
    def follow(params, answer, results):
        outputs = [{"type": "tool_result", "tool_use_id": call, "content": text}
                   for call, _, text in results]
        return {**params, "messages": [
            *params["messages"], {"role": "assistant", "content": answer.content},
            {"role": "user", "content": outputs}]}

    @staticmethod
    def calls(answer):
        return [(b.id, b.name, b.input) for b in answer.content if b.type == "tool_use"]

    @staticmethod
    def read(answer):
        stop = {"end_turn": "stop", "tool_use": "tools", "max_tokens": "length",
                "refusal": "safety"}.get(answer.stop_reason, answer.stop_reason)
        usage = answer.usage
        details = usage.output_tokens_details
        return {
            "text": joined(answer.content, "text"),
            "thought": joined(answer.content, "thinking", "thinking"), "refusal": "",
            "stop": stop,
            "usage": usage_of(
                usage.input_tokens + (usage.cache_read_input_tokens or 0) +
                (usage.cache_creation_input_tokens or 0), usage.cache_read_input_tokens,
                usage.output_tokens, details and details.thinking_tokens)}


class Interactions:
    @staticmethod
    def follow(params, answer, results):
        steps = [s if isinstance(s, dict) else s.model_dump(exclude_none=True)
                 for s in answer.steps]
        outputs = [{"type": "function_result", "call_id": call, "name": name, "result": text}
                   for call, name, text in results]
        return {**params, "input": [*params["input"], *steps, *outputs]}

    @staticmethod
    def calls(answer):
        return [(s.id, s.name, s.arguments) for s in answer.steps or []
                if s.type == "function_call"]

    @staticmethod
    def read(answer):
        steps = answer.steps or []
        texts = [p for s in steps if s.type == "model_output" for p in s.content or []]
        summaries = [p for s in steps if s.type == "thought" for p in s.summary or []]
        stop = {"completed": "stop", "requires_action": "tools",
                "incomplete": "safety" if answer.errors else "length"}.get(
                    answer.status, answer.status)
        usage = answer.usage
        return {
            "text": joined(texts, "text"), "thought": joined(summaries, "text"), "refusal": "",
            "stop": stop,
            "usage": usage and usage_of(
                usage.total_input_tokens, usage.total_cached_tokens,
                usage.total_output_tokens + usage.total_thought_tokens,
                usage.total_thought_tokens)}


class Bag:
    """An object made of what the events of a stream told."""

    def __init__(self, **members):
        self.__dict__.update(members)

    def model_dump(self, **_):
        return {k: [p.model_dump(exclude_none=True) for p in v] if isinstance(v, list) else v
                for k, v in self.__dict__.items() if v is not None}


def fold_interaction(events):
    """The interaction that a stream tells, as its user would put it together."""
    steps = []
    for event in events:
        kind = event.event_type
        if kind == "error":
            raise StreamFailed(str(event))
        if kind == "step.start":
            members = dict(event.step.model_dump(exclude_none=True))
            members.update({name: list(getattr(event.step, name) or [])
                            for name in ("content", "summary") if hasattr(event.step, name)})
            steps.append((Bag(**members), []))
        elif kind == "step.delta":
            fold_delta(*steps[event.index], event.delta)
        elif kind == "interaction.completed":
            end = event.interaction
            if end.status == "failed":
                raise StreamFailed(str(event))
            for step, fragments in steps:
                if fragments:
                    step.arguments = json.loads("".join(fragments))
            return Bag(steps=[s for s, _ in steps], status=end.status, usage=end.usage,
                       errors=getattr(end, "errors", None))
    raise StreamFailed("no terminal event")


def fold_delta(step, fragments, delta):
    if delta.type == "text":
        if not step.content:
            step.content = [Bag(type="text", text="")]
        step.content[-1].text += delta.text
    elif delta.type == "thought_summary":
        step.summary.append(delta.content)
    elif delta.type == "thought_signature":
        step.signature = delta.signature
    elif delta.type == "arguments_delta":
        fragments.append(delta.arguments)
