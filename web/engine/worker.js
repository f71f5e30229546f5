// @ts-check
/**
 * The engine worker's door: takes requests from the app's port and from the page, runs them one
 * after the other, and answers each by its id. What a message holds is in docs/protocols.md
 * section 5. Knows nothing about kernels beyond starting and ending them.
 */
import { Failure } from "../files/failure.js";
import { forgetSite, sameOrigin } from "../files/sources.js";
import { generate } from "./generate.js";
import { load } from "./load.js";
import { bestVariant, Pool, threadCount } from "./pool.js";
import { forget, Readings } from "./readings.js";
import { checkRequest } from "./requests.js";

/** @typedef {import("./load.js").Model} Model */
/** @typedef {Record<string, any>} Message */

const PROGRESS = 50; // milliseconds between two progress messages of a stage
const REST = 1_500; // milliseconds after an answer before what was read is kept
const BUILD = new URL("..", import.meta.url).pathname.split("/").at(-2) ?? ""; // our folder's hash

/** What the page said at the start; complete once `start` has come. */
const settings = {
  /** @type {MessagePort|null} */ port: null,
  threads: 1,
  /** @type {"relaxed"|"plain"} */ variant: "plain",
  root: "",
  nonce: "",
};
/** @type {Map<string, File>} */
const offers = new Map();
/** Kernel workers started so far: each one's lock has a name of its own. @type {number} */
let started = 0;
/** @type {Loading|null} */
let current = null;
/** The answers that wait or run, by id. @type {Map<number, AbortController>} */
const answers = new Map();
/** Ends when the answer before has ended. @type {Promise<void>} */
let queue = Promise.resolve();

self.onmessage = ({ data }) => {
  if (data.kind === "start") start(data);
  if (data.kind === "offer") offers.set(data.key, data.file);
};

/** @param {Message} message */
function start({ port, load: request, threads, variant, root, nonce }) {
  Object.assign(settings, { port, root, nonce });
  settings.threads = threadCount(threads);
  settings.variant = variant ?? bestVariant();
  holdLock(`onglet-engine-${nonce}`);
  port.onmessage = (/** @type {MessageEvent} */ { data }) => receive(data);
  if (request) receive(request);
}

/** @param {string} lock held as long as this worker lives */
function holdLock(lock) {
  navigator.locks?.request(lock, () => {
    self.postMessage({ kind: "alive", lock });
    return new Promise(() => {});
  });
}

let lastAnswer = 0; // number of the newest one

/**
 * Keeps what was read of a conversation once the engine rests.
 * @param {Model} model
 * @param {string} conversation
 */
async function keepLater(model, conversation) {
  const number = lastAnswer;
  const wanted = () => number === lastAnswer && current?.model === model;
  await new Promise((resolve) => setTimeout(resolve, REST));
  if (wanted()) await (await model.readings)?.keep(conversation, wanted).catch(() => {}); // full, in use
}

/** @param {Message} message */
function receive(message) {
  const problem = checkRequest(message);
  if (problem) throw new TypeError(problem); // the two sides disagree: a fault of ours
  HANDLERS[message.kind](message);
}

/**
 * Answers the app, and lets the page follow.
 * @param {Message} message
 * @param {Transferable[]} [transfer]
 */
function reply(message, transfer = []) {
  settings.port?.postMessage(message, transfer);
  if (message.kind !== "header") self.postMessage(message);
}

/**
 * @param {number} id
 * @param {unknown} error
 */
function fail(id, error) {
  const { code, values } = asFailure(error);
  reply({ kind: "failed", id, code, values });
}

/**
 * @param {unknown} error
 * @returns {Failure}
 */
function asFailure(error) {
  if (error instanceof Failure) return error;
  if (error instanceof DOMException && error.name === "AbortError") return new Failure("cancelled");
  if (error instanceof WebAssembly.RuntimeError) return new Failure("kernel_trap");
  console.error(error);
  return new Failure(error instanceof RangeError ? "out_of_memory" : "engine_died");
}

