"""Coding agents in front of flexd and flexsim, in the shapes in which the real ones ask.

The requests are those of Claude Code 2.1 and Codex 0.169 with their long texts cut, as seen on the
wire: everything that a gateway could stumble over is there. A tool loop of five turns is played
with the models of every provider that the agent can use.
"""

import unittest

import harness

MODELS = ("gpt-5.4", "gemini-3.5-flash", "claude-opus-4-8")
SYSTEM = [
    {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.602;"},
    {"type": "text", "text": "You are a coding agent.", "cache_control": {"type": "ephemeral"}},
    {"type": "text", "text": "\nYou are working with the user.\n",
     "cache_control": {"type": "ephemeral", "ttl": "1h"}},
]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
              "additionalProperties": False}
USER_ID = '{"device_id":"%s","account_uuid":"","session_id":"%s"}' % ("38cd4a31" * 8, "1763" * 9)
CLAUDE_CODE_FIELDS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,"
                      "context-management-2025-06-27,mid-conversation-tool-changes-2026-07-01,"
                      "advanced-tool-use-2025-11-20,effort-2025-11-24",
    "anthropic-dangerous-direct-browser-access": "true",
    "user-agent": "claude-cli/2.1.329 (external, cli)",
    "x-app": "cli", "x-stainless-timeout": "600", "x-stainless-retry-count": "0",
}
FINAL = "The tool said: " + " | ".join(f"{n} degrees" for n in range(5))


def claude_code(model, messages):
    return {
        "model": model, "messages": messages, "system": SYSTEM,
        "tools": [
            {"name": "get_weather", "description": "The weather", "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema", **PARAMETERS}},
            {"name": "Bash", "description": "Runs a command", "input_schema": {
                "type": "object", "properties": {"command": {"type": "string"}}},
             "cache_control": {"type": "ephemeral"}},
        ],
        "metadata": {"user_id": USER_ID}, "max_tokens": 32000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"}, "stream": True,
    }


def codex(model, items):
    return {
        "client_metadata": {"thread_id": "01a1fdc1", "x-codex-window-id": "01a1fdc1:0"},
        "model": model, "stream": True, "input": items, "instructions": "You are a coding agent.",
        "tools": [{"type": "function", "name": "get_weather", "description": "The weather",
                   "strict": False, "parameters": PARAMETERS}],
        "tool_choice": "auto", "parallel_tool_calls": True, "store": False,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "01a1fdc1-794f-7f62-8012-e16fbcc2abee",
        # Codex leaves this out, and so cannot use claude-* models.
        "max_output_tokens": 32000,
    }


def fold_message(events):
    """The content and the stop reason of a stream of Messages."""
    blocks, stop = [], None
    assert events[-1][0] == "message_stop", events[-1]
    for _, event in events:
        delta = event.get("delta", {})
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            for field, into in (("text", "text"), ("thinking", "thinking"),
                                ("partial_json", "json"), ("signature", "signature")):
                if field in delta:
                    blocks[event["index"]][into] = blocks[event["index"]].get(
                        into, "") + delta[field]
        stop = delta.get("stop_reason") or stop
    for block in blocks:
        text = block.pop("json")
        if text:
            block["input"] = harness.json.loads(text)
    return blocks, stop


