/**
 * One encrypted SQLite database: a file of OPFS, or memory where there is none. Runs batches of
 * statements, each batch whole or not at all. Knows no table but its own and where no key comes from.
 */
import sqlite3InitModule from "../vendor/sqlite/sqlite3.mjs";
import { Failure } from "../files/failure.js";

const POOL = "onglet";
const FOLDER = "onglet-store";
const CAPACITY = 8; // files of the pool: two databases with their journals, and what temporary ones need
const TRIES = 40; // a worker that just died may hold its files for a moment
const PAUSE = 50; // milliseconds
const KEPT_SECONDS = 86_400;
const FULL = new Set([13, 778, 1034, 1290, 3338, 4618, 4874, 10]); // SQLite: full, and input or output errors
const DAMAGED = new Set([11, 26]); // SQLite: corrupt, not a database

/** @typedef {[sql: string, parameters?: any[]]} Statement */

/** @type {Promise<any> | undefined} */ let library;
/** @type {Promise<any> | undefined} */ let pool;

function sqlite() {
  const quiet = () => {};
  library ??= sqlite3InitModule({ print: quiet, printErr: quiet });
  return library;
}

/** The files in OPFS, all of them held by this worker from now on. */
async function files() {
  const sqlite3 = await sqlite();
  pool ??= (async () => {
    const options = { name: POOL, directory: FOLDER, initialCapacity: CAPACITY, verbosity: 0 };
    for (let tried = 1; ; tried++) {
      try {
        const found = await sqlite3.installOpfsSAHPoolVfs({ ...options, forceReinitIfPreviouslyFailed: true });
        sqlite3.capi.sqlite3mc_vfs_create(found.vfsName, 1);
        return found;
      } catch (error) {
        if (tried === TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  })();
  return pool;
}

/** Whether this browser lets a worker keep files. */
export async function canKeepFiles() {
  try {
    const folder = await navigator.storage.getDirectory();
    const name = `probe-${crypto.randomUUID()}`;
    const handle = await (await folder.getFileHandle(name, { create: true })).createSyncAccessHandle();
    handle.close();
    await folder.removeEntry(name);
    return true;
  } catch {
    return false;
  }
}

/** Whether the files still have names: an open one can be written when nobody will find it again. */
export async function filesAreThere() {
  try {
    await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER);
    return true;
  } catch (error) {
    return /** @type {any} */ (error).name !== "NotFoundError";
  }
}

/** @returns {Promise<string[]>} */
export async function fileNames() {
  return (await files()).getFileNames();
}

/** @param {string} name @returns {Promise<number>} */
export async function bytesOf(name) {
  return (await files()).exportFile(name).byteLength;
}

export async function remove(/** @type {string} */ name) {
  (await files()).unlink(name);
}

/** Gives every file back and forgets them. */
export async function removeAll() {
  await (await files()).wipeFiles();
}

export class Database {
  /** @param {any} sqlite3 @param {any} db */
  constructor(sqlite3, db) {
    this.sqlite3 = sqlite3;
    this.db = db;
  }

  /** A database in memory: gone with the worker. */
  static async inMemory() {
    const sqlite3 = await sqlite();
    return new Database(sqlite3, new sqlite3.oo1.DB(":memory:")).#prepared();
  }

  /**
   * Opens, or makes, a file. Throws Failure `store_damaged` when the key does not fit its bytes.
   * @param {string} name @param {string} key 64 hexadecimal digits
   */
  static async open(name, key) {
    const found = await files();
    const sqlite3 = await sqlite();
    const db = new sqlite3.oo1.DB(address(found, name), "c");
    const opened = new Database(sqlite3, db);
    try {
      db.exec(`PRAGMA cipher = 'chacha20'; PRAGMA key = 'raw:${key}'`);
      opened.#guard(() => db.selectValue("SELECT count(*) FROM sqlite_master"));
      return opened.#prepared();
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /**
   * Opens a damaged file to read what is left: without changing it, whatever its tables are said
   * to be, and with pages whose seal is broken unless `sealed`.
   * @param {string} name @param {string} key @param {boolean} sealed
   */
  static async toRescue(name, key, sealed) {
    const found = await files();
    const sqlite3 = await sqlite();
    const db = new sqlite3.oo1.DB(address(found, name), "w");
    db.exec(`PRAGMA cipher = 'chacha20'; PRAGMA hmac_check = ${sealed ? 1 : 0}; PRAGMA key = 'raw:${key}';
      PRAGMA query_only = ON; PRAGMA writable_schema = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON`);
    return new Database(sqlite3, db);
  }

  #prepared() {
    this.db.exec(`PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
      PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF`);
    const exists = "SELECT 1 FROM sqlite_master WHERE name = 'applied'";
    if (!this.db.selectValue(exists)) {
      this.db.exec("CREATE TABLE applied (id TEXT PRIMARY KEY, at REAL NOT NULL) STRICT, WITHOUT ROWID");
    }
    return this;
  }

  close() {
    this.db.close();
  }

  /**
   * Runs a batch in one transaction; the rows of each statement. A batch that writes carries an id:
   * whoever sends it again because no answer came gets nothing done twice.
   * @param {Statement[]} statements @param {string | null} id null: the batch only reads
   */
  run(statements, id) {
    return this.#guard(() => {
      this.db.exec(id ? "BEGIN IMMEDIATE" : "BEGIN");
      try {
        const rows = id && !this.#isNew(id) ? [] : statements.map((each) => this.#one(each));
        this.db.exec("COMMIT");
        return rows;
      } catch (error) {
        if (!this.sqlite3.capi.sqlite3_get_autocommit(this.db.pointer)) this.db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  /** Writes the whole database, under another key, into a new file. @param {string} name @param {string} key */
  async copyTo(name, key) {
    const found = await files();
    await found.reserveMinimumCapacity(CAPACITY);
    const target = `${address(found, name)}&cipher=chacha20&key=raw:${key}`;
    this.#guard(() => this.db.exec({ sql: "VACUUM INTO ?", bind: [target] }));
    const copy = await Database.open(name, key);
    const sound = copy.db.selectValue("PRAGMA integrity_check") === "ok";
    copy.close();
    if (!sound) throw new Failure("store_damaged");
  }

  /** @param {string} id */
  #isNew(id) {
    const now = Date.now() / 1000;
    this.db.exec({ sql: "DELETE FROM applied WHERE at < ?", bind: [now - KEPT_SECONDS] });
    this.db.exec({ sql: "INSERT OR IGNORE INTO applied VALUES (?, ?)", bind: [id, now] });
    return this.db.changes() > 0;
  }

  /** @param {Statement} statement */
  #one([sql, parameters]) {
    return this.db.exec({ sql, bind: parameters?.length ? parameters : undefined, returnValue: "resultRows" });
  }

  /** @template T @param {() => T} act @returns {T} */
  #guard(act) {
    try {
      return act();
    } catch (error) {
      const code = /** @type {any} */ (error)?.resultCode;
      if (DAMAGED.has(code)) throw new Failure("store_damaged");
      if (FULL.has(code)) throw new Failure("storage_full");
      throw error;
    }
  }
}

const address = (/** @type {any} */ found, /** @type {string} */ name) =>
  `file:${name}?vfs=multipleciphers-${found.vfsName}`;
