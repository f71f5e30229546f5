// @ts-check
/**
 * Turns text into tokens and tokens into bytes, with the tables that a GGUF file carries.
 *
 * The byte positions of the tables come checked from `prepare.py`; the merging is done by the
 * tokenizer library. Knows nothing about kernels, messages or chat templates.
 */
import { Failure } from "../files/failure.js";
import { BPE, Tokenizer } from "../vendor/tokenizers/tokenizers.min.mjs";

/** @typedef {{offset: number, count: number}} Table a GGUF array: place of its first element */
/**
 * @typedef {object} Tables the `tokenizer` part of a prepared model
 * @property {string} model
 * @property {string} pre
 * @property {Table} tokens
 * @property {Table} merges
 * @property {Table} types
 * @property {number|null} bos
 * @property {number|null} eos
 * @property {number|null} unknown
 * @property {number[]} end_of_turn
 * @property {boolean} add_bos
 * @property {[number, string][]} special
 */

// Rust and llama.cpp read \s as the Unicode property; JavaScript's own \s differs at U+0085, U+FEFF.
const GPT_2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|`
  + String.raw` ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`;
/** @param {string} digits how many digits make one piece */
const cased = (digits) => String.raw`'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|`
  + String.raw`[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${digits}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|`
  + String.raw`\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`;

/** @typedef {{splits: string[], whole_words?: boolean, normalizer?: string}} Rule */
/**
 * How each family cuts text before merging, by the name in `tokenizer.ggml.pre`.
 * @type {Record<string, Rule>}
 */
const RULES = {
  "gpt-2": { splits: [GPT_2] },
  "smollm": { splits: [String.raw`\p{N}`, GPT_2] },
  "llama-bpe": { splits: [cased("{1,3}")], whole_words: true },
  "qwen2": { splits: [cased("")], normalizer: "NFC" },
};

const CONTROL = 3; // llama.cpp's token types: these steer the model and are never shown

export class Tokens {
  /**
   * Builds the tokenizer in four steps of 10 to 20 ms, so that a load takes bytes in between.
   * Throws `unknown_tokenizer` in the first.
   * @param {Uint8Array} header the file from its start to beyond the tables (not shared memory)
   * @param {Tables} tables
   * @returns {Generator<void, Tokens>}
   */
  static* build(header, tables) {
    const rule = tables.model === "gpt2" && Object.hasOwn(RULES, tables.pre) && RULES[tables.pre];
    if (!rule) {
      throw new Failure("unknown_tokenizer", { tokenizer: `${tables.model}/${tables.pre}` });
    }
    const texts = readStrings(header, tables.tokens);
    yield;
    const merges = readStrings(header, tables.merges);
    yield;
    const ids = numbered(texts);
    yield;
    const merger = new Merger(texts, ids, numbered(merges), tables.unknown, rule);
    return new Tokens(merger, controlTokens(header, tables), tables, rule);
  }

  /**
   * @param {Merger} merger
   * @param {Set<number>} hidden tokens that are never shown
   * @param {Tables} tables
   * @param {Rule} rule
   */
  constructor(merger, hidden, tables, rule) {
    this.texts = merger.vocab;
    this.special = new Map(tables.special);
    this.hidden = hidden;
    this.prefix = tables.add_bos && tables.bos !== null ? [tables.bos] : [];
    this.library = new Tokenizer(describe(tables, rule), {});
    this.library.model = merger;
  }

  /**
   * Special tokens written in the text are taken as such: a chat template writes them.
   * @param {string} text
   * @returns {number[]}
   */
  encode(text) {
    const ids = this.library.encode(text, { add_special_tokens: false }).ids;
    const doubled = this.prefix.length > 0 && ids[0] === this.prefix[0];
    return doubled ? ids : [...this.prefix, ...ids];
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
    return wordBytes(this.texts[id] ?? "");
  }

  /** @param {number|null} id */
  text(id) {
    return id === null ? null : this.special.get(id) ?? this.texts[id] ?? null;
  }
}

/**
 * The library's byte-pair merging on the file's tables as they are. Its own constructor takes each
 * of 98,000 strings apart and together again: 130 ms of a load, instead of 15.
 */
class Merger extends BPE {
  /**
   * @param {string[]} texts
   * @param {Map<string, number>} ids
   * @param {Map<string, number>} ranks "left right" -> place in the list: the first merges first
   * @param {number|null} unknown
   * @param {Rule} rule
   */
  constructor(texts, ids, ranks, unknown, rule) {
    const unk_token = unknown === null ? undefined : texts[unknown];
    super({ type: "BPE", vocab: {}, merges: [], ignore_merges: rule.whole_words, unk_token });
    this.tokens_to_ids = ids;
    this.unk_token_id = unknown ?? undefined;
    this.vocab = texts;
    this.ranks = ranks;
  }

  /**
   * Queues a merge of a node with the next one if the file lists it.
   * @param {any} queue
   * @param {any} node
   */
  add_node(queue, node) {
    const rank = this.ranks.get(`${node.token} ${node.next.token}`);
    if (rank === undefined) return;
    node.score = rank + node.bias;
    queue.push(node);
  }
}

/** @param {string[]} texts */
function numbered(texts) {
  /** @type {Map<string, number>} */
  const numbers = new Map();
  texts.forEach((text, number) => numbers.set(text, number));
  return numbers;
}

/**
 * The description that the library reads (the form of a tokenizer.json), without the vocabulary.
 * @param {Tables} tables
 * @param {Rule} rule
 */
function describe(tables, rule) {
  const splits = rule.splits.map((regex) => (
    { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false }));
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  const kept = { special: true, normalized: false, lstrip: false, rstrip: false, single_word: false };
  const special = tables.special.filter(([, content]) => content !== "");
  return {
    model: { type: "BPE", vocab: {}, merges: [] },
    added_tokens: special.map(([id, content]) => ({ id, content, ...kept })),
    pre_tokenizer: { type: "Sequence", pretokenizers: [...splits, bytes] },
    normalizer: rule.normalizer ? { type: rule.normalizer } : null,
    post_processor: null,
    decoder: null,
  };
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

// Byte-level vocabularies write each byte as one visible character: printable ones as themselves,
// the others, in order, from U+0100 on.
const BYTE_OF_CHARACTER = (() => {
  /** @type {Map<string, number>} */
  const bytes = new Map();
  const printable = (/** @type {number} */ b) => (
    (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174);
  let next = 256;
  for (let b = 0; b < 256; b++) bytes.set(String.fromCharCode(printable(b) ? b : next++), b);
  return bytes;
})();

/**
 * @param {string} word
 * @returns {Uint8Array}
 */
function wordBytes(word) {
  const bytes = [];
  for (const character of word) {
    const byte = BYTE_OF_CHARACTER.get(character);
    // A vocabulary may hold a word in plain letters (an unused or user-defined one): keep it as is.
    if (byte === undefined) return new TextEncoder().encode(word);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
