/**
 * What this site keeps in this browser, read from the browser itself, and how all of it is deleted.
 * Everything of ours has a name that begins with `onglet` (docs/protocols.md section 9); sites that
 * share the host keep theirs.
 */
import { askWorker } from "./isolation.js";

const OURS = "onglet";

/** @typedef {{place: string, name: string, files: number, bytes: number}} Kept one row of the map */

export async function storageMap() {
  const walks = [cached(), files(), databases(), remembered()].map((walk) => walk.catch(() => []));
  const { usage = null, quota = null } = (await navigator.storage?.estimate?.()) ?? {};
  const persisted = Boolean(await navigator.storage?.persisted?.());
  return { kept: (await Promise.all(walks)).flat(), usage, quota, persisted };
}

/** The service worker's copy of the site: the app's files and the model's. @returns {Promise<Kept[]>} */
async function cached() {
  const scope = new URL("./", document.baseURI);
  const sums = { app: { files: 0, bytes: 0 }, model: { files: 0, bytes: 0 } };
  for (const name of await caches.keys()) {
    if (!name.startsWith(`${OURS} ${scope.pathname} `)) continue;
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const size = await sizeOf(await cache.match(request));
      const sum = request.url.startsWith(`${scope.href}models/`) ? sums.model : sums.app;
      sum.files += 1;
      sum.bytes += size;
    }
  }
  const rows = Object.entries(sums).map(([name, sum]) => ({ place: "cache", name, ...sum }));
  return rows.filter(({ files }) => files);
}

/** Scripts are stored as their host sent them, without the label of their size. */
async function sizeOf(/** @type {Response | undefined} */ response) {
  return Number(response?.headers.get("Onglet-Bytes") ?? (await response?.blob())?.size ?? 0);
}

/** The origin's private file system. @returns {Promise<Kept[]>} */
async function files() {
  const rows = [];
  for await (const [name, handle] of inside(await navigator.storage.getDirectory())) {
    if (name.startsWith(OURS)) rows.push({ place: "files", name, ...(await weigh(handle)) });
  }
  return rows;
}

/** @param {FileSystemHandle} handle @returns {Promise<{files: number, bytes: number}>} */
async function weigh(handle) {
  if (handle instanceof FileSystemFileHandle) return { files: 1, bytes: (await handle.getFile()).size };
  const sum = { files: 0, bytes: 0 };
  for await (const [, part] of inside(/** @type {FileSystemDirectoryHandle} */ (handle))) {
    const { files, bytes } = await weigh(part);
    sum.files += files;
    sum.bytes += bytes;
  }
  return sum;
}

/**
 * @param {any} folder FileSystemDirectoryHandle, whose iterators the type checker does not know
 * @returns {AsyncIterable<[string, FileSystemHandle]>}
 */
const inside = (folder) => folder.entries();

/** @returns {Promise<Kept[]>} databases; no browser tells how large one is */
async function databases() {
  const found = (await indexedDB.databases()).map(({ name }) => name ?? "");
  const ours = found.filter((name) => name.startsWith(OURS));
  return ours.map((name) => ({ place: "database", name, files: 1, bytes: 0 }));
}

/** @returns {Promise<Kept[]>} small settings */
async function remembered() {
  const rows = [];
  for (const [place, storage] of Object.entries({ settings: localStorage, session: sessionStorage })) {
    for (const name of Object.keys(storage).filter((key) => key.startsWith(OURS))) {
      rows.push({ place, name, files: 1, bytes: 2 * (name.length + (storage.getItem(name) ?? "").length) });
    }
  }
  return rows;
}

/**
 * Deletes every row of the map and the service worker.
 * @param {() => void} letGo ends what holds files open
 * @returns {Promise<Kept[]>} what could not be deleted, for example because another tab holds it
 */
export async function deleteEverything(letGo) {
  letGo();
  const registration = await navigator.serviceWorker?.getRegistration();
  if (registration?.active) await askWorker(registration.active, { kind: "forget" });
  await registration?.unregister();
  const root = await navigator.storage.getDirectory().catch(() => null);
  for (const { place, name } of (await storageMap()).kept) {
    if (place === "files") await root?.removeEntry(name, { recursive: true }).catch(() => {});
    if (place === "database") await deleteDatabase(name);
    if (place === "settings") localStorage.removeItem(name);
    if (place === "session") sessionStorage.removeItem(name);
  }
  return (await storageMap()).kept;
}

/** @returns {Promise<unknown>} also when another tab blocks it */
function deleteDatabase(/** @type {string} */ name) {
  const request = indexedDB.deleteDatabase(name);
  return new Promise((resolve) => {
    request.onsuccess = request.onerror = request.onblocked = resolve;
  });
}
