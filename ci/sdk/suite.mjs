// What the SDK for JavaScript is asked to do. `ci/sdk.py` starts the servers and runs this.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import OpenAI, { toFile } from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const SERVERS = JSON.parse(process.env.SDK_SERVERS);
const MODEL = "fake-model-v1";
const TEXT = "Hello, this is a fake response!";
const COUNTED = "One, two, three, four, five, six, seven, eight, nine, ten.";
const PATIENCE = 60_000;

const WEATHER = {
  name: "get_weather",
  description: "The temperature in a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const CALLED = [["call_paris", "Paris"], ["call_oslo", "Oslo"]];
const WARM = "It is 21 degrees in Paris and 9 in Oslo.";
const Person = z.object({ name: z.string(), age: z.number() });
const ADA = { name: "Ada", age: 36 };

const client = (server = "open", more = {}) =>
  new OpenAI({ baseURL: `${SERVERS[server]}/v1`, apiKey: "any", timeout: PATIENCE, maxRetries: 0, ...more });
const user = (content) => [{ role: "user", content }];
const all = async (stream) => {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
};
const said = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

/** The error of exactly this class that asking throws. */
async function fails(kind, ask) {
  try {
    await ask();
  } catch (e) {
    assert.equal(e.constructor, kind, `${e.constructor.name} instead of ${kind.name}: ${e.message}`);
    return e;
  }
  assert.fail(`no ${kind.name}`);
}

async function cancelled() {
  const listed = await (await fetch(`${SERVERS.open}/api/predictions?page_size=1000`)).json();
  return listed.predictions.filter((call) => call.status === "cancelled").length;
}

async function until(holds, what) {
  const deadline = Date.now() + PATIENCE;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const CASES = {
  async models_are_listed_and_found() {
    const models = await all(client().models.list());
    const owners = Object.fromEntries(models.map((model) => [model.id, model.owned_by]));
    assert.equal(owners[MODEL], "fake");
    assert.equal((await client().models.retrieve(`fake/${MODEL}`)).owned_by, "fake");
    const error = await fails(OpenAI.NotFoundError, () => client().models.retrieve("nobody/knows"));
    assert.equal(error.code, "model_not_found");
  },

  async a_chat_has_an_answer() {
    const answer = await client().chat.completions.create({ model: MODEL, messages: user("hi") });
    assert.equal(answer.choices[0].message.content, TEXT);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  },

  async a_chat_streams_and_tells_its_usage_when_asked() {
    const asked = { model: MODEL, messages: user("count"), stream: true, stream_options: { include_usage: true } };
    const chunks = await all(await client().chat.completions.create(asked));
    assert.equal(said(chunks), COUNTED);
    assert.equal(chunks[0].choices[0].delta.role, "assistant");
    assert.equal(chunks.at(-2).choices[0].finish_reason, "stop");
    assert.equal(chunks.at(-1).usage.completion_tokens, 10);
  },

  async a_stream_helper_puts_the_answer_together() {
    const stream = client().chat.completions.stream({ model: MODEL, messages: user("count") });
    let text = "";
    stream.on("content", (delta) => { text += delta; });
    assert.equal((await stream.finalChatCompletion()).choices[0].message.content, COUNTED);
    assert.equal(text, COUNTED);
  },

  async tools_are_called_and_answered() {
    const tools = [{ type: "function", function: WEATHER }];
    const asked = { model: MODEL, messages: user("the weather?"), tools };
    const { choices: [{ message, finish_reason }] } = await client().chat.completions.create(asked);
    assert.equal(finish_reason, "tool_calls");
    assert.deepEqual(message.tool_calls.map((call) => [call.id, JSON.parse(call.function.arguments).city]), CALLED);
    const answers = message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "21" }));
    const messages = [...asked.messages, message, ...answers];
    const answer = await client().chat.completions.create({ ...asked, messages });
    assert.equal(answer.choices[0].message.content, WARM);
  },

  async tools_are_run_by_the_helper() {
    const cities = [];
    const parameters = WEATHER.parameters;
    const run = ({ city }) => { cities.push(city); return "21"; };
    const tools = [{ type: "function", function: { ...WEATHER, parameters, parse: JSON.parse, function: run } }];
    for (const stream of [false, true]) {
      const runner = client().chat.completions.runTools({ model: MODEL, messages: user("weather"), tools, stream });
      assert.equal(await runner.finalContent(), WARM);
    }
    assert.deepEqual(cities, ["Paris", "Oslo", "Paris", "Oslo"]);
  },

  async an_answer_has_the_form_of_a_schema() {
    const asked = { model: MODEL, messages: user("a person"), response_format: zodResponseFormat(Person, "person") };
    const answer = await client().chat.completions.parse(asked);
    assert.deepEqual(answer.choices[0].message.parsed, ADA);
  },

  async vectors_come_as_numbers_and_packed() {
    const ask = (more) => client().embeddings.create({ model: "fake-embedding", input: ["a", "b"], ...more });
    const [packed, plain] = [await ask({}), await ask({ encoding_format: "float" })];
    assert.equal(packed.data[1].embedding.length, 1536);
    packed.data[1].embedding.forEach((x, i) => assert.ok(Math.abs(x - plain.data[1].embedding[i]) < 1e-6));
    const base64 = await ask({ encoding_format: "base64", dimensions: 3 });
    assert.equal(Buffer.from(base64.data[0].embedding, "base64").length, 12);
  },

  async pictures_are_drawn_and_changed() {
    const drawn = await client().images.generate({ model: "fake-image-model", prompt: "a cat", n: 2 });
    assert.equal(drawn.data.length, 2);
    const picture = Buffer.from(drawn.data[0].b64_json, "base64");
    const image = [await toFile(picture, "a.png", { type: "image/png" }), await toFile(picture, "b.png", { type: "image/png" })];
    const changed = await client().images.edit({ model: "fake-image-model", prompt: "a dog", image });
    assert.equal(Buffer.from(changed.data[0].b64_json, "base64").toString("latin1", 1, 4), "PNG");
    const none = await toFile(Buffer.from("no picture"), "a.png", { type: "image/png" });
    const ask = () => client().images.edit({ model: "fake-image-model", prompt: "a dog", image: none });
    assert.equal((await fails(OpenAI.BadRequestError, ask)).code, "invalid_image");
  },

  async speech_is_spoken_and_written_down() {
    const asked = { model: "fake-tts", voice: "fake-voice", input: "hi" };
    const sound = await (await client().audio.speech.create({ ...asked, response_format: "pcm" })).arrayBuffer();
    assert.equal(sound.byteLength, 48_000);
    const ask = () => client().audio.speech.create({ ...asked, response_format: "opus" });
    assert.match((await fails(OpenAI.BadRequestError, ask)).message, /opus/);
    const file = await toFile(Buffer.from(sound), "a.wav");
    const heard = await client().audio.transcriptions.create({ model: "fake-asr", file });
    assert.equal(heard.text, "This is a fake transcription.");
    const wrong = () => client().audio.transcriptions.create({ model: "fake-asr", file, response_format: "srt" });
    assert.match((await fails(OpenAI.BadRequestError, wrong)).message, /srt/);
  },

  async a_response_has_an_answer() {
    const answer = await client().responses.create({ model: MODEL, input: "count" });
    assert.equal(answer.output_text, COUNTED);
    assert.equal(answer.status, "completed");
  },

  async a_response_streams_its_events() {
    const events = await all(await client().responses.create({ model: MODEL, input: "count", stream: true }));
    assert.equal(events[0].type, "response.created");
    assert.equal(events.at(-1).type, "response.completed");
    const deltas = events.filter((event) => event.type === "response.output_text.delta");
    assert.equal(deltas.map((event) => event.delta).join(""), COUNTED);
    const stream = client().responses.stream({ model: MODEL, input: "think" });
    const answer = await stream.finalResponse();
    assert.deepEqual(answer.output.map((item) => item.type), ["reasoning", "message"]);
    assert.equal(answer.output_text, "It is 42.");
  },

  async a_response_calls_tools_and_takes_their_answers() {
    const tools = [{ type: "function", strict: true, ...WEATHER }];
    const answer = await client().responses.stream({ model: MODEL, input: user("weather"), tools }).finalResponse();
    assert.deepEqual(answer.output.map((item) => [item.call_id, JSON.parse(item.arguments).city]), CALLED);
    const answers = answer.output.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "21" }));
    const input = [...user("weather"), ...answer.output, ...answers];
    assert.equal((await client().responses.create({ model: MODEL, input, tools })).output_text, WARM);
  },

  async a_response_has_the_form_of_a_schema() {
    const asked = { model: MODEL, input: "a person", text: { format: zodTextFormat(Person, "person") } };
    assert.deepEqual((await client().responses.parse(asked)).output_parsed, ADA);
  },

  async a_stream_that_is_left_is_cancelled() {
    const before = await cancelled();
    const stream = await client().chat.completions.create({ model: MODEL, messages: user("hang on"), stream: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    await until(async () => (await cancelled()) === before + 1, "the end of the call");
    const other = await client().chat.completions.create({ model: MODEL, messages: user("hang on"), stream: true });
    other.controller.abort();
    await until(async () => (await cancelled()) === before + 2, "the end of the call");
  },

  async a_client_that_waits_no_longer_cancels() {
    const before = await cancelled();
    const asked = { model: MODEL, messages: user("say nothing") };
    await fails(OpenAI.APIConnectionTimeoutError, () => client().chat.completions.create(asked, { timeout: 1000 }));
    await until(async () => (await cancelled()) === before + 1, "the end of the call");
  },

  async errors_have_their_classes() {
    const ask = (text, more) => () => client().chat.completions.create({ model: MODEL, messages: user(text), ...more });
    for (const [kind, asking, field, value] of [
      [OpenAI.NotFoundError, ask("hi", { model: "nobody-knows" }), "code", "model_not_found"],
      [OpenAI.BadRequestError, ask("hi", { messages: [] }), "param", "messages"],
      [OpenAI.BadRequestError, ask("hi", { n: 2 }), "param", "n"],
      [OpenAI.BadRequestError, ask("too long"), "code", "context_length_exceeded"],
      [OpenAI.PermissionDeniedError, ask("not allowed"), "code", "permission_denied"],
      [OpenAI.RateLimitError, ask("too fast"), "code", "rate_limit_exceeded"],
      [OpenAI.RateLimitError, ask("too fast", { stream: true }), "status", 429],
      [OpenAI.InternalServerError, ask("on fire"), "status", 502],
      [OpenAI.AuthenticationError, () => client("static").models.list(), "code", "invalid_api_key"],
    ]) {
      const error = await fails(kind, asking);
      assert.equal(error[field], value, error.message);
    }
    const known = client("static", { apiKey: SERVERS.token });
    assert.equal((await known.models.retrieve(MODEL)).id, MODEL);
  },

  async an_error_in_the_middle_is_told_in_the_text() {
    const chunks = await all(await client().chat.completions.create({ model: MODEL, messages: user("break off"), stream: true }));
    assert.equal(said(chunks), "Half an answerError: lost the thread");
  },

  async a_workflow_of_a_file_is_a_model() {
    for (const stream of [false, true]) {
      const answer = await client("chat").chat.completions.create({ model: "workflow/Greeter", messages: user("Ada"), stream });
      assert.equal(stream ? said(await all(answer)) : answer.choices[0].message.content, "Hello, Ada");
    }
  },
};

const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
console.log(`Node ${process.versions.node}, openai ${version("openai")}, zod ${version("zod")}`);
let failed = 0;
for (const [name, run] of Object.entries(CASES)) {
  try {
    await run();
    console.log(`ok      ${name}`);
  } catch (e) {
    failed += 1;
    console.log(`FAILED  ${name}\n${e.stack}`);
  }
}
console.log(`${Object.keys(CASES).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
