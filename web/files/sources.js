// @ts-check
/**
 * Reads a file from its start to its end as chunks: the pieces of the site's own model, one that is
 * kept on this device, an address of the same origin, or a file that a person picked. Knows nothing
 * about models or kernels.
 *
 * Never a whole copy in memory: a chunk is passed on before the next one is asked for.
 */
import { Failure } from "./failure.js";
import { entryOf, noteUse, readStored, remove, StoreWriter, verifyStored } from "./store.js";

/**
 * @typedef {object} Source
 * @property {string} name for people
 * @property {number} bytes length of the whole file
 * @property {boolean} local whether it is on this device
 * @property {() => Promise<void>} [verify] after the whole file was read: throws `wrong_hash` if its
 *   bytes are not those that its name promises
 * @property {AsyncGenerator<Uint8Array>} chunks in file order, each good until the next is asked for;
 *   ending the generator ends the reading
 */

const SLICE = 4 << 20; // of a picked file: big enough to stream at 0.5 GB/s, small enough to hold two

/**
 * @param {string} path
 * @param {string} root the page's base address
 * @returns {URL} an address of this origin. Throws `download_failed` for any other.
 */
export function sameOrigin(path, root) {
  const url = URL.canParse(path, root) ? new URL(path, root) : null;
  const ours = url?.origin === self.location.origin && /^https?:$/.test(url.protocol);
  if (!url || !ours) throw new Failure("download_failed", { url: String(path), status: 0 });
  return url;
}

/**
 * @typedef {object} Listing what `prepared.json` says of the site's own model, among other things
 * @property {number[]} pieces how long `000`, `001`, ... beside it are
 * @property {import("./store.js").Pieces} check what the whole file's bytes must be
 */

/**
 * The site's own model: from this device if it is kept here, else from the host, and kept.
 * @param {URL} address of the listing, `.../<sha256>/prepared.json`
 * @param {AbortSignal} signal
 * @returns {Promise<{listing: Listing, source: Source}>}
 */
export async function openSite(address, signal) {
  const asked = readListing(address, signal);
  asked.catch(() => {}); // told below
  const sha256 = hashIn(address);
  const entry = await entryOf(sha256);
  const listing = await asked;
  if (entry) return { listing, source: stored(entry, signal) };
  const bytes = sum(listing.pieces);
  const { pathname } = address;
  const now = Date.now();
  const kept = { sha256, name: sha256, bytes, source: pathname, licence: null, pieces: listing.check };
  const writer = await StoreWriter.open({ ...kept, added: now, used: now });
  // What is kept here need not be kept by the browser's cache too.
  const cache = writer ? "no-store" : "default";
  const ask = (/** @type {number} */ index) => (
    request(new URL(String(index).padStart(3, "0"), address), signal, cache));
  const source = { name: sha256, bytes, local: false, chunks: readPieces(listing.pieces, ask) };
  return { listing, source: writer ? keep(source, writer) : source };
}

/** @param {URL} address */
function hashIn(address) {
  return address.pathname.split("/").at(-2) ?? "";
}

/**
 * The site's own model is damaged where it is kept: the next reading asks the host.
 * @param {URL} address
 */
export async function forgetSite(address) {
  await remove(hashIn(address));
}

/**
 * Writes a source down as it passes. Without room for it, it passes all the same.
 * @param {Source} source
 * @param {StoreWriter} writer
 * @returns {Source}
 */
function keep(source, writer) {
  let whole = false;
  async function* chunks() {
    let full = false;
    try {
      for await (const chunk of source.chunks) {
        full ||= !written(writer, chunk);
        yield chunk;
      }
      whole = !full;
    } finally {
      if (!whole) await writer.abandon();
    }
  }
  const verify = async () => { if (whole) await writer.finish().catch(onlyWrongHash); };
  return { ...source, chunks: chunks(), verify };
}

/**
 * A model that cannot be kept answers all the same; one with a wrong byte does not.
 * @param {unknown} error
 */
function onlyWrongHash(error) {
  if (error instanceof Failure && error.code === "wrong_hash") throw error;
  console.warn("onglet: the model could not be kept", error);
}

/**
 * @param {StoreWriter} writer
 * @param {Uint8Array} chunk
 */
function written(writer, chunk) {
  try {
    writer.write(chunk);
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === "no_room") return false;
    throw error;
  }
}

