// @ts-check
/**
 * Byte-level byte-pair vocabularies: text is cut, written as visible letters for its bytes, and
 * neighbours are merged in the order of a list. Knows nothing of files or of which tokens are shown.
 */
import { BPE, Tokenizer } from "../vendor/tokenizers/tokenizers.min.mjs";

/** @typedef {import("./cuts.js").Rule} Rule */

export class BytePairs {
  /**
   * @param {string[]} texts
   * @param {Map<string, number>} ids
   * @param {Map<string, number>} ranks "left right" -> place in the list: the first merges first
   * @param {{unknown: number|null, special: [number, string][]}} tables
   * @param {Rule} rule
   */
  constructor(texts, ids, ranks, tables, rule) {
    this.library = new Tokenizer(describe(tables.special, rule), {});
    this.library.model = new Merger(texts, ids, ranks, tables.unknown, rule);
  }

  /**
   * @param {string} text
   * @returns {number[]}
   */
  encode(text) {
    return this.library.encode(text, { add_special_tokens: false }).ids;
  }

  /**
   * The bytes of a token that is no special one.
   * @param {string} text as in the vocabulary
   */
  bytes(text) {
    return wordBytes(text);
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

/**
 * The description that the library reads (the form of a tokenizer.json), without the vocabulary.
 * @param {[number, string][]} special
 * @param {Rule} rule
 */
function describe(special, rule) {
  const splits = rule.splits.map((regex) => (
    { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false }));
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  const kept = { special: true, normalized: false, lstrip: false, rstrip: false, single_word: false };
  const added = special.filter(([, content]) => content !== "");
  return {
    model: { type: "BPE", vocab: {}, merges: [] },
    added_tokens: added.map(([id, content]) => ({ id, content, ...kept })),
    pre_tokenizer: { type: "Sequence", pretokenizers: [...splits, bytes] },
    normalizer: rule.normalizer ? { type: rule.normalizer } : null,
    post_processor: null,
    decoder: null,
  };
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
