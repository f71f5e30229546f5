// @ts-check
/**
 * What a model might have said instead: for each token of an answer its probability and the
 * likeliest tokens of that moment. Probabilities are the softmax of the model's own logits, before
 * settings, penalties and forms change them. Knows nothing about messages.
 */

/**
 * @typedef {object} Word a token as people read it
 * @property {number} id
 * @property {string} text an unfinished character shows as U+FFFD
 * @property {number} probability
 * @typedef {Word & {others: Word[]}} Choice the token that was taken, and the likeliest, best first
 */

export class Choices {
  /**
   * @param {import("./load.js").Model} model
   * @param {number} count how many of the likeliest are told
   */
  constructor({ kernels, tokens, prepared }, count) {
    const { fields, vocabulary } = prepared.program;
    this.tokens = tokens;
    this.count = count;
    this.now = kernels.floats.subarray(fields.logits / 4, fields.logits / 4 + vocabulary);
    this.logits = new Float32Array(vocabulary);
    this.decoder = new TextDecoder();
  }

  /** Remembers the logits of this moment: choosing a token changes them. */
  look() {
    this.logits.set(this.now);
  }

  /**
   * @param {number} token the one that was taken
   * @returns {Choice}
   */
  told(token) {
    const best = this.likeliest();
    const top = this.logits[best[0]];
    let whole = 0;
    for (const logit of this.logits) whole += Math.exp(logit - top);
    const word = (/** @type {number} */ id) => (
      { id, text: this.text(id), probability: Math.exp(this.logits[id] - top) / whole });
    return { ...word(token), others: best.map(word) };
  }

  /** @returns {number[]} the tokens with the greatest logits, best first */
  likeliest() {
    /** @type {number[]} */ const best = [];
    let least = -Infinity;
    for (let token = 0; token < this.logits.length; token++) {
      if (!(this.logits[token] > least) && best.length === this.count) continue;
      let place = best.length;
      while (place > 0 && this.logits[best[place - 1]] < this.logits[token]) place--;
      best.splice(place, 0, token);
      best.length = Math.min(best.length, this.count);
      if (best.length === this.count) least = this.logits[best[this.count - 1]];
    }
    return best;
  }

  /** @param {number} id */
  text(id) {
    const bytes = this.tokens.bytes(id);
    return bytes.length ? this.decoder.decode(bytes) : this.tokens.text(id) ?? "";
  }
}
