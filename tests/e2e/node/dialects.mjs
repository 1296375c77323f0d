// dialects.mjs: the four dialects as the users of SDKs write them. Each has
//
//   request(model, scenario)       the parameters of the first turn
//   next(params, answer, results)  those of the next one: the answer as the SDK gave it, then the
//                                  results of its calls, [{ id, name, result }]
//   calls(answer)                  [{ id, name, args }]
//   read(answer)                   the neutral form that scenarios.mjs describes
//   fold(events)                   an answer, from the events of a stream as the SDK yields them;
//                                  throws StreamFailed where the stream says that it failed

export class StreamFailed extends Error {}

const maxTokens = 4000;
const joined = (list) => list.join("");
const texts = (parts, type, field = "text") =>
  joined((parts ?? []).filter((part) => part.type === type).map((part) => part[field]));
const dataUri = (image) => image.url ?? `data:${image.mime};base64,${image.data}`;
// dropped is `object` without members that are undefined.
const dropped = (object) => JSON.parse(JSON.stringify(object));

async function collect(events) {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
}

export const responses = {
  request: (model, { prompt, tools, reasoning, schema, images = [] }) => dropped({
    model,
    max_output_tokens: maxTokens,
    input: [{
      role: "user",
      content: [
        ...images.map((image) => (
          { type: "input_image", image_url: dataUri(image), detail: "auto" })),
        { type: "input_text", text: prompt },
      ],
    }],
    tools: tools?.map((tool) => ({ type: "function", strict: true, ...tool })),
    text: schema && { format: { type: "json_schema", name: "city", schema, strict: true } },
    ...(reasoning && {
      reasoning: { effort: "low", summary: "auto" },
      include: ["reasoning.encrypted_content"],
      store: false,
    }),
  }),

  next: (params, answer, results) => ({
    ...params,
    input: [
      ...params.input,
      // What the SDK's parser adds to calls is not part of the API.
      ...answer.output.map(({ parsed_arguments, ...item }) => item),
      ...results.map(({ id, result }) => (
        { type: "function_call_output", call_id: id, output: result })),
    ],
  }),

  calls: (answer) => answer.output.filter((item) => item.type === "function_call").map((item) => (
    { id: item.call_id, name: item.name, args: JSON.parse(item.arguments) })),

  read(answer) {
    const parts = answer.output.flatMap((item) => (item.type === "message" ? item.content : []));
    const summaries = answer.output.flatMap((item) => (
      item.type === "reasoning" ? item.summary : []));
    const calls = responses.calls(answer);
    const refusal = texts(parts, "refusal", "refusal");
    const ended = { max_output_tokens: "length", content_filter: "safety" };
    const stops = {
      completed: calls.length ? "tools" : refusal ? "refusal" : "stop",
      incomplete: ended[answer.incomplete_details?.reason],
    };
    const { usage } = answer;
    return {
      text: texts(parts, "output_text"),
      thought: texts(summaries, "summary_text"),
      refusal,
      calls,
      stop: stops[answer.status] ?? answer.status,
      usage: usage && {
        input: usage.input_tokens,
        cached: usage.input_tokens_details.cached_tokens,
        output: usage.output_tokens,
        reasoning: usage.output_tokens_details.reasoning_tokens,
      },
    };
  },

  async fold(events) {
    let text = "";
    let last;
    for (last of await collect(events)) {
      if (last.type === "response.output_text.delta") text += last.delta;
    }
    if (!["response.completed", "response.incomplete"].includes(last.type)) {
      throw new StreamFailed(JSON.stringify(last));
    }
    if (text !== responses.read(last.response).text) throw new Error("deltas are not the text");
    return last.response;
  },
};

