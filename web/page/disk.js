/**
 * Model files on a person's own disk: used where they are, never copied. Where the browser gives
 * handles to them (Chromium), they are remembered and can be opened again after one more yes of
 * the person; elsewhere they are known as long as the tab lives.
 */
const DATABASE = "onglet-disk";
const STORE = "files";
const TYPES = [{ description: "GGUF", accept: { "application/octet-stream": [".gguf"] } }];

/**
 * @typedef {object} Known
 * @property {string} key
 * @property {string} name
 * @property {number} bytes
 * @property {number} modified
 * @property {number} used milliseconds since 1970
 * @property {string | null} sha256 as it was when it was checked last
 * @property {any} handle FileSystemFileHandle, or null
 */

export class DiskFiles {
  /** @param {import("./engine.js").EngineHost} engine @param {import("./files.js").FilesHost} files */
  constructor(engine, files) {
    this.engine = engine;
    this.files = files;
    /** What this tab has opened. @type {Map<string, Known>} */
    this.known = new Map();
  }

  /** Asks for a file. Must run within a few seconds of a click. @returns {Promise<object | null>} */
  async pick() {
    const picker = /** @type {any} */ (globalThis).showOpenFilePicker;
    if (!picker) return this.#pickPlainly();
    try {
      const [handle] = await picker({ types: TYPES });
      return await this.take(await handle.getFile(), handle);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return null; // thought better of
      return this.#pickPlainly();
    }
  }

  async #pickPlainly() {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = ".gguf";
    /** @type {File | null} */
    const file = await new Promise((resolve) => {
      input.onchange = () => resolve(input.files?.[0] ?? null);
      input.oncancel = () => resolve(null);
      input.click();
    });
    return file && this.take(file, null);
  }

  /**
   * Gives a file to the engine under a key that Python can load it by, and remembers it.
   * @param {File} file @param {any} handle
   */
  async take(file, handle) {
    const { name, size: bytes, lastModified: modified } = file;
    const key = `${name}-${bytes}-${modified}`;
    const before = (await this.#all()).find((one) => one.key === key);
    handle ??= before?.handle ?? null;
    const sha256 = before?.sha256 ?? null;
    this.known.set(key, { key, name, bytes, modified, used: Date.now(), sha256, handle });
    await this.#keep(key);
    this.engine.offer(key, file);
    return { key, name, bytes };
  }

  /** @returns {Promise<object[]>} what is known, last used first; `asks`: the person has to say yes again */
  async list() {
    const all = await this.#all();
    return all.sort((one, other) => other.used - one.used).map(({ handle, ...known }) => (
      { ...known, asks: !this.engine.offered.has(known.key), lasts: handle !== null }));
  }

  /**
   * Opens a remembered file again. Must run within a few seconds of a click.
   * @param {string} key
   */
  async open(key) {
    const found = await this.#file(key);
    return found.file ? { value: await this.take(found.file, found.handle) } : found;
  }

  /**
   * The hash of a file; the second time it is compared with that of the first.
   * @param {string} key
   */
  async verify(key) {
    const found = await this.#file(key);
    if (!found.file) return found;
    const answer = await this.files.ask("hash", { key, file: found.file });
    if (answer.failed) return answer;
    const known = (await this.#all()).find((one) => one.key === key);
    if (known?.sha256 && known.sha256 !== answer.value) {
      return { failed: { code: "wrong_hash", values: {} } };
    }
    if (known) this.known.set(key, { ...known, sha256: answer.value });
    await this.#keep(key);
    return answer;
  }

  /** The first bytes of a file. @param {string} key @param {number} bytes */
  async read(key, bytes) {
    const { file, failed } = await this.#file(key);
    return file ? this.files.ask("start", { file, bytes }) : { failed };
  }

  /** @param {string} key the file itself stays where it is */
  async forget(key) {
    this.known.delete(key);
    await change((store) => store.delete(key));
  }

  /**
   * @param {string} key
   * @returns {Promise<{file?: File, handle?: any, failed?: {code: string, values: object}}>}
   */
  async #file(key) {
    const known = (await this.#all()).find((one) => one.key === key);
    const offered = this.engine.offered.get(key);
    if (offered) return { file: offered, handle: known?.handle };
    const gone = { failed: { code: "file_gone", values: {} } };
    if (!known?.handle) return gone;
    try {
      if ((await known.handle.requestPermission({ mode: "read" })) !== "granted") {
        return { failed: { code: "file_not_given", values: {} } };
      }
      const file = await known.handle.getFile();
      if (file.size === known.bytes && file.lastModified === known.modified) {
        return { file, handle: known.handle };
      }
      await this.forget(key); // another file now has its place
      return { file, handle: known.handle };
    } catch {
      return gone; // moved, deleted, or on a disk that is not there
    }
  }

  /** @returns {Promise<Known[]>} */
  async #all() {
    const kept = await change((store) => store.getAll()).catch(() => []);
    const all = new Map((kept ?? []).map((/** @type {Known} */ one) => [one.key, one]));
    for (const [key, one] of this.known) all.set(key, one);
    return [...all.values()];
  }

  /** Only a handle can be kept: a file would be copied. @param {string} key */
  async #keep(key) {
    const known = this.known.get(key);
    if (known?.handle) await change((store) => store.put(known)).catch(() => {}); // private windows
  }
}

/**
 * @param {(store: IDBObjectStore) => IDBRequest} act
 * @returns {Promise<any>}
 */
async function change(act) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "key" });
  const database = await ended(opening);
  try {
    return await ended(act(database.transaction(STORE, "readwrite").objectStore(STORE)));
  } finally {
    database.close();
  }
}

/** @param {IDBRequest} request @returns {Promise<any>} */
function ended(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
