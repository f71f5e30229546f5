/**
 * Service worker: puts the isolation headers and the policy on every answer, answers offline from
 * a cache that holds exactly one build, and refuses requests for other origins (and tells the page).
 *
 * A cache is used only when it is complete, so two builds never mix. On a first visit the page asks
 * for one file after the other when the model rests (page/offline.js); a later build is fetched
 * whole while it installs, and takes over when no tab uses the old one or the person says so.
 * Without a complete cache a worker only passes on what the host says: then another one may take
 * its place at any time.
 */
const BUILD = "@build@";
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": "@policy@",
};
// Hosts that name these types wrongly would keep modules and WASM from running.
const TYPES = { js: "text/javascript", mjs: "text/javascript", wasm: "application/wasm" };

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const SCOPE = new URL(worker.registration.scope);
const PREFIX = `onglet ${SCOPE.pathname} `;
// Scripts, no modules and no workers: browsers keep their compiled code, but only for a response
// that is stored as it was fetched.
const SCRIPT = /^static\/.*\.js$/;
// The pieces of the site's model. The engine keeps them as one file (web/files/store.js).
const PIECE_OF_MODEL = /^models\/([0-9a-f]{64})\/\d{3}$/;
/** The one worker that may reach other hosts (files/worker.js), and the policy that lets it. */
const DOWNLOADS = new URL("download.js", SCOPE).href;
const DOWNLOAD_POLICY = "@download_policy@";
/** Which clients may reach which host: the page says so before each request. */
/** @type {Map<string, Set<string>>} */
const letThrough = new Map();
const COMPLETE = new URL("complete", SCOPE).href;
/** The groups of the files that are fetched when they are first needed, or only read by people. */
const LATER = ["workshop", "ocr", "sandbox", "figures", "source"];
/** While a cache of this name exists nothing leaves this device; it ends with the last tab. */
const SEAL = `onglet-seal ${SCOPE.pathname}`;

/** @type {Promise<Cache> | null} */
let openedCache = null;
let complete = false;
/** @type {Promise<boolean> | null} */
let sealed = null;

const cache = () => (openedCache ??= caches.open(PREFIX + BUILD));

worker.addEventListener("install", (event) => event.waitUntil(install()));
// A page that is opened now waits for this: older builds are deleted when it says `finish`.
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== SCOPE.origin && url.protocol.startsWith("http")) {
    // What the page let through goes to the network without passing here.
    if (letThrough.get(url.host)?.has(event.clientId)) return;
    event.respondWith(refuse(url, event.clientId));
  } else if (event.request.mode === "navigate") {
    event.respondWith(endSeal().then(() => answer(event.request)));
  } else if (url.origin === SCOPE.origin) {
    event.respondWith(answer(event.request));
  }
});
worker.addEventListener("message", (event) => event.waitUntil(obey(event)));

/** Where a build is answered from its cache, the next one waits for its tabs, all files in hand. */
async function install() {
  if (!worker.registration.active || !(await caches.match(COMPLETE))) return worker.skipWaiting();
  for (const file of await missing()) await store(file);
  if (!(await finish())) throw new Error("not every file could be stored");
}

/** Older builds are kept until this one is whole: it takes from them what did not change. */
async function forgetOthers() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== PREFIX + BUILD) await caches.delete(name);
  }
}

/** The open tabs of this site, not those of a neighbour on the same host. */
async function tabs() {
  const pages = await worker.clients.matchAll({ includeUncontrolled: true, type: "window" });
  return pages.filter((page) => page.url.startsWith(SCOPE.href));
}

/** @param {Request} request */
async function answer(request) {
  const whole = await isComplete();
  const found = whole ? await (await cache()).match(keyOf(request.url)) : undefined;
  if (found && request.method === "GET") return found;
  if (whole && (await isSealed())) return Response.error();
  const answered = await fetch(request);
  return request.url.startsWith(SCOPE.href) ? withHeaders(answered, request.url) : answered;
}

/** The cache's name for a URL: without query and fragment, `index.html` for the folder. */
function keyOf(/** @type {string} */ url) {
  const { origin, pathname } = new URL(url);
  return origin + pathname + (pathname.endsWith("/") ? "index.html" : "");
}

/** @param {Response} response @param {string} url */
function withHeaders(response, url) {
  if (response.status === 0 || response.type === "opaqueredirect") return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  if (keyOf(url) === DOWNLOADS) headers.set("Content-Security-Policy", DOWNLOAD_POLICY);
  const type = TYPES[/** @type {keyof TYPES} */ (keyOf(url).split(".").pop())];
  if (type) headers.set("Content-Type", type);
  const { status, statusText } = response;
  const empty = status === 204 || status === 205 || status === 304;
  return new Response(empty ? null : response.body, { status, statusText, headers });
}

/** A person approved of the host: the workers that download may ask it until this worker rests. */
async function pass(/** @type {string} */ host) {
  if (await isSealed()) return false;
  const all = await worker.clients.matchAll({ includeUncontrolled: true, type: "worker" });
  letThrough.set(host, new Set(all.filter(({ url }) => url === DOWNLOADS).map(({ id }) => id)));
  return true;
}

/** What asks another origin unasked is refused and shown in the ledger. */
async function refuse(/** @type {URL} */ url, /** @type {string} */ clientId) {
  for (const page of await tabs()) {
    page.postMessage({ kind: "refused", host: url.host, from: clientId });
  }
  return Response.error();
}

function isSealed() {
  return (sealed ??= caches.has(SEAL));
}

/** From now on no request goes to another site, nor to the own host once all files are stored. */
async function seal() {
  await caches.open(SEAL);
  sealed = Promise.resolve(true);
  letThrough.clear();
  return true;
}

