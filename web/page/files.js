/**
 * Starts the library's worker when it is first needed, passes questions and news, and saves kept
 * models as files. Knows nothing of what a model is.
 */
import { gate } from "./hosts.js";
import { saveBlob } from "./services.js";

const MODELS = "onglet-models"; // as in files/store.js

export class FilesHost {
  /** @param {(news: any) => void} news how far a download or a check has come */
  constructor(news) {
    this.news = news;
    /** @type {Worker | null} */ this.worker = null;
    /** @type {Map<number, (answer: any) => void>} */ this.waiting = new Map();
    this.next = 1;
  }

  /**
   * @param {string} verb a row of VERBS in files/worker.js @param {object} asked
   * @returns {Promise<{value?: any, failed?: {code: string, values: object}}>}
   */
  ask(verb, asked) {
    const id = this.next++;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.#running().postMessage({ id, verb, asked });
    });
  }

  #running() {
    if (this.worker) return this.worker;
    const worker = new Worker(new URL("download.js", document.baseURI), { type: "module" });
    worker.onmessage = ({ data }) => this.#hear(data);
    worker.onerror = () => this.end();
    this.worker = worker;
    return worker;
  }

  /** What was asked will never be answered; the next question starts another worker. */
  end() {
    this.worker?.terminate();
    this.worker = null;
    const failed = { code: "library_died", values: {} };
    for (const answer of this.waiting.values()) answer({ failed });
    this.waiting.clear();
  }

  async #hear(/** @type {any} */ data) {
    if (data.kind === "news") this.news(data);
    if (data.kind === "gate") {
      this.worker?.postMessage({ kind: "gated", id: data.id, ...(await gate(data)) });
    }
    if (data.kind === "answer") {
      const { value, failed } = data;
      this.waiting.get(data.id)?.(failed ? { failed } : { value });
      this.waiting.delete(data.id);
    }
  }
}

/** How much room there is, and whether the browser promised not to clear it. */
export async function room() {
  const { usage = null, quota = null } = (await navigator.storage?.estimate?.()) ?? {};
  return { usage, quota, persisted: Boolean(await navigator.storage?.persisted?.()) };
}

/** Saves a kept model as a file: the browser copies it, nothing passes through memory. */
export async function exportModel(/** @type {{sha256: string, name: string}} */ { sha256, name }) {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(MODELS);
  return saveBlob(name, await (await folder.getFileHandle(sha256)).getFile());
}
