/**
 * How the database's key is kept: wrapped by a key that the browser never hands out, or by a
 * passphrase. The same wrapping seals exported files. Knows nothing of SQLite.
 *
 * Argon2id with 64 MiB and 3 rounds (RFC 9106's second choice), by hash-wasm; where its memory is
 * not to be had PBKDF2-SHA256 with 600,000 rounds (OWASP). AES-256-GCM wraps; what stands beside
 * the wrapped key is its additional data, so that no byte of it can be changed unseen.
 */
import "../vendor/argon2/argon2.umd.min.js";
import { Failure } from "../files/failure.js";

export const LEAST_PASSPHRASE = 8; // characters
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const SALT_BYTES = 16;
export const ARGON = { name: "argon2id", memory: 64 * 1024, iterations: 3, parallelism: 1 };
export const PBKDF2 = { name: "pbkdf2", iterations: 600_000 };
/** What is accepted on reading: neither a lure to weak keys nor one that eats all memory. */
const RANGES = {
  argon2id: { memory: [19 * 1024, 256 * 1024], iterations: [2, 10], parallelism: [1, 4] },
  pbkdf2: { iterations: [600_000, 2_000_000] },
};
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford's: no I, L, O, U
const CHECK_BYTES = 2;

/**
 * @typedef {{name: string, iterations: number, memory?: number, parallelism?: number, salt: string}} Derivation
 * @typedef {{derivation: Derivation | null, nonce: string, wrapped: string}} Wrapped texts in hexadecimal
 */

const random = (/** @type {number} */ bytes) => crypto.getRandomValues(new Uint8Array(bytes));

/** @returns {string} 64 hexadecimal digits */
export const newKey = () => hex(random(KEY_BYTES));

/** A key of the browser's own: usable here, readable by nobody. */
export function newBrowserKey() {
  return crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/**
 * @param {string} key what is wrapped @param {CryptoKey} browserKey @param {object} beside
 * @returns {Promise<Wrapped>}
 */
export async function wrapByBrowser(key, browserKey, beside) {
  return wrap(key, browserKey, { ...beside, derivation: null });
}

/**
 * Throws Failure `short_passphrase`.
 * @param {string} key @param {string} passphrase @param {object} beside @returns {Promise<Wrapped>}
 */
export async function wrapByPassphrase(key, passphrase, beside) {
  if (passphrase.length < LEAST_PASSPHRASE) throw new Failure("short_passphrase", { least: LEAST_PASSPHRASE });
  const salt = hex(random(SALT_BYTES));
  for (const method of [ARGON, PBKDF2]) {
    const derivation = { ...method, salt };
    try {
      return await wrap(key, await derive(passphrase, derivation), { ...beside, derivation });
    } catch (error) {
      if (method === PBKDF2) throw error;
    }
  }
  throw new Failure("unknown", { code: "derivation" });
}

/**
 * Throws Failure `wrong_passphrase` when the key does not fit: a tampered text looks the same.
 * @param {Wrapped} wrapped @param {CryptoKey | string} secret browser key or passphrase @param {object} beside
 */
export async function unwrap(wrapped, secret, beside) {
  const { derivation } = wrapped;
  if (typeof secret === "string") checkDerivation(derivation);
  const key = typeof secret === "string" ? await derive(secret, /** @type {Derivation} */ (derivation)) : secret;
  try {
    const nonce = bytes(wrapped.nonce, NONCE_BYTES);
    const additionalData = written({ ...beside, derivation });
    const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce, additionalData }, key, bytes(wrapped.wrapped));
    return hex(new Uint8Array(opened));
  } catch {
    throw new Failure(typeof secret === "string" ? "wrong_passphrase" : "key_lost");
  }
}

/** Throws Failure `vault_tampered`. @param {unknown} derivation */
export function checkDerivation(derivation) {
  const given = /** @type {any} */ (derivation);
  const ranges = Object.hasOwn(RANGES, given?.name) ? RANGES[/** @type {keyof RANGES} */ (given.name)] : null;
  const fits = ranges && /^[0-9a-f]{32}$/.test(given.salt) && Object.entries(ranges).every(
    ([name, [least, most]]) => Number.isSafeInteger(given[name]) && given[name] >= least && given[name] <= most);
  if (!fits) throw new Failure("vault_tampered");
}

