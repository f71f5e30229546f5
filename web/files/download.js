// @ts-check
/**
 * One download: a file of another host into the store, in pieces, several at a time, and again
 * from where it stopped after a pause, a reload or a crash. Knows nothing of models.
 *
 *   <key>.part         the bytes so far, at their places
 *   <key>.part.json    what is wanted, and the hash of each piece that is there
 *
 * A piece counts when it was written and flushed. What lies on the disk after a restart is hashed
 * again and compared, so nothing that was cut off is believed and nothing whole is fetched twice.
 */
import { Failure } from "./failure.js";
import { RunningHash } from "./running_hash.js";
import { ask, body, isPassing, pause } from "./reach.js";
import {
  moveTo, names, openFolder, PIECE, readJson, remove, sha256, writeAll, writeEntry, writeJson,
} from "./store.js";

/**
 * @typedef {object} Wanted
 * @property {string} key names the download: letters, digits, `-`
 * @property {string[]} urls the same file at several places, the best first
 * @property {string} name
 * @property {number} bytes
 * @property {string|null} sha256 null when nobody promises one
 * @property {string|null} etag
 * @property {string|null} licence
 */
/** @typedef {{received: number, total: number}} Progress */

const LINES = 3; // requests at a time
const RUN = 8; // pieces that one request asks for
const AGAIN = 5; // failures in a row of one line before it gives up
const PAUSE = 400; // milliseconds after the first failure, then twice as long each time
const LEFT_OVER = /\.json\.[0-9a-f-]{36}$/; // of a small file that was being written when the tab died
const OLD = 3_600_000; // milliseconds

export class Download {
  /**
   * @param {Wanted} wanted
   * @param {import("./reach.js").Gate} gate
   * @param {(progress: Progress) => void} report
   */
  constructor(wanted, gate, report) {
    this.wanted = wanted;
    this.gate = gate;
    this.report = report;
    this.abort = new AbortController();
    /** Hash of each piece that is there. @type {Map<number, string>} */
    this.pieces = new Map();
    /** Pieces that a request is bringing. @type {Set<number>} */
    this.coming = new Set();
    this.count = Math.ceil(wanted.bytes / PIECE);
    this.fresh = 0; // bytes of pieces under way
    this.hashed = 0; // pieces in the running hash
    this.wholeComes = false; // the host sends no parts, so one line takes everything
    /** @type {any} */ this.folder = null;
    /** @type {any} */ this.hash = null;
    /** @type {any} */ this.sync = null;
    /** Writing, journal and hash follow one after the other. @type {Promise<void>} */
    this.last = Promise.resolve();
  }

  /**
   * Brings the file here. Throws a Failure, or AbortError when it was stopped.
   * @returns {Promise<string>} its hash
   */
  async run() {
    const folder = await openFolder();
    if (!folder || !crypto.subtle) throw new Failure("no_place");
    this.folder = folder;
    const part = await folder.getFileHandle(`${this.wanted.key}.part`, { create: true });
    this.sync = await /** @type {any} */ (part).createSyncAccessHandle().catch(() => {
      throw new Failure("other_tab");
    });
    try {
      this.hash = await RunningHash.begin();
      await this.resume();
      await this.fetchAll();
    } finally {
      this.abort.abort();
      await this.last.catch(() => {});
      this.sync.close();
    }
    return await this.finish(part);
  }

  /** Stops it; what is there stays. */
  stop() {
    this.abort.abort();
  }

  async fetchAll() {
    const lines = Array.from({ length: LINES }, () => this.line());
    try {
      await Promise.all(lines);
    } catch (error) {
      this.abort.abort();
      await Promise.allSettled(lines);
      throw error;
    }
    await this.last;
  }

