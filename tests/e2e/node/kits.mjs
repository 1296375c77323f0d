// kits.mjs: every SDK of the matrix, as a map of surfaces (dialects) to modes:
//
//   whole    create() without a stream
//   stream   the SDK's own helper for streams, where it has one
//   raw      create() with a stream, its events folded by dialects.mjs
//   parse    the SDK's helper for structured output, where it has one
//
// A mode takes the parameters of a request and gives the SDK's answer. `url` is without /v1.
import { chat, interactions, messages, responses } from "./dialects.mjs";

const withUsage = { stream_options: { include_usage: true } };

async function openaiKit(sdk, url, apiKey) {
  const { default: OpenAI } = await import(sdk);
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
  const { completions } = client.chat;
  return {
    responses: {
      whole: (params) => client.responses.create(params),
      stream: (params) => client.responses.stream(params).finalResponse(),
      raw: async (params) =>
        responses.fold(await client.responses.create({ ...params, stream: true })),
      parse: (params) => client.responses.parse(params),
    },
    chat: {
      whole: (params) => completions.create(params),
      stream: (params) => completions.stream({ ...params, ...withUsage }).finalChatCompletion(),
      raw: async (params) =>
        chat.fold(await completions.create({ ...params, ...withUsage, stream: true })),
      parse: (params) => completions.parse(params),
    },
  };
}

async function anthropicKit(sdk, url, apiKey) {
  const { default: Anthropic } = await import(sdk);
  const client = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
  return {
    messages: {
      whole: (params) => client.messages.create(params),
      stream: (params) => client.messages.stream(params).finalMessage(),
      raw: async (params) =>
        messages.fold(await client.messages.create({ ...params, stream: true })),
      parse: (params) => client.messages.parse(params),
    },
  };
}

async function genaiKit(sdk, url, apiKey) {
  const { GoogleGenAI } = await import(sdk);
  const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } });
  const create = (params) => client.interactions.create(params, { maxRetries: 0 });
  return {
    interactions: {
      whole: create,
      raw: async (params) => interactions.fold(await create({ ...params, stream: true })),
    },
  };
}

async function flexinferenceKit(sdk, url, apiKey) {
  const { FlexInference } = await import(sdk);
  const client = new FlexInference({ baseURL: `${url}/v1`, apiKey });
  const surface = (endpoint, { fold }, more = {}) => ({
    whole: (params) => endpoint.create(params),
    raw: async (params) => fold(await endpoint.create({ ...params, ...more, stream: true })),
  });
  return {
    responses: surface(client.responses, responses),
    chat: surface(client.chat.completions, chat, withUsage),
    interactions: surface(client.interactions, interactions),
    messages: surface(client.messages, messages),
  };
}

// kits: by the name of the package, as package.json has it.
export const kits = {
  openai: openaiKit,
  openai7: openaiKit,
  "@anthropic-ai/sdk": anthropicKit,
  anthropic0: anthropicKit,
  "@google/genai": genaiKit,
  genai2: genaiKit,
  flexinference: flexinferenceKit,
};
