// @ts-check
/**
 * Reads a file from its start to its end as chunks: the pieces of the site's own model, an address
 * of the same origin, or a file that a person picked. Knows nothing about models or kernels.
 *
 * Never a whole copy in memory: a chunk is passed on before the next one is asked for.
 */
import { Failure } from "./failure.js";

/**
 * @typedef {object} Source
 * @property {string} name for people
 * @property {number} bytes length of the whole file
 * @property {AsyncGenerator<Uint8Array>} chunks in file order; ending the generator ends the reading
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
 * The site's own model, `000`, `001`, ... beside its `prepared.json`. The first piece is asked for
 * at once, each later one when the one before it begins to arrive.
 * @template {{pieces: number[]}} Listing
 * @param {URL} address of the listing
 * @param {AbortSignal} signal
 * @returns {Promise<{listing: Listing, source: Source}>}
 */
export async function openSite(address, signal) {
  const ask = (/** @type {number} */ index) => (
    request(new URL(String(index).padStart(3, "0"), address), signal));
  const first = ask(0);
  first.catch(() => {}); // the listing's own failure is told first
  const listing = await readListing(address, signal);
  const bytes = sum(listing.pieces);
  const name = address.pathname.split("/").at(-2) ?? "";
  return { listing, source: { name, bytes, chunks: readPieces(first, listing.pieces, ask) } };
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
  return { name, bytes, chunks: readBody(response) };
}

/**
 * @param {File} file
 * @param {AbortSignal} signal
 * @returns {Source}
 */
export function openFile(file, signal) {
  return { name: file.name, bytes: file.size, chunks: readSlices(file, signal) };
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
 * @returns {Promise<Response>}
 */
async function request(url, signal) {
  const response = await fetch(url, { signal }).catch((error) => {
    throw signal.aborted ? error : new Failure("download_failed", { url: url.pathname, status: 0 });
  });
  if (response.ok) return response;
  throw new Failure("download_failed", { url: url.pathname, status: response.status });
}

/**
 * @param {Promise<Response>} first
 * @param {number[]} pieces how long each one is
 * @param {(index: number) => Promise<Response>} ask
 * @returns {AsyncGenerator<Uint8Array>}
 */
async function* readPieces(first, pieces, ask) {
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