export const chat = {
  request: (model, { prompt, tools, reasoning, schema, images = [] }) => dropped({
    model,
    max_completion_tokens: maxTokens,
    messages: [{
      role: "user",
      content: [
        ...images.map((image) => ({ type: "image_url", image_url: { url: dataUri(image) } })),
        { type: "text", text: prompt },
      ],
    }],
    tools: tools?.map((tool) => ({ type: "function", function: { strict: true, ...tool } })),
    response_format: schema && { type: "json_schema", json_schema: { name: "city", schema } },
    reasoning_effort: reasoning && "low",
  }),

  next: (params, answer, results) => ({
    ...params,
    messages: [
      ...params.messages,
      answer.choices[0].message,
      ...results.map(({ id, result }) => ({ role: "tool", tool_call_id: id, content: result })),
    ],
  }),

  calls: (answer) => (answer.choices[0].message.tool_calls ?? []).map((call) => (
    { id: call.id, name: call.function.name, args: JSON.parse(call.function.arguments) })),

  read(answer) {
    const [{ message, finish_reason: reason }] = answer.choices;
    const stops = {
      stop: message.refusal ? "refusal" : "stop", tool_calls: "tools", content_filter: "safety",
    };
    const { usage } = answer;
    return {
      text: message.content ?? "",
      thought: "",
      refusal: message.refusal ?? "",
      calls: chat.calls(answer),
      stop: stops[reason] ?? reason,
      usage: usage && {
        input: usage.prompt_tokens,
        cached: usage.prompt_tokens_details.cached_tokens,
        output: usage.completion_tokens,
        reasoning: usage.completion_tokens_details.reasoning_tokens,
      },
    };
  },

  async fold(events) {
    const message = { role: undefined, content: null, refusal: null };
    const answer = { choices: [{ index: 0, message, finish_reason: null }] };
    for (const chunk of await collect(events)) {
      if (chunk.error) throw new StreamFailed(JSON.stringify(chunk));
      Object.assign(answer, chunk.usage && { usage: chunk.usage });
      const [choice] = chunk.choices;
      if (!choice) continue;
      const { role, content, refusal, tool_calls: calls = [] } = choice.delta;
      message.role ??= role;
      if (content != null) message.content = (message.content ?? "") + content;
      if (refusal != null) message.refusal = (message.refusal ?? "") + refusal;
      for (const { index, ...call } of calls) {
        message.tool_calls ??= [];
        const open = message.tool_calls[index];
        if (open) open.function.arguments += call.function.arguments;
        else message.tool_calls[index] = structuredClone(call);
      }
      answer.choices[0].finish_reason ??= choice.finish_reason;
    }
    return answer;
  },
};

export const interactions = {
  request: (model, { prompt, tools, reasoning, schema, images = [] }) => dropped({
    model,
    input: [{
      type: "user_input",
      content: [
        ...images.map((image) => (image.url
          ? { type: "image", uri: image.url, mime_type: "image/png" }
          : { type: "image", data: image.data, mime_type: image.mime })),
        { type: "text", text: prompt },
      ],
    }],
    tools: tools?.map((tool) => ({ type: "function", ...tool })),
    response_format: schema && { type: "text", mime_type: "application/json", schema },
    generation_config: {
      max_output_tokens: maxTokens,
      ...(reasoning && { thinking_level: "low", thinking_summaries: "auto" }),
    },
  }),

  next: (params, answer, results) => ({
    ...params,
    input: [
      ...params.input,
      ...answer.steps,
      ...results.map(({ id, name, result }) => (
        { type: "function_result", call_id: id, name, result })),
    ],
  }),

  calls: (answer) => (answer.steps ?? []).filter((step) => step.type === "function_call")
    .map((step) => ({ id: step.id, name: step.name, args: step.arguments })),

  read(answer) {
    const steps = answer.steps ?? [];
    const parts = (type, field) =>
      steps.flatMap((step) => (step.type === type ? step[field] ?? [] : []));
    const stops = {
      completed: "stop",
      requires_action: "tools",
      incomplete: answer.errors?.length ? "safety" : "length",
    };
    const { usage } = answer;
    return {
      text: texts(parts("model_output", "content"), "text"),
      thought: texts(parts("thought", "summary"), "text"),
      refusal: "",
      calls: interactions.calls(answer),
      stop: stops[answer.status] ?? answer.status,
      usage: usage && {
        input: usage.total_input_tokens,
        cached: usage.total_cached_tokens,
        output: usage.total_output_tokens + usage.total_thought_tokens,
        reasoning: usage.total_thought_tokens,
      },
    };
  },

  async fold(events) {
    const steps = [];
    for (const event of await collect(events)) {
      const step = steps[event.index];
      const { delta } = event;
      if (event.event_type === "error") throw new StreamFailed(JSON.stringify(event));
      if (event.event_type === "step.start") {
        steps[event.index] = { ...event.step, fragments: "" };
      } else if (delta?.type === "text") {
        step.content = [{ type: "text", text: (step.content?.[0].text ?? "") + delta.text }];
      } else if (delta?.type === "thought_summary") {
        step.summary = [...(step.summary ?? []), delta.content];
      } else if (delta?.type === "thought_signature") {
        step.signature = delta.signature;
      } else if (delta?.type === "arguments_delta") {
        step.fragments += delta.arguments;
      } else if (event.event_type === "interaction.completed") {
        const { interaction } = event;
        if (interaction.status === "failed") throw new StreamFailed(JSON.stringify(event));
        const whole = steps.map(({ fragments, ...rest }) => (
          fragments ? { ...rest, arguments: JSON.parse(fragments) } : rest));
        return { ...interaction, steps: whole };
      }
    }
    throw new StreamFailed("no terminal event");
  },
};

