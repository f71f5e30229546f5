// @ts-check
/**
 * One load of a model: from a source of bytes to kernels that can answer. Everything overlaps:
 * the kernels compile and their workers start while the description and the first bytes arrive,
 * the pool repacks while the rest arrives. Knows nothing about messages or other loads.
 */
import { Failure } from "../files/failure.js";
import { openAddress, openFile, openSite, openStored, sameOrigin } from "../files/sources.js";
import { Tokens } from "./tokens.js";
import { WeightStream } from "./weights.js";

/** @typedef {import("../files/sources.js").Source} Source */
/** @typedef {import("./kernels.js").Kernels} Kernels */
/** @typedef {import("./pool.js").Pool} Pool */
/** @typedef {{code: string, values: Record<string, unknown>}} Refusal */
/** @typedef {{kind: string, path?: string, key?: string, url?: string, sha256?: string}} Wanted */
/**
 * @typedef {object} Prepared what `prepare.py` says about a model file
 * @property {Record<string, unknown>} card
 * @property {import("./kernels.js").Program} program
 * @property {string|null} chat_template
 * @property {import("./tokens.js").Tables} tokenizer
 */
/**
 * @typedef {object} Model ready to answer
 * @property {Prepared} prepared
 * @property {Kernels} kernels
 * @property {Tokens} tokens
 * @property {number[]} kept the tokens whose keys and values lie in the cache, from position 0
 * @property {Promise<import("./readings.js").Readings|null>} [readings] once a conversation is to be kept
 * @property {Promise<{library: any, compiler: any}>} [grammar] once an answer is to keep a form
 * @property {() => Promise<void>} verify throws `wrong_hash` if the file's bytes are not the right ones
 */
/**
 * @typedef {object} Asker what a load needs from outside
 * @property {string} root
 * @property {number|null} context that was asked for
 * @property {Map<string, File>} offers files that a person picked
 * @property {AbortSignal} signal
 * @property {(received: number, total: number, stage: string) => void} progress
 * @property {(bytes: ArrayBuffer, source: Source) => Promise<any>} askPython
 */
/** @typedef {{kind: string, bytes?: number, prepared?: Prepared|null, refused?: Refusal|null}} HeaderAnswer */

const HEADER_GUESS = 4 << 20; // the headers of small models; Python asks for more if need be

/**
 * @param {Wanted} wanted
 * @param {Pool} pool
 * @param {Asker} asker
 * @returns {Promise<Model>}
 */
export async function load(wanted, pool, asker) {
  const opened = await open(wanted, asker);
  const stream = new HeldChunks(opened.source.chunks);
  try {
    const ready = asker.context === null ? opened.prepared : undefined; // made for one context
    const prepared = ready ?? await prepare(stream, opened.source, asker);
    prepared.card.sha256 ??= opened.prepared?.card.sha256 ?? wanted.sha256 ?? null;
    const kernels = await pool.build(prepared.program);
    asker.signal.throwIfAborted();
    const tokens = await fill(stream, opened.source, prepared, kernels, asker);
    const verify = opened.source.verify ?? (async () => {});
    return { prepared, kernels, tokens, kept: [], verify };
  } finally {
    await stream.close();
  }
}

/**
 * @param {Wanted} wanted
 * @param {Asker} asker
 * @returns {Promise<{source: Source, prepared?: Prepared}>}
 */
async function open(wanted, { root, offers, signal }) {
  if (wanted.kind === "site") {
    const { listing, source } = await openSite(sameOrigin(wanted.path ?? "", root), signal);
    return { source, prepared: /** @type {any} */ (listing) };
  }
  if (wanted.kind === "stored") return { source: await openStored(wanted.sha256 ?? "", signal) };
  if (wanted.kind === "url") {
    return { source: await openAddress(sameOrigin(wanted.url ?? "", root), signal) };
  }
  const file = offers.get(wanted.key ?? "");
  if (!file) throw new Failure("download_failed", { url: String(wanted.key), status: 0 });
  return { source: openFile(file, signal) };
}

/**
 * Shows Python the beginning of the file until it has seen enough to describe the model.
 * @param {HeldChunks} stream
 * @param {Source} source
 * @param {Asker} asker
 * @returns {Promise<Prepared>}
 */
async function prepare(stream, source, asker) {
  let size = HEADER_GUESS;
  for (;;) {
    const header = await stream.first(Math.min(size, source.bytes));
    if (header.length < Math.min(size, source.bytes)) {
      throw new Failure("truncated", { have: header.length, need: source.bytes });
    }
    const answer = await asker.askPython(header.buffer, source);
    if (answer.kind === "prepared") return accepted(answer);
    if (header.length === source.bytes) throw new Failure("broken_header", { where: "end" });
    size = Math.max(size + 1, answer.bytes ?? 0);
  }
}

/** @param {HeaderAnswer} answer */
function accepted({ prepared, refused }) {
  if (prepared) return prepared;
  throw new Failure(refused?.code ?? "broken_header", refused?.values ?? {});
}

/**
 * Takes the whole file once: its header for the tokenizer, the rest for the kernels.
 * @param {HeldChunks} stream
 * @param {Source} source
 * @param {Prepared} prepared
 * @param {Kernels} kernels
 * @param {Asker} asker
 * @returns {Promise<Tokens>}
 */
async function fill(stream, source, prepared, kernels, { signal, progress }) {
  const stage = source.local ? "prepare" : "download";
  const weights = new WeightStream(kernels);
  const header = await stream.first(prepared.program.weights[0].source); // sorted: the first byte
  const building = Tokens.build(header, prepared.tokenizer);
  let tokens = building.next();
  progress(0, source.bytes, stage);
  for await (const chunk of stream.all()) {
    signal.throwIfAborted();
    weights.push(chunk);
    if (!tokens.done) tokens = building.next();
    progress(weights.position, source.bytes, stage);
  }
  if (!weights.complete) {
    throw new Failure("truncated", { have: weights.position, need: weights.end });
  }
  while (!tokens.done) tokens = building.next();
  weights.finish();
  return tokens.value;
}

/** A file's chunks, of which the first can be looked at before all are taken. */
class HeldChunks {
  /** @param {AsyncGenerator<Uint8Array>} chunks */
  constructor(chunks) {
    this.chunks = chunks;
    /** @type {Uint8Array[]} */
    this.held = [];
    this.size = 0;
  }

  /**
   * @param {number} size
   * @returns {Promise<Uint8Array<ArrayBuffer>>} a copy of the first bytes, fewer if the file ends
   */
  async first(size) {
    while (this.size < size) {
      const { done, value } = await this.chunks.next();
      if (done) break;
      this.held.push(value.slice()); // its reader may use the same bytes again
      this.size += value.length;
    }
    const bytes = new Uint8Array(Math.min(size, this.size));
    let at = 0;
    for (const chunk of this.held) {
      if (at >= bytes.length) break;
      bytes.set(chunk.subarray(0, bytes.length - at), at);
      at += chunk.length;
    }
    return bytes;
  }

  /** All chunks from the start of the file; each is let go of when it has been taken. */
  async* all() {
    while (this.held.length) yield /** @type {Uint8Array} */ (this.held.shift());
    yield* this.chunks;
  }

  /** Stops the reading, wherever it is. */
  async close() {
    await this.chunks.return(undefined);
  }
}
