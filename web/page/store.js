/**
 * Keeps one store worker alive and carries what Python asks to it. Started after everything that
 * people wait for. Knows nothing of databases.
 */
import { saveBlob } from "./services.js";

const PICKED = ".onglet";

const STOPPED = { error: { code: "no_storage", values: {} } };

export class StoreHost {
  /** @param {(name: string, value: any) => void} tell events for Python: `store_state`, `store_changed` */
  constructor(tell) {
    this.tell = tell;
    /** @type {Map<string, {request: any, resolve: (value: any) => void}>} */ this.waiting = new Map();
    /** @type {Worker | null} */ this.worker = null;
    /** @type {File | null} */ this.picked = null;
    this.count = 0;
    this.stopped = false;
    this.tab = crypto.randomUUID?.() ?? String(Math.random());
    // A page that is put aside would keep the lock and the files from the other tabs.
    addEventListener("pagehide", () => this.#end());
    addEventListener("pageshow", (event) => event.persisted && !this.stopped && this.start());
  }

  start() {
    this.#end();
    // The query keeps the library from starting a second worker for a file system that we do not use.
    const worker = new Worker(new URL("../store/worker.js?opfs-disable", import.meta.url), { type: "module" });
    this.worker = worker;
    worker.onmessage = ({ data }) => worker === this.worker && this.#hear(data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.worker) this.tell("store_state", { phase: "broken", durable: false, encrypted: false, protected: false, reason: event.message });
    };
    worker.postMessage({ kind: "start", lock: `onglet-store-${this.tab}-${this.count++}` });
    for (const { request } of this.waiting.values()) worker.postMessage(request);
  }

  /** For good: what is asked from now on is refused, and nothing of this tab holds a file. */
  stop() {
    this.#end();
    this.stopped = true;
    for (const { resolve } of this.waiting.values()) resolve(STOPPED);
    this.waiting.clear();
  }

  #end() {
    this.worker?.terminate();
    this.worker = null;
  }

  /** @param {any} request @returns {Promise<{value?: any, error?: {code: string, values: object}}>} */
  ask(request) {
    if (this.stopped) return Promise.resolve(STOPPED);
    const id = `${this.tab}-${this.count++}`;
    const message = { kind: "ask", id, request };
    return new Promise((resolve) => {
      this.waiting.set(id, { request: message, resolve });
      this.worker?.postMessage(message);
    });
  }

  /** @param {any} message */
  #hear({ kind, ...message }) {
    if (kind === "alive") this.#watch(message.lock);
    else if (kind === "state") this.tell("store_state", message.state);
    else if (kind === "changed") this.tell("store_changed", null);
    else if (kind === "answer") {
      const { id, ...answer } = message;
      this.waiting.get(id)?.resolve(answer);
      this.waiting.delete(id);
    }
  }

  /** Granted when the worker died: another one takes up what it left. */
  async #watch(/** @type {string} */ lock) {
    const worker = this.worker;
    await navigator.locks.request(lock, () => {});
    if (worker && worker === this.worker) this.start();
  }

  /** What Python may call. */
  services() {
    return {
      store: (/** @type {{request: any}} */ { request }) => this.ask(request),
      seal_file: (/** @type {any} */ what) => this.#seal(what),
      pick_sealed_file: () => this.#pick(),
      unseal_file: (/** @type {{passphrase: string}} */ { passphrase }) =>
        this.ask({ kind: "unseal", file: this.picked, passphrase }),
      pick_agent_file: async () => agentText(await pickFile()),
      take_agent_file: async () => takeAgentFile(),
      persist: async () => Boolean(await navigator.storage?.persist?.()),
      keep_place: async (/** @type {{value: string}} */ { value }) => place(value),
      recall_place: async () => place(),
    };
  }

  /** A download of a sealed file. @param {{name: string, text: string, passphrase: string}} what */
  async #seal({ name, text, passphrase }) {
    const { value, error } = await this.ask({ kind: "seal", text, passphrase });
    if (error) return { error };
    saveBlob(name, value);
    return { value: value.size };
  }

  async #pick() {
    this.picked = await pickFile();
    return this.picked && { name: this.picked.name, bytes: this.picked.size };
  }
}

/** Asks the person for a file, within a few seconds of a click. @returns {Promise<File | null>} */
function pickFile() {
  const input = Object.assign(document.createElement("input"), { type: "file", accept: PICKED });
  return new Promise((resolve) => {
    input.onchange = () => resolve(input.files?.[0] ?? null);
    input.oncancel = () => resolve(null);
    input.click();
  });
}

const LONGEST_AGENT = 256 << 10; // bytes of a file that may hold an agent

/** @type {File | null} */
let droppedAgent = null;

/** A file dropped on the page that may hold an agent; the page of agents takes it. @param {File} file */
export function keepAgentFile(file) {
  droppedAgent = file;
}

/** What was dropped, once. */
function takeAgentFile() {
  const file = droppedAgent;
  droppedAgent = null;
  return agentText(file);
}

/** The text of a file, "" of one that is too long to be an agent. @param {File | null} file */
async function agentText(file) {
  if (!file) return null;
  return { name: file.name, text: file.size > LONGEST_AGENT ? "" : await file.text() };
}

/** Where this tab is: outlives a reload and a crash, not the tab. @param {string} [value] */
function place(value) {
  try {
    if (value !== undefined) sessionStorage.setItem("onglet.place", value);
    return sessionStorage.getItem("onglet.place");
  } catch {
    return null;
  }
}
