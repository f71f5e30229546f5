// @ts-check
/**
 * An encoder in a worker of its own, on the engine's kernels, beside the model that chats: texts in,
 * vectors out, on one thread. Opened when first asked; whoever made the worker ends it. Knows no
 * document.
 *
 * `start` (`root`, `place`), then requests with an `id`: `encode` (`texts`) gives signed bytes, one
 * text after the other (a length of 1 is 127), `tokens` (`text`) gives ids. Answers are
 * `{id, value}` or `{id, error}`; before one of `encode` `{id, progress}`, how many texts are done.
 */
import { Failure } from "../files/failure.js";
import { sha256 } from "../files/store.js";
import { bestVariant, Pool } from "./pool.js";
import { Tokens } from "./tokens.js";
import { WeightStream } from "./weights.js";

/** @typedef {{file: string, prepared: string, sha256: string}} Place paths relative to `root` */
/** @typedef {import("./load.js").Prepared} Prepared */
/** @typedef {{kernels: import("./kernels.js").Kernels, tokens: Tokens, width: number}} Encoder */

const PRECISION = 127;
const TOLD_EVERY = 100; // milliseconds

/** @type {string} */ let root;
/** @type {Place} */ let place;
/** @type {Promise<Encoder> | undefined} */ let opened;

/** @type {Record<string, (encoder: Encoder, message: any) => any>} */
const REQUESTS = { encode, tokens: (encoder, { text }) => cut(encoder, text) };

self.onmessage = ({ data }) => {
  if (data.kind === "start") ({ root, place } = data);
  else answer(data);
};

/** @param {any} message */
async function answer(message) {
  const { id, kind } = message;
  try {
    opened ??= open();
    const value = REQUESTS[kind](await opened, message);
    self.postMessage({ id, value });
  } catch (error) {
    console.error(error);
    const { code = "workshop_failed", values = {} } = /** @type {any} */ (error);
    self.postMessage({ id, error: { code, values } });
  }
}

/** @returns {Promise<Encoder>} */
async function open() {
  const nobody = { lock: () => "", alive: () => {}, ended: () => {} };
  const pool = new Pool({ threads: 1, variant: bestVariant(), ...nobody });
  try {
    const [prepared, file] = await Promise.all([preparedFrom(), bytesOf(place.file)]);
    await verify(file);
    const kernels = await pool.build(prepared.program);
    const weights = new WeightStream(kernels);
    weights.push(file);
    const tokens = tokenizer(file.subarray(0, prepared.program.weights[0].source), prepared);
    weights.finish();
    return { kernels, tokens, width: /** @type {number} */ (prepared.card.width) };
  } catch (error) {
    opened = undefined; // the next request tries again
    throw error;
  }
}

/**
 * @param {Uint8Array} header
 * @param {Prepared} prepared
 */
function tokenizer(header, prepared) {
  const building = Tokens.build(header, prepared.tokenizer);
  let step = building.next();
  while (!step.done) step = building.next();
  return step.value;
}

/** @returns {Promise<Prepared>} */
async function preparedFrom() {
  return JSON.parse(new TextDecoder().decode(await bytesOf(place.prepared)));
}

/** @param {string} path */
async function bytesOf(path) {
  const failed = (/** @type {number} */ status) => new Failure("download_failed", { url: path, status });
  const response = await fetch(root + path).catch(() => { throw failed(0); });
  if (!response.ok) throw failed(response.status);
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * Throws `wrong_hash` unless the bytes are those that the build saw.
 * @param {Uint8Array<ArrayBuffer>} file
 */
async function verify(file) {
  if ((await sha256(file)) !== place.sha256) throw new Failure("wrong_hash");
}

/**
 * @param {Encoder} encoder
 * @param {{id: number, texts: string[]}} request
 */
function encode(encoder, { id, texts }) {
  const vectors = new Int8Array(encoder.width * texts.length);
  let told = performance.now();
  texts.forEach((text, number) => {
    vectors.set(vectorOf(encoder, text), encoder.width * number);
    if (performance.now() - told < TOLD_EVERY) return;
    told = performance.now();
    self.postMessage({ id, progress: number + 1 });
  });
  return vectors;
}

/**
 * @param {Encoder} encoder
 * @param {string} text
 */
function vectorOf(encoder, text) {
  const { kernels, width } = encoder;
  kernels.step(cut(encoder, text), 0, 0);
  const at = kernels.program.fields.logits / 4;
  return kernels.floats.subarray(at, at + width).map((value) => Math.round(value * PRECISION));
}

/**
 * The tokens of a text, at most as many as the model takes: the last one ends it in any case.
 * @param {Encoder} encoder
 * @param {string} text
 */
function cut({ kernels, tokens }, text) {
  const ids = tokens.encode(text);
  const most = kernels.program.chunk;
  return ids.length <= most ? ids : [...ids.slice(0, most - 1), ids[ids.length - 1]];
}
