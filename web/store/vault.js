/**
 * The one database and the way to its key: opens, locks, protects by a passphrase, recovers, wipes.
 * Each change that could fail half-way makes a new file first and then replaces the header, which
 * is one step. Knows nothing of tabs.
 */
import { Failure } from "../files/failure.js";
import { bytesOf, canKeepFiles, Database, fileNames, filesAreThere, remove, removeAll } from "./database.js";
import { readHeader, removeHeader, writeHeader } from "./header.js";
import * as keys from "./keys.js";
import { rescue } from "./rescue.js";

const FORMAT = 1;
const ENDING = ".db"; // its journal ends otherwise
const KEEPING = new Set(["ready", "locked", "damaged"]);
/** @type {Record<string, string>} */ const REFUSED = { locked: "store_locked", gone: "store_gone" };

/** @typedef {import("./header.js").Header} Header */

export class Vault {
  constructor() {
    /** "ready", "locked" (passphrase wanted), "key_lost" (file without header), "damaged", "newer", "gone" (deleted under the open page) */
    this.phase = "starting";
    this.durable = false; // whether it outlives this tab
    /** @type {Database | null} */ this.database = null;
    /** @type {Header | null} */ this.header = null;
    /** @type {string | null} */ this.key = null;
  }

  get state() {
    const encrypted = this.durable;
    return { phase: this.phase, durable: this.durable, encrypted, protected: Boolean(this.header && !this.header.browserKey) };
  }

  static canKeep() {
    const able = globalThis.indexedDB && globalThis.crypto?.subtle && navigator.locks && globalThis.BroadcastChannel;
    return Boolean(able) && canKeepFiles();
  }

  /** A store that lasts as long as this worker. */
  async openInMemory() {
    this.database = await Database.inMemory();
    this.phase = "ready";
  }

  /** Opens what is there, or makes it. @param {string | null} known the key, from a tab that had it open */
  async open(known) {
    this.durable = true;
    this.header = await readHeader();
    if (!this.header) return this.#begin();
    if (this.header.format !== FORMAT) return void (this.phase = "newer");
    await this.#removeOthers();
    if (known) return this.#openWith(known);
    if (!this.header.browserKey) return void (this.phase = "locked");
    try {
      await this.#openWith(await keys.unwrap(this.header.key, this.header.browserKey, beside(this.header)));
    } catch (error) {
      if (/** @type {any} */ (error)?.code !== "key_lost") throw error;
      this.phase = "key_lost";
    }
  }

