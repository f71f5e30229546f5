// @ts-check
/**
 * Answers one prompt: reuses the part of the conversation that is still in the cache, evaluates the
 * rest in chunks, then samples token after token. Between two steps it lets the worker read its
 * messages, so a cancel counts from the next token on. Knows nothing about ports or message ids.
 */
import { Failure } from "../files/failure.js";
import { turn } from "../files/turn.js";
import { AnswerText } from "./answer_text.js";
import { Choices } from "./choices.js";
import { follow } from "./grammar.js";
import { common } from "./readings.js";

/** @typedef {import("./load.js").Model} Model */
/** @typedef {import("./kernels.js").Sampling} Sampling */
/**
 * @typedef {object} Question
 * @property {string} prompt with the chat template applied
 * @property {string[]} stop
 * @property {Sampling} sampling
 * @property {number} max_tokens
 * @property {string|null} [conversation]
 * @property {import("./grammar.js").Form|null} [grammar] the form that the answer keeps
 * @property {number|null} [alternatives] how many of the likeliest tokens are told with each token
 */
/** @typedef {import("./choices.js").Choice} Choice */
/** @typedef {(text: string, count: number, choices: Choice[]|null) => void} Emit */
/** @typedef {Awaited<ReturnType<typeof follow>>} Following */
/**
 * @typedef {object} Listener
 * @property {AbortSignal} signal
 * @property {Emit} tokens new text, about 30 times a second
 * @property {(received: number, total: number) => void} prefill
 */

const BATCH = 33; // milliseconds between two messages with text

/**
 * @param {Model} model
 * @param {Question} question
 * @param {Listener} listener
 */
export async function generate(model, question, listener) {
  const prompt = promptTokens(model, question.prompt);
  const start = performance.now();
  if (question.conversation) await (await model.readings)?.bringBack(prompt);
  // The last token is always evaluated: its logits are what the answer starts from.
  const reused = common(model.kept, prompt, prompt.length - 1);
  const form = question.grammar ? await follow(model, question.grammar) : null;
  try {
    return await written(model, question, listener, { prompt, reused, start, form });
  } finally {
    form?.end();
  }
}

/**
 * Reads what is new of the prompt and writes the answer; returns how it ended, with counts and times.
 * @param {Model} model
 * @param {Question} question
 * @param {Listener} listener
 * @param {{prompt: number[], reused: number, start: number, form: Following|null}} begun
 */
async function written(model, question, listener, { prompt, reused, start, form }) {
  model.kernels.startSampling(question.sampling, prompt);
  const evaluated = await prefill(model, prompt, reused, listener);
  const middle = performance.now();
  const answer = evaluated === prompt.length
    ? await decode(model, question, listener, form) : { reason: "cancelled", count: 0, steps: 0 };
  const prefillSeconds = (middle - start) / 1000;
  const decodeSeconds = (performance.now() - middle) / 1000;
  return {
    reason: answer.reason,
    prompt_tokens: prompt.length,
    reused_tokens: reused,
    answer_tokens: answer.count,
    prefill_seconds: prefillSeconds,
    decode_seconds: decodeSeconds,
    prefill_tokens_per_second: rate(evaluated - reused, prefillSeconds),
    decode_tokens_per_second: rate(answer.steps, decodeSeconds),
    context_used: model.kept.length,
    context: model.prepared.program.context,
  };
}

/**
 * @param {Model} model
 * @param {string} text
 */
function promptTokens({ tokens, prepared }, text) {
  const ids = tokens.encode(text);
  const limit = prepared.program.context - 1;
  if (ids.length > limit) throw new Failure("prompt_too_long", { tokens: ids.length, limit });
  const { bos, eos } = prepared.tokenizer;
  return ids.length ? ids : [bos ?? eos ?? 0]; // the model needs something to go on from
}

/**
 * @param {Model} model
 * @param {number[]} prompt
 * @param {number} reused
 * @param {Listener} listener
 * @returns {Promise<number>} how many tokens of the prompt are in the cache
 */
async function prefill(model, prompt, reused, { signal, prefill: report }) {
  const { chunk } = model.prepared.program;
  for (let at = reused; at < prompt.length; at += chunk) {
    if (signal.aborted) return at;
    const piece = prompt.slice(at, at + chunk);
    step(model, piece, at, at + piece.length === prompt.length);
    report(at + piece.length, prompt.length);
    await turn();
  }
  return prompt.length;
}

/**
 * @param {Model} model
 * @param {Question} question
 * @param {Listener} listener
 * @param {Following|null} form
 */
async function decode(model, question, { signal, tokens: emit }, form) {
  const { end_of_turn: ends } = model.prepared.tokenizer;
  const { context } = model.prepared.program;
  const text = new AnswerText(question.stop);
  const batch = new Batch(emit);
  const choices = question.alternatives ? new Choices(model, question.alternatives) : null;
  let count = 0;
  let steps = 0;
  const finish = (/** @type {string} */ reason) => {
    batch.add(text.finish());
    batch.send();
    return { reason, count, steps };
  };
  for (;;) {
    if (signal.aborted) return finish("cancelled");
    if (count >= question.max_tokens) return finish("length");
    choices?.look();
    if (form) {
      if (!await form.goesOn()) return finish("stop");
      form.restrict();
    }
    const token = model.kernels.sample();
    if (choices) batch.choice(choices.told(token));
    if (ends.includes(token)) return finish("stop");
    form?.accept(token);
    count++;
    batch.token(text.push(model.tokens.bytes(token)));
    if (text.stopped) return finish("stop");
    if (model.kept.length >= context) return finish("context");
    await turn();
    if (signal.aborted) return finish("cancelled");
    step(model, [token], model.kept.length, true);
    steps++;
  }
}

/**
 * One step of the kernels. The cache's list of tokens is cut first: should the step fail, nothing
 * that lies behind is believed.
 * @param {Model} model
 * @param {number[]} tokens
 * @param {number} position
 * @param {boolean} wanted whether the last token's logits are
 */
function step(model, tokens, position, wanted) {
  model.kept.length = position;
  model.kernels.step(tokens, position, wanted ? 1 : 0);
  model.kept.push(...tokens);
}

/** Text on its way out, sent about 30 times a second; the first at once. */
class Batch {
  /** @param {Emit} emit */
  constructor(emit) {
    this.emit = emit;
    this.text = "";
    this.tokens = 0;
    /** @type {Choice[]|null} */ this.choices = null;
    this.last = -Infinity;
  }

  /** @param {Choice} choice */
  choice(choice) {
    this.choices = [...this.choices ?? [], choice];
  }

  /** @param {string} text what one token added */
  token(text) {
    this.tokens++;
    this.add(text);
    if (this.text && performance.now() - this.last >= BATCH) this.send();
  }

  /** @param {string} text */
  add(text) {
    this.text += text;
  }

  send() {
    if (!this.text && !this.tokens && !this.choices) return;
    this.emit(this.text, this.tokens, this.choices);
    this.text = "";
    this.tokens = 0;
    this.choices = null;
    this.last = performance.now();
  }
}


/**
 * @param {number} count
 * @param {number} seconds
 */
function rate(count, seconds) {
  return seconds > 0 ? count / seconds : 0;
}
