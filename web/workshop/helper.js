/**
 * A worker of the workshop that answers by number: made when it is first asked, and made anew after
 * it died. Knows nothing of what is asked.
 */
export class Helper {
  /**
   * @param {() => Worker} make
   * @param {() => object} start its first message
   * @param {(reason: string) => {code: string, values: object}} failure what those are told who wait
   *   when it dies
   */
  constructor(make, start, failure) {
    this.make = make;
    this.start = start;
    this.failure = failure;
    /** @type {Worker | null} */ this.worker = null;
    /** @type {Map<number, {resolve: (answer: any) => void, told: (done: number) => void}>} */
    this.asked = new Map();
    this.count = 0;
  }

  /**
   * @param {object} message
   * @param {Transferable[]} given
   * @param {(done: number) => void} told
   * @returns {Promise<any>} `{value}` or `{error}`
   */
  ask(message, given = [], told = () => {}) {
    const id = ++this.count;
    return new Promise((resolve) => {
      this.asked.set(id, { resolve, told });
      this.#awake().postMessage({ ...message, id }, given);
    });
  }

  #awake() {
    if (this.worker) return this.worker;
    const worker = this.worker = this.make();
    worker.onmessage = ({ data }) => this.#hear(worker, data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#died(worker, event.message);
    };
    worker.postMessage(this.start());
    return worker;
  }

  /** @param {Worker} worker @param {any} data */
  #hear(worker, data) {
    if (worker !== this.worker) return;
    if ("progress" in data) {
      this.asked.get(data.id)?.told(data.progress);
    } else {
      this.asked.get(data.id)?.resolve(data);
      this.asked.delete(data.id);
    }
  }

  /** @param {Worker} worker @param {string} reason */
  #died(worker, reason) {
    if (worker !== this.worker) return;
    worker.terminate();
    this.worker = null;
    for (const { resolve } of this.asked.values()) resolve({ error: this.failure(reason) });
    this.asked.clear();
  }
}