  /** Believes of an earlier attempt what its hashes confirm. */
  async resume() {
    const known = await this.journal();
    try {
      this.sync.truncate(this.wanted.bytes); // no room is found out now, not at the last byte
    } catch {
      throw new Failure("no_room");
    }
    const buffer = new Uint8Array(PIECE);
    for (const [index, hash] of Object.entries(known)) {
      this.abort.signal.throwIfAborted();
      const piece = buffer.subarray(0, this.length(Number(index)));
      this.sync.read(piece, { at: Number(index) * PIECE });
      if (await sha256(piece) === hash) this.pieces.set(Number(index), hash);
    }
    await this.note();
    this.follow();
    this.tell();
  }

  /** @returns {Promise<Record<string, string>>} the hashes of pieces that an earlier attempt left */
  async journal() {
    try {
      const { wanted, pieces } = await readJson(this.folder, `${this.wanted.key}.part.json`);
      /** @type {any} */
      const now = this.wanted;
      const same = ["bytes", "sha256", "etag"].every((name) => wanted[name] === now[name]);
      return same ? pieces : {};
    } catch {
      return {};
    }
  }

  /** One of several that fetch runs of missing pieces until there are none. */
  async line() {
    const { signal } = this.abort;
    const { urls } = this.wanted;
    for (let failures = 0; ;) {
      signal.throwIfAborted();
      const run = this.nextRun();
      if (!run.length) return;
      const before = this.pieces.size;
      try {
        await this.fetchRun(run, urls[failures % urls.length]);
        failures = 0;
      } catch (error) {
        if (this.pieces.size > before) failures = 0; // it breaks often, but it moves
        if (signal.aborted || ++failures >= AGAIN) throw error;
        if (!isPassing(error) && failures >= urls.length) throw error; // each mirror was asked
        await pause(PAUSE * 2 ** failures, signal);
      } finally {
        for (const index of run) this.coming.delete(index);
      }
    }
  }

  /** @returns {number[]} neighbours that are neither here nor under way */
  nextRun() {
    const run = [];
    for (let index = 0; index < this.count && run.length < RUN && !this.wholeComes; index++) {
      const open = !this.pieces.has(index) && !this.coming.has(index);
      if (open) run.push(index);
      else if (run.length) break;
    }
    for (const index of run) this.coming.add(index);
    return run;
  }

  /**
   * @param {number[]} run
   * @param {string} url
   */
  async fetchRun(run, url) {
    const from = run[0] * PIECE;
    const to = from + run.reduce((sum, index) => sum + this.length(index), 0);
    const { gate } = this;
    const { signal } = this.abort;
    const answer = await ask(url, { gate, signal, from, to, tries: 1 });
    this.checkSame(answer);
    if (answer.ranged) await this.take(body(answer, to - from), run, url);
    else await this.takeWhole(answer, url);
  }

  /**
   * The host sends the whole file, whatever is asked: the first line takes it, the others leave.
   * @param {import("./reach.js").Answer} answer
   * @param {string} url
   */
  async takeWhole(answer, url) {
    if (this.wholeComes) {
      await answer.response.body?.cancel().catch(() => {});
      return;
    }
    this.wholeComes = true;
    const all = Array.from({ length: this.count }, (_, index) => index);
    try {
      await this.take(body(answer, this.wanted.bytes), all, url);
    } finally {
      this.wholeComes = false;
    }
  }

  /** @param {import("./reach.js").Answer} answer */
  checkSame({ total, etag, response }) {
    const { bytes, etag: before } = this.wanted;
    const other = (total !== null && total !== bytes) || (before && etag && etag !== before);
    if (!other) return;
    response.body?.cancel().catch(() => {});
    throw new Failure("changed_file", { host: new URL(response.url).host });
  }

  /**
   * Cuts a body into pieces; each whole one is written.
   * @param {AsyncGenerator<Uint8Array>} chunks
   * @param {number[]} run
   * @param {string} url
   */
  async take(chunks, run, url) {
    let at = 0; // in the current piece
    let next = 0; // in the run
    let piece = new Uint8Array(this.length(run[0]));
    try {
      for await (const chunk of chunks) {
        for (let used = 0; used < chunk.length;) {
          const part = chunk.subarray(used, used + piece.length - at);
          piece.set(part, at);
          at += part.length;
          used += part.length;
          this.fresh += part.length;
          if (at < piece.length) continue;
          this.fresh -= at;
          at = 0;
          await this.keep(run[next++], piece);
          if (next === run.length) return;
          piece = new Uint8Array(this.length(run[next]));
        }
        this.tell();
      }
    } finally {
      this.fresh -= at;
    }
    throw new Failure("unreachable", { host: new URL(url).host }); // it ended early
  }

