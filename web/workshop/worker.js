/**
 * The workshop: a second Python beside the app's, for work that takes long or may go wrong (reading
 * documents, running graphs). Started when first needed, ended when it has rested or is cancelled.
 * Knows no job: `onglet.workshop` does.
 *
 * @typedef {object} Places paths relative to `root`
 * @property {string} pyodide folder
 * @property {string} stdlib
 * @property {string} packages zip
 * @property {string} numpy wheel
 * @property {string} onnxruntime folder
 * @property {string} pdfium folder
 * @property {Record<string, {path: string, sha256: string, bytes: number}>} graphs
 * @property {import("../engine/encoder_worker.js").Place} encoder
 */
import { Encoders } from "./encoders.js";
import { Helper } from "./helper.js";

const SITE_PACKAGES = "/lib/python3.14/site-packages";

/** @type {Promise<any>} the Python module onglet.workshop */
let workshop;
/** @type {string} */ let root;
/** @type {Places} */ let places;
/** @type {number} */ let threads;
/** @type {any} Pyodide */ let python;

self.onmessage = ({ data }) => {
  if (data.kind === "start") {
    ({ root, places, threads } = data);
    encoders = new Encoders(root, places.encoder, threads);
    workshop = wake();
  } else if (data.kind === "do") {
    act(data);
  } else if (data.kind === "stored") {
    wanted.get(data.group)?.resolve(undefined);
  }
};

/** @param {{id: number, job: string, arguments: object, file: File | null}} task */
async function act({ id, job, arguments: given, file }) {
  try {
    const module = await workshop;
    send({ id, ...JSON.parse(await module.act(job, JSON.stringify(given), file, teller(id))) });
  } catch (error) {
    console.error(error);
    const full = /out of memory|MemoryError/i.test(String(error));
    const code = full ? "out_of_memory" : navigator.onLine ? "workshop_failed" : "offline";
    send({ kind: "failed", id, error: { code, values: {} } });
  }
}

const teller = (/** @type {number} */ id) => (/** @type {string} */ value) =>
  send({ kind: "progress", id, value: JSON.parse(value) });

async function wake() {
  const { loadPyodide } = await import(`${root}${places.pyodide}pyodide.mjs`);
  const archive = bytesOf(places.packages);
  python = await loadPyodide({
    indexURL: root + places.pyodide,
    stdLibURL: root + places.stdlib,
    lockFileContents: { info: { abi_version: "2026_0" }, packages: {} },
    env: { PYTHONHASHSEED: "0" },
  });
  python.unpackArchive(await archive, "zip", { extractDir: SITE_PACKAGES });
  Object.assign(self, { pyodide: python });
  return python.pyimport("onglet.workshop");
}

/** @param {string} path */
async function bytesOf(path) {
  const response = await fetch(root + path);
  if (!response.ok) throw new Error(`${response.status} for ${path}`);
  return response.arrayBuffer();
}

function send(/** @type {object} */ message) {
  self.postMessage(message);
}

/** @type {Promise<void> | undefined} */ let numpy;
/** @type {Promise<WebAssembly.Module> | undefined} */ let pdfium;
/** @type {Map<string, PromiseWithResolvers<void>>} groups of files */ const wanted = new Map();

const graphs = new Helper(
  () => new Worker(new URL("../graphs/worker.js", import.meta.url), { type: "module" }),
  () => ({ kind: "start", root, places, threads }),
  (reason) => ({ code: "graph_failed", values: { reason } }),
);
/** @type {Encoders} */ let encoders;

/** What `onglet.browser.workbench` may use. */
Object.assign(self, {
  workbench: {
    places: () => JSON.stringify(places),
    bytesOf,
    /** Makes NumPy importable. */
    numpy: () => (numpy ??= bytesOf(places.numpy).then((wheel) =>
      python.unpackArchive(wheel, "whl", { extractDir: SITE_PACKAGES }))),
    pixels,
    picture,
    pdfium: newPdfium,
    /** Asks the page to keep a group of files, once; what cannot be kept is fetched all the same. */
    need: (/** @type {string} */ group) => {
      if (!wanted.has(group)) {
        wanted.set(group, Promise.withResolvers());
        send({ kind: "need", group });
      }
      return wanted.get(group)?.promise;
    },
    /** Asks the graph worker. @param {any} message @param {Transferable[]} given */
    graph: (message, given) => graphs.ask(message, given),
    /** The tokens of a text, for the encoder. @param {string} text */
    tokens: (text) => encoders.tokens(text),
    /** The vectors of texts (JSON). @param {string} texts @param {(done: number) => void} told */
    encode: (texts, told) => encoders.encode(JSON.parse(texts), told),
  },
});

/** A picture drawn into so many pixels, RGBA. @param {File} file @param {number} width @param {number} height */
async function pixels(file, width, height) {
  const picture = await createImageBitmap(file);
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  canvas?.drawImage(picture, 0, 0, width, height);
  picture.close();
  return canvas?.getImageData(0, 0, width, height).data;
}

/** A picture in its own size, or smaller, on white. @param {Uint8Array} bytes @param {number} longest */
async function picture(bytes, longest) {
  const found = await createImageBitmap(new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (bytes)]));
  const scale = Math.min(1, longest / Math.max(found.width, found.height));
  const [width, height] = [found.width, found.height].map((size) => Math.max(1, Math.round(size * scale)));
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!canvas) throw new Error("no canvas");
  canvas.fillStyle = "white";
  canvas.fillRect(0, 0, width, height);
  canvas.imageSmoothingQuality = "high";
  canvas.drawImage(found, 0, 0, width, height);
  found.close();
  return { width, height, data: canvas.getImageData(0, 0, width, height).data };
}

/** PDFium with a memory of its own. */
async function newPdfium() {
  const folder = root + places.pdfium;
  pdfium ??= bytesOf(`${places.pdfium}pdfium.wasm`).then((bytes) => WebAssembly.compile(bytes));
  const compiled = await pdfium;
  const { init } = await import(`${folder}index.browser.js`);
  const made = await init({
    instantiateWasm: (/** @type {WebAssembly.Imports} */ imports, /** @type {Function} */ done) => {
      WebAssembly.instantiate(compiled, imports).then((instance) => done(instance, compiled));
      return {};
    },
  });
  const functions = made.pdfium.wasmExports;
  const view = (/** @type {number} */ address, /** @type {number} */ size) =>
    new Uint8Array(functions.memory.buffer, address, size);
  return { functions, view };
}