/**
 * A model that is kept on this device.
 * @param {string} sha256
 * @param {AbortSignal} signal
 * @returns {Promise<Source>}
 */
export async function openStored(sha256, signal) {
  const entry = await entryOf(sha256);
  if (!entry) throw new Failure("not_stored");
  return stored(entry, signal);
}

/**
 * @param {import("./store.js").Entry} entry
 * @param {AbortSignal} signal
 * @returns {Source}
 */
function stored(entry, signal) {
  const verify = async () => {
    await verifyStored(entry);
    await noteUse(entry).catch(() => {});
  };
  const { name, bytes } = entry;
  return { name, bytes, local: true, chunks: readStored(entry, signal), verify };
}

/**
 * @param {URL} address
 * @param {AbortSignal} signal
 * @returns {Promise<Source>}
 */
export async function openAddress(address, signal) {
  const response = await request(address, signal);
  const encoded = response.headers.get("Content-Encoding");
  const bytes = encoded ? NaN : Number(response.headers.get("Content-Length") ?? NaN);
  // Without a length the header's claims about the file could not be checked.
  if (!Number.isSafeInteger(bytes)) {
    throw new Failure("download_failed", { url: address.pathname, status: response.status });
  }
  const name = address.pathname.split("/").at(-1) ?? "";
  return { name, bytes, local: false, chunks: readBody(response) };
}

/**
 * @param {File} file
 * @param {AbortSignal} signal
 * @returns {Source}
 */
export function openFile(file, signal) {
  return { name: file.name, bytes: file.size, local: true, chunks: readSlices(file, signal) };
}

/**
 * @param {URL} address
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
async function readListing(address, signal) {
  const response = await request(address, signal);
  return response.json().catch((error) => {
    // Some hosts answer with a page, and status 200, where they have no file.
    const { status } = response;
    throw signal.aborted ? error : new Failure("download_failed", { url: address.pathname, status });
  });
}

/**
 * @param {URL} url
 * @param {AbortSignal} signal
 * @param {RequestCache} [cache]
 * @returns {Promise<Response>}
 */
async function request(url, signal, cache) {
  const response = await fetch(url, { signal, cache }).catch((error) => {
    throw signal.aborted ? error : new Failure("download_failed", { url: url.pathname, status: 0 });
  });
  if (response.ok) return response;
  throw new Failure("download_failed", { url: url.pathname, status: response.status });
}

/**
 * The first piece is asked for at once, each later one when the one before it begins to arrive.
 * @param {number[]} pieces how long each one is
 * @param {(index: number) => Promise<Response>} ask
 * @returns {AsyncGenerator<Uint8Array>}
 */
function readPieces(pieces, ask) {
  const first = ask(0);
  first.catch(() => {}); // told when its turn comes
  return readFrom(first, pieces, ask);
}

/**
 * @param {Promise<Response>} first
 * @param {number[]} pieces
 * @param {(index: number) => Promise<Response>} ask
 * @returns {AsyncGenerator<Uint8Array>}
 */
async function* readFrom(first, pieces, ask) {
  let next = first;
  let have = 0;
  for (let index = 0, end = 0; index < pieces.length; index++) {
    const response = await next;
    if (index + 1 < pieces.length) {
      next = ask(index + 1);
      next.catch(() => {}); // told when its turn comes
    }
    end += pieces[index];
    for await (const chunk of readBody(response)) {
      have += chunk.length;
      yield chunk;
    }
    if (have !== end) throw new Failure("truncated", { have, need: sum(pieces) });
  }
}

/**
 * @param {Response} response
 * @returns {AsyncGenerator<Uint8Array>}
 */
async function* readBody(response) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (error instanceof TypeError) { // how a connection that breaks off shows itself
      const url = new URL(response.url).pathname;
      throw new Failure("download_failed", { url, status: response.status });
    }
    throw error;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @param {File} file
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Uint8Array>}
 */
async function* readSlices(file, signal) {
  const read = (/** @type {number} */ start) => file.slice(start, start + SLICE).arrayBuffer();
  let next = read(0);
  for (let start = 0; start < file.size; start += SLICE) {
    const bytes = await next.catch(() => {
      throw new Failure("download_failed", { url: file.name, status: 0 }); // changed or gone
    });
    signal.throwIfAborted();
    if (start + SLICE < file.size) {
      next = read(start + SLICE);
      next.catch(() => {}); // told when its turn comes
    }
    yield new Uint8Array(bytes);
  }
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
