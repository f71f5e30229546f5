// @ts-check
/**
 * Asks other hosts for files: the only part of Onglet that does. Each host was approved by a person
 * (the page says so before every request), everything it answers is hostile until checked.
 * Sends an address and a range, nothing else: no cookies, no referrer.
 */
import { Failure } from "./failure.js";

/** @typedef {(url: URL, from?: string) => Promise<void>} Gate writes down that an address is asked and throws
 *   a Failure unless a person agreed; `from`: the host that led there */
/**
 * @typedef {object} Answer
 * @property {Response} response
 * @property {number|null} total length of the file, when the host says it
 * @property {string|null} etag
 * @property {string|null} sha256 what a hub promises of the file
 * @property {boolean} ranged whether the body is the part that was asked for
 */
/**
 * @typedef {object} How
 * @property {Gate} gate
 * @property {AbortSignal} [signal]
 * @property {number} [from] first byte
 * @property {number|null} [to] the byte behind the last; null: to the end
 * @property {number} [tries] how often, when the host is busy or the connection breaks
 */

const PAUSE = 400; // milliseconds before the second try, then twice as long each time
const STALL = 45_000; // milliseconds without a byte after which a connection counts as broken
const OWN_MACHINE = ["127.0.0.1", "localhost", "[::1]"];
const SHA256 = /^"?([0-9a-f]{64})"?$/;

/**
 * @param {string} address
 * @returns {URL} that may be asked at all. Throws `bad_address`.
 */
export function checkedAddress(address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  const safe = url?.protocol === "https:"
    || (url?.protocol === "http:" && OWN_MACHINE.includes(url.hostname));
  if (!url || !safe || url.username || url.password) throw new Failure("bad_address");
  return url;
}

/**
 * @param {string} address
 * @param {How} how
 * @returns {Promise<Answer>}
 */
export async function ask(address, { tries = 3, ...how }) {
  const url = checkedAddress(address);
  for (let tried = 1; ; tried++) {
    try {
      return await once(url, how);
    } catch (error) {
      if (!isPassing(error) || tried >= tries) throw error;
      await pause(PAUSE * 2 ** (tried - 1), how.signal);
    }
  }
}

/**
 * @param {unknown} error
 * @returns {boolean} whether it may be better in a moment
 */
export function isPassing(error) {
  return error instanceof Failure && ["unreachable", "offline", "host_busy"].includes(error.code);
}

/**
 * @param {URL} url
 * @param {Omit<How, "tries">} how
 * @returns {Promise<Answer>}
 */
async function once(url, { gate, signal, from = 0, to = null }) {
  await gate(url);
  const headers = to === null ? undefined : { Range: `bytes=${from}-${to - 1}` };
  const silent = new AbortController();
  const response = await within(STALL, fetch(url, {
    headers,
    signal: signal ? AbortSignal.any([signal, silent.signal]) : silent.signal,
    credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store",
  })).catch((error) => {
    silent.abort();
    throw signal?.aborted ? error : unreachable(url);
  });
  try {
    const place = checkedAddress(response.url);
    if (place.host !== url.host) await gate(place, url.host);
    checkStatus(response);
    return { response, ...told(response, from) };
  } catch (error) {
    response.body?.cancel().catch(() => {});
    throw error;
  }
}

/** @param {Response} response */
function checkStatus({ status, headers, url }) {
  const { host } = new URL(url);
  if (status === 404 || status === 410) throw new Failure("not_found", { host });
  if (status === 401 || status === 403) throw new Failure("not_allowed", { host });
  if (status === 416) throw new Failure("changed_file", { host });
  if (status === 429 || status >= 500) throw new Failure("host_busy", { host, status });
  if (status !== 200 && status !== 206) throw new Failure("host_answers", { host, status });
  const type = headers.get("Content-Type") ?? "";
  if (/^text\/html\b/.test(type)) throw new Failure("not_a_file", { host });
  if (/^multipart\//.test(type)) throw new Failure("host_answers", { host, status }); // no bytes of the file alone
}

/**
 * What the headers say, as far as the host lets a page read them.
 * @param {Response} response
 * @param {number} asked the first byte asked for
 */
function told({ status, headers, url }, asked) {
  const ranged = status === 206;
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("Content-Range") ?? "");
  if (ranged && range && Number(range[1]) !== asked) {
    throw new Failure("host_answers", { host: new URL(url).host, status });
  }
  const encoded = headers.has("Content-Encoding");
  const length = encoded || ranged ? NaN : Number(headers.get("Content-Length") ?? NaN);
  const total = range ? Number(range[2]) : length;
  const etag = (headers.get("X-Linked-ETag") ?? headers.get("ETag"))?.replace(/^W\//, "") ?? null;
  return {
    ranged,
    total: Number.isSafeInteger(total) && total > 0 ? total : null,
    etag,
    sha256: SHA256.exec(etag ?? "")?.[1] ?? null,
  };
}

/** @param {URL} url */
function unreachable({ host }) {
  return new Failure(navigator.onLine === false ? "offline" : "unreachable", { host });
}

/**
 * @param {Answer} answer
 * @param {number} limit bytes
 * @returns {AsyncGenerator<Uint8Array>} the body, cut at `limit`; a connection that breaks or says
 *   nothing for long throws `unreachable`
 */
export async function* body({ response }, limit) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  try {
    for (let left = limit; left > 0;) {
      const { done, value } = await within(STALL, reader.read());
      if (done) return;
      yield value.subarray(0, left);
      left -= value.length;
    }
  } catch (error) {
    if (error instanceof TypeError) throw unreachable(new URL(response.url)); // how it shows itself
    throw error;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @template T
 * @param {number} milliseconds
 * @param {Promise<T>} work
 * @returns {Promise<T>} Throws a TypeError, as a broken connection does, when it takes longer.
 */
async function within(milliseconds, work) {
  let timer = 0;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new TypeError("no byte came")), milliseconds);
  });
  try {
    return await Promise.race([work, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {Answer} answer
 * @param {number} limit
 * @returns {Promise<Uint8Array<ArrayBuffer>>} at most `limit` bytes
 */
export async function bytesOf(answer, limit) {
  const bytes = new Uint8Array(limit);
  let at = 0;
  for await (const chunk of body(answer, limit)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes.slice(0, at);
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
