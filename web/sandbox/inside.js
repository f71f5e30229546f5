/**
 * Python in the sandbox: a classic worker of an opaque origin, without any way to the network. Wakes
 * from a snapshot, runs a program, says what came of it. Everything it needs comes by message. One
 * that `asks` may be followed by others, which keep its names and may ask the page by client.py.
 *
 * The build (py/onglet_build/sandbox.py) writes this and Pyodide into one file, as such a worker
 * cannot import. Knows neither page nor app; the program's limits are runner.py's.
 *
 * @typedef {object} Start
 * @property {ArrayBuffer} wasm
 * @property {ArrayBuffer} stdlib zip
 * @property {import("../app/mount.js").Snapshot} snapshot
 * @property {ArrayBuffer[]} parts the bytes of the snapshot's files
 */

const NOWHERE = "https://sandbox.invalid/";
const SITE_PACKAGES = "/lib/python3.14/site-packages";
/** The second wall: the policy of the frame refuses all of these already. */
const TAKEN = [
  "fetch", "XMLHttpRequest", "WebSocket", "WebSocketStream", "WebTransport", "EventSource", "Worker",
  "SharedWorker", "BroadcastChannel", "importScripts", "indexedDB", "caches", "FontFace", "Notification",
  "createImageBitmap", "postMessage",
];

/**
 * @param {(options: object) => Promise<any>} loadPyodide
 * @param {(settings: object) => Promise<any>} create Pyodide's module
 * @param {string} client the source of client.py
 */
export function serve(loadPyodide, create, client) {
  const say = self.postMessage.bind(self);
  /** @type {any} */ let python;
  /** @type {((text: string) => void) | undefined} */ let hear;
  const act = async (/** @type {any} */ data) => {
    if (!python) {
      python = await wake(data, loadPyodide, create);
      takeAway();
      return "awake";
    }
    if (data.answer) return void hear?.(data.answer);
    if (!data.asks) self.onmessage = null;
    else hear ??= python.pyimport("runner").connect(client, (/** @type {string} */ text) => say(`asks${text}`));
    for (const archive of data.archives) python.unpackArchive(archive, "zip", { extractDir: SITE_PACKAGES });
    return `done${await python.pyimport("runner").run(data.code, JSON.stringify(data.files))}`;
  };
  self.onmessage = ({ data }) =>
    act(data).then((said) => said && say(said), (error) => {
      console.error(error);
      say("died");
    });
}

/**
 * @param {Start} start
 * @param {(options: object) => Promise<any>} loadPyodide
 * @param {(settings: object) => Promise<any>} create
 */
async function wake({ wasm, stdlib, snapshot, parts }, loadPyodide, create) {
  const headers = { "Content-Type": "application/wasm" };
  self.fetch = async (address) => new Response(String(address).endsWith(".wasm") ? wasm : stdlib, { headers });
  return loadPyodide({
    indexURL: NOWHERE,
    stdLibURL: `${NOWHERE}stdlib.zip`,
    lockFileContents: { info: { abi_version: "2026_0" }, packages: {} },
    env: { PYTHONHASHSEED: "0" },
    _loadSnapshot: whole(snapshot, parts.splice(0)),
    createPyodideModule: async (/** @type {object} */ settings) => {
      const module = await create(settings);
      module.growMemory(snapshot.memory); // Pyodide 314 ignores the size that it is told
      return module;
    },
  });
}

/**
 * The snapshot as it was saved: of its memory only the stretches that hold something were kept.
 * @param {Start["snapshot"]} snapshot @param {ArrayBuffer[]} parts
 */
function whole({ head, memory, files }, parts) {
  const start = Uint8Array.from(atob(head), (letter) => letter.charCodeAt(0));
  const saved = new Uint8Array(start.length + memory);
  saved.set(start);
  for (const [number, { stretches }] of files.entries()) {
    let taken = 0;
    for (const [place, length] of stretches) {
      saved.set(new Uint8Array(parts[number], taken, length), start.length + place);
      taken += length;
    }
  }
  return saved;
}

function takeAway() {
  for (let owner = self; owner; owner = Object.getPrototypeOf(owner)) {
    for (const name of TAKEN) if (Object.hasOwn(owner, name)) Reflect.deleteProperty(owner, name);
  }
}
