// @ts-check
/**
 * Keeps what the model has read of a conversation (its keys and values) in OPFS, so that after a
 * reload, or after another conversation, nothing is read twice. One pair of files a conversation:
 * its tokens, and pages of 128 positions, each sealed on its own, so a longer conversation only adds
 * pages. What is kept counts for one model and one build of the kernels; anything odd about it means
 * only that the model reads again. Knows nothing of prompts or answers.
 */
import { browserKey, forgetKey, seal, unseal } from "../files/sealed.js";
import { sha256 } from "../files/store.js";

/** @typedef {import("./load.js").Model} Model */
/** @typedef {{tokens: number[], digests: string[]}} Kept `digests`: of the pages that are stored */

const POSITIONS = 128; // of a page: SPLIT in wasm_kernels/program.h
const LEAST = 64; // fewer tokens are read sooner than fetched
const MOST_CONVERSATIONS = 8;
const FOLDER = "onglet-readings";
const KEY = "onglet-readings";
const NAME = /^[\w-]{1,64}$/;

export class Readings {
  /**
   * @param {Model} model
   * @param {string} build names the kernels: their numbers may differ from another build's
   * @returns {Promise<Readings|null>} null where nothing can be kept
   */
  static async open(model, build) {
    const { sha256 } = /** @type {{sha256: string|null}} */ (model.prepared.card);
    if (!sha256) return null;
    try {
      const root = await navigator.storage.getDirectory();
      const all = await root.getDirectoryHandle(FOLDER, { create: true });
      for await (const name of namesIn(all)) {
        if (name !== build) await all.removeEntry(name, { recursive: true });
      }
      const ours = await all.getDirectoryHandle(build, { create: true });
      const folder = await ours.getDirectoryHandle(sha256, { create: true });
      const readings = new Readings(model, folder, await browserKey(KEY), `${build} ${sha256}`);
      await readings.list();
      return readings;
    } catch {
      return null; // a private window, no IndexedDB, an old browser
    }
  }

  /**
   * @param {Model} model
   * @param {FileSystemDirectoryHandle} folder
   * @param {CryptoKey} key
   * @param {string} label goes into every seal
   */
  constructor(model, folder, key, label) {
    this.model = model;
    this.folder = folder;
    this.key = key;
    this.label = label;
    /** The newest last. @type {Map<string, Kept>} */
    this.kept = new Map();
    this.pageBytes = model.prepared.program.caches.reduce(
      (sum, { heads, page_bytes }) => sum + heads * page_bytes, 0);
    this.slot = this.pageBytes + seal.extra;
  }

  async list() {
    for await (const name of namesIn(this.folder)) {
      if (!name.endsWith(".tokens")) continue;
      const id = name.slice(0, -".tokens".length);
      try {
        const file = await (await this.folder.getFileHandle(name)).getFile();
        const bytes = await unseal(this.key, await file.arrayBuffer(), `${this.label} ${id}`);
        this.kept.set(id, JSON.parse(new TextDecoder().decode(bytes)));
      } catch {
        await this.remove(id);
      }
    }
  }

  /**
   * Brings the longest kept beginning of a prompt into the kernels' cache, if that is worth it.
   * @param {number[]} prompt
   */
  async bringBack(prompt) {
    const most = prompt.length - 1; // the last token is always evaluated
    let best = common(this.model.kept, prompt, most) + LEAST;
    let found = "";
    for (const [id, { tokens }] of this.kept) {
      const same = common(tokens, prompt, most);
      if (same >= best) [best, found] = [same, id];
    }
    if (found) await this.restore(found, best);
  }

  /**
   * @param {string} id
   * @param {number} count how many of its tokens
   */
  async restore(id, count) {
    const { tokens, digests } = /** @type {Kept} */ (this.kept.get(id));
    const first = Math.floor(common(this.model.kept, tokens, count) / POSITIONS);
    this.model.kept.length = Math.min(this.model.kept.length, first * POSITIONS);
    try {
      const file = await (await this.folder.getFileHandle(`${id}.pages`)).getFile();
      for (let page = first; page * POSITIONS < count; page++) {
        const sealed = await file.slice(page * this.slot, (page + 1) * this.slot).arrayBuffer();
        this.write(page, await unseal(this.key, sealed, `${this.label} ${id} ${digests[page]}`));
        const end = Math.min((page + 1) * POSITIONS, count);
        this.model.kept.push(...tokens.slice(page * POSITIONS, end));
      }
    } catch {
      await this.remove(id); // what was brought back before the bad page is right
    }
  }

