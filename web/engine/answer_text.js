// @ts-check
/**
 * Turns the bytes of tokens into text that may be shown: whole characters only, and never a piece
 * of a stop string. Knows nothing about tokens, kernels or messages.
 */
export class AnswerText {
  /** @param {string[]} stops strings that end the answer and are not part of it */
  constructor(stops) {
    this.stops = stops.filter((stop) => stop !== "");
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    this.held = ""; // decoded, but it may be the beginning of a stop string
    this.stopped = false;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {string} the text that is now certain
   */
  push(bytes) {
    this.held += this.decoder.decode(bytes, { stream: true });
    const end = this.firstStop();
    if (end >= 0) {
      this.stopped = true;
      this.held = this.held.slice(0, end);
      return this.finish();
    }
    return this.release(this.held.length - this.possibleStop());
  }

  /** The answer ends here: what was held back is text. An unfinished character is dropped. */
  finish() {
    return this.release(this.held.length);
  }

  /** @param {number} length */
  release(length) {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return text;
  }

  firstStop() {
    const places = this.stops.map((stop) => this.held.indexOf(stop)).filter((at) => at >= 0);
    return places.length ? Math.min(...places) : -1;
  }

  /** Length of the longest end of the held text that begins a stop string. */
  possibleStop() {
    const longest = Math.max(0, ...this.stops.map((stop) => stop.length - 1));
    for (let n = Math.min(longest, this.held.length); n > 0; n--) {
      const tail = this.held.slice(-n);
      if (this.stops.some((stop) => stop.startsWith(tail))) return n;
    }
    return 0;
  }
}