  /**
   * @param {number} index
   * @param {Uint8Array<ArrayBuffer>} piece
   */
  async keep(index, piece) {
    const hash = await sha256(piece);
    this.last = this.last.then(async () => {
      this.abort.signal.throwIfAborted();
      if (this.pieces.has(index)) return;
      writeAll(this.sync, piece, index * PIECE);
      this.sync.flush();
      this.pieces.set(index, hash);
      await this.note();
      this.follow();
      this.tell();
    });
    await this.last;
  }

  async note() {
    const pieces = Object.fromEntries(this.pieces);
    await writeJson(this.folder, `${this.wanted.key}.part.json`, { wanted: this.wanted, pieces });
  }

  /** Hashes on, as far as the pieces go without a gap. */
  follow() {
    const buffer = new Uint8Array(PIECE);
    while (this.pieces.has(this.hashed)) {
      const piece = buffer.subarray(0, this.length(this.hashed));
      this.sync.read(piece, { at: this.hashed * PIECE });
      this.hash.add(piece);
      this.hashed++;
    }
  }

  /**
   * The entry comes first: without the file it means nothing, and then the name makes both true.
   * @param {FileSystemFileHandle} part
   * @returns {Promise<string>}
   */
  async finish(part) {
    const hash = this.hash.end();
    const { key, sha256: promised, name, bytes, licence, urls } = this.wanted;
    if (promised && hash !== promised) {
      await forget(key);
      throw new Failure("wrong_hash");
    }
    await remove(hash);
    const hashes = Array.from({ length: this.count }, (_, index) => this.pieces.get(index) ?? "");
    const pieces = { piece_bytes: PIECE, sha256: hashes };
    const now = Date.now();
    const about = { sha256: hash, name, bytes, source: urls[0], licence, added: now, used: now };
    await writeEntry(this.folder, { ...about, pieces });
    await moveTo(part, hash);
    await this.folder.removeEntry(`${key}.part.json`).catch(() => {});
    return hash;
  }

  /** @param {number} index */
  length(index) {
    return Math.min(PIECE, this.wanted.bytes - index * PIECE);
  }

  tell() {
    let received = this.fresh;
    for (const index of this.pieces.keys()) received += this.length(index);
    this.report({ received: Math.min(received, this.wanted.bytes), total: this.wanted.bytes });
  }
}

/** @returns {Promise<{wanted: Wanted, received: number}[]>} downloads that were begun and not ended */
export async function begun() {
  const folder = await openFolder();
  if (!folder) return [];
  const there = await names(folder);
  const found = [];
  for (const name of there.filter((each) => each.endsWith(".part.json"))) {
    const journal = await readJson(folder, name).catch(() => null);
    if (!journal?.wanted || !there.includes(name.slice(0, -".json".length))) continue;
    const received = Math.min(Object.keys(journal.pieces).length * PIECE, journal.wanted.bytes);
    found.push({ wanted: journal.wanted, received });
  }
  return found;
}

/** Deletes what a tab that died left: halves of small files. */
export async function sweep() {
  const folder = await openFolder();
  if (!folder) return;
  for (const name of await names(folder)) {
    if (!LEFT_OVER.test(name)) continue;
    const file = await (await folder.getFileHandle(name)).getFile().catch(() => null);
    if (file && Date.now() - file.lastModified > OLD) await folder.removeEntry(name).catch(() => {});
  }
}

/**
 * Throws away what is there of a download.
 * @param {string} key
 */
export async function forget(key) {
  const folder = await openFolder();
  for (const name of [`${key}.part.json`, `${key}.part`]) {
    await folder?.removeEntry(name).catch(() => {});
  }
}
