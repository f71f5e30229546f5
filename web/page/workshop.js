/**
 * Keeps the workshop worker while it has something to do and a little longer. Carries jobs to it
 * and answers back; a cancelled job ends the worker, whatever it was at. Knows no job.
 */
import { site } from "../app/start.js";
import { storeGroup } from "./offline.js";

const REST = 180_000; // milliseconds without a job before its memory is given back
const MOST_THREADS = 4;
const ENDED = { code: "cancelled", values: {} };
const GROUP = "workshop"; // of the site's files
const DIED = { code: "workshop_failed", values: {} };

export class WorkshopHost {
  /** @param {(value: {task: number, value: any}) => void} tell progress, for Python */
  constructor(tell) {
    this.tell = tell;
    /** @type {Map<string, File>} */ this.files = new Map();
    /** @type {Map<number, (answer: any) => void>} */ this.open = new Map();
    /** @type {Worker | null} */ this.worker = null;
    this.timer = 0;
    /** @type {Promise<boolean> | null} */ this.stored = null;
    this.ended = 0; // times
    /** @type {Set<string>} Web Locks of this tab, for as long as it lives */ this.held = new Set();
  }

  /** What Python may call. */
  services() {
    return {
      workshop: (/** @type {any} */ job) => this.ask(job),
      end_workshop: async () => this.end(ENDED),
      pick_documents: () => this.#pick(),
      hold_document: (/** @type {{id: string}} */ { id }) => this.#hold(`onglet-document-${id}`),
    };
  }

  /**
   * @param {{task: number, job: string, arguments: object, file: string | null}} job `task` is chosen by
   *   Python, `file` is a key
   * @returns {Promise<{value?: any, error?: {code: string, values: object}}>}
   */
  async ask({ task, job, arguments: given, file }) {
    clearTimeout(this.timer);
    const { ended } = this;
    if (!(await this.#store(task))) this.stored = null; // next time again
    if (ended !== this.ended) return { error: ENDED };
    const worker = this.#start();
    return new Promise((resolve) => {
      this.open.set(task, resolve);
      worker.postMessage({ kind: "do", id: task, job, arguments: given, file: this.files.get(file ?? "") ?? null });
    });
  }

  /** Ends the worker; what it was at has failed. @param {{code: string, values: object}} error */
  end(error) {
    clearTimeout(this.timer);
    this.ended += 1;
    this.worker?.terminate();
    this.worker = null;
    for (const resolve of this.open.values()) resolve({ error });
    this.open.clear();
    return true;
  }

  /** Gets what the workshop is made of and keeps it for offline, once. @param {number} task */
  #store(task) {
    this.stored ??= storeGroup(GROUP, (done, total) =>
      this.tell({ task, value: { stage: "getting", done, total } })).catch(() => false);
    return this.stored;
  }

  /** Gets files that only some jobs need, for the job that asked, and keeps them. @param {string} group */
  async #keep(group) {
    const { worker } = this;
    const [task] = [...this.open.keys()].slice(-1);
    await storeGroup(group, (done, total) =>
      this.tell({ task, value: { stage: "getting", done, total } })).catch(() => false);
    if (worker === this.worker) worker?.postMessage({ kind: "stored", group });
  }

  /** For good: everything of this site is being deleted. */
  stop() {
    this.end(ENDED);
    this.files.clear();
  }

  #start() {
    if (this.worker) return this.worker;
    const worker = new Worker(new URL("../workshop/worker.js", import.meta.url), { type: "module" });
    const isolated = globalThis.crossOriginIsolated;
    const threads = isolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
    const root = new URL("./", document.baseURI).href;
    worker.onmessage = ({ data }) => worker === this.worker && this.#hear(data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.worker) this.end(DIED);
    };
    worker.postMessage({ kind: "start", root, places: site.workshop, threads });
    this.worker = worker;
    return worker;
  }

  #hear(/** @type {any} */ { kind, id, value, error, group }) {
    if (kind === "progress") return this.tell({ task: id, value });
    if (kind === "need") return this.#keep(group);
    this.open.get(id)?.(kind === "done" ? { value } : { error });
    this.open.delete(id);
    if (!this.open.size) this.timer = setTimeout(() => this.end(ENDED), REST);
  }

  /** Whether something is this tab's work and no other's. @param {string} lock */
  #hold(lock) {
    if (!navigator.locks || this.held.has(lock)) return Promise.resolve(true);
    return new Promise((resolve) => navigator.locks.request(lock, { ifAvailable: true }, (granted) => {
      if (granted) this.held.add(lock);
      resolve(Boolean(granted));
      return granted && new Promise(() => {});
    }));
  }

  /** Asks the person for files, within a few seconds of a click. */
  async #pick() {
    const input = Object.assign(document.createElement("input"), { type: "file", multiple: true });
    /** @type {File[]} */
    const files = await new Promise((resolve) => {
      input.onchange = () => resolve([...(input.files ?? [])]);
      input.oncancel = () => resolve([]);
      input.click();
    });
    return files.map((file) => this.handOver(file));
  }

  /** What Python knows a file by. */
  handOver(/** @type {File} */ file) {
    const key = `${file.name}-${file.size}-${file.lastModified}`;
    this.files.set(key, file);
    return { key, name: file.name, bytes: file.size };
  }
}