/** @type {Record<string, (message: Message) => void>} */
const HANDLERS = {
  load: ({ id, source, context }) => {
    const same = current?.isFor(source, context) && !current.damaged;
    if (!same) replace(new Loading(source, context));
    current?.join(id);
  },
  prepared: (message) => current?.answerHeader(message),
  read_header: (message) => current?.answerHeader(message),
  generate: (message) => {
    const abort = new AbortController();
    answers.set(message.id, abort);
    queue = queue.then(() => answer(message, abort.signal));
  },
  tokenize: ({ id, text }) => {
    const model = current?.model;
    if (model) reply({ kind: "tokenized", id, tokens: model.tokens.encode(text) });
    else fail(id, new Failure("no_model"));
  },
  cancel: ({ target }) => {
    answers.get(target)?.abort();
    if (current?.waiting(target)) replace(null);
  },
  forget: async ({ id, conversation }) => {
    lastAnswer++; // what is being kept now is given up
    if (current?.model) current.model.readings = undefined; // listed anew when it is needed
    await forget(conversation ?? null).catch(() => {}); // where nothing can be kept there is nothing
    reply({ kind: "forgotten", id });
  },
  unload: ({ id }) => {
    replace(null);
    reply({ kind: "unloaded", id });
  },
  devices: ({ id }) => reply({
    kind: "devices_are",
    id,
    threads: settings.threads,
    cores: navigator.hardwareConcurrency ?? 1,
    isolated: self.crossOriginIsolated,
    variant: settings.variant,
  }),
};

/** @param {Loading|null} next takes the place of the model or the load that is there */
function replace(next) {
  for (const abort of answers.values()) abort.abort();
  current?.end(new Failure("cancelled"));
  current = next;
  next?.run();
}

/**
 * @param {Message} message
 * @param {AbortSignal} signal
 */
async function answer(message, signal) {
  const { id } = message;
  const loading = current;
  lastAnswer++;
  try {
    const model = await Promise.race([aborted(signal), loading?.ready]);
    if (!model) throw new Failure("no_model");
    await Promise.race([aborted(signal), loading?.verified]);
    const prefill = throttle((received, total) => (
      reply({ kind: "progress", id, stage: "prefill", received, total })));
    /** @type {import("./generate.js").Emit} */
    const tokens = (text, count, choices) => reply({ kind: "tokens", id, text, count, choices });
    const question = /** @type {any} */ (message);
    if (message.conversation) model.readings ??= Readings.open(model, BUILD);
    reply({ kind: "done", id, ...await generate(model, question, { signal, tokens, prefill }) });
    if (message.conversation) keepLater(model, message.conversation);
  } catch (error) {
    // After a trap nothing in the shared memory can be believed: the model has to be loaded again.
    const trapped = !(error instanceof Failure) && !signal.aborted;
    if (trapped && loading === current) replace(null);
    fail(id, error);
  } finally {
    answers.delete(id);
  }
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<never>} rejected when the signal is, or was, aborted
 */
