/**
 * An agent's bytes, encrypted for a link: by a key that stands in the link, or by a passphrase. The
 * first byte says how, and fixes every parameter: a link cannot choose weak or costly ones. Knows
 * nothing of agents.
 */
import { Failure } from "../files/failure.js";
import { ARGON, derive, hex, importKey, LEAST_PASSPHRASE, PBKDF2 } from "./keys.js";

const BY_KEY = 1;
/** @type {Record<number, typeof ARGON | typeof PBKDF2>} first byte -> how a passphrase becomes a key */
const METHODS = { 2: ARGON, 3: PBKDF2 };
const NONCE_BYTES = 12;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const LONGEST = 32 << 10; // bytes; longer ones are files

const random = (/** @type {number} */ bytes) => crypto.getRandomValues(new Uint8Array(bytes));

/**
 * Throws Failure `short_passphrase`.
 * @param {string} letters base64url @param {string | null} passphrase null: the key stands in the link
 * @returns {Promise<{closed: string, key: string | null}>} base64url both
 */
export async function sealLink(letters, passphrase) {
  const content = fromLetters(letters);
  if (passphrase === null) {
    const key = random(KEY_BYTES);
    return { closed: await close(content, new Uint8Array([BY_KEY]), await importKey(key)), key: toLetters(key) };
  }
  if (passphrase.length < LEAST_PASSPHRASE) throw new Failure("short_passphrase", { least: LEAST_PASSPHRASE });
  const salt = random(SALT_BYTES);
  for (const [how, method] of Object.entries(METHODS)) {
    try {
      const key = await derive(passphrase, { ...method, salt: hex(salt) });
      return { closed: await close(content, new Uint8Array([Number(how), ...salt]), key), key: null };
    } catch (error) {
      if (method === PBKDF2) throw error; // Argon2id found no memory
    }
  }
  throw new Failure("unknown", { code: "derivation" });
}

/**
 * Throws Failure `bad_link`, `wrong_passphrase`.
 * @param {string} closed @param {{key: string | null, passphrase: string | null}} secret
 * @returns {Promise<string>} base64url of the bytes
 */
export async function unsealLink(closed, { key, passphrase }) {
  const content = fromLetters(closed);
  const method = METHODS[content[0]];
  if (Boolean(method) === (passphrase === null) || (!method && content[0] !== BY_KEY)) throw new Failure("bad_link");
  const head = content.slice(0, method ? 1 + SALT_BYTES : 1);
  const secret = method
    ? await derive(String(passphrase), { ...method, salt: hex(head.slice(1)).padEnd(2 * SALT_BYTES, "0") })
    : await importKey(keyOf(key));
  const iv = content.slice(head.length, head.length + NONCE_BYTES);
  try {
    const how = { name: "AES-GCM", iv, additionalData: head };
    return toLetters(new Uint8Array(await crypto.subtle.decrypt(how, secret, content.slice(head.length + NONCE_BYTES))));
  } catch {
    throw new Failure(method ? "wrong_passphrase" : "bad_link");
  }
}

/** @param {Uint8Array<ArrayBuffer>} content @param {Uint8Array<ArrayBuffer>} head @param {CryptoKey} key */
async function close(content, head, key) {
  const iv = random(NONCE_BYTES);
  const closed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: head }, key, content));
  return toLetters(new Uint8Array([...head, ...iv, ...closed]));
}

function keyOf(/** @type {string | null} */ letters) {
  const key = fromLetters(letters ?? "");
  if (key.length !== KEY_BYTES) throw new Failure("bad_link");
  return key;
}

/** @param {string} letters @returns {Uint8Array<ArrayBuffer>} */
function fromLetters(letters) {
  if (!/^[A-Za-z0-9_-]*$/.test(letters) || letters.length > LONGEST * 4 / 3 || letters.length % 4 === 1) throw new Failure("bad_link");
  return Uint8Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

/** @param {Uint8Array} content */
function toLetters(content) {
  const text = Array.from(content, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
