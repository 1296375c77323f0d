// scenarios.mjs: what the matrix asks of every SDK, caller dialect and provider, and what has to
// come back whatever the combination. Results are in the neutral form that dialects.mjs makes of
// each SDK's own objects:
//
//   text, thought, refusal   strings, "" for none
//   calls                    [{ name, args }], args parsed
//   stop                     stop | tools | length | safety | refusal | failed
//   usage                    { input, cached, output, reasoning }: input with the cached tokens,
//                            output with those of reasoning
//
// A scenario is { name, prompt, turns }: `prompt` goes to the provider's simulator, which reads the
// marker in it, and each of `turns` is what is expected back; between two turns the calls are
// answered with `results`. `tools`, `reasoning`, `schema` and `images` shape the request. With
// `failure`, what is expected is an error: the provider's HTTP status, or `late`, one amid the
// answer, `cut` off without a word.

const hello = "Hello! This is a simulated answer.";
const thought = "**Thinking** about the request.";
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk" +
  "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const pngBytes = Buffer.from(png, "base64").length;
const url = "https://example.com/cat.png";

export const images = { base64: { data: png, mime: "image/png" }, url: { url } };
export const schema = {
  type: "object",
  properties: { city: { type: "string" }, population: { type: "integer" } },
  required: ["city", "population"],
  additionalProperties: false,
};
export const tools = [
  {
    name: "get_weather",
    description: "The weather of a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
  {
    name: "get_time",
    description: "The time",
    parameters: { type: "object", properties: {}, required: [], additionalProperties: false },
  },
];

const results = { get_weather: "22 degrees", get_time: "noon" };
const usage = (output, reasoning = 0, cached = 0) => ({ input: 100, cached, output, reasoning });
const turn = (more) => ({
  text: "", thought: "", refusal: "", calls: [], stop: "stop", usage: usage(9), ...more,
});
const weather = { name: "get_weather", args: { city: "Paris" } };
const time = { name: "get_time", args: {} };
const said = (result) => turn({ text: `The tool said: ${result}`, usage: usage(12) });

export const scenarios = [
  { name: "text", prompt: "[flexsim:ok input=100]", turns: [turn({ text: hello })] },
  {
    name: "tool call",
    prompt: "[flexsim:tool-call input=100]",
    tools,
    results,
    turns: [turn({ calls: [weather], stop: "tools" }), said("22 degrees")],
  },
  {
    name: "parallel calls",
    prompt: "[flexsim:tools]",
    tools,
    results,
    turns: [
      turn({ calls: [weather, time], stop: "tools", usage: usage(30) }),
      said("22 degrees | noon"),
    ],
  },
  {
    name: "reasoning",
    prompt: "[flexsim:reasoning input=100]",
    reasoning: true,
    turns: [turn({ text: hello, thought, usage: usage(73, 64) })],
  },
  {
    name: "reasoning, tools",
    prompt: "[flexsim:reasoning-tools]",
    reasoning: true,
    tools,
    results,
    turns: [
      turn({ calls: [weather], thought, stop: "tools", usage: usage(84, 64) }),
      said("22 degrees"),
    ],
  },
  {
    name: "refusal",
    prompt: "[flexsim:refusal]",
    // OpenAI's refusal is a part of its own; of the others it is a text that was blocked.
    turns: {
      openai: [turn({ refusal: "I cannot help with that.", stop: "refusal", usage: usage(8) })],
      gemini: [turn({ text: "I cannot help with that.", stop: "safety", usage: usage(8) })],
      anthropic: [turn({ text: "I cannot help with that.", stop: "safety", usage: usage(8) })],
    },
  },
  {
    name: "length stop",
    prompt: "[flexsim:incomplete input=100]",
    turns: [turn({ text: hello, stop: "length" })],
  },
  {
    name: "safety stop",
    prompt: "[flexsim:incomplete content_filter input=100]",
    turns: [turn({ text: hello, stop: "safety" })],
  },
  {
    name: "image, base64",
    prompt: "[flexsim:image]",
    images: [images.base64],
    turns: [turn({ text: `1 image: image/png base64 ${pngBytes} bytes`, usage: usage(20) })],
  },
  {
    name: "image, URL",
    prompt: "[flexsim:image]",
    images: [images.url],
    turns: [turn({ text: `1 image: url ${url}`, usage: usage(20) })],
  },
  {
    name: "structured output",
    prompt: "[flexsim:json]",
    schema,
    turns: [turn({ text: '{"city":"Paris","population":2100000}', usage: usage(16) })],
  },
  {
    name: "unicode",
    prompt: "[flexsim:unicode] žluťoučký 😀 \u2028 \"quoted\" \\ \u0001",
    turns: [turn({ text: 'Café "au lait" \\o/ 😀\nÜber €', usage: usage(20) })],
  },
  {
    name: "cached input",
    prompt: "[flexsim:cached]",
    turns: [turn({ text: hello, usage: usage(50, 20, 60) })],
  },
  {
    name: "one byte at a time",
    prompt: "[flexsim:split-bytes input=100]",
    turns: [turn({ text: hello })],
  },
  { name: "provider error 400", prompt: "[flexsim:error 400]", failure: { status: 400 } },
  { name: "provider error 429", prompt: "[flexsim:error 429 slow_down]", failure: { status: 429 } },
  { name: "provider error 500", prompt: "[flexsim:error 500]", failure: { status: 500 } },
  { name: "in-stream failure", prompt: "[flexsim:failed-after-start]", failure: { late: true } },
  { name: "in-stream error", prompt: "[flexsim:error-event-after]", failure: { late: true } },
  { name: "stream cut", prompt: "[flexsim:die-mid]", failure: { late: true, cut: true } },
  {
    name: "no terminal event",
    prompt: "[flexsim:end-without-terminal]",
    failure: { late: true, cut: true },
  },
];

// differences are what a caller gets otherwise than from its own provider, because its dialect has
// no better word for it. `readme` is the row that says so in the README, in the table of "What is
// translated, and what differs"; test_readme.py looks for it there.
export const differences = [
  {
    caller: "chat",
    scenarios: ["reasoning", "reasoning, tools"],
    readme: "| Chat | all | the text of thoughts |",
    change: (turn) => ({ ...turn, thought: "" }),
  },
  {
    caller: "interactions",
    provider: "openai",
    scenarios: ["refusal"],
    readme: "| Interactions | OpenAI | a refusal |",
    change: (turn) => ({ ...turn, text: turn.refusal, refusal: "", stop: "stop" }),
  },
  {
    caller: "messages",
    provider: "openai",
    scenarios: ["refusal"],
    readme: "| Messages | OpenAI | a refusal |",
    change: (turn) => ({ ...turn, text: turn.refusal, refusal: "", stop: "safety" }),
  },
];

// expectedTurns are the turns of a scenario for one caller and provider.
export function expectedTurns(scenario, caller, provider) {
  const turns = scenario.turns[provider] ?? scenario.turns;
  const differs = differences.filter((d) => d.caller === caller &&
    (!d.provider || d.provider === provider) && d.scenarios.includes(scenario.name));
  return turns.map((turn) => differs.reduce((result, d) => d.change(result), turn));
}
