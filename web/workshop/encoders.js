/**
 * The encoder in several workers, each on one thread with texts of its own: nobody waits for
 * anybody, and it needs no shared memory. Knows no document.
 */
import { Helper } from "./helper.js";

const LEAST = 4; // texts for which one worker more is woken

/** @typedef {import("../engine/encoder_worker.js").Place} Place */

export class Encoders {
  /**
   * @param {string} root the page's base address
   * @param {Place} place
   * @param {number} threads how many workers there may be
   */
  constructor(root, place, threads) {
    this.helpers = Array.from({ length: threads }, () => new Helper(
      () => new Worker(new URL("../engine/encoder_worker.js", import.meta.url), { type: "module" }),
      () => ({ kind: "start", root, place }),
      () => ({ code: "workshop_failed", values: {} }),
    ));
  }

  /**
   * The tokens of a text.
   * @param {string} text
   * @returns {Promise<any>} `{value}` or `{error}`
   */
  tokens(text) {
    return this.helpers[0].ask({ kind: "tokens", text });
  }

  /**
   * The vectors of texts, one after the other, as signed bytes: a length of 1 is 127.
   * @param {string[]} texts
   * @param {(done: number) => void} told how many texts are done
   * @returns {Promise<{value?: Int8Array, error?: {code: string, values: object}}>}
   */
  async encode(texts, told) {
    const helpers = this.helpers.slice(0, Math.ceil(texts.length / LEAST));
    const done = helpers.map(() => 0);
    const answers = await Promise.all(helpers.map((helper, which) => {
      const own = texts.filter((_, number) => number % helpers.length === which);
      return helper.ask({ kind: "encode", texts: own }, [], (count) => {
        done[which] = count;
        told(done.reduce((total, each) => total + each, 0));
      });
    }));
    return answers.find(({ error }) => error) ?? { value: woven(answers.map(({ value }) => value), texts.length) };
  }
}

/**
 * Text i was done by the worker i % n: their vectors in the order of the texts.
 * @param {Int8Array[]} parts
 * @param {number} count of texts
 */
function woven(parts, count) {
  const width = parts.reduce((total, { length }) => total + length, 0) / count;
  const whole = new Int8Array(width * count);
  for (let number = 0; number < count; number++) {
    const at = width * Math.floor(number / parts.length);
    whole.set(parts[number % parts.length].subarray(at, at + width), width * number);
  }
  return whole;
}
