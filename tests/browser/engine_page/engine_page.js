/**
 * Talks to an engine worker as the app does, without the app: `engine.start` makes a worker,
 * `engine.ask` sends a request and keeps every reply, `engine.ended` waits for the last one.
 */
const LAST = ["loaded", "done", "failed", "tokenized", "unloaded", "forgotten", "devices_are"];

class EnginePage {
  constructor() {
    this.replies = []; // what came through the port, with the time it came
    this.copies = []; // what the worker told the page
    this.lost = []; // locks whose worker died
    this.queues = new Map();
    this.waiting = [];
    this.nextId = 100;
  }

  /** Starts a worker. `options` are those of the `start` message. */
  start(code, options) {
    const { port1, port2 } = new MessageChannel();
    this.worker = new Worker(new URL("engine/worker.js", code), { type: "module" });
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.port = port2;
    this.port.onmessage = ({ data }) => this.receive(data);
    const start = { kind: "start", port: port1, load: null, threads: null, variant: null };
    const nonce = crypto.randomUUID();
    this.worker.postMessage({ ...start, root: location.href, nonce, ...options }, [port1]);
  }

  hear(message) {
    if (message.kind === "alive") this.watch(message.lock);
    else if (message.kind === "ended") this.queues.get(message.lock)?.abort();
    else this.copies.push(message);
  }

  watch(lock) {
    const queue = new AbortController();
    this.queues.set(lock, queue);
    navigator.locks.request(lock, { signal: queue.signal }, () => this.lost.push(lock)).catch(() => {});
  }

  receive(message) {
    const bytes = message.bytes?.byteLength;
    this.replies.push({ ...message, ...(bytes ? { bytes } : {}), at: performance.now() });
    const answered = this.onreply?.(message);
    if (answered) this.port.postMessage(answered);
    this.waiting = this.waiting.filter((check) => !check());
  }

  /** Sends a request; returns its id. */
  ask(request) {
    const id = request.id ?? this.nextId++;
    this.port.postMessage({ ...request, id });
    return id;
  }

  of(id, kind) {
    return this.replies.filter((reply) => reply.id === id && (!kind || reply.kind === kind));
  }

  /** Waits until `condition()` holds, looked at after each reply. */
  until(condition) {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return false;
        resolve();
        return true;
      };
      if (!check()) this.waiting.push(check);
    });
  }

  /** The last reply to a request. */
  async ended(id) {
    const last = () => this.of(id).find((reply) => LAST.includes(reply.kind));
    await this.until(last);
    return last();
  }

  /** Asks a question and returns its text, its batches and its end. */
  async answer(prompt, more = {}) {
    const id = this.ask(question(prompt, more));
    const end = await this.ended(id);
    const batches = this.of(id, "tokens");
    return { id, end, batches, text: batches.map((batch) => batch.text).join("") };
  }
}

/** A `generate` request that takes the best token each time. */
function question(prompt, more = {}) {
  const sampling = {
    temperature: 0, top_k: 0, top_p: 1, min_p: 0, repeat_penalty: 1, repeat_last_n: 0, seed: 1,
  };
  return { kind: "generate", prompt, stop: [], sampling, max_tokens: 64, ...more };
}

globalThis.question = question;
globalThis.engine = new EnginePage();
