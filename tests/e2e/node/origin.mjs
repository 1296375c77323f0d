// origin.mjs: a provider made of Node's own HTTP servers, which share no code with flexd.
//
//   node origin.mjs h2|h2only|h1 CERT KEY
//
// It plays POST /v1/responses as told by `[origin:NAME]` in the request's text, or `[origin:flex
// NAME]` for flex attempts alone, and prints one JSON line for each thing that happens to a
// request: {"what", "trace", ...}; trace is metadata.trace.
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";

const [mode, certFile, keyFile] = process.argv.slice(2);
const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
const isHttp2 = (request) => request.httpVersionMajor === 2;

function tell(what, trace, more = {}) {
  process.stdout.write(`${JSON.stringify({ what, trace, at_ms: performance.now(), ...more })}\n`);
}

function* numbers() {
  for (let i = 0; ; i++) yield i;
}

// eventsOf yields the frames of a whole answer.
function* eventsOf(id, tier, words) {
  const number = numbers();
  const frame = (type, members) => {
    const data = { type, sequence_number: number.next().value, ...members };
    return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  };
  const response = {
    id, object: "response", created_at: 1790000000, status: "in_progress", error: null,
    incomplete_details: null, instructions: null, metadata: {}, model: "gpt-5.4", output: [],
    parallel_tool_calls: true, temperature: 1, tool_choice: "auto", tools: [], top_p: 1,
    service_tier: tier, usage: null,
  };
  const part = { type: "output_text", text: "", annotations: [], logprobs: [] };
  const item = {
    id: `msg_${id}`, type: "message", status: "in_progress", role: "assistant", content: [],
  };
  const at = { item_id: item.id, output_index: 0, content_index: 0 };
  yield frame("response.created", { response });
  yield frame("response.in_progress", { response });
  yield frame("response.output_item.added", { output_index: 0, item });
  yield frame("response.content_part.added", { ...at, part });
  for (const word of words) {
    yield frame("response.output_text.delta", { ...at, delta: word, logprobs: [] });
  }
  const text = words.join("");
  const done = { ...item, status: "completed", content: [{ ...part, text }] };
  yield frame("response.output_text.done", { ...at, text, logprobs: [] });
  yield frame("response.content_part.done", { ...at, part: { ...part, text } });
  yield frame("response.output_item.done", { output_index: 0, item: done });
  yield frame("response.completed", {
    response: {
      ...response, status: "completed", output: [done],
      usage: {
        input_tokens: 9, input_tokens_details: { cached_tokens: 0 }, output_tokens: words.length,
        output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 9 + words.length,
      },
    },
  });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const nap = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let served = 0;
let sessions = 0;
const sessionNumbers = new WeakMap();

async function answer(request, response, body) {
  const sent = JSON.parse(body);
  const trace = sent.metadata?.trace ?? "";
  const flex = sent.service_tier === "flex";
  const marked = (pattern) => body.match(pattern)?.[1];
  const play =
    (flex && marked(/\[origin:flex ([a-z0-9-]+)\]/)) || marked(/\[origin:([a-z0-9-]+)\]/) || "ok";
  const id = `resp_${++served}`;
  const long = () => Array.from({ length: 2000 }, (_, i) => `word ${i} `);
  const words = play === "long" ? long() : ["Hel", "lo ", "wörld"];
  const tier = sent.service_tier;
  let gone = false;
  const stream = isHttp2(request) ? response.stream : request.socket;
  response.on("close", () => {
    gone = true;
  });
  if (isHttp2(request)) {
    stream.on("aborted", () => tell("aborted", trace, { code: stream.rstCode, tier }));
    stream.on("close", () => {
      tell("close", trace, { code: stream.rstCode, tier });
    });
  } else {
    response.on("close", () =>
      tell(response.writableFinished ? "close" : "aborted", trace, { tier }));
  }
  tell("request", trace, {
    tier, stream: sent.stream, version: request.httpVersion, headers: request.headers, body,
    session: isHttp2(request) ? sessionNumbers.get(stream.session) : 0,
  });
  const common = {
    "x-request-id": `req_${id}`, "openai-processing-ms": "12", "set-cookie": "a=b",
    "x-ratelimit-limit-requests": "500", server: "origin",
  };
  if (play === "info") {
    if (isHttp2(request)) {
      stream.additionalHeaders({ ":status": 103, link: "</x>; rel=preload" });
      stream.additionalHeaders({ ":status": 103, link: "</y>; rel=preload" });
    } else {
      response.writeProcessing();
      response.writeEarlyHints({ link: "</x>; rel=preload" });
    }
  }
  if (play === "headers") {
    for (let i = 0; i < 20; i++) common[`x-filler-${i}`] = "f".repeat(500);
  }
  if (play === "error429" || play === "busy") {
    const code = play === "busy" ? "flex_unavailable" : "rate_limit_exceeded";
    const error = `{"message":"slow  down","type":"requests","param":null,"code":"${code}"}`;
    response.writeHead(429, {
      ...common, "content-type": "application/json", "retry-after": "7", "x-should-retry": "true",
    });
    response.end(`{ "error": ${error} }\n`);
    return;
  }
  if (play === "reset") {
    if (isHttp2(request)) stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    else request.socket.destroy();
    return;
  }
  if (play === "refused") {
    // Only the first stream of each trace is refused.
    if (!refused.has(trace)) {
      refused.add(trace);
      stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
  }
  const frames = [...eventsOf(id, sent.service_tier, words)];
  if (!sent.stream) {
    const whole = JSON.stringify(JSON.parse(frames.at(-1).split("data: ")[1]).response);
    if (play === "length") common["content-length"] = Buffer.byteLength(whole);
    response.writeHead(200, { ...common, "content-type": "application/json" });
    for (const half of [whole.slice(0, 40), whole.slice(40)]) {
      response.write(half);
      await turn();
    }
    response.end();
    return;
  }
  if (play === "length") common["content-length"] = Buffer.byteLength(frames.join(""));
  response.writeHead(200, { ...common, "content-type": "text/event-stream; charset=utf-8" });
  if (play === "goaway") stream.session.goaway();
  if (play === "hang") {
    response.write(frames[0] + frames[1]);
    return;
  }
  if (play === "hang-mid") {
    response.write(frames.slice(0, 6).join(""));
    return;
  }
  if (play === "cut") {
    response.write(frames.slice(0, 6).join(""), () => {
      if (isHttp2(request)) stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      else request.socket.destroy();
    });
    return;
  }
  if (play === "trailers") response.addTrailers({ "x-checksum": "42", "grpc-status": "0" });
  if (play === "slow") {
    // Pieces of 7 bytes, which cut events, escapes and characters anywhere.
    const bytes = Buffer.from(frames.join(""));
    for (let i = 0; i < bytes.length && !gone; i += 7) {
      response.write(bytes.subarray(i, i + 7));
      if (i % 70 === 0) await nap(1);
      else await turn();
    }
  } else {
    for (const frame of frames) {
      if (gone) return;
      if (response.write(frame)) continue;
      await new Promise((resolve) => {
        response.once("drain", resolve);
        response.once("close", resolve);
      });
    }
  }
  if (!gone) response.end();
}

const refused = new Set();

function handle(request, response) {
  if (request.headers.authorization !== "Bearer sk-flexsim") {
    response.writeHead(401, { "content-type": "application/json" });
    response.end('{"error":{"message":"no","param":null,"code":"invalid_api_key"}}');
    return;
  }
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("error", () => {});
  response.on("error", () => {});
  request.on("end", () =>
    answer(request, response, Buffer.concat(pieces).toString()).catch((error) => {
      process.stderr.write(`${error.stack}\n`);
      response.destroy?.();
    }));
}

const server =
  mode === "h1"
    ? https.createServer(tls, handle)
    : http2.createSecureServer({ ...tls, allowHTTP1: mode === "h2" }, handle);
server.on("session", (session) => {
  sessionNumbers.set(session, ++sessions);
  session.on("error", () => {});
});
server.on("tlsClientError", (error) => tell("tls-error", "", { message: error.message }));
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`origin: listening on https://127.0.0.1:${server.address().port}\n`);
});
