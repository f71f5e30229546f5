// @ts-check
/**
 * The models kept on this device: files in the origin's private file system (OPFS), named by their
 * hash. Knows nothing of hosts, headers or kernels. Runs in workers: only they may read at once.
 *
 *   onglet-models/<sha256>        the file, byte for byte
 *   onglet-models/<sha256>.json   its entry; a file without one does not exist
 *   onglet-models/<name>.part     one that is not whole yet
 *
 * An entry holds the hash of each piece, so that hashing needs no library and resumes anywhere.
 */
import { Failure } from "./failure.js";
import { turn } from "./turn.js";

/**
 * @typedef {object} Pieces what a file's bytes must be
 * @property {number} piece_bytes length of each piece but the last
 * @property {string[]} sha256 of each piece, hexadecimal
 */
/**
 * @typedef {object} Entry
 * @property {string} sha256
 * @property {string} name
 * @property {number} bytes
 * @property {string|null} source where it came from, for people
 * @property {string|null} licence
 * @property {Pieces} pieces
 * @property {number} added milliseconds since 1970
 * @property {number} used
 */
/** @typedef {any} SyncHandle FileSystemSyncAccessHandle; `mode` is newer than the type's list */

export const PIECE = 4 << 20;
const FOLDER = "onglet-models";
const HASH = /^[0-9a-f]{64}$/;
const AHEAD = 3; // pieces that may be read before the hash of the first is known
const TRIES = 20; // another tab that loads the same file holds it for a moment
const PAUSE = 25; // milliseconds

/** @returns {Promise<FileSystemDirectoryHandle|null>} null where there is no such place */
export async function openFolder() {
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle(FOLDER, { create: true });
  } catch {
    return null; // private windows, old browsers, pages that are not secure
  }
}

/**
 * @param {string} sha256
 * @returns {Promise<Entry|null>} null when the model is not here
 */
export async function entryOf(sha256) {
  const folder = HASH.test(sha256) ? await openFolder() : null;
  if (!folder) return null;
  try {
    const file = await (await folder.getFileHandle(sha256)).getFile();
    const entry = await readJson(folder, `${sha256}.json`);
    return file.size === entry.bytes && isWhole(entry) ? { ...entry, sha256 } : null;
  } catch {
    return null;
  }
}

/** @param {Entry} entry */
function isWhole({ bytes, pieces }) {
  return pieces.sha256.length === Math.ceil(bytes / pieces.piece_bytes);
}