class Agents(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())
        cls.flexd = cls.start(harness.Flexd(
            cls.flexsim.url, "--native-parameters", "--dev-start-within", "default",
            ca=cls.flexsim.ca, env=harness.PROVIDER_KEYS))

    def ask_claude_code(self, model, messages, **more):
        answer = self.flexd.post({**claude_code(model, messages), **more}, CLAUDE_CODE_FIELDS,
                                 "/v1/messages?beta=true")
        self.assertEqual(answer.status, 200, answer.body)
        return fold_message(answer.events())

    def play_claude_code(self, model, prompt, turns):
        """Plays the loop and returns the last content; the thinking blocks go back as they came."""
        messages = [{"role": "user", "content": [
            {"type": "text", "text": "<system-reminder>\nToday is Saturday.\n</system-reminder>"},
            {"type": "text", "text": prompt, "cache_control": {"type": "ephemeral"}}]}]
        # Claude Code adds to its system prompt amid the conversation.
        messages.append({"role": "system", "content": "Available skills: none"})
        for turn in range(turns):
            content, stop = self.ask_claude_code(model, messages)
            self.assertEqual(stop, "tool_use", content)
            self.assertEqual(content[-1]["name"], "get_weather")
            self.assertEqual(content[-1]["input"], {"city": "Paris"})
            messages += [
                {"role": "assistant", "content": content},
                {"role": "user", "content": [{
                    "type": "tool_result", "tool_use_id": content[-1]["id"],
                    "content": f"{turn} degrees", "is_error": turn == 2,
                    "cache_control": {"type": "ephemeral"}}]}]
        content, stop = self.ask_claude_code(model, messages)
        self.assertEqual(stop, "end_turn")
        return messages, content

    def test_claude_code(self):
        for model in MODELS:
            with self.subTest(model):
                _, content = self.play_claude_code(model, "[flexsim:agent 5] How warm is it?", 5)
                self.assertEqual([b["text"] for b in content], [FINAL])

    def test_claude_code_with_thoughts(self):
        for model in MODELS:
            with self.subTest(model):
                messages, content = self.play_claude_code(model, "[flexsim:reasoning-tools]", 1)
                thought = next(m for m in messages if m["role"] == "assistant")["content"][0]
                self.assertGreater(len(thought.get("signature", thought.get("data"))), 60)
                self.assertEqual(content[-1]["text"], "The tool said: 0 degrees")

    def test_claude_code_changes_its_model_amid_a_conversation(self):
        messages, content = self.play_claude_code(MODELS[0], "[flexsim:reasoning-tools]", 1)
        messages += [{"role": "assistant", "content": content},
                     {"role": "user", "content": "[flexsim:ok] And now?"}]
        for model in MODELS:
            with self.subTest(model):
                content, stop = self.ask_claude_code(model, messages)
                self.assertEqual((content[-1]["text"], stop),
                                 ("Hello! This is a simulated answer.", "end_turn"))

    def test_cache_control_needs_the_flag(self):
        strict = self.run_here(harness.Flexd(
            self.flexsim.url, "--dev-start-within", "default", ca=self.flexsim.ca,
            env=harness.PROVIDER_KEYS))
        for model in MODELS:
            answer = strict.post(claude_code(model, [{"role": "user", "content": "hi"}]),
                                 CLAUDE_CODE_FIELDS, "/v1/messages?beta=true")
            self.assertEqual((answer.status, answer.code()), (400, "unsupported_parameter"))
            self.assertRegex(answer.json()["error"]["param"], "cache_control$")

    def ask_codex(self, model, items):
        answer = self.flexd.post(codex(model, items), {
            "accept": "text/event-stream", "originator": "codex_exec",
            "session-id": "01a1fdc1-794f-7f62-8012-e16fbcc2abee"})
        self.assertEqual(answer.status, 200, answer.body)
        name, event = answer.events()[-1]
        self.assertEqual(name, "response.completed")
        # Codex collects the items as they are done, not those of the last event.
        items = [e["item"] for n, e in answer.events() if n == "response.output_item.done"]
        self.assertEqual(items, event["response"]["output"])
        return items

    def play_codex(self, model, prompt, turns):
        items = [
            {"type": "message", "id": "msg_0", "role": "developer",
             "content": [{"type": "input_text", "text": "Permissions: read-only"}]},
            {"type": "message", "id": "msg_1", "role": "user",
             "content": [{"type": "input_text", "text": "<environment_context/>"}]},
            {"type": "message", "id": "msg_2", "role": "user",
             "content": [{"type": "input_text", "text": prompt}]}]
        for turn in range(turns):
            made = self.ask_codex(model, items)
            self.assertEqual((made[-1]["type"], made[-1]["arguments"]),
                             ("function_call", '{"city":"Paris"}'))
            items += made + [{"type": "function_call_output", "id": f"fco_{turn}",
                              "call_id": made[-1]["call_id"], "output": f"{turn} degrees"}]
        return items, self.ask_codex(model, items)

    def test_codex(self):
        for model in MODELS:
            with self.subTest(model):
                _, made = self.play_codex(model, "[flexsim:agent 5] How warm is it?", 5)
                self.assertEqual([p["text"] for i in made for p in i["content"]], [FINAL])

    def test_codex_with_thoughts(self):
        for model in MODELS:
            with self.subTest(model):
                items, made = self.play_codex(model, "[flexsim:reasoning-tools]", 1)
                thought = next(i for i in items if i["type"] == "reasoning")
                self.assertEqual(thought["summary"][0]["text"], "**Thinking** about the request.")
                self.assertGreater(len(thought["encrypted_content"]), 60)
                self.assertEqual(made[-1]["content"][0]["text"], "The tool said: 0 degrees")


