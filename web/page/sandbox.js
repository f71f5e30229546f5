/**
 * Runs programs behind walls: each in a Python of its own, in a worker of a hidden frame whose origin
 * is opaque and whose policy allows nothing but that worker. Bytes go in and one text comes out, by
 * message. A frame that is removed takes the worker with it, whatever it was at; a spare one is kept
 * warm. Knows no program.
 */
import { site } from "../app/start.js";
import { storeGroup } from "./offline.js";

const REST = 180_000; // milliseconds without a program before the spare one is given up
const WAKING = 60_000; // milliseconds after which a sandbox that did not wake is given up
const failure = (/** @type {string} */ code, values = {}) => ({ error: { code, values } });

/** @typedef {{value: string} | {error: {code: string, values: object}}} Outcome */
/**
 * @typedef {object} Box one sandbox
 * @property {HTMLIFrameElement} frame
 * @property {MessagePort} port
 * @property {Promise<Outcome | null>} awake null when it is
 * @property {(outcome: Outcome | null) => void} settle what is waited for now
 */

export class SandboxHost {
  /** @param {(text: string) => void} tell what a program of the console asks, for Python */
  constructor(tell = () => {}) {
    this.tell = tell;
    /** @type {Promise<Box> | null} */ this.console = null;
    this.unpacked = new Set(); // packages that the console has
    this.consoles = 0; // that were ended
    /** @type {() => void} */ this.answered = () => {};
    /** @type {Set<Box>} */ this.running = new Set();
    /** @type {Promise<Box> | null} */ this.spare = null;
    this.timer = 0;
    this.ended = 0; // times
  }

  /** What Python may call. */
  services() {
    return {
      run_program: (/** @type {any} */ program) => this.run(program),
      end_programs: async () => this.end(),
      run_console: (/** @type {any} */ program) => this.runConsole(program),
      answer_console: (/** @type {any} */ answer) => this.#answer(answer),
      end_console: async () => this.endConsole(),
    };
  }

  /**
   * @param {{code: string, files: Record<string, string>, packages: string[], seconds: number}} program
   *   `packages` are names of `site.sandbox.packages`, in the order in which they are needed
   * @returns {Promise<Outcome>} the value is what runner.py told, as JSON of unknown truth
   */
  async run({ code, files, packages, seconds }) {
    clearTimeout(this.timer);
    const { ended } = this;
    await store(packages);
    /** @type {Box | undefined} */ let box;
    try {
      const archives = await Promise.all(packages.map((name) => bytesOf(site.sandbox.packages[name])));
      box = await this.#take();
      if (ended !== this.ended) return failure("cancelled");
      this.running.add(box);
      return (await box.awake) ?? (await this.#ask(box, { code, files, archives }, seconds));
    } catch (error) {
      console.error(error);
      return failure(navigator.onLine ? "sandbox_failed" : "offline");
    } finally {
      if (box) this.#remove(box);
      if (box && ended === this.ended) this.#keepSpare();
    }
  }

  /**
   * Runs a program in the sandbox of the console, which stays with its names. Programs there may
   * ask: `tell` hears it. Their seconds do not run while an answer is awaited.
   * @param {{code: string, packages: string[], seconds: number}} program
   * @returns {Promise<Outcome>}
   */
  async runConsole({ code, packages, seconds }) {
    const { consoles } = this;
    const missing = packages.filter((name) => !this.unpacked.has(name));
    try {
      await store(packages);
      const archives = await Promise.all(missing.map((name) => bytesOf(site.sandbox.packages[name])));
      if (consoles !== this.consoles) return failure("cancelled");
      const box = await (this.console ??= this.#take());
      const asleep = await box.awake;
      if (consoles !== this.consoles) return failure("cancelled");
      for (const name of missing) this.unpacked.add(name);
      const outcome = asleep ?? (await this.#converse(box, { code, files: {}, archives, asks: true }, seconds));
      if ("error" in outcome) this.endConsole();
      return outcome;
    } catch (error) {
      console.error(error);
      this.endConsole();
      return failure(navigator.onLine ? "sandbox_failed" : "offline");
    }
  }

  /** Ends the console's program and forgets its names. */
  endConsole() {
    this.consoles += 1;
    this.unpacked.clear();
    this.console?.then((box) => {
      box.settle(failure("cancelled"));
      this.#remove(box);
    }, () => {});
    this.console = null;
    return true;
  }

  /** @param {{text: string, last: boolean}} answer */
  async #answer({ text, last }) {
    const box = await this.console;
    if (last) this.answered();
    box?.port.postMessage({ answer: text });
    return true;
  }

  /** @param {Box} box @param {{archives: ArrayBuffer[], [name: string]: any}} message @param {number} seconds @returns {Promise<Outcome>} */
  #converse(box, message, seconds) {
    return new Promise((resolve) => {
      let open = 0, left = seconds * 1000, since = 0, timer = 0;
      const settle = (/** @type {Outcome | null} */ outcome) => {
        clearTimeout(timer);
        box.port.onmessage = null;
        this.answered = () => {};
        resolve(outcome ?? failure("sandbox_failed"));
      };
      const go = () => {
        since = performance.now();
        timer = setTimeout(() => settle(failure("sandbox_time", { seconds })), left);
      };
      const rest = () => {
        clearTimeout(timer);
        left -= performance.now() - since;
      };
      this.answered = () => void (open && !--open && go());
      box.settle = settle;
      box.port.onmessage = ({ data }) => {
        if (!data.startsWith("asks")) return settle(heard(data));
        const kind = kindOf(data.slice("asks".length));
        if (!kind) return settle(null);
        if (kind === "ask" && !open++) rest();
        this.tell(data.slice("asks".length));
      };
      go();
      box.port.postMessage(message, message.archives);
    });
  }

  /** Ends every program that runs, and the spare sandbox. */
  end() {
    clearTimeout(this.timer);
    this.ended += 1;
    for (const box of this.running) {
      box.settle(failure("cancelled"));
      this.#remove(box);
    }
    this.spare?.then((box) => this.#remove(box), () => {});
    this.spare = null;
    return true;
  }

  #take() {
    const spare = this.spare ?? makeBox();
    this.spare = null;
    return spare;
  }

  #keepSpare() {
    this.spare ??= makeBox();
    this.spare.catch(() => (this.spare = null));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.end(), REST);
  }

  #remove(/** @type {Box} */ box) {
    box.port.close();
    box.frame.remove();
    this.running.delete(box);
  }

  /** @param {Box} box @param {{code: string, files: object, archives: ArrayBuffer[]}} message @param {number} seconds @returns {Promise<Outcome>} */
  async #ask(box, message, seconds) {
    const late = failure("sandbox_time", { seconds });
    const outcome = within(box, seconds * 1000, late);
    box.port.postMessage(message, message.archives);
    return (await outcome) ?? failure("sandbox_failed");
  }
}

