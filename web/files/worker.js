// @ts-check
/**
 * The library's worker: what the page asks of kept models and of other hosts (docs/protocols.md
 * section 12). It alone may reach another host, each one after the page has let it.
 */
import { begun, Download, forget, sweep } from "./download.js";
import { Failure } from "./failure.js";
import { ask, bytesOf, pause } from "./reach.js";
import { hashOf } from "./running_hash.js";
import { entries, entryOf, openFolder, remove, verifyStored } from "./store.js";

const NEWS = 200; // milliseconds between two reports of the same thing
const TEXT_LIMIT = 4 << 20;
const HEADER_LIMIT = 64 << 20;

/** @type {Map<string, Download>} */
const running = new Map();
/** Questions to the page that wait. @type {Map<number, (answer: Gated) => void>} */
const gates = new Map();
let nextGate = 1;

/** @typedef {{refused?: string}} Gated */

/** @type {import("./reach.js").Gate} */
async function gate(url, from) {
  const id = nextGate++;
  const answered = new Promise((resolve) => gates.set(id, resolve));
  self.postMessage({ kind: "gate", id, host: url.host, from: from ?? null, bytes: url.href.length });
  const { refused } = /** @type {Gated} */ (await answered);
  if (refused) throw new Failure(refused, { host: url.host, from: from ?? null });
}

/** @type {Record<string, (asked: any) => Promise<unknown>>} */
const VERBS = {
  list: async () => {
    await sweep();
    return { models: await entries(), begun: await begun(), running: [...running.keys()] };
  },
  /** The first bytes of a file, and what its host says of it. */
  look: async ({ url, bytes }) => {
    const limit = Math.min(bytes, HEADER_LIMIT);
    const answer = await ask(url, { gate, from: 0, to: limit });
    const began = performance.now();
    const head = await bytesOf(answer, limit);
    const seconds = (performance.now() - began) / 1000;
    const { total, etag, sha256 } = answer;
    return { head: head.buffer, total, etag, sha256, seconds };
  },
  /** A small text, for the answers of a hub. */
  text: async ({ url }) => {
    const answer = await ask(url, { gate });
    return new TextDecoder().decode(await bytesOf(answer, TEXT_LIMIT));
  },
  download: async (wanted) => {
    const { key } = wanted;
    if (running.has(key)) throw new Failure("other_tab");
    const news = throttled((/** @type {object} */ progress) => (
      self.postMessage({ kind: "news", key, ...progress })));
    const download = new Download(wanted, gate, news);
    running.set(key, download);
    try {
      return await download.run();
    } finally {
      running.delete(key);
    }
  },
  pause: async ({ key }) => running.get(key)?.stop(),
  forget: async ({ key }) => {
    running.get(key)?.stop();
    while (running.has(key)) await pause(20); // until it has let go of its file
    await forget(key);
  },
  verify: async ({ sha256 }) => {
    const entry = await entryOf(sha256);
    if (!entry) throw new Failure("not_stored");
    await verifyStored(entry, progressOf(sha256, entry.bytes));
  },
  /** The hash of a file that stays where it is. */
  hash: async ({ key, file }) => hashOf(file, progressOf(key, file.size)),
  /** The first bytes of a kept model. */
  head: async ({ sha256, bytes }) => {
    const folder = (await entryOf(sha256)) && (await openFolder());
    if (!folder) throw new Failure("not_stored");
    return startOf(await (await folder.getFileHandle(sha256)).getFile(), bytes);
  },
  /** The first bytes of a file that stays where it is. */
  start: async ({ file, bytes }) => startOf(file, bytes),
  remove: async ({ sha256 }) => remove(sha256),
};

/**
 * @param {Blob} file
 * @param {number} bytes
 */
function startOf(file, bytes) {
  return file.slice(0, Math.min(bytes, HEADER_LIMIT)).arrayBuffer();
}

/**
 * @param {string} key
 * @param {number} total
 */
function progressOf(key, total) {
  return throttled((/** @type {number} */ received) => (
    self.postMessage({ kind: "news", key, received, total })));
}

self.onmessage = async ({ data }) => {
  if (data.kind === "gated") {
    gates.get(data.id)?.(data);
    gates.delete(data.id);
    return;
  }
  const { id, verb, asked } = data;
  try {
    self.postMessage({ kind: "answer", id, value: (await VERBS[verb](asked)) ?? null });
  } catch (error) {
    self.postMessage({ kind: "answer", id, failed: failure(error) });
  }
};

/** @param {unknown} error */
function failure(error) {
  if (error instanceof Failure) return { code: error.code, values: error.values };
  const name = error instanceof DOMException ? error.name : "";
  if (name === "AbortError") return { code: "cancelled", values: {} };
  if (name === "NoModificationAllowedError") return { code: "in_use", values: {} };
  if (name === "QuotaExceededError") return { code: "no_room", values: {} };
  if (name === "NotReadableError") return { code: "file_gone", values: {} };
  console.error(error);
  return { code: "unknown", values: { code: String(error) } };
}

/**
 * @template T
 * @param {(value: T) => void} report
 */
function throttled(report) {
  let last = -Infinity;
  return (/** @type {T} */ value) => {
    if (performance.now() - last < NEWS) return;
    last = performance.now();
    report(value);
  };
}
