// @ts-check
/**
 * The kernels on one shared memory, as thread 0 sees them: evaluate tokens, repack weights, choose
 * the next token. Knows nothing about files, text or messages. The ABI is in wasm_kernels/README.md.
 */

/**
 * @typedef {object} Weight where a tensor lies in the file and where it goes
 * @property {string} name
 * @property {number} source
 * @property {number} bytes
 * @property {number} type
 * @property {number} rows
 * @property {number} columns
 * @property {number} target
 * @property {number} pattern
 */
/**
 * @typedef {object} Program
 * @property {number} memory_bytes
 * @property {number} context
 * @property {number} chunk
 * @property {number} vocabulary
 * @property {number} words_address
 * @property {number[]} words
 * @property {Weight[]} weights
 * @property {Record<string, number>} fields
 * @property {{address: number, heads: number, stride: number, page_bytes: number}[]} caches
 */
/**
 * @typedef {object} Sampling
 * @property {number} temperature
 * @property {number} top_k
 * @property {number} top_p
 * @property {number} min_p
 * @property {number} repeat_penalty
 * @property {number} repeat_last_n
 * @property {number} seed
 */

const WARM_UP_TOKENS = 8; // enough for the kernels of a batch
const RESET = -1; // "accept" of no token: the sampler starts afresh with the values just written

export class Kernels {
  /**
   * @param {Program} program
   * @param {WebAssembly.Memory} memory
   * @param {any} exports
   * @param {number} threads
   */
  constructor(program, memory, exports, threads) {
    this.program = program;
    this.address = program.words_address;
    this.exports = exports;
    this.threads = threads;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.floats = new Float32Array(memory.buffer);
  }

  /**
   * Evaluates tokens at a position: writes their keys and values, and the logits of the last ones.
   * @param {number[]} tokens at most `program.chunk`
   * @param {number} position of the first
   * @param {number} logits how many of the last tokens get logits
   */
  step(tokens, position, logits) {
    const { fields } = this.program;
    this.words.set(tokens, fields.tokens / 4);
    this.words[fields.count / 4] = tokens.length;
    this.words[fields.position / 4] = position;
    this.words[fields.logits_rows / 4] = logits;
    this.exports.step(this.address, this.threads);
  }

  /**
   * Runs each kernel, so that the browser has compiled it well before the first question: that one
   * is then read in half the time. Writes only what a first question writes over.
   */
  warmUp() {
    this.step([0], 0, 1);
    this.step(new Array(Math.min(WARM_UP_TOKENS, this.program.chunk)).fill(0), 0, 1);
  }

  /**
   * @param {Sampling} sampling
   * @param {number[]} tokens what was said before, for the repetition penalty
   */
  startSampling(sampling, tokens) {
    const at = this.program.fields.sampler / 4;
    const { temperature, top_p, min_p, repeat_penalty, top_k, repeat_last_n, seed } = sampling;
    this.floats.set([temperature, top_p, min_p, repeat_penalty], at);
    this.words.set([top_k, repeat_last_n, seed], at + 4);
    this.exports.accept(this.address, RESET);
    const last = repeat_last_n > 0 ? tokens.slice(-repeat_last_n) : [];
    for (const token of last) this.exports.accept(this.address, token);
  }

  /** @returns {number} the next token, chosen from the last logits and accepted */
  sample() {
    const token = this.exports.sample(this.address);
    this.exports.accept(this.address, token);
    return token;
  }

  /**
   * @param {Weight} weight
   * @param {number} rows
   * @param {number} first its first row
   * @param {number} source address of its bytes
   */
  postRepack({ type, columns, pattern, target }, rows, first, source) {
    this.exports.post_repack(
      this.address, this.threads, type, columns, rows, first, pattern, source, target);
    if (this.threads === 1) this.exports.repack_help(this.address); // the bytes are in the cache now
  }

  /**
   * Returns when `count` repack jobs are done; helps meanwhile.
   * @param {number} count
   */
  awaitJobs(count) {
    while (this.exports.repacks_done(this.address) < count) {
      if (!this.exports.repack_help(this.address)) this.nap();
    }
  }

  /** A tenth of a millisecond: the other threads are on the last jobs. */
  nap() {
    const word = this.program.fields.count / 4;
    Atomics.wait(this.words, word, this.words[word], 0.1);
  }
}
