// @ts-check
/**
 * WordPiece, the vocabularies of BERT: text loses case and accents, is cut into words and signs, and
 * a word into the longest pieces that the vocabulary has. In GGUF files the pieces that begin a word
 * have a mark before them. Source: Hugging Face's BertNormalizer, BertPreTokenizer and WordPiece,
 * which llama.cpp follows but for words of more than 100 characters and some accents. Special tokens
 * in the text are plain text. Knows nothing of files or of what stands around a text.
 */

const BEGINS = "\u2581"; // how the vocabulary marks a piece that begins a word
const LONGEST = 100; // characters of a word; a longer one is unknown
const MOST_KNOWN = 50_000; // words that were cut before

const REMOVED = /[^\P{C}\t\n\r]|\ufffd/gu; // controls, but those that are white
const IDEOGRAPHS = /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const SIGNS = /[!-/:-@[-`{-~]|\p{P}/gu;
const WHITE = /\p{White_Space}+/u;

export class WordPieces {
  /**
   * @param {Map<string, number>} ids
   * @param {number|null} unknown
   */
  constructor(ids, unknown) {
    this.ids = ids;
    this.unknown = unknown === null ? [] : [unknown];
    /** @type {Map<string, number[]>} */
    this.known = new Map();
  }

  /**
   * @param {string} text
   * @returns {number[]}
   */
  encode(text) {
    return words(text).flatMap((word) => this.cut(word));
  }

  /** @param {string} word */
  cut(word) {
    const known = this.known.get(word);
    if (known) return known;
    if (this.known.size >= MOST_KNOWN) this.known.clear();
    const pieces = this.longestPieces([...word]);
    this.known.set(word, pieces);
    return pieces;
  }

  /** @param {string[]} letters characters of a word */
  longestPieces(letters) {
    if (letters.length > LONGEST) return this.unknown;
    const found = [];
    for (let start = 0, end; start < letters.length; start = end) {
      end = letters.length;
      let id = this.piece(letters, start, end);
      while (id === undefined && --end > start) id = this.piece(letters, start, end);
      if (id === undefined) return this.unknown;
      found.push(id);
    }
    return found;
  }

  /**
   * @param {string[]} letters
   * @param {number} start
   * @param {number} end
   */
  piece(letters, start, end) {
    return this.ids.get((start ? "" : BEGINS) + letters.slice(start, end).join(""));
  }

  /**
   * The bytes of a token that is no special one.
   * @param {string} text as in the vocabulary
   */
  bytes(text) {
    return new TextEncoder().encode(text.replace(BEGINS, " "));
  }
}

/**
 * @param {string} text
 * @returns {string[]} words and single signs, in lower case, without accents
 */
export function words(text) {
  const plain = text.replace(REMOVED, "").replace(IDEOGRAPHS, " $& ").normalize("NFD").replace(/\p{Mn}/gu, "");
  const low = plain.replaceAll("\u03a3", "\u03c3").toLowerCase(); // a final sigma is one like others
  return low.replace(SIGNS, " $& ").split(WHITE).filter(Boolean);
}

