// @ts-check
/**
 * SentencePiece vocabularies with byte-pair merging: neighbours whose union is a word are joined,
 * the word with the best score first; a character that is no word becomes its bytes. Source of the
 * order: llama.cpp, llm_tokenizer_spm. Knows nothing of files or of which tokens are shown.
 */

const SPACE = "\u2581"; // how the vocabulary writes a space
const WHITE = [" ", "\t", "\n", "\v", "\f", "\r"];
const BYTE = /^<0x([0-9A-F]{2})>$/;

/**
 * Characters in a row that belong together; empty ones (no end) were joined to the one before.
 * @typedef {{start: number, end: number, before: number, after: number}} Piece
 */
/** @typedef {{left: number, right: number, size: number, score: number}} Union */

export class SentencePieces {
  /**
   * @param {Map<string, number>} ids
   * @param {Float32Array} scores
   * @param {{unknown: number|null, special: [number, string][], add_space_prefix: boolean,
   *   strip_after: number[]}} tables
   */
  constructor(ids, scores, tables) {
    this.ids = ids;
    this.scores = scores;
    this.unknown = tables.unknown;
    this.prefix = tables.add_space_prefix ? SPACE : "";
    this.special = byFirstCharacter(tables.special);
    this.swallowing = new Set(tables.strip_after);
    this.utf8 = new TextEncoder();
  }

  /**
   * @param {string} text
   * @returns {number[]}
   */
  encode(text) {
    /** @type {number[]} */
    const tokens = [];
    let from = 0;
    let first = true; // of the text, or after a special token
    for (let at = 0; at <= text.length;) {
      const found = this.specialAt(text, at);
      if (at < text.length && !found) {
        at++;
        continue;
      }
      if (at > from) {
        const plain = text.slice(from, at).replaceAll(" ", SPACE);
        this.join((first ? this.prefix : "") + plain, tokens);
        first = false;
      }
      if (!found) break;
      tokens.push(found.id);
      first = true;
      at += found.text.length;
      while (this.swallowing.has(found.id) && WHITE.includes(text[at])) at++;
      from = at;
    }
    return tokens;
  }

  /**
   * The longest special token that begins here.
   * @param {string} text
   * @param {number} at
   */
  specialAt(text, at) {
    return this.special.get(text[at])?.find((one) => text.startsWith(one.text, at));
  }

  /**
   * @param {string} text
   * @param {number[]} tokens where its tokens go
   */
  join(text, tokens) {
    const pieces = charactersOf(text);
    const queue = new Queue();
    /** @param {number} left */
    const offer = (left) => {
      const right = left < 0 ? -1 : pieces[left].after;
      if (right < 0) return;
      const id = this.ids.get(text.slice(pieces[left].start, pieces[right].end));
      if (id === undefined) return;
      const size = pieces[right].end - pieces[left].start;
      queue.push({ left, right, size, score: this.scores[id] });
    };
    for (let left = 0; left < pieces.length; left++) offer(left);
    for (let best = queue.pop(); best; best = queue.pop()) {
      const left = pieces[best.left];
      const right = pieces[best.right];
      const gone = left.end < 0 || right.end < 0 || right.end - left.start !== best.size;
      if (gone) continue; // one of the two was joined with another meanwhile
      left.end = right.end;
      left.after = right.after;
      right.end = -1;
      if (left.after >= 0) pieces[left.after].before = best.left;
      offer(left.before);
      offer(best.left);
    }
    for (let at = pieces.length ? 0 : -1; at >= 0; at = pieces[at].after) {
      this.emit(text.slice(pieces[at].start, pieces[at].end), tokens);
    }
  }

  /**
   * @param {string} word
   * @param {number[]} tokens
   */
  emit(word, tokens) {
    const id = this.ids.get(word);
    if (id !== undefined) {
      tokens.push(id);
      return;
    }
    for (const byte of this.utf8.encode(word)) {
      const name = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
      const token = this.ids.get(name) ?? this.ids.get(String.fromCharCode(byte)) ?? this.unknown;
      if (token !== null) tokens.push(token);
    }
  }

  /**
   * The bytes of a token that is no special one.
   * @param {string} text as in the vocabulary
   */
  bytes(text) {
    const byte = BYTE.exec(text);
    return byte ? Uint8Array.of(parseInt(byte[1], 16)) : this.utf8.encode(text.replaceAll(SPACE, " "));
  }
}

/**
 * @param {[number, string][]} special
 * @returns {Map<string, {id: number, text: string}[]>} first character -> longest first
 */
function byFirstCharacter(special) {
  /** @type {Map<string, {id: number, text: string}[]>} */
  const lists = new Map();
  for (const [id, text] of special) {
    if (text === "") continue;
    if (!lists.has(text[0])) lists.set(text[0], []);
    lists.get(text[0])?.push({ id, text });
  }
  for (const list of lists.values()) list.sort((a, b) => b.text.length - a.text.length);
  return lists;
}

/**
 * @param {string} text
 * @returns {Piece[]}
 */
function charactersOf(text) {
  /** @type {Piece[]} */
  const pieces = [];
  let start = 0;
  for (const character of text) {
    const end = start + character.length;
    pieces.push({ start, end, before: pieces.length - 1, after: pieces.length + 1 });
    start = end;
  }
  if (pieces.length) pieces[pieces.length - 1].after = -1;
  return pieces;
}

/** A heap: the best score first, of equals the leftmost. */
class Queue {
  constructor() {
    /** @type {Union[]} */
    this.heap = [];
  }

  /**
   * @param {number} a
   * @param {number} b
   */
  precedes(a, b) {
    const one = this.heap[a], other = this.heap[b];
    return one.score > other.score || (one.score === other.score && one.left < other.left);
  }

  /** @param {Union} union */
  push(union) {
    let at = this.heap.push(union) - 1;
    for (let up = (at - 1) >> 1; at > 0 && this.precedes(at, up); up = (at - 1) >> 1) {
      this.swap(at, up);
      at = up;
    }
  }

  /** @returns {Union|undefined} */
  pop() {
    const best = this.heap[0];
    const last = this.heap.pop();
    if (!this.heap.length || !last) return best;
    this.heap[0] = last;
    for (let at = 0; ;) {
      let down = 2 * at + 1;
      if (down >= this.heap.length) return best;
      if (down + 1 < this.heap.length && this.precedes(down + 1, down)) down++;
      if (!this.precedes(down, at)) return best;
      this.swap(at, down);
      at = down;
    }
  }

  /**
   * @param {number} a
   * @param {number} b
   */
  swap(a, b) {
    [this.heap[a], this.heap[b]] = [this.heap[b], this.heap[a]];
  }
}
