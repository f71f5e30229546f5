/**
 * What the page knows of itself: `globalThis.onglet`, a read-only window for tests, `ask` and
 * `bench` (docs/protocols.md section 6), filled from the engine's copies; and the ledger of
 * requests that tried to leave the origin.
 */
/** @typedef {Record<string, number>} Timeline milliseconds since navigation start */

const SAME_REFUSAL = 100; // milliseconds

/** @type {Map<string, ((value: any) => void)[]>} */
const listeners = new Map();
/** @type {Timeline} */
export const timeline = {};
/**
 * @typedef {object} Entry one request to another site
 * @property {string} host
 * @property {number} at when, in milliseconds since 1970
 * @property {"refused" | "seen" | "link" | "model"} why refused: stopped before it left; seen: the browser
 *   made it; link: a person opened it
 * @property {number} bytes that left: of a link, its address
 * @property {number | null} approved when a person said yes
 */
/** @type {Entry[]} */
const entries = [];
/** @type {(now: ReturnType<typeof ledger>) => void} */
let changed = () => {};
/** @type {Record<string, any>} */
const last = { facts: null, loaded: null, done: null, failed: null };

/** Notes a moment once; the first one counts. */
export function mark(/** @type {string} */ name, time = performance.now()) {
  timeline[name] ??= Math.round(time * 10) / 10;
}

/** Keeps the newest facts and replies and tells whoever asked to hear of them. */
export function tell(/** @type {string} */ kind, /** @type {any} */ value) {
  if (kind in last) last[kind] = value;
  if (kind === "loaded") mark("model_ready");
  if (kind === "tokens") mark("first_token");
  for (const callback of listeners.get(kind) ?? []) callback(value);
}

export function ledger() {
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const left = entries.filter(({ why }) => why !== "refused");
  return { off_origin_requests: entries.length, left: left.length, bytes, entries: entries.map((e) => ({ ...e })) };
}

/** @param {Omit<Entry, "at">} entry */
export function note(entry) {
  entries.push({ ...entry, at: Date.now() });
  changed(ledger());
}

/** @param {typeof changed} listener */
export function keepLedger(listener) {
  changed = listener;
  const refused = (/** @type {string} */ host) => note({ host, why: "refused", bytes: 0, approved: null });
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (data?.kind === "refused") refused(data.host);
  });
  // One refusal is told once for each policy that it violates (the document's and the header's).
  let told = { uri: "", at: -Infinity };
  addEventListener("securitypolicyviolation", ({ blockedURI, disposition, timeStamp }) => {
    if (disposition !== "enforce" || !isElsewhere(blockedURI)) return;
    if (blockedURI === told.uri && timeStamp - told.at < SAME_REFUSAL) return;
    told = { uri: blockedURI, at: timeStamp };
    refused(new URL(blockedURI).host);
  });
  // Without a service worker the page still sees what it fetched itself.
  new PerformanceObserver((list) => {
    for (const { name } of list.getEntries()) {
      if (isElsewhere(name) && !navigator.serviceWorker?.controller) {
        note({ host: new URL(name).host, why: "seen", bytes: 0, approved: null });
      }
    }
  }).observe({ type: "resource", buffered: true });
}

/** Whether an address leads over the network to another origin. */
export function isElsewhere(/** @type {string} */ address) {
  const url = URL.canParse(address, document.baseURI) ? new URL(address, document.baseURI) : null;
  return /^(https?|wss?):$/.test(url?.protocol ?? "") && url?.origin !== location.origin;
}

export function openWindow() {
  const on = (/** @type {string} */ kind, /** @type {(value: any) => void} */ callback) => {
    listeners.set(kind, [...(listeners.get(kind) ?? []), callback]);
  };
  const get = (/** @type {string} */ name) => ({ get: () => last[name], enumerable: true });
  const names = Object.fromEntries(Object.keys(last).map((name) => [name, get(name)]));
  const window = Object.defineProperties({ timeline, ledger, on }, names);
  Object.defineProperty(globalThis, "onglet", { value: Object.freeze(window) });
  new PerformanceObserver((list) => {
    for (const { name, startTime } of list.getEntries()) {
      if (name === "first-contentful-paint") mark("first_paint", startTime);
    }
  }).observe({ type: "paint", buffered: true });
}
