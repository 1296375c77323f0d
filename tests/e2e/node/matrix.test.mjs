// matrix.test.mjs: one SDK (the environment's SDK) with every surface it has, every provider, every
// scenario, streamed and not, with and without a race: the same text, calls, stop reason and usage
// come back as from the provider that the SDK was made for. SDK_DIRECT=1 asks that provider itself,
// without flexd: what is expected is what the SDK gets there. KEY_DEFAULT=1 leaves start_within to
// the key, whose default is a duration then.
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { after, describe, it } from "node:test";
import { inspect } from "node:util";
import * as dialects from "./dialects.mjs";
import { kits } from "./kits.mjs";
import { expectedTurns, scenarios } from "./scenarios.mjs";

const sdk = process.env.SDK;
const isDirect = process.env.SDK_DIRECT === "1";
const isKeyDefault = process.env.KEY_DEFAULT === "1";
const models = { openai: "gpt-5.4", gemini: "gemini-3.5-flash", anthropic: "claude-opus-4-8" };
// windows are the values of start_within; undefined leaves it out.
const windows = isDirect || isKeyDefault
  ? { openai: [undefined], gemini: [undefined], anthropic: [undefined] }
  : {
    openai: ["default", "00h-00m-30s"],
    gemini: ["default", "00h-00m-30s"],
    anthropic: ["default"],
  };
const own = { responses: "openai", interactions: "gemini", messages: "anthropic" };
const keys = { openai: "sk-test", gemini: "AIza-test", anthropic: "sk-ant-test" };

// The headers of the last answer of a case, whatever the SDK shows of them.
const headersOf = new AsyncLocalStorage();
const realFetch = globalThis.fetch;
globalThis.fetch = async (...args) => {
  const answer = await realFetch(...args);
  const record = headersOf.getStore();
  if (record) record.headers = answer.headers;
  return answer;
};

function kitFor(provider) {
  const url = isDirect ? process.env.FLEXSIM_URL : process.env.FLEXD_URL;
  return kits[sdk](sdk, url, isDirect ? keys[provider] : process.env.FLEXD_KEY);
}

function checkHeaders(headers, provider, window) {
  if (isDirect) return;
  const isRace = window ? window !== "default" : provider !== "anthropic";
  const tiers = { openai: "default", gemini: "standard", anthropic: "standard_only" };
  assert.deepEqual(
    ["provider", "tier"].map((name) => headers.get(`x-flexinference-served-${name}`)),
    [provider, isRace ? "flex" : tiers[provider]]);
  assert.equal(headers.get("x-flexinference-routing-reason"), isRace ? "flex_won" : "tier_direct");
}

// neutral is an answer without the ids of its calls, which differ from one to the next.
function neutral(dialect, answer) {
  const { calls, ...rest } = dialect.read(answer);
  return { ...rest, calls: calls.map(({ name, args }) => ({ name, args })) };
}

async function checkTurns(ask, dialect, scenario, turns, params) {
  for (const [at, expected] of turns.entries()) {
    const answer = await ask(params);
    assert.deepEqual(neutral(dialect, answer), expected, `turn ${at + 1}`);
    if (at + 1 === turns.length) break;
    const results = dialect.calls(answer).map((call) => (
      { id: call.id, name: call.name, result: scenario.results[call.name] }));
    assert.equal(new Set(results.map((result) => result.id)).size, results.length);
    params = dialect.next(params, answer, results);
  }
}

// told is what a provider's failure says amid a stream, or in the answer to a request without one;
// a stream that breaks off is told by flexd itself.
const told = /An (internal )?error (has )?occurred|The server had an error|Internal server error/;
const broken = /upstream_stream_failed/;

// checkFailure asserts that a request fails in the SDK's own way, and that its user can see why.
async function checkFailure(ask, dialect, { failure, name }, params, { surface, provider, mode }) {
  let answer;
  let error;
  try {
    answer = await ask(params);
  } catch (thrown) {
    error = thrown;
  }
  // The parsers of Responses hand a failed answer over instead of throwing.
  const isHandedOver = surface === "responses" && mode === "stream";
  if (answer) {
    assert.ok(failure.late && isHandedOver, `no error: ${JSON.stringify(answer)}`);
    assert.equal(dialect.read(answer).stop, "failed");
  }
  const shown = inspect(error ?? answer.error, { depth: 8 });
  if (failure.status) assert.equal(error.status, failure.status, shown);
  if (!failure.late) return;
  const isOwn = own[surface] === provider;
  // A body that breaks off is relayed as it is: the SDK meets what it would meet without flexd.
  if (isOwn && mode === "whole" && params.start_within === "default" && failure.cut) return;
  assert.ok(!(error instanceof TypeError || error instanceof SyntaxError), shown);
  assert.match(shown, failure.cut ? broken : told);
  if (mode === "whole") assert.equal(error.status, failure.cut ? 502 : 500, shown);
  // An error event of OpenAI's own is relayed too; the helper throws it.
  if (isHandedOver && !(isOwn && name === "in-stream error")) assert.ok(answer, shown);
}

after(() => console.log(`# ${sdk} on Node.js ${process.version}`));

for (const [surface, modes] of Object.entries(await kitFor("openai"))) {
  const dialect = dialects[surface];
  for (const [provider, model] of Object.entries(models)) {
    if (isDirect && own[surface] !== provider) continue;
    describe(`${surface} to ${provider}`, { concurrency: 8 }, () => {
      for (const scenario of scenarios) {
        // Without a gateway a cut answer looks different in each SDK.
        if (isDirect && scenario.failure?.late) continue;
        if (isKeyDefault && !["text", "tool call"].includes(scenario.name)) continue;
        for (const window of windows[provider]) {
          for (const mode of Object.keys(modes)) {
            if (mode === "parse" && !scenario.schema) continue;
            it(`${scenario.name}, ${mode}, ${window}`, { timeout: 20_000 }, async () => {
              const ask = (await kitFor(provider))[surface][mode];
              const params = { ...dialect.request(model, scenario), start_within: window };
              if (scenario.failure) {
                return checkFailure(ask, dialect, scenario, params, { surface, provider, mode });
              }
              const record = {};
              await headersOf.run(record, () => checkTurns(
                ask, dialect, scenario, expectedTurns(scenario, surface, provider), params));
              checkHeaders(record.headers, provider, window);
            });
          }
        }
      }
    });
  }
}