/** @returns {Promise<Entry[]>} every model that is here */
export async function entries() {
  const folder = await openFolder();
  const found = [];
  for (const name of folder ? await names(folder) : []) {
    const entry = await entryOf(name);
    if (entry) found.push(entry);
  }
  return found;
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @returns {Promise<string[]>}
 */
export async function names(folder) {
  const found = [];
  for await (const name of /** @type {any} */ (folder).keys()) found.push(name);
  return found;
}

/**
 * Writes down that the model was used now.
 * @param {Entry} entry
 */
export async function noteUse(entry) {
  const folder = await openFolder();
  if (folder) await writeEntry(folder, { ...entry, used: Date.now() });
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {Entry} entry
 */
export async function writeEntry(folder, entry) {
  await writeJson(folder, `${entry.sha256}.json`, entry);
}

/**
 * Deletes a model: its entry first, so that it is never half there.
 * @param {string} sha256
 */
export async function remove(sha256) {
  const folder = await openFolder();
  for (const name of [`${sha256}.json`, sha256]) {
    await folder?.removeEntry(name).catch((error) => {
      if (error.name !== "NotFoundError") throw error;
    });
  }
}

/**
 * Reads a stored model from its start to its end. A chunk is good until the next is asked for.
 * @param {Entry} entry
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>}
 */
export async function* readStored(entry, signal) {
  const file = await openForReading(entry.sha256);
  try {
    for (let start = 0; start < entry.bytes; start += entry.pieces.piece_bytes) {
      signal?.throwIfAborted();
      yield await file.read(start, Math.min(start + entry.pieces.piece_bytes, entry.bytes));
      await turn(); // for messages: reading itself never waits
    }
  } finally {
    file.close();
  }
}

/**
 * Hashes a stored model. Throws `wrong_hash` at the first piece that is not what was stored.
 * @param {Entry} entry
 * @param {(bytes: number) => void} [report] how far it has come
 */
export async function verifyStored(entry, report = () => {}) {
  const check = new PieceCheck(entry.pieces);
  let done = 0;
  for await (const bytes of readStored(entry)) {
    await check.add(bytes);
    report(done += bytes.length);
  }
  await check.end();
}

/**
 * A handle that reads at once; where another tab holds the file, a slower way beside it.
 * @param {string} sha256
 */
async function openForReading(sha256) {
  const folder = await openFolder();
  const handle = await folder?.getFileHandle(sha256);
  if (!handle) throw new Failure("not_stored");
  const open = () => /** @type {any} */ (handle).createSyncAccessHandle({ mode: "read-only" });
  /** @type {SyncHandle} */
  const sync = await patiently(open);
  if (!sync) {
    const file = await handle.getFile();
    const read = async (/** @type {number} */ start, /** @type {number} */ end) => (
      new Uint8Array(await file.slice(start, end).arrayBuffer()));
    return { read, close: () => {} };
  }
  let buffer = new Uint8Array(0);
  const read = async (/** @type {number} */ start, /** @type {number} */ end) => {
    if (buffer.length < end - start) buffer = new Uint8Array(end - start);
    const wanted = buffer.subarray(0, end - start);
    return wanted.subarray(0, sync.read(wanted, { at: start }));
  };
  return { read, close: () => sync.close() };
}

/**
 * @template T
 * @param {() => Promise<T>} open
 * @returns {Promise<T|null>} null while another tab holds the file for long
 */
async function patiently(open) {
  for (let left = TRIES; left > 0; left--) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NoModificationAllowedError") throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
  return null;
}

/** Compares pieces with their hashes, a few at a time, on the browser's own threads. */
export class PieceCheck {
  /** @param {Pieces} pieces */
  constructor(pieces) {
    this.expected = pieces.sha256;
    this.next = 0;
    /** @type {Promise<void>[]} */
    this.running = [];
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes the next piece, whole */
  async add(bytes) {
    const wanted = this.expected[this.next++];
    const compared = sha256(bytes).then((found) => {
      if (found !== wanted) throw new Failure("wrong_hash");
    });
    compared.catch(() => {}); // told when its turn comes
    this.running.push(compared);
    if (this.running.length > AHEAD) await this.running.shift();
  }

  async end() {
    await Promise.all(this.running);
  }
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<string>} hexadecimal
 */
export async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Writes a model while it streams by: to `.part`, then, when the hash of each piece holds, to its
 * own name.
 */
export class StoreWriter {
  /**
   * @param {FileSystemDirectoryHandle} folder
   * @param {FileSystemFileHandle} part
   * @param {SyncHandle} sync
   * @param {Entry} entry
   */
  constructor(folder, part, sync, entry) {
    this.folder = folder;
    this.part = part;
    this.sync = sync;
    this.entry = entry;
    this.position = 0;
  }

  /**
   * @param {Entry} entry what the file will be
   * @returns {Promise<StoreWriter|null>} null without a place, without room, or beside another tab
   */
  static async open(entry) {
    const folder = await openFolder();
    if (!folder || !crypto.subtle) return null;
    /** @type {SyncHandle} */ let sync = null;
    try {
      const part = await folder.getFileHandle(`${entry.sha256}.part`, { create: true });
      sync = await /** @type {any} */ (part).createSyncAccessHandle();
      sync.truncate(entry.bytes); // no room is found out now, not at the last byte
      return new StoreWriter(folder, part, sync, entry);
    } catch {
      sync?.close();
      return null;
    }
  }

  /** @param {Uint8Array} bytes the next ones of the file */
  write(bytes) {
    writeAll(this.sync, bytes, this.position);
    this.position += bytes.length;
  }

  /** Reads what was written, compares it, and gives it its name. Throws `wrong_hash`. */
  async finish() {
    try {
      await this.verify();
      this.sync.flush();
    } catch (error) {
      await this.abandon();
      throw error;
    }
    this.close();
    await moveTo(this.part, this.entry.sha256);
    await writeEntry(this.folder, this.entry);
  }

  async verify() {
    const { bytes, pieces } = this.entry;
    const check = new PieceCheck(pieces);
    const buffer = new Uint8Array(pieces.piece_bytes);
    for (let at = 0; at < bytes; at += pieces.piece_bytes) {
      const piece = buffer.subarray(0, Math.min(pieces.piece_bytes, bytes - at));
      this.sync.read(piece, { at });
      await check.add(piece);
    }
    await check.end();
  }

  /** Gives the file up. */
  async abandon() {
    this.close();
    await this.folder.removeEntry(this.part.name).catch(() => {});
  }

  close() {
    this.sync?.close();
    this.sync = null;
  }
}

/**
 * Full storage shows itself in three ways: an exception, a short count, a count beyond the length.
 * @param {SyncHandle} sync
 * @param {Uint8Array} bytes
 * @param {number} at
 */
export function writeAll(sync, bytes, at) {
  let written = 0;
  try {
    written = sync.write(bytes, { at });
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== "QuotaExceededError") throw error;
  }
  if (written !== bytes.length) throw new Failure("no_room");
}

/**
 * Replaces what has the name.
 * @param {FileSystemFileHandle} handle
 * @param {string} name
 */
export async function moveTo(handle, name) {
  await /** @type {any} */ (handle).move(name);
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name
 * @returns {Promise<any>}
 */
export async function readJson(folder, name) {
  const file = await (await folder.getFileHandle(name)).getFile();
  return JSON.parse(await file.text());
}

/**
 * Writes a whole small file beside the old one, then puts it in its place.
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name
 * @param {unknown} value
 */
export async function writeJson(folder, name, value) {
  const fresh = await folder.getFileHandle(`${name}.${crypto.randomUUID()}`, { create: true });
  /** @type {SyncHandle} */
  const sync = await /** @type {any} */ (fresh).createSyncAccessHandle();
  try {
    writeAll(sync, new TextEncoder().encode(JSON.stringify(value)), 0);
    sync.flush();
  } catch (error) {
    sync.close();
    await folder.removeEntry(fresh.name).catch(() => {});
    throw error;
  }
  sync.close();
  await moveTo(fresh, name);
}
