// flexinference.test.mjs: FlexInference's own SDK against flexd, with its baseURL set.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FlexInference, FlexInferenceError, StreamFailedError, outputText } from "flexinference";
import { apiKey, attempts, baseURL, checkAbort, model, newTrace, thrown } from "./common.mjs";

const client = new FlexInference({ apiKey, baseURL });

function request(start_within, input = "Hello", more = {}) {
  return { model, input, start_within, metadata: { trace: newTrace() }, ...more };
}

for (const window of ["default", "priority", "auto", "00h-00m-30s"]) {
  test(`create with ${window}`, async () => {
    const answer = await client.responses.create(request(window));
    assert.equal(outputText(answer), "Hello! This is a simulated answer.");
  });

  test(`stream with ${window}`, async () => {
    let text = "";
    let last;
    const stream = await client.responses.create(request(window, "Hello", { stream: true }));
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event;
    }
    assert.equal(text, "Hello! This is a simulated answer.");
    assert.equal(last.type, "response.completed");
    const tier = { "00h-00m-30s": "flex", auto: "default" }[window] ?? window;
    assert.equal(last.response.service_tier, tier);
  });
}

test("an error of the gateway", async () => {
  const error = await thrown(
    client.responses.create(request("00h-00m-30s", "x", { model: "gpt-4o" })));
  assert.ok(error instanceof FlexInferenceError, error);
  assert.deepEqual([error.status, error.code, error.type, error.param],
    [400, "model_not_flex_capable", "invalid_request_error", "model"]);
  assert.match(error.docUrl, /#model_not_flex_capable$/);
  const wrong = new FlexInference({ apiKey: "flex_live_x", baseURL });
  assert.equal((await thrown(wrong.responses.create(request("default")))).code, "invalid_api_key");
});

test("an error of the provider", async () => {
  const error = await thrown(client.responses.create(request("default", "[flexsim:error 429]")));
  assert.ok(error instanceof FlexInferenceError, error);
  assert.equal(error.status, 429);
  assert.ok(error.code);
});

test("a body that is too large", async () => {
  const error = await thrown(client.responses.create(request("default", "x".repeat(1_200_000))));
  assert.deepEqual([error.status, error.code], [413, "request_too_large"]);
});

test("a stream that fails raises", async () => {
  for (const play of ["failed-after-start", "die-mid", "end-without-terminal"]) {
    const stream = await client.responses.create(
      request("default", `[flexsim:${play}]`, { stream: true }));
    const error = await thrown((async () => {
      for await (const event of stream) assert.ok(event.type);
    })());
    assert.ok(error instanceof StreamFailedError, `${play}: ${error}`);
  }
});

test("time to the first byte", async () => {
  const params = request("00h-10m-00s", "[flexsim:queue-forever]");
  const error = await thrown(client.responses.create(params, { firstByteTimeout: 500 }));
  assert.match(error.message, /within 500ms/);
  const [attempt] = await attempts(params.metadata.trace, (all) => all[0]?.end === "cancelled");
  assert.equal(attempt.reset_code, 8);
});

test("idle timeout", async () => {
  const params = request("default", "[flexsim:stall-mid]", { stream: true });
  const stream = await client.responses.create(params, { idleTimeout: 500 });
  const error = await thrown((async () => {
    for await (const event of stream) assert.ok(event.type);
  })());
  assert.match(error.message, /no data for 500ms/);
  await attempts(params.metadata.trace, (all) => all[0]?.end === "cancelled");
});

test("total timeout while the body is produced", async () => {
  // The answer has started, but not ended: headers are withheld until it does.
  const params = request("00h-00m-30s", "[flexsim:stall-mid]");
  const error = await thrown(client.responses.create(params, { firstByteTimeout: 700 }));
  assert.match(error.message, /within 700ms/);
  await attempts(params.metadata.trace, (all) => all[0]?.end === "cancelled");
});

test("abort amid a stream", async () => {
  const params = request("00h-00m-30s", "[flexsim:stall-mid]", { stream: true });
  const controller = new AbortController();
  const stream = await client.responses.create(params, { signal: controller.signal });
  let abortedNs;
  await thrown((async () => {
    for await (const event of stream) {
      if (event.type !== "response.output_text.delta") continue;
      abortedNs ??= process.hrtime.bigint();
      controller.abort();
    }
  })());
  await checkAbort(assert, params.metadata.trace, abortedNs);
});