class ProviderErrors(harness.Case):
    """An error of the provider comes back with its status and its body, byte for byte."""

    @classmethod
    def setUpClass(cls):
        cls.flexsim = cls.start(harness.Flexsim())
        cls.flexd = cls.start(harness.Flexd(
            cls.flexsim.url, ca=cls.flexsim.ca, env=harness.PROVIDER_KEYS))

    OWN = {
        "gpt-5.4": ("/v1/responses", {"authorization": "Bearer sk-flexsim"}),
        "gemini-3.5-flash": ("/v1beta/interactions", {"x-goog-api-key": "AIza-flexsim"}),
        "claude-opus-4-8": ("/v1/messages", {"x-api-key": "sk-ant-flexsim",
                                             "anthropic-version": "2023-06-01"}),
    }

    @staticmethod
    def body(path, model, prompt):
        turns = [{"role": "user", "content": prompt}]
        return {
            "/v1/responses": {"model": model, "input": prompt, "max_output_tokens": 99},
            "/v1/chat/completions": {"model": model, "messages": turns, "max_tokens": 99},
            "/v1/interactions": {"model": model, "input": prompt,
                                 "generation_config": {"max_output_tokens": 99}},
            "/v1/messages": {"model": model, "messages": turns, "max_tokens": 99},
        }[path]

    def test_all_pairs(self):
        plays = ["error 400", "error 401", "error 429 slow_down", "error 500", "error-html 502",
                 "error-empty 500", "error-badjson 400"]
        for model, (path, fields) in self.OWN.items():
            for play in plays:
                prompt = f"[flexsim:{play}]"
                own = self.flexsim.request(
                    "POST", path, harness.json.dumps(self.body(
                        path.replace("v1beta", "v1"), model, prompt)),
                    {"content-type": "application/json", **fields})
                for caller in ("/v1/responses", "/v1/chat/completions", "/v1/interactions",
                               "/v1/messages"):
                    for stream in (False, True):
                        with self.subTest(model=model, play=play, caller=caller, stream=stream):
                            answer = self.flexd.post(
                                {**self.body(caller, model, prompt), "stream": stream,
                                 "start_within": "default"}, path=caller)
                            self.assertEqual((answer.status, answer.body),
                                             (own.status, own.body))
                            self.assertEqual(answer.headers.get("content-type"),
                                             own.headers.get("content-type"))
                            # Whatever name the caller's SDK looks for, once bodies are translated.
                            for name in ("x-request-id", "request-id"):
                                if caller != path.replace("v1beta", "v1"):
                                    self.assertRegex(answer.headers[name], "^req_")


if __name__ == "__main__":
    unittest.main(verbosity=2)
