// openai.test.mjs: the official OpenAI SDK against flexd. SDK names the package: openai or openai7.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  apiKey, attempts, baseURL, checkAbort, model, newTrace, report, thrown,
} from "./common.mjs";

const sdk = await import(process.env.SDK);
const OpenAI = sdk.default;
const client = new OpenAI({ apiKey, baseURL, maxRetries: 0 });

function request(start_within, input = "Hello", more = {}) {
  return { model, input, start_within, metadata: { trace: newTrace() }, ...more };
}

after(() => console.log(`# ${process.env.SDK} on Node.js ${process.version}`));

for (const [window, reason, tier] of [
  ["default", "tier_direct", "default"],
  ["priority", "tier_direct", "priority"],
  ["auto", "tier_direct", "auto"],
  ["00h-00m-30s", "flex_won", "flex"],
]) {
  test(`create with ${window}`, async () => {
    const call = client.responses.create(request(window));
    const { data, response, request_id } = await call.withResponse();
    assert.equal(data.output_text, "Hello! This is a simulated answer.");
    assert.equal(data.status, "completed");
    assert.equal(response.headers.get("x-flexinference-routing-reason"), reason);
    assert.equal(response.headers.get("x-flexinference-served-tier"), tier);
    assert.equal(response.headers.get("x-flexinference-served-provider"), "openai");
    assert.match(request_id, /^req_/);
    assert.equal(data._request_id, response.headers.get("x-request-id"));
  });

  test(`create with stream and ${window}`, async () => {
    const stream = await client.responses.create(request(window, "Hello", { stream: true }));
    const types = [];
    let text = "";
    for await (const event of stream) {
      assert.equal(event.sequence_number, types.length);
      types.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    assert.equal(text, "Hello! This is a simulated answer.");
    assert.equal(types[0], "response.created");
    assert.equal(types.at(-1), "response.completed");
  });

  test(`the stream helper with ${window}`, async () => {
    const stream = client.responses.stream(request(window));
    const deltas = [];
    stream.on("response.output_text.delta", (event) => deltas.push(event.delta));
    const final = await stream.finalResponse();
    assert.equal(final.output_text, "Hello! This is a simulated answer.");
    assert.equal(deltas.join(""), final.output_text);
  });
}

for (const play of ["tool-call", "reasoning", "split-bytes", "incomplete", "huge-event 200000"]) {
  test(`the stream helper with ${play}`, async () => {
    const params = request("00h-00m-30s", `[flexsim:${play}]`);
    const final = await client.responses.stream(params).finalResponse();
    assert.equal(final.status, play === "incomplete" ? "incomplete" : "completed");
    assert.ok(final.output.length > 0);
    const whole = await client.responses.create({ ...params, stream: false });
    assert.deepEqual(whole.output.map((item) => item.type), final.output.map((item) => item.type));
  });
}

test("queued with keepalives, then started", async () => {
  const params = request("00h-00m-30s", "[flexsim:queue 300ms every=50ms]");
  const final = await client.responses.stream(params).finalResponse();
  assert.equal(final.status, "completed");
  assert.deepEqual((await attempts(params.metadata.trace)).map((a) => a.tier), ["flex"]);
});

test("flex refused: the standard attempt answers", async () => {
  const params = request("00h-00m-30s", "[flexsim:refuse]");
  const { data, response } = await client.responses.create(params).withResponse();
  assert.equal(data.status, "completed");
  assert.equal(response.headers.get("x-flexinference-routing-reason"), "flex_capacity");
});

test("models", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes("gpt-5.4"));
  const one = await client.models.retrieve("gpt-5.4");
  assert.equal(one.object, "model");
  assert.deepEqual(one.flexinference.providers, ["openai"]);
  const error = await thrown(client.models.retrieve("a/b c"));
  assert.ok(error instanceof OpenAI.NotFoundError, error);
  assert.equal(error.code, "model_not_found");
});

test("invalid key", async () => {
  const wrong = new OpenAI({ apiKey: `flex_live_${"0".repeat(30)}`, baseURL });
  const error = await thrown(wrong.responses.create(request("default")));
  assert.ok(error instanceof OpenAI.AuthenticationError, error);
  assert.deepEqual([error.status, error.code, error.type, error.param],
    [401, "invalid_api_key", "authentication_error", null]);
  assert.match(error.requestID, /^req_/);
});

test("no key", async () => {
  const error = await thrown(
    client.responses.create(request("default"), { headers: { authorization: null } }));
  assert.ok(error instanceof OpenAI.AuthenticationError, error);
  assert.equal(error.code, "missing_api_key");
});

for (const [name, change, code, param] of [
  ["start_within in a wrong form", { start_within: "30s" }, "invalid_start_within", "start_within"],
  ["start_within null", { start_within: null }, "invalid_start_within", "start_within"],
  ["no start_within", { start_within: undefined }, "missing_start_within", "start_within"],
  ["service_tier", { service_tier: "flex" }, "service_tier_not_allowed", "service_tier"],
  ["no model", { model: undefined }, "missing_model", "model"],
  ["background", { background: true }, "unsupported_parameter", "background"],
]) {
  test(name, async () => {
    const params = { ...request("default"), ...change };
    const error = await thrown(client.responses.create(params));
    assert.ok(error instanceof OpenAI.BadRequestError, error);
    assert.deepEqual([error.status, error.code, error.param], [400, code, param]);
    assert.equal((await attempts(params.metadata.trace)).length, 0);
  });
}

