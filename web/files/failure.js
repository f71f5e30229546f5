// @ts-check
/**
 * What can go wrong with a file or a request, as a code and values. Knows no sentence: the words
 * for a code live in `py/onglet/words/`, the list of codes in docs/protocols.md section 8.
 */
export class Failure extends Error {
  /**
   * @param {string} code
   * @param {Record<string, unknown>} [values]
   */
  constructor(code, values = {}) {
    super(code);
    this.code = code;
    this.values = values;
  }
}
