// @ts-check
/** SHA-256 of bytes that come one after the other, which the browser's own cannot do. */
import "../vendor/hash/sha256.umd.min.js";

const { createSHA256 } = /** @type {any} */ (globalThis).hashwasm;
const SLICE = 4 << 20;

export class RunningHash {
  /** @param {any} hasher of hash-wasm */
  constructor(hasher) {
    this.hasher = hasher;
  }

  static async begin() {
    return new RunningHash((await createSHA256()).init());
  }

  /** @param {Uint8Array} bytes */
  add(bytes) {
    this.hasher.update(bytes);
  }

  /** @returns {string} hexadecimal */
  end() {
    return this.hasher.digest("hex");
  }
}

/**
 * @param {Blob} file
 * @param {(bytes: number) => void} report how far it has come
 * @returns {Promise<string>} hexadecimal
 */
export async function hashOf(file, report) {
  const hash = await RunningHash.begin();
  for (let start = 0; start < file.size; start += SLICE) {
    hash.add(new Uint8Array(await file.slice(start, start + SLICE).arrayBuffer()));
    report(Math.min(start + SLICE, file.size));
  }
  return hash.end();
}
