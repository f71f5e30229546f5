// @ts-check
/**
 * Turns text into tokens and tokens into bytes, with the tables that a GGUF file carries.
 *
 * The byte positions of the tables come checked from `prepare.py`. Knows nothing of how pieces of
 * text are merged (byte_pairs.js, sentence_pieces.js,
 * word_pieces.js), of kernels, messages or chat templates.
 */
import { Failure } from "../files/failure.js";
import { BytePairs } from "./byte_pairs.js";
import { RULES } from "./cuts.js";
import { SentencePieces } from "./sentence_pieces.js";
import { WordPieces } from "./word_pieces.js";

/** @typedef {{offset: number, count: number}} Table a GGUF array: place of its first element */
/**
 * @typedef {object} Tables the `tokenizer` part of a prepared model
 * @property {string} model
 * @property {string} pre
 * @property {Table} tokens
 * @property {Table|null} merges of byte-level vocabularies
 * @property {Table|null} scores of SentencePiece vocabularies
 * @property {Table} types
 * @property {number|null} bos
 * @property {number|null} eos
 * @property {number|null} unknown
 * @property {number[]} end_of_turn
 * @property {boolean} add_bos
 * @property {boolean} add_eos
 * @property {boolean} add_space_prefix
 * @property {number[]} strip_after special tokens that swallow the white space behind them
 * @property {[number, string][]} special
 */

const CONTROL = 3; // llama.cpp's token types: these steer the model and are never shown

/** @typedef {{encode(text: string): number[], bytes(text: string): Uint8Array}} Coder */
/** @typedef {(header: Uint8Array, tables: Tables, texts: string[]) => Generator<void, Coder>} Maker */

/** How each kind of vocabulary is made ready, by `tokenizer.ggml.model`. @type {Map<string, Maker>} */
const MAKERS = new Map([
  ["gpt2", makeBytePairs], ["llama", makeSentencePieces], ["bert", makeWordPieces],
]);

export class Tokens {
  /**
   * Builds the tokenizer in steps of 10 to 20 ms, so that a load takes bytes in between.
   * Throws `unknown_tokenizer` in the first.
   * @param {Uint8Array} header the file from its start to beyond the tables (not shared memory)
   * @param {Tables} tables
   * @returns {Generator<void, Tokens>}
   */
  static* build(header, tables) {
    const make = MAKERS.get(tables.model);
    if (!make) throw new Failure("unknown_tokenizer", { tokenizer: tables.model });
    if (tables.model === "gpt2" && !RULES.has(tables.pre)) {
      throw new Failure("unknown_tokenizer", { tokenizer: tables.pre });
    }
    const texts = readStrings(header, tables.tokens);
    yield;
    const coder = yield* make(header, tables, texts);
    return new Tokens(texts, coder, controlTokens(header, tables), tables);
  }

  /**
   * @param {string[]} texts
   * @param {Coder} coder
   * @param {Set<number>} hidden tokens that are never shown
   * @param {Tables} tables
   */
  constructor(texts, coder, hidden, tables) {
    this.texts = texts;
    this.coder = coder;
    this.special = new Map(tables.special);
    this.hidden = hidden;
    this.prefix = tables.add_bos && tables.bos !== null ? [tables.bos] : [];
    this.suffix = tables.add_eos && tables.eos !== null ? [tables.eos] : [];
  }

  /**
   * Special tokens written in the text are taken as such: a chat template writes them.
   * @param {string} text
   * @returns {number[]}
   */
  encode(text) {
    const ids = this.coder.encode(text);
    const doubled = this.prefix.length > 0 && ids[0] === this.prefix[0];
    return doubled ? ids : [...this.prefix, ...ids, ...this.suffix];
  }

  /**
   * What a token adds to the answer; a token alone may be half a character.
   * @param {number} id
   * @returns {Uint8Array}
   */
  bytes(id) {
    if (this.hidden.has(id)) return new Uint8Array(0);
    const special = this.special.get(id);
    if (special !== undefined) return new TextEncoder().encode(special);
    return this.coder.bytes(this.texts[id] ?? "");
  }

  /** @param {number|null} id */
  text(id) {
    return id === null ? null : this.special.get(id) ?? this.texts[id] ?? null;
  }
}

/** @type {Maker} */
function* makeBytePairs(header, tables, texts) {
  const merges = tables.merges ? readStrings(header, tables.merges) : [];
  yield;
  const ids = numbered(texts);
  yield;
  const rule = RULES.get(tables.pre) ?? { splits: [] };
  return new BytePairs(texts, ids, numbered(merges), tables, rule);
}

/** @type {Maker} */
function* makeSentencePieces(header, tables, texts) {
  const ids = numbered(texts);
  yield;
  const scores = tables.scores ? readNumbers(header, tables.scores) : new Float32Array(texts.length);
  return new SentencePieces(ids, scores, tables);
}

/** @type {Maker} */
function* makeWordPieces(_header, tables, texts) {
  const ids = numbered(texts);
  yield;
  return new WordPieces(ids, tables.unknown);
}

/**
 * @param {Uint8Array} header
 * @param {Table} table of 32-bit floats at any address
 */
function readNumbers(header, { offset, count }) {
  return new Float32Array(header.slice(offset, offset + 4 * count).buffer);
}

/** @param {string[]} texts */
function numbered(texts) {
  /** @type {Map<string, number>} */
  const numbers = new Map();
  texts.forEach((text, number) => numbers.set(text, number));
  return numbers;
}

/**
 * GGUF strings are a 64-bit length and UTF-8. They are decoded in one go with line ends between
 * them (20 ms instead of 90 for 98,000 strings); should one contain a line end, one by one.
 * @param {Uint8Array} header
 * @param {Table} table
 * @returns {string[]}
 */
function readStrings(header, table) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const texts = decoder.decode(joinStrings(header, table)).split("\n");
  texts.pop();
  if (texts.length === table.count) return texts;
  return Array.from(eachString(header, table), ([at, end]) => (
    decoder.decode(header.subarray(at, end))));
}

/**
 * @param {Uint8Array} header
 * @param {Table} table
 */
function joinStrings(header, table) {
  const joined = new Uint8Array(header.length - table.offset); // a length takes 8 bytes, a line end 1
  let size = 0;
  for (let [at, end] of eachString(header, table)) {
    while (at < end) joined[size++] = header[at++];
    joined[size++] = 10;
  }
  return joined.subarray(0, size);
}

/**
 * The upper half of a length is zero: prepare.py checked.
 * @param {Uint8Array} header
 * @param {Table} table
 * @returns {Generator<[number, number]>} the place of each string
 */
function* eachString(header, { offset, count }) {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  for (let i = 0, at = offset; i < count; i++) {
    const end = at + 8 + view.getUint32(at, true);
    yield [at + 8, end];
    at = end;
  }
}

/**
 * @param {Uint8Array} header
 * @param {Tables} tables
 * @returns {Set<number>} tokens that are never shown
 */
function controlTokens(header, tables) {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const isControl = (/** @type {number} */ id) => (
    id < tables.types.count && view.getInt32(tables.types.offset + 4 * id, true) === CONTROL);
  const ids = tables.special.map(([id]) => id).filter(isControl);
  return new Set([...ids, ...tables.end_of_turn]);
}
