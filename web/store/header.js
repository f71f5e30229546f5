/**
 * What has to be readable before the database can be opened: its file's name and its wrapped key,
 * kept in IndexedDB beside the browser's own key. One small record, replaced whole.
 *
 * @typedef {object} Header
 * @property {1} format
 * @property {string} file the database's file
 * @property {CryptoKey | null} browserKey null where a passphrase wraps
 * @property {import("./keys.js").Wrapped} key
 */
const NAME = "onglet-vault";
const RECORDS = "header";
const RECORD = "now";

/** @returns {Promise<IDBDatabase>} */
function open() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(RECORDS);
  return settled(request);
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @returns {Promise<Header | null>} */
export async function readHeader() {
  const database = await open();
  try {
    return (await settled(database.transaction(RECORDS).objectStore(RECORDS).get(RECORD))) ?? null;
  } finally {
    database.close();
  }
}

/** Resolves when it is on disk. @param {Header} header */
export async function writeHeader(header) {
  const database = await open();
  try {
    const change = database.transaction(RECORDS, "readwrite", { durability: "strict" });
    change.objectStore(RECORDS).put(header, RECORD);
    await new Promise((resolve, reject) => {
      change.oncomplete = resolve;
      change.onabort = () => reject(change.error);
    });
  } finally {
    database.close();
  }
}

export function removeHeader() {
  return settled(indexedDB.deleteDatabase(NAME));
}
