/**
 * The app worker: wakes Python, with the app already built (the snapshot) or by building it here,
 * and carries patches between it and the page. Knows no page of the app and no engine message.
 */
import { bytesOf, forget, open } from "./kept.js";

/**
 * @typedef {import("./mount.js").StartMessage} StartMessage
 * @typedef {import("./mount.js").WakeMessage} WakeMessage
 * @typedef {object} Files absolute URLs
 * @property {string} pyodide folder
 * @property {string} stdlib
 * @property {string} nothing
 * @property {string[]} packages zips; the last one is not needed for a start from the snapshot
 * @property {import("./mount.js").Snapshot} snapshot
 */

const SITE_PACKAGES = "/lib/python3.14/site-packages";
const STANDARD_LIBRARY = "/lib/python314.zip";
const IDLE_MILLISECONDS = 300;

/** @type {any} Pyodide, once awake */
let python;
/** @type {any} the Python module onglet.start */
let app;
/** @type {Promise<boolean>} whether Python woke from the snapshot */
let awake;
const live = /** @type {PromiseWithResolvers<void>} */ (Promise.withResolvers());

self.onmessage = async ({ data }) => {
  if (data.kind === "wake") {
    awake = wake(data);
    awake.catch(() => {}); // told when the page asks for the app
  } else if (data.kind === "start") {
    await start(data).catch(fail);
  } else if (data.kind === "patch") {
    apply(data.patch);
  }
};

/** @param {Error} error */
function fail(error) {
  forget().catch(() => {}); // should the kept snapshot be why, the next start is without it
  send({ kind: "app_failed", error: String(error) });
}

/** A fault in what Python makes of a change must not keep the changes after it waiting. */
function apply(/** @type {string} */ patch) {
  try {
    app.apply(patch);
  } catch (error) {
    console.error(error);
  }
  send({ kind: "idle" });
}

/** @param {WakeMessage} message */
async function wake(message) {
  const files = filesOf(message);
  const restored = message.snapshot && (await restore(files).catch(explain));
  if (!restored) await buildHere(files);
  app = python.pyimport("onglet.start");
  if (restored) live.promise.then(() => completeLater(files));
  return restored;
}

/** @param {StartMessage} message */
async function start(message) {
  Object.assign(self, { enginePort: message.engine });
  holdForLife(message.lock);
  const restored = await awake;
  app.use_language(message.language);
  if (!restored) send({ kind: "document", text: app.as_json() });
  app.use_theme(message.dark);
  app.wake(sendPatch);
  send({ kind: "live", restored });
  live.resolve();
}

/** Who queues for the lock learns at once that this worker died. @param {string} lock */
function holdForLife(lock) {
  navigator.locks?.request(lock, () => {
    send({ kind: "alive", lock });
    return new Promise(() => {});
  });
}

/** @param {WakeMessage} message @returns {Files} */
function filesOf({ root, app: names }) {
  const url = (/** @type {string} */ name) => root + names.folder + name;
  return {
    pyodide: root + names.pyodide,
    stdlib: url(names.stdlib),
    nothing: url(names.nothing),
    packages: names.packages.map(url),
    snapshot: {
      ...names.snapshot,
      files: names.snapshot.files.map((part) => ({ ...part, file: url(part.file) })),
    },
  };
}

/** @param {Error} error */
function explain(error) {
  console.warn(`The snapshot was not used: ${error.message}`);
  forget().catch(() => {});
  return false;
}

/**
 * Takes over the interpreter that the build saved. Its memory is written here and not by Pyodide
 * (which gets the head only): Pyodide 314 ignores INITIAL_MEMORY, so memory has to be grown first,
 * and this way there is no second copy and no need to send the long empty stretches.
 * @param {Files} files
 */
async function restore(files) {
  const { head, memory, files: wanted } = files.snapshot;
  const _loadSnapshot = Uint8Array.from(atob(head), (letter) => letter.charCodeAt(0));
  /** @type {Promise<import("./kept.js").Part[]> | null} */
  let saved = null;
  const more = { _loadSnapshot, stdLibURL: files.nothing };
  const starting = loadPython(files, more, async (module) => {
    const parts = (await saved) ?? [];
    saved = null; // Pyodide keeps this function; it shall not keep the bytes
    const used = module.HEAPU8.length;
    module.growMemory(memory);
    try {
      place(parts, wanted, module.HEAPU8, used);
    } finally {
      for (const part of parts) part.close();
    }
  });
  saved = Promise.all(wanted.map(open));
  await starting;
  return true;
}

/**
 * Writes the saved stretches where they were, and zeros between them as far as memory was used before.
 * @param {import("./kept.js").Part[]} parts
 * @param {import("./mount.js").Snapshot["files"]} files
 * @param {Uint8Array<ArrayBuffer>} memory
 * @param {number} used
 */
function place(parts, files, memory, used) {
  let end = 0;
  for (const [number, { stretches }] of files.entries()) {
    const part = parts[number];
    if (sum(stretches) !== part.bytes) throw new Error("a file of it is not whole");
    for (const [start, length] of stretches) {
      if (end < used) memory.fill(0, end, Math.min(start, used));
      part.read(memory.subarray(start, start + length));
      end = start + length;
    }
  }
}

/** @param {[number, number][]} stretches */
function sum(stretches) {
  return stretches.reduce((total, [, length]) => total + length, 0);
}

/** Builds the app in this worker: the way without a snapshot. @param {Files} files */
async function buildHere(files) {
  const archives = files.packages.map(bytesOf);
  await loadPython(files);
  for (const archive of archives) unpack(await archive);
  python.pyimport("onglet.start").prepare();
}

/**
 * Starts Pyodide. Its WebAssembly, which takes longest to compile, is asked for before its scripts
 * are (static/vendor.json mends Pyodide for that).
 * @param {Files} files
 * @param {object} [more] options
 * @param {(module: any) => Promise<void>} [made] what to do when memory is there
 */
async function loadPython(files, more = {}, made = async () => {}) {
  const program = WebAssembly.compileStreaming(fetch(`${files.pyodide}pyodide.asm.wasm`));
  const script = import(`${files.pyodide}pyodide.asm.mjs`);
  program.catch(() => {}); // told below
  script.catch(() => {});
  Object.assign(self, { pyodideProgram: program });
  const { loadPyodide } = await import(`${files.pyodide}pyodide.mjs`);
  python = await loadPyodide({
    indexURL: files.pyodide,
    stdLibURL: files.stdlib,
    lockFileContents: { info: { abi_version: "2026_0" }, packages: {} },
    env: { PYTHONHASHSEED: "0" },
    ...more,
    createPyodideModule: async (/** @type {any} */ settings) => {
      const { default: create } = await script;
      const module = await create(settings);
      await made(module);
      return module;
    },
  });
}

/** @param {ArrayBuffer} archive */
function unpack(archive) {
  python.unpackArchive(archive, "zip", { extractDir: SITE_PACKAGES });
}

/** The modules that no start needs, and those that the snapshot holds already. @param {Files} files */
async function completeLater(files) {
  python.FS.writeFile(STANDARD_LIBRARY, new Uint8Array(await bytesOf(files.stdlib)));
  await new Promise((resolve) => setTimeout(resolve, IDLE_MILLISECONDS));
  unpack(await bytesOf(files.packages.at(-1) ?? ""));
  app.see_unpacked_modules();
}

/** @param {string} patch */
function sendPatch(patch) {
  send({ kind: "patch", patch });
}

/** @param {object} message */
function send(message) {
  self.postMessage(message);
}