test("unknown URL", async () => {
  const lost = new OpenAI({ apiKey, baseURL: `${baseURL}/v1`, maxRetries: 0 });
  const error = await thrown(lost.responses.create(request("default")));
  assert.ok(error instanceof OpenAI.NotFoundError, error);
  assert.equal(error.code, "unknown_url");
});

for (const bytes of [1_000_100, 1_900_000, 8_000_000]) {
  test(`a body of ${bytes} bytes is a 413 that can be read`, async () => {
    const error = await thrown(client.responses.create(request("default", "x".repeat(bytes))));
    assert.deepEqual([error.status, error.code], [413, "request_too_large"]);
    const after = await client.responses.create(request("default"));
    assert.equal(after.status, "completed");
  });
}

for (const [status, type] of [
  [400, OpenAI.BadRequestError],
  [401, OpenAI.AuthenticationError],
  [429, OpenAI.RateLimitError],
  [500, OpenAI.InternalServerError],
]) {
  test(`${status} of the provider`, async () => {
    const error = await thrown(
      client.responses.create(request("default", `[flexsim:error ${status}]`)));
    assert.ok(error instanceof type, error);
    assert.equal(error.status, status);
    assert.match(error.requestID, /^req_[0-9a-f]{32}$/, "the provider's own");
    const streamed = await thrown(
      client.responses.create(request("default", `[flexsim:error ${status}]`, { stream: true })));
    assert.ok(streamed instanceof type, streamed);
  });
}

test("a retry helps with a 500 of the provider", async () => {
  const patient = new OpenAI({ apiKey, baseURL, maxRetries: 3 });
  const params = request("default", "[flexsim:error 500 times=1]");
  const answer = await patient.responses.create(params);
  assert.equal(answer.status, "completed");
  assert.equal((await attempts(params.metadata.trace)).length, 2);
});

test("what no retry can help with is not retried", async () => {
  let calls = 0;
  const counting = (...args) => {
    calls++;
    return fetch(...args);
  };
  const eager = new OpenAI({ apiKey, baseURL, maxRetries: 4, fetch: counting });
  const more = { model: "claude-x", max_output_tokens: 9 };
  await thrown(eager.responses.create(request("00h-00m-30s", "x", more)));
  assert.equal(calls, 1);
});

test("a spent race is retried once at most", async () => {
  // The attempt breaks after commit: 502. The first retry says that it is one, and its 502 tells
  // the SDK to stop.
  const params = request("00h-00m-30s", "[flexsim:die-mid]");
  const error = await thrown(
    new OpenAI({ apiKey, baseURL, maxRetries: 4 }).responses.create(params));
  assert.deepEqual([error.status, error.code], [502, "upstream_stream_failed"]);
  assert.equal((await attempts(params.metadata.trace)).filter((a) => a.tier === "flex").length, 2);
});

test("response.failed after the start", async () => {
  const params = request("00h-00m-30s", "[flexsim:failed-after-start server_error]");
  const final = await client.responses.stream(params).finalResponse();
  assert.equal(final.status, "failed");
  assert.equal(final.error.code, "server_error");
  const error = await thrown(client.responses.create(params));
  assert.ok(error instanceof OpenAI.InternalServerError, error);
  assert.equal(error.code, "server_error");
});

test("a stream that breaks is seen to have failed", async () => {
  for (const play of ["die-mid", "end-without-terminal"]) {
    const stream = await client.responses.create(
      request("default", `[flexsim:${play}]`, { stream: true }));
    let last;
    for await (const event of stream) last = event;
    assert.equal(last.type, "response.failed", play);
    assert.equal(last.response.error.code, "upstream_stream_failed");
  }
});

test("abort amid a stream", async () => {
  const params = request("00h-00m-30s", "[flexsim:stall-mid]", { stream: true });
  const stream = await client.responses.create(params);
  let abortedNs;
  for await (const event of stream) {
    if (event.type !== "response.output_text.delta") continue;
    abortedNs = process.hrtime.bigint();
    stream.controller.abort();
    break;
  }
  await checkAbort(assert, params.metadata.trace, abortedNs);
});

test("abort while the headers are withheld", async () => {
  const params = request("00h-10m-00s", "[flexsim:queue-forever]");
  const controller = new AbortController();
  const call = client.responses.create(params, { signal: controller.signal });
  const rejected = thrown(call);
  await attempts(params.metadata.trace, (all) => all.length === 1);
  const abortedNs = process.hrtime.bigint();
  controller.abort();
  assert.ok((await rejected) instanceof OpenAI.APIUserAbortError);
  await checkAbort(assert, params.metadata.trace, abortedNs);
});

test("the SDK's own timeout cancels the attempt", async () => {
  const params = request("00h-10m-00s", "[flexsim:queue-forever]");
  const error = await thrown(client.responses.create(params, { timeout: 1000 }));
  assert.ok(error instanceof OpenAI.APIConnectionTimeoutError, error);
  const [attempt] = await attempts(params.metadata.trace, (all) => all[0]?.end === "cancelled");
  assert.equal(attempt.reset_code, 8);
});

test("fifty at once", async () => {
  const ask = (i) => client.responses.create(
    request(i % 2 ? "00h-00m-30s" : "default", `[flexsim:ok bytes=${i + 1}]`));
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i)));
  answers.forEach((answer, i) => assert.equal(answer.output_text.length, i + 1));
});

test("few connections to the provider served all of this", async () => {
  const { connections, requests } = await report();
  assert.ok(requests > 80, `${requests} requests`);
  const own = new Set((await report()).records.map((record) => record.connection));
  console.log(`# ${requests} requests on ${own.size} of ${connections} connections`);
});