  /** The first start, or one whose header is gone while data is there. */
  async #begin() {
    if ((await fileNames()).length) this.phase = "key_lost";
    else await this.#makeNew();
  }

  async #makeNew() {
    const key = keys.newKey();
    const file = newName();
    this.database = await Database.open(file, key);
    await this.#keep(await this.#byBrowser(file, key), key);
    this.phase = "ready";
  }

  /** @param {string} key */
  async #openWith(key) {
    const { file } = /** @type {Header} */ (this.header);
    this.key = key;
    try {
      this.database = await Database.open(file, key);
      this.phase = "ready";
    } catch (error) {
      if (/** @type {any} */ (error)?.code !== "store_damaged") throw error;
      this.phase = "damaged";
    }
  }

  lock() {
    if (!this.header || this.header.browserKey) throw new Failure("no_passphrase");
    this.database?.close();
    this.database = this.key = null;
    this.phase = "locked";
  }

  /** @param {string} passphrase */
  async unlock(passphrase) {
    if (this.phase !== "locked" || !this.header) return;
    await this.#openWith(await keys.unwrap(this.header.key, passphrase, beside(this.header)));
  }

  /**
   * Sets the passphrase, changes it, or with null takes it away. Setting the first one renews the
   * key: what an old record of the browser still wraps opens nothing any more.
   * @param {string | null} passphrase @param {string | null} current the one until now
   */
  async protect(passphrase, current) {
    const { header, key } = this.#opened();
    if (!header.browserKey) await keys.unwrap(header.key, current ?? "", beside(header));
    const renew = Boolean(header.browserKey) && passphrase !== null;
    const next = renew ? { file: newName(), key: keys.newKey() } : { file: header.file, key };
    const made = passphrase === null
      ? await this.#byBrowser(next.file, next.key)
      : await byPassphrase(next.file, next.key, passphrase);
    if (renew) await this.#database().copyTo(next.file, next.key);
    await this.#keep(made, next.key);
    if (renew) await this.#moveTo(next.file, next.key);
  }

  /** The key for paper: opens the store when the passphrase is forgotten or the browser lost its key. */
  async recoveryCode() {
    return keys.recoveryCode(this.#opened().key);
  }

  /** @param {string} code */
  async recover(code) {
    const key = await keys.keyOfCode(code);
    const found = (await fileNames()).filter((name) => name.endsWith(ENDING));
    for (const file of this.header ? [this.header.file] : found) {
      try {
        this.database = await Database.open(file, key);
      } catch {
        continue; // another file, or not its key
      }
      await this.#keep(await this.#byBrowser(file, key), key);
      this.phase = "ready";
      return;
    }
    throw new Failure("wrong_recovery_code");
  }

  /**
   * What can still be read of a damaged store.
   * @param {Record<string, string[]>} tables name -> columns
   */
  async rescue(tables) {
    const { header, key } = this.#damaged();
    this.database?.close();
    this.database = null;
    return rescue(header.file, key, tables);
  }

  /**
   * Makes a new file, under the same key, which then takes the damaged one's place.
   * @param {import("./database.js").Statement[]} statements what fills it
   * @param {string | null} passphrase the one that protects the store
   */
  async rebuild(statements, passphrase) {
    const { header, key } = this.#damaged();
    if (!header.browserKey) await keys.unwrap(header.key, passphrase ?? "", beside(header));
    const file = newName();
    try {
      this.database = await Database.open(file, key);
      this.database.run(statements, null);
      await this.#keep(header.browserKey
        ? await this.#byBrowser(file, key)
        : await byPassphrase(file, key, passphrase ?? ""), key);
    } catch (error) {
      this.database?.close();
      this.database = null;
      await remove(file);
      throw error;
    }
    this.phase = "ready";
    await this.#removeOthers();
  }

  /** Throws Failure `store_gone` when the browser has deleted what this site keeps, here too. */
  async confirm() {
    if (!this.header || !KEEPING.has(this.phase) || (await filesAreThere())) return;
    this.phase = "gone";
    this.database?.close();
    this.database = this.key = null;
    throw new Failure("store_gone");
  }

  /** Looks whether all is there; a header that was deleted alone is written again. */
  async look() {
    await this.confirm();
    if (this.header && KEEPING.has(this.phase) && !(await readHeader())) await writeHeader(this.header);
  }

  /** Deletes every file and key, and begins anew. */
  async wipe() {
    this.database?.close();
    this.database = this.key = this.header = null;
    if (!this.durable) return this.openInMemory();
    await removeAll();
    await removeHeader();
    await this.#makeNew();
  }

  /** @returns {Promise<{name: string, bytes: number, encrypted: boolean}[]>} */
  async usage() {
    if (!this.durable) return [];
    const names = await fileNames();
    const files = names.map(async (name) => ({ name, bytes: await bytesOf(name), encrypted: true }));
    return Promise.all(files);
  }

  #opened() {
    if (!this.header || !this.key || this.phase !== "ready") throw new Failure(this.durable ? "store_locked" : "no_storage");
    return { header: this.header, key: this.key };
  }

  #damaged() {
    if (!this.header || !this.key || this.phase !== "damaged") throw new Failure("store_locked");
    return { header: this.header, key: this.key };
  }

  #database() {
    if (!this.database || this.phase !== "ready") throw new Failure(REFUSED[this.phase] ?? "store_damaged");
    return this.database;
  }

  /**
   * From the first damage on nothing is read or written: what is wrong would spread.
   * @param {import("./database.js").Statement[]} statements @param {string | null} id
   */
  run(statements, id) {
    try {
      return this.#database().run(statements, id);
    } catch (error) {
      if (/** @type {any} */ (error)?.code === "store_damaged") this.phase = "damaged";
      throw error;
    }
  }

  /** @param {string} file @param {string} key */
  async #moveTo(file, key) {
    this.database?.close();
    this.database = await Database.open(file, key);
    await this.#removeOthers();
  }

  /** Files that a change left behind when it was cut short, or that it replaced. */
  async #removeOthers() {
    const own = this.header?.file ?? "";
    for (const name of await fileNames()) if (!name.startsWith(own)) await remove(name);
  }

  /** @param {Header} header @param {string} key */
  async #keep(header, key) {
    await writeHeader(header);
    this.header = header;
    this.key = key;
  }

  /** @param {string} file @param {string} key @returns {Promise<Header>} */
  async #byBrowser(file, key) {
    const browserKey = await keys.newBrowserKey();
    return { format: FORMAT, file, browserKey, key: await keys.wrapByBrowser(key, browserKey, { format: FORMAT, file }) };
  }
}

/** @param {string} file @param {string} key @param {string} passphrase @returns {Promise<Header>} */
async function byPassphrase(file, key, passphrase) {
  const wrapped = await keys.wrapByPassphrase(key, passphrase, { format: FORMAT, file });
  return { format: FORMAT, file, browserKey: null, key: wrapped };
}

const beside = (/** @type {Header} */ { format, file }) => ({ format, file });
const newName = () => `/${crypto.randomUUID()}${ENDING}`;