/** "ask" or "stop", what client.py says; null for anything else. @param {string} text */
function kindOf(text) {
  try {
    const { kind, id } = JSON.parse(text);
    return ["ask", "stop"].includes(kind) && Number.isSafeInteger(id) ? kind : null;
  } catch {
    return null;
  }
}

/** Keeps what a program needs for use without a network. @param {string[]} packages */
async function store(packages) {
  for (const group of packages.length ? ["sandbox", "figures"] : ["sandbox"]) {
    await storeGroup(group, () => {}).catch(() => {});
  }
}

/** @returns {Promise<Box>} a frame with its worker, which is waking */
async function makeBox() {
  const { policy, code, wasm, stdlib, snapshot } = site.sandbox;
  const files = snapshot.files.map((/** @type {{file: string}} */ { file }) => file);
  const [script, source, ...buffers] = await Promise.all([
    textOf(new URL("../sandbox/frame.js", import.meta.url).href),
    textOf(code),
    ...[wasm, stdlib, ...files].map(bytesOf),
  ]);
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.hidden = true;
  frame.title = "Python";
  frame.srcdoc = `<!doctype html><meta http-equiv="Content-Security-Policy" content="${policy}"><script>${script}</script>`;
  const loaded = new Promise((resolve) => (frame.onload = resolve));
  document.body.append(frame);
  await loaded;
  const { port1: port, port2 } = new MessageChannel();
  const [wasmBytes, stdlibBytes, ...parts] = buffers;
  const start = { wasm: wasmBytes, stdlib: stdlibBytes, snapshot, parts };
  /** @type {Box} */
  const box = { frame, port, awake: Promise.resolve(null), settle: () => {} };
  port.onmessage = ({ data }) => box.settle(heard(data));
  box.awake = within(box, WAKING, failure("sandbox_failed"));
  frame.contentWindow?.postMessage({ code: source, start }, "*", [port2, ...buffers]);
  return box;
}

/** @param {Box} box @param {number} milliseconds @param {Outcome} late @returns {Promise<Outcome | null>} */
function within(box, milliseconds, late) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => box.settle(late), milliseconds);
    box.settle = (outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
  });
}

/** @param {string} said "awake", "done..." by the worker, "died" by the frame @returns {Outcome | null} */
function heard(said) {
  if (said === "awake") return null;
  return said.startsWith("done") ? { value: said.slice("done".length) } : failure("sandbox_failed");
}

/** @param {string} place relative to the page, or an address of its own */
async function answered(place) {
  const response = await fetch(new URL(place, document.baseURI));
  if (!response.ok) throw new Error(`${response.status} for ${place}`);
  return response;
}

const bytesOf = async (/** @type {string} */ place) => (await answered(place)).arrayBuffer();
const textOf = async (/** @type {string} */ place) => (await answered(place)).text();
