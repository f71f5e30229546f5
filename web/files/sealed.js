// @ts-check
/**
 * Bytes that only this browser profile can read: AES-GCM under a key that never leaves the browser
 * (not extractable, kept in IndexedDB). Knows nothing of what is sealed.
 */
const DATABASE = "onglet-keys";
const STORE = "keys";
const NONCE = 12; // bytes in front; the tag of 16 is part of the ciphertext

/**
 * @param {string} name
 * @returns {Promise<CryptoKey>} the key of that name; made when there is none
 */
export async function browserKey(name) {
  const made = await crypto.subtle.generateKey(
    { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  return within("readwrite", (store) => {
    // In one transaction, so that two tabs never make two.
    const found = store.get(name);
    found.onsuccess = () => found.result ?? store.put(made, name);
    return found;
  }).then((found) => found ?? made);
}

/** Without its key nothing of that name can be read again. @param {string} name */
export async function forgetKey(name) {
  await within("readwrite", (store) => store.delete(name));
}

/**
 * @param {CryptoKey} key
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} label must be given again to unseal
 * @returns {Promise<ArrayBuffer>} `seal.extra` bytes more
 */
export async function seal(key, bytes, label) {
  const iv = crypto.getRandomValues(new Uint8Array(NONCE));
  const sealed = await crypto.subtle.encrypt(algorithm(iv, label), key, bytes);
  const whole = new Uint8Array(NONCE + sealed.byteLength);
  whole.set(iv);
  whole.set(new Uint8Array(sealed), NONCE);
  return whole.buffer;
}
seal.extra = NONCE + 16;

/**
 * @param {CryptoKey} key
 * @param {ArrayBuffer} sealed
 * @param {string} label
 * @returns {Promise<ArrayBuffer>} Rejects when a byte, the label or the key is another.
 */
export function unseal(key, sealed, label) {
  const iv = new Uint8Array(sealed, 0, NONCE);
  return crypto.subtle.decrypt(algorithm(iv, label), key, new Uint8Array(sealed, NONCE));
}

/** @param {Uint8Array<ArrayBuffer>} iv @param {string} label */
function algorithm(iv, label) {
  return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(label) };
}

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} act
 * @returns {Promise<any>} the request's result, once the transaction is complete
 */
async function within(mode, act) {
  const database = await opened();
  try {
    const transaction = database.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return request.result;
  } finally {
    database.close();
  }
}

/** @returns {Promise<IDBDatabase>} */
function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}