/** @param {string} key @param {CryptoKey} wrapping @param {{derivation: Derivation | null}} beside */
async function wrap(key, wrapping, beside) {
  const nonce = random(NONCE_BYTES);
  const additionalData = written(beside);
  const closed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData }, wrapping, bytes(key));
  return { derivation: beside.derivation, nonce: hex(nonce), wrapped: hex(new Uint8Array(closed)) };
}

/** @param {string} passphrase @param {Derivation} derivation */
export async function derive(passphrase, derivation) {
  const secret = new TextEncoder().encode(passphrase.normalize("NFC"));
  const made = derivation.name === "argon2id" ? await argon2(secret, derivation) : await pbkdf2(secret, derivation);
  return importKey(made);
}

/** @param {Uint8Array} password @param {Derivation} derivation @returns {Promise<Uint8Array>} */
function argon2(password, { salt, memory, iterations, parallelism }) {
  return /** @type {any} */ (globalThis).hashwasm.argon2id({
    password, salt: bytes(salt), memorySize: memory, iterations, parallelism,
    hashLength: KEY_BYTES, outputType: "binary",
  });
}

/** @param {Uint8Array<ArrayBuffer>} password @param {Derivation} derivation */
async function pbkdf2(password, { salt, iterations }) {
  const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(how, key, KEY_BYTES * 8));
}

/** @param {Uint8Array} raw */
export function importKey(raw) {
  const own = new Uint8Array(raw);
  return crypto.subtle.importKey("raw", own, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** The key for paper: groups of letters that are hard to misread, with a check at the end. @param {string} key */
export async function recoveryCode(key) {
  const whole = new Uint8Array([...bytes(key), ...(await check(key))]);
  let bits = [...whole].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  bits = bits.padEnd(Math.ceil(bits.length / 5) * 5, "0");
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => DIGITS[parseInt(five, 2)]).join("");
  return (letters.match(/.{1,5}/g) ?? []).join("-");
}

/** Throws Failure `wrong_recovery_code`. @param {string} code @returns {Promise<string>} the key */
export async function keyOfCode(code) {
  const letters = code.toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1").replace(/[^0-9A-Z]/g, "");
  const bits = [...letters].map((letter) => DIGITS.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const pairs = bits.slice(0, (KEY_BYTES + CHECK_BYTES) * 8).match(/.{8}/g) ?? [];
  const whole = new Uint8Array(pairs.map((byte) => parseInt(byte, 2)));
  const key = hex(whole.slice(0, KEY_BYTES));
  const rest = bits.slice(whole.length * 8); // the last letter carries a few bits of nothing
  const fits = whole.length === KEY_BYTES + CHECK_BYTES && letters.length === Math.ceil((whole.length * 8) / 5)
    && !rest.includes("1");
  if (!fits || hex(whole.slice(KEY_BYTES)) !== hex(await check(key))) throw new Failure("wrong_recovery_code");
  return key;
}

/** @param {string} key */
async function check(key) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(key))).slice(0, CHECK_BYTES);
}

/** One text for one content: names in order. @param {any} value @returns {Uint8Array<ArrayBuffer>} */
export function written(value) {
  /** @type {(each: any) => any} */
  const ordered = (each) =>
    each && typeof each === "object"
      ? Object.fromEntries(Object.keys(each).sort().map((name) => [name, ordered(each[name])]))
      : each;
  return new TextEncoder().encode(JSON.stringify(ordered(value)));
}

/** @param {Uint8Array} from */
export const hex = (from) => [...from].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Throws Failure `vault_tampered`. @param {string} digits @param {number} [length] in bytes */
export function bytes(digits, length) {
  if (typeof digits !== "string" || !/^(?:[0-9a-f]{2})*$/.test(digits)) throw new Failure("vault_tampered");
  const made = new Uint8Array((digits.match(/../g) ?? []).map((pair) => parseInt(pair, 16)));
  if (length !== undefined && made.length !== length) throw new Failure("vault_tampered");
  return made;
}