  /**
   * Keeps what the cache holds of a conversation now. Gives up as soon as another answer has begun.
   * @param {string} id
   * @param {() => boolean} wanted
   */
  async keep(id, wanted) {
    const tokens = [...this.model.kept];
    if (!NAME.test(id) || tokens.length < LEAST) return;
    const digests = await digestsOf(tokens);
    const before = this.kept.get(id)?.digests ?? [];
    this.kept.delete(id);
    const file = await this.folder.getFileHandle(`${id}.pages`, { create: true });
    const access = await /** @type {any} */ (file).createSyncAccessHandle();
    try {
      for (const [page, digest] of digests.entries()) {
        if (digest === before[page]) continue;
        if (!wanted()) return; // the digests of the pages that are still right keep them usable
        const sealed = await seal(this.key, this.read(page), `${this.label} ${id} ${digest}`);
        access.write(new Uint8Array(sealed), { at: page * this.slot });
      }
      access.truncate(digests.length * this.slot);
    } finally {
      access.close();
    }
    const text = new TextEncoder().encode(JSON.stringify({ tokens, digests }));
    await this.replace(`${id}.tokens`, await seal(this.key, text, `${this.label} ${id}`));
    this.kept.set(id, { tokens, digests });
    while (this.kept.size > MOST_CONVERSATIONS) await this.remove([...this.kept.keys()][0]);
  }

  /** @param {string} id */
  async remove(id) {
    this.kept.delete(id);
    for (const end of ["tokens", "pages"]) {
      await this.folder.removeEntry(`${id}.${end}`).catch(() => {});
    }
  }

  /**
   * @param {string} name
   * @param {ArrayBuffer} bytes
   */
  async replace(name, bytes) {
    const file = await this.folder.getFileHandle(name, { create: true });
    const access = await /** @type {any} */ (file).createSyncAccessHandle();
    access.truncate(0);
    access.write(new Uint8Array(bytes), { at: 0 });
    access.close();
  }

  /** @param {number} page @returns {Uint8Array<ArrayBuffer>} a copy of 128 positions of all caches */
  read(page) {
    const bytes = new Uint8Array(this.pageBytes);
    this.eachPart(page, (memory, at) => bytes.set(memory, at));
    return bytes;
  }

  /** @param {number} page @param {ArrayBuffer} bytes */
  write(page, bytes) {
    const from = new Uint8Array(bytes);
    this.eachPart(page, (memory, at) => memory.set(from.subarray(at, at + memory.length)));
  }

  /**
   * @param {number} page
   * @param {(memory: Uint8Array, at: number) => void} act with each stretch and its place in a page
   */
  eachPart(page, act) {
    let at = 0;
    for (const { address, heads, stride, page_bytes: size } of this.model.prepared.program.caches) {
      for (let head = 0; head < heads; head++, at += size) {
        const start = address + head * stride + page * size;
        act(this.model.kernels.bytes.subarray(start, start + size), at);
      }
    }
  }
}

/**
 * Deletes what was kept of one conversation, of whatever model, or everything and the key.
 * @param {string|null} id
 */
export async function forget(id) {
  const root = await navigator.storage.getDirectory();
  if (id === null) {
    await root.removeEntry(FOLDER, { recursive: true }).catch(() => {});
    await forgetKey(KEY).catch(() => {});
    return;
  }
  const all = await root.getDirectoryHandle(FOLDER).catch(() => null);
  for await (const build of all ? namesIn(all) : []) {
    const ours = await /** @type {any} */ (all).getDirectoryHandle(build);
    for await (const model of namesIn(ours)) {
      const folder = await ours.getDirectoryHandle(model);
      for (const end of ["tokens", "pages"]) await folder.removeEntry(`${id}.${end}`).catch(() => {});
    }
  }
}

/** @param {FileSystemDirectoryHandle} folder @returns {AsyncIterable<string>} */
function namesIn(folder) {
  return /** @type {any} */ (folder).keys();
}

/**
 * How many tokens two lists begin with in common.
 * @param {number[]} a
 * @param {number[]} b
 * @param {number} most
 */
export function common(a, b, most) {
  const end = Math.min(a.length, b.length, most);
  let same = 0;
  while (same < end && a[same] === b[same]) same++;
  return same;
}

/**
 * A page's digest is that of all tokens up to its end: a page is right only after the same beginning.
 * @param {number[]} tokens
 * @returns {Promise<string[]>}
 */
async function digestsOf(tokens) {
  const bytes = new Uint8Array(Int32Array.from(tokens).buffer);
  const digests = [];
  for (let end = POSITIONS; end < tokens.length + POSITIONS; end += POSITIONS) {
    const beginning = bytes.subarray(0, 4 * Math.min(end, tokens.length));
    digests.push(await sha256(beginning));
  }
  return digests;
}