export const messages = {
  request: (model, { prompt, tools, reasoning, schema, images = [] }) => dropped({
    model,
    max_tokens: maxTokens,
    messages: [{
      role: "user",
      content: [
        ...images.map((image) => ({
          type: "image",
          source: image.url
            ? { type: "url", url: image.url }
            : { type: "base64", media_type: image.mime, data: image.data },
        })),
        { type: "text", text: prompt },
      ],
    }],
    tools: tools?.map(({ parameters, ...tool }) => ({ ...tool, input_schema: parameters })),
    thinking: reasoning && { type: "adaptive", display: "summarized" },
    output_config: schema && { format: { type: "json_schema", schema } },
  }),

  next: (params, answer, results) => ({
    ...params,
    messages: [
      ...params.messages,
      { role: "assistant", content: answer.content },
      {
        role: "user",
        content: results.map(({ id, result }) => (
          { type: "tool_result", tool_use_id: id, content: result })),
      },
    ],
  }),

  calls: (answer) => answer.content.filter((block) => block.type === "tool_use").map((block) => (
    { id: block.id, name: block.name, args: block.input })),

  read(answer) {
    const stops = {
      end_turn: "stop", tool_use: "tools", max_tokens: "length", refusal: "safety",
    };
    const { usage } = answer;
    return {
      text: texts(answer.content, "text"),
      thought: texts(answer.content, "thinking", "thinking"),
      refusal: "",
      calls: messages.calls(answer),
      stop: stops[answer.stop_reason] ?? answer.stop_reason,
      usage: usage && {
        input: usage.input_tokens + usage.cache_read_input_tokens +
          usage.cache_creation_input_tokens,
        cached: usage.cache_read_input_tokens,
        output: usage.output_tokens,
        reasoning: usage.output_tokens_details?.thinking_tokens ?? 0,
      },
    };
  },

  async fold(events) {
    let answer;
    let ended = false;
    for (const event of await collect(events)) {
      const block = answer?.content[event.index];
      const { delta } = event;
      if (event.type === "error") throw new StreamFailed(JSON.stringify(event));
      if (event.type === "message_start") answer = structuredClone(event.message);
      if (event.type === "message_stop") ended = true;
      if (event.type === "content_block_start") {
        answer.content.push({ ...event.content_block, json: "" });
      } else if (delta?.type === "text_delta") block.text += delta.text;
      else if (delta?.type === "thinking_delta") block.thinking += delta.thinking;
      else if (delta?.type === "signature_delta") block.signature = delta.signature;
      else if (delta?.type === "input_json_delta") block.json += delta.partial_json;
      else if (event.type === "message_delta") {
        Object.assign(answer, delta);
        Object.assign(answer.usage, event.usage);
      }
    }
    if (!ended) throw new StreamFailed("no message_stop");
    answer.content = answer.content.map(({ json, ...block }) => (
      json ? { ...block, input: JSON.parse(json) } : block));
    return answer;
  },
};
