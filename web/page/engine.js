/**
 * Keeps one engine worker alive: starts it, listens to its copies, notices by Web Locks that it or
 * one of its kernel workers died, and starts another. Knows nothing of what is asked of it.
 */
const GRACE = 100; // milliseconds for the word that a worker was ended on purpose
const TROUBLE_SPAN = 60_000; // deaths within this time count together
const DEATHS_TO_ONE_THREAD = 2;
const DEATHS_TO_GIVE_UP = 4;

/**
 * @typedef {{kind: string, id: number, source: object, context?: number | null}} Load
 * @typedef {{load: Load | null, threads: number | null, variant: string | null}} Choice
 */
export class EngineHost {
  /**
   * @param {Choice} choice what the first worker loads and with how many threads
   * @param {(message: any) => void} hear gets the engine's copies of its replies
   * @param {(port: MessagePort | null) => void} restarted gets the port to each later worker;
   *   null when the engine dies again and again
   */
  constructor(choice, hear, restarted) {
    this.choice = choice;
    this.hear = hear;
    this.restarted = restarted;
    /** @type {Map<string, File>} */ this.offered = new Map();
    /** @type {Map<string, AbortController>} */ this.queues = new Map();
    /** @type {number[]} */ this.deaths = [];
    /** @type {Worker | null} */ this.worker = null;
    /** @type {MessagePort | null} the end of the channel that the newest worker gets */
    this.port = null;
    this.lastHeard = performance.now();
  }

  /**
   * Starts a worker, at once or when `turn` has come.
   * @param {Promise<unknown>} [turn] @returns {MessagePort} the app's end of the channel to it
   */
  start(turn) {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    if (turn) turn.then(() => this.port === port1 && this.#launch(port1));
    else this.#launch(port1);
    return port2;
  }

  #launch(/** @type {MessagePort} */ port) {
    const nonce = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
    const worker = new Worker(new URL("../engine/worker.js", import.meta.url), { type: "module" });
    worker.onmessage = (event) => worker === this.worker && this.#receive(event.data);
    worker.onerror = (event) => worker === this.worker && this.#died(event.message);
    this.worker = worker;
    const root = new URL("./", document.baseURI).href;
    worker.postMessage({ kind: "start", port, root, nonce, ...this.choice }, [port]);
    for (const [key, file] of this.offered) worker.postMessage({ kind: "offer", key, file });
  }

  /** Hands a picked file over; Python loads it by the key. */
  offer(/** @type {string} */ key, /** @type {File} */ file) {
    this.offered.set(key, file);
    this.worker?.postMessage({ kind: "offer", key, file });
  }

  /** @param {Partial<Choice>} change what is different from now on */
  restart(change = {}) {
    this.#end();
    this.choice = { ...this.choice, ...change };
    this.restarted(this.start());
  }

  /** For good: nothing of this tab holds a model's file or writes one. */
  stop() {
    this.#end();
    this.port = null; // one that waits for its turn to start never does
    this.restarted(null);
  }

  #end() {
    for (const queue of this.queues.values()) queue.abort();
    this.queues.clear();
    this.worker?.terminate();
    this.worker = null;
  }

  #receive(/** @type {any} */ message) {
    this.lastHeard = performance.now();
    if (message.kind === "alive") this.#watch(message.lock);
    else if (message.kind === "ended") this.#unwatch(message.lock);
    else this.hear(message);
  }

  /** Queues for a lock that a worker holds for life: to be granted it means that it died. */
  async #watch(/** @type {string} */ lock) {
    const queue = new AbortController();
    this.queues.set(lock, queue);
    try {
      await navigator.locks?.request(lock, { signal: queue.signal }, () => {});
    } catch {
      return; // given up: ended on purpose
    }
    await new Promise((resolve) => setTimeout(resolve, GRACE));
    if (navigator.locks && this.queues.get(lock) === queue) this.#died(lock);
  }

  #unwatch(/** @type {string} */ lock) {
    this.queues.get(lock)?.abort();
    this.queues.delete(lock);
  }

  #died(/** @type {string} */ what) {
    console.warn(`onglet: the engine died (${what})`);
    const now = performance.now();
    this.deaths = [...this.deaths.filter((then) => now - then < TROUBLE_SPAN), now];
    if (this.deaths.length >= DEATHS_TO_GIVE_UP) {
      this.#end();
      this.restarted(null);
    } else {
      this.restart(this.deaths.length >= DEATHS_TO_ONE_THREAD ? { threads: 1 } : {});
    }
  }
}