/** A visit when no tab is open begins a new session. */
async function endSeal() {
  if (!(await isSealed()) || (await tabs()).length) return;
  await caches.delete(SEAL);
  sealed = null;
}

/** Deletes what this site keeps in caches; from then on this worker only passes things on. */
async function forget() {
  await forgetOthers();
  for (const name of [PREFIX + BUILD, SEAL]) await caches.delete(name);
  [openedCache, complete, sealed] = [null, false, null];
  return true;
}

/** @param {ExtendableMessageEvent} event */
async function obey(event) {
  const reply = (/** @type {object} */ value) => event.ports[0]?.postMessage(value);
  try {
    if (event.data.kind === "let_through") reply({ passes: await pass(event.data.host) });
    if (event.data.kind === "build") reply({ build: BUILD });
    if (event.data.kind === "missing") reply({ files: await missing(event.data.group) });
    if (event.data.kind === "store") reply({ stored: await store(event.data.file) });
    if (event.data.kind === "finish") reply({ complete: await finishAlone() });
    if (event.data.kind === "forget") reply({ forgotten: await forget() });
    if (event.data.kind === "seal") reply({ sealed: await seal() });
    if (event.data.kind === "is_sealed") reply({ sealed: await isSealed() });
    if (event.data.kind === "replace") reply({ replacing: await replace() });
  } catch (error) {
    reply({ error: String(error), moved: error instanceof HostMoved });
  }
}

/** The host serves another build than this worker's: it is being updated, or was already. */
class HostMoved extends Error {}

/** A new build may take over early when the asking page is the only one. */
async function replace() {
  if ((await tabs()).length > 1) return false;
  await worker.skipWaiting();
  return true;
}

/** @typedef {{path: string, bytes: number, sha256: string, group: string}} Listed */

/**
 * @param {string} [group] of files that are fetched when first needed; without it, the rest
 * @returns {Promise<Listed[]>} the files of this build that the cache does not hold yet
 */
async function missing(group) {
  if (!group && (await isComplete())) return [];
  const held = new Set((await (await cache()).keys()).map((request) => request.url));
  const list = await (await fetch(new URL("files.json", SCOPE), { cache: "no-cache" })).json();
  if (list.build !== BUILD) throw new HostMoved(`the host serves ${list.build}, not ${BUILD}`);
  const wanted = [];
  const used = await groupsInUse(list.files);
  for (const file of /** @type {Listed[]} */ (list.files)) {
    if (group ? file.group !== group : LATER.includes(file.group) && !used.has(file.group)) continue;
    if (!held.has(new URL(file.path, SCOPE).href) && !(await isKept(file))) wanted.push(file);
  }
  return wanted;
}

/** What is fetched when first needed and a build on this device has: the next one takes it too. */
async function groupsInUse(/** @type {Listed[]} */ files) {
  const used = new Set();
  for (const { group, path } of files) {
    if (!LATER.includes(group) || used.has(group)) continue;
    if (await caches.match(new URL(path, SCOPE).href)) used.add(group);
  }
  return used;
}

/** Whether the file is a part of a model that this device keeps outside the cache. */
async function isKept(/** @type {Listed} */ { path }) {
  const sha256 = PIECE_OF_MODEL.exec(path)?.[1];
  if (!sha256) return false;
  try {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("onglet-models");
    await folder.getFileHandle(sha256);
    await folder.getFileHandle(`${sha256}.json`);
    return true;
  } catch {
    return false;
  }
}

/**
 * Puts one file into this build's cache, from an older build's cache or the host, as it will be
 * answered.
 */
async function store(/** @type {Listed} */ file) {
  if (await isKept(file)) return true; // since the page asked what is missing
  const url = new URL(file.path, SCOPE).href;
  // Only names that carry a hash mean the same bytes in another build.
  const older = file.path.includes("/") ? await caches.match(url) : undefined;
  const response = older ?? (await fetchChecked(url, file.sha256));
  await (await cache()).put(url, isScript(file.path, response) ? response : labelled(response, file));
  return true;
}

/** Whether it can be stored as the host sent it. @param {string} path @param {Response} response */
function isScript(path, { headers }) {
  return SCRIPT.test(path) && /^(text|application)\/javascript\b/.test(headers.get("Content-Type") ?? "");
}

/** @param {Response} response @param {Listed} file */
function labelled(response, { path, bytes }) {
  const kept = withHeaders(response, new URL(path, SCOPE).href);
  kept.headers.set("Onglet-Bytes", String(bytes)); // what the storage map adds up
  return kept;
}

/** The browser's own copy is good enough when its hash holds; else the host is asked again. */
async function fetchChecked(/** @type {string} */ url, /** @type {string} */ sha256) {
  const bytes = (sha256.match(/../g) ?? []).map((pair) => parseInt(pair, 16));
  const integrity = "sha256-" + btoa(String.fromCharCode(...bytes));
  let response = await fetch(url, { integrity, cache: "force-cache" }).catch(() => null);
  response ??= await fetch(url, { integrity, cache: "reload" });
  if (response.status !== 200) throw new Error(`${response.status} for ${url}`);
  return response;
}

/** Marks the cache as complete when it is. */
async function finish() {
  if ((await missing()).length) return false;
  await (await cache()).put(COMPLETE, new Response(BUILD));
  return isComplete();
}

/** The page asks only the worker that is active: with its cache whole, no other is of use. */
async function finishAlone() {
  const whole = await finish();
  if (whole) await forgetOthers();
  return whole;
}

async function isComplete() {
  // Not by opening the cache: that would make one where all was deleted.
  complete ||= Boolean(await caches.match(COMPLETE, { cacheName: PREFIX + BUILD }));
  return complete;
}
