/**
 * One encrypted `.onglet` file: eight letters, a head in JSON, then the content, compressed and
 * encrypted by a key that a passphrase wraps. The head is additional data of the content, so nothing
 * in the file can be changed, cut or swapped unseen. Knows nothing of what is inside.
 */
import { Failure } from "../files/failure.js";
import { bytes, checkDerivation, hex, importKey, newKey, unwrap, wrapByPassphrase, written } from "./keys.js";

const MAGIC = "ONGLET\r\n";
const FORMAT = 1;
const HEAD_LIMIT = 4096;
const CONTENT_LIMIT = 1 << 28; // bytes of a file, and of the text in it

/** @param {string} text @param {string} passphrase @returns {Promise<Blob>} */
export async function seal(text, passphrase) {
  const key = newKey();
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const beside = { format: FORMAT, nonce_of_content: hex(iv) };
  const head = written({ ...beside, key: await wrapByPassphrase(key, passphrase, beside) });
  const packed = await through(new Blob([text]), new CompressionStream("deflate-raw"));
  const secret = await importKey(bytes(key));
  const closed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: head }, secret, packed);
  const length = new Uint8Array(new Uint32Array([head.length]).buffer);
  return new Blob([MAGIC, length, head, closed], { type: "application/octet-stream" });
}

/**
 * Throws Failure `not_onglet_file`, `unpacks_too_big`, `newer_file`, `damaged_file`, `wrong_passphrase`, `vault_tampered`.
 * @param {Blob} file @param {string} passphrase @returns {Promise<string>}
 */
export async function unseal(file, passphrase) {
  if (file.size > CONTENT_LIMIT) throw tooBig();
  const all = new Uint8Array(await file.arrayBuffer());
  const head = headOf(all);
  const { format, nonce_of_content, key: wrapped } = parsed(head);
  if (typeof format === "number" && format > FORMAT) throw new Failure("newer_file");
  if (format !== FORMAT || !wrapped) throw new Failure("damaged_file");
  checkDerivation(wrapped.derivation);
  const key = await unwrap(wrapped, passphrase, { format, nonce_of_content });
  const iv = bytes(nonce_of_content, 12);
  const content = all.subarray(MAGIC.length + 4 + head.length);
  try {
    const secret = await importKey(bytes(key));
    const packed = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData: head }, secret, content);
    return new TextDecoder("utf-8", { fatal: true }).decode(await through(new Blob([packed]), new DecompressionStream("deflate-raw")));
  } catch (error) {
    throw error instanceof Failure ? error : new Failure("damaged_file");
  }
}

const tooBig = () => new Failure("unpacks_too_big", { limit: CONTENT_LIMIT });

/** @param {Uint8Array<ArrayBuffer>} all */
function headOf(all) {
  const start = MAGIC.length + 4;
  if (new TextDecoder("latin1").decode(all.subarray(0, MAGIC.length)) !== MAGIC) throw new Failure("not_onglet_file");
  if (all.length < start) throw new Failure("damaged_file");
  const length = new DataView(all.buffer, MAGIC.length, 4).getUint32(0, true);
  if (length > HEAD_LIMIT || start + length > all.length) throw new Failure("damaged_file");
  return all.slice(start, start + length);
}

/** @param {Uint8Array<ArrayBuffer>} head */
function parsed(head) {
  try {
    return JSON.parse(new TextDecoder().decode(head)) ?? {};
  } catch {
    throw new Failure("damaged_file");
  }
}

/**
 * Both ways the same limit: what could not be read again is not written. Throws Failure
 * `unpacks_too_big`.
 * @param {Blob} content @param {CompressionStream | DecompressionStream} stream
 */
async function through(content, stream) {
  if (content.size > CONTENT_LIMIT) throw tooBig();
  const reader = content.stream().pipeThrough(stream).getReader();
  const chunks = [];
  for (let size = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks).arrayBuffer();
    size += value.byteLength;
    if (size > CONTENT_LIMIT) {
      await reader.cancel();
      throw tooBig();
    }
    chunks.push(value);
  }
}