function aborted(signal) {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

/** One model, from the request that asked for it to its end, and all who asked for the same. */
class Loading {
  /**
   * @param {Message} source
   * @param {number|null} context
   */
  constructor(source, context) {
    this.source = source;
    this.context = context;
    /** Those who asked and have no answer yet. @type {Set<number>} */
    this.ids = new Set();
    this.abort = new AbortController();
    /** Its file was found to be wrong after it was loaded. @type {boolean} */
    this.damaged = false;
    /** @type {Promise<void>} */ this.verified = Promise.resolve();
    /** @type {Message|null} */ this.progress = null;
    /** @type {Message|null} */ this.loaded = null;
    /** @type {Model|null} */ this.model = null;
    /** @type {Pool|null} */ this.pool = null;
    /** @type {((answer: any) => void)|null} */ this.headerAnswered = null;
    /** The model, or null when there will be none. @type {Promise<Model|null>} */
    this.ready = Promise.resolve(null);
  }

  /**
   * @param {Message} source
   * @param {number|null|undefined} context
   */
  isFor(source, context) {
    const key = (/** @type {Message} */ s) => [s.kind, s.path ?? s.key ?? s.url ?? s.sha256].join();
    return key(source) === key(this.source) && (context ?? null) === (this.context ?? null);
  }

  /** @param {number} id */
  waiting(id) {
    return this.ids.has(id);
  }

  /** @param {number} id of a request that is answered by this load's progress and end */
  join(id) {
    if (this.loaded) reply({ ...this.loaded, id });
    else this.ids.add(id);
    if (this.progress && !this.loaded) reply({ ...this.progress, id });
  }

  run() {
    // A worker that was ended never says that it is ready: an abort ends the wait, whatever it is for.
    this.ready = Promise.race([aborted(this.abort.signal), this.load()]).catch((error) => {
      this.end(error);
      if (current === this) current = null;
      return null;
    });
  }

  async load() {
    const begin = performance.now();
    const { signal } = this.abort;
    const pool = newPool();
    this.pool = pool;
    const model = await load(/** @type {any} */ (this.source), pool, {
      root: settings.root,
      context: this.context ?? null,
      offers,
      signal,
      progress: throttle((received, total, stage) => this.tell(stage, received, total)),
      askPython: (bytes, source) => this.askPython(bytes, source),
    });
    signal.throwIfAborted();
    this.model = model;
    this.tellLoaded(model, (performance.now() - begin) / 1000);
    if (answers.size === 0) model.kernels.warmUp();
    this.verified = this.verify(model);
    this.verified.catch(() => {}); // told to who asks
    return model;
  }

  /**
   * Hashes the file while nothing is asked yet. No answer goes out before it is known to be right.
   * @param {Model} model
   */
  async verify(model) {
    try {
      await model.verify();
    } catch (error) {
      this.damaged = true;
      if (this.source.kind === "site") await forgetSite(sameOrigin(this.source.path, settings.root));
      throw error;
    }
  }

  /**
   * @param {string} stage
   * @param {number} received
   * @param {number} total
   */
  tell(stage, received, total) {
    this.progress = { kind: "progress", stage, received, total };
    for (const id of this.ids) reply({ ...this.progress, id });
  }

  /**
   * @param {Model} model
   * @param {number} seconds
   */
  tellLoaded({ prepared, tokens }, seconds) {
    this.loaded = {
      kind: "loaded",
      card: prepared.card,
      chat_template: prepared.chat_template,
      special_tokens: { bos: tokens.text(prepared.tokenizer.bos), eos: tokens.text(prepared.tokenizer.eos) },
      threads: settings.threads,
      backend: `wasm-${settings.variant}`,
      isolated: self.crossOriginIsolated,
      context: prepared.program.context,
      seconds,
      memory_bytes: prepared.program.memory_bytes,
    };
    for (const id of this.ids) reply({ ...this.loaded, id });
    this.ids.clear();
  }

  /**
   * Asks Python to describe the file by its first bytes.
   * @param {ArrayBuffer} bytes
   * @param {{bytes: number, name: string}} source
   */
  askPython(bytes, source) {
    const [id] = this.ids;
    reply({ kind: "header", id, bytes, file_bytes: source.bytes, name: source.name }, [bytes]);
    return new Promise((resolve) => { this.headerAnswered = resolve; });
  }

  /** @param {Message} message */
  answerHeader(message) {
    if (this.waiting(message.id)) this.headerAnswered?.(message);
  }

  /** @param {unknown} reason told to those who still wait */
  end(reason) {
    this.abort.abort();
    this.pool?.end();
    this.model = this.pool = null;
    for (const id of this.ids) fail(id, reason);
    this.ids.clear();
  }
}

/** @returns {Pool} */
function newPool() {
  const first = started;
  started += settings.threads - 1;
  return new Pool({
    threads: settings.threads,
    variant: settings.variant,
    lock: (thread) => `onglet-kernel-${settings.nonce}-${first + thread}`,
    alive: (lock) => self.postMessage({ kind: "alive", lock }),
    ended: (lock) => self.postMessage({ kind: "ended", lock }),
  });
}

/**
 * Lets through the first of a stage, the last, and at most 20 a second between.
 * @template {any[]} T
 * @param {(received: number, total: number, ...rest: T) => void} report
 */
function throttle(report) {
  let last = -Infinity;
  return (/** @type {number} */ received, /** @type {number} */ total, /** @type {T} */ ...rest) => {
    const now = performance.now();
    if (received > 0 && received < total && now - last < PROGRESS) return;
    last = now;
    report(received, total, ...rest);
  };
}
