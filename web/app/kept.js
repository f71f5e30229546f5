/**
 * The saved interpreter as files of the origin's private file system (OPFS), which a start reads
 * straight into Python's memory: the way through the service worker copies every byte several times
 * and costs half a second of two cores (docs/decisions.md). The service worker's copy stays the one
 * that counts: without these files, or with one of another length, a start fetches.
 *
 *   onglet-python/<sha256>    one file of the snapshot, whole or not there
 */
import { sha256 as hashOf } from "../files/store.js";

const FOLDER = "onglet-python";
const ENOUGH = 8; // times its size have to be free before a file is kept

/**
 * @typedef {object} Part a file of the snapshot that is read from its start to its end
 * @property {number} bytes
 * @property {(into: Uint8Array<ArrayBuffer>) => void} read the next bytes, as many as fit
 * @property {() => void} close
 */

/**
 * @param {{file: string, sha256: string}} file absolute address
 * @returns {Promise<Part>}
 */
export async function open({ file, sha256 }) {
  return (await openKept(sha256).catch(() => null)) ?? fetched(file);
}

/**
 * Only workers can. Several tabs may read at once where the browser knows `read-only`.
 * @param {string} sha256
 * @returns {Promise<Part>}
 */
async function openKept(sha256) {
  const entry = await (await folder()).getFileHandle(sha256);
  const handle = await /** @type {any} */ (entry).createSyncAccessHandle({ mode: "read-only" });
  let at = 0;
  return {
    bytes: handle.getSize(),
    read: (into) => {
      if (handle.read(into, { at }) !== into.length) throw new Error("a kept file could not be read");
      at += into.length;
    },
    close: () => handle.close(),
  };
}

/** @param {string} url @returns {Promise<Part>} */
async function fetched(url) {
  const bytes = await bytesOf(url);
  let at = 0;
  return {
    bytes: bytes.byteLength,
    read: (into) => {
      into.set(new Uint8Array(bytes, at, into.length));
      at += into.length;
    },
    close: () => {},
  };
}

/**
 * Makes the kept files what this build's are: writes those that are not there or not whole, and
 * removes those of other builds. Never throws: a start does not need them.
 * @param {{file: string, sha256: string}[]} files
 * @param {() => Promise<boolean>} mayGoOn asked before each file
 */
export async function keep(files, mayGoOn) {
  try {
    const place = await folder(true);
    const wanted = new Set(files.map(({ sha256 }) => sha256));
    for await (const name of /** @type {any} */ (place).keys()) {
      if (!wanted.has(name)) await place.removeEntry(name).catch(() => {}); // another tab reads it
    }
    for (const { file, sha256 } of files) if (await mayGoOn()) await keepOne(place, file, sha256);
  } catch (error) {
    console.info(`The interpreter is not kept for a faster start: ${error}`);
  }
}

/**
 * @param {FileSystemDirectoryHandle} place
 * @param {string} url
 * @param {string} sha256
 */
async function keepOne(place, url, sha256) {
  const there = await place.getFileHandle(sha256).catch(() => null);
  if (there && (await isRight(await (await there.getFile()).arrayBuffer(), sha256))) return;
  const bytes = await bytesOf(url);
  const { usage = 0, quota = Infinity } = await navigator.storage.estimate();
  if (quota - usage < ENOUGH * bytes.byteLength || !(await isRight(bytes, sha256))) return;
  const writer = await (await place.getFileHandle(sha256, { create: true })).createWritable();
  await writer.write(bytes);
  await writer.close(); // only now it is seen
}

/** Forgets the kept files: a start from them failed. */
export async function forget() {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(FOLDER, { recursive: true });
}

async function folder(create = false) {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create });
}

/** @param {ArrayBuffer} bytes @param {string} sha256 */
async function isRight(bytes, sha256) {
  return (await hashOf(new Uint8Array(bytes))) === sha256;
}

/** @param {string} url @returns {Promise<ArrayBuffer>} */
export async function bytesOf(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} for ${url}`);
  return response.arrayBuffer();
}
