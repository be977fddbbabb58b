// What an application sees that uses the official openai package, changed in nothing but its base URL.
//
// Prints one JSON object: for each step what it saw. The test that starts this asserts it.

import { createRequire } from "node:module";

// The package lies in a cache beside the checkout, not above this file: its folder is the first argument.
const [folder, baseURL, attack] = process.argv.slice(2);
const { default: OpenAI, APIError } = createRequire(`${folder}/`)("openai");

const user = (text) => [{ role: "user", content: text }];
const steered = (control) => user(`Hello. [[mock ${JSON.stringify(control)}]]`);

// The texts of a stream by choice, its finish reasons, its tool calls and its usage.
async function said(stream) {
  const seen = { texts: {}, reasons: {}, calls: {}, usage: null };
  for await (const chunk of await stream) {
    seen.usage = chunk.usage ?? seen.usage;
    for (const { index, delta, finish_reason } of chunk.choices) {
      seen.texts[index] = (seen.texts[index] ?? "") + (delta.content ?? "");
      if (finish_reason) (seen.reasons[index] ??= []).push(finish_reason);
      for (const call of delta.tool_calls ?? []) {
        const known = (seen.calls[call.index] ??= { name: "", arguments: "" });
        known.name += call.function.name ?? "";
        known.arguments += call.function.arguments ?? "";
      }
    }
  }
  return seen;
}

// Tool calls as the documentation of the API puts them together: the first piece is kept, the others add to it.
async function called(stream) {
  const calls = {};
  for await (const chunk of await stream) {
    for (const call of chunk.choices[0].delta.tool_calls ?? []) {
      if (calls[call.index]) calls[call.index].function.arguments += call.function.arguments;
      else calls[call.index] = call;
    }
  }
  return Object.values(calls).map(({ id, function: { name, arguments: text } }) => [id, name, JSON.parse(text)]);
}

// The error that a step ends with.
async function failed(step) {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    const { status = null, code, type: kind, message, requestID } = error;
    return { type: error.constructor.name, status, code, kind, message, request_id: requestID ?? null };
  }
  return null;
}

const client = new OpenAI({ baseURL, apiKey: "sk-test" });
const create = (body, options) => client.chat.completions.create({ model: "demo", ...body }, options);
const seen = {};

seen.models = [];
for await (const model of client.models.list()) seen.models.push(model.id);

const chat = await create({ messages: user("Hello, who are you?") });
seen.chat = {
  text: chat.choices[0].message.content,
  reason: chat.choices[0].finish_reason,
  usage: chat.usage,
  request_id: chat._request_id,
};
const several = await create({ messages: user("Hello."), n: 2 });
seen.several = several.choices.map((choice) => choice.message.content);

seen.stream = await said(create({ messages: user("Hello."), stream: true, stream_options: { include_usage: true } }));
seen.stream_several = await said(create({ messages: user("Hello."), stream: true, n: 2 }));

const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
const call = steered({ tool_call: { name: "weather", arguments: '{"city": "Zürich"}' }, chunk_bytes: 3 });
const { function: asked } = (await create({ messages: call, tools })).choices[0].message.tool_calls[0];
seen.tool = { name: asked.name, arguments: JSON.parse(asked.arguments) };
seen.tool_stream = await said(create({ messages: call, tools, stream: true }));

seen.tool_documented = await called(create({ messages: call, tools, stream: true }));
const whole = await client.chat.completions.stream({ model: "demo", messages: call, tools }).finalChatCompletion();
const { function: put } = whole.choices[0].message.tool_calls[0];
seen.tool_helper = [put.name, JSON.parse(put.arguments)];

const helper = client.chat.completions.stream({ model: "demo", messages: user("Hello.") });
seen.helper = (await helper.finalChatCompletion()).choices[0].message.content;

seen.blocked = await failed(() => create({ messages: user(attack) }));
seen.blocked_stream = await failed(() => said(create({ messages: user(attack), stream: true })));
seen.cut = await said(create({ model: "leak", messages: user("Hello."), stream: true }));
const leak = await create({ model: "leak", messages: user("Hello.") });
seen.cut_whole = { text: leak.choices[0].message.content, reason: leak.choices[0].finish_reason };

const once = { maxRetries: 0 };
seen.torn = await failed(() => said(create({ messages: steered({ fault: "cut" }), stream: true }, once)));
seen.unavailable = await failed(() => create({ messages: steered({ fault: "status:503" }) }, once));
seen.no_model = await failed(() => create({ model: "nobody", messages: user("Hello.") }));
seen.embeddings = await failed(() => client.embeddings.create({ model: "demo", input: "Hello." }));
const wrong = new OpenAI({ baseURL, apiKey: "sk-wrong" });
seen.wrong_key = await failed(() => wrong.chat.completions.create({ model: "closed", messages: user("Hello.") }));
console.log(JSON.stringify(seen));
