/**
 * What the page knows of itself: `globalThis.onglet`, a read-only window for tests, `ask` and
 * `bench` (docs/protocols.md section 6), filled from the engine's copies; and the ledger of
 * requests that tried to leave the origin.
 */
/** @typedef {Record<string, number>} Timeline milliseconds since navigation start */

/** @type {Map<string, ((value: any) => void)[]>} */
const listeners = new Map();
/** @type {Timeline} */
const timeline = {};
/** @type {{host: string, at: number, refused: boolean}[]} */
const entries = [];
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
  return { off_origin_requests: entries.length, bytes: 0, entries: entries.map((e) => ({ ...e })) };
}

/** @param {(now: ReturnType<typeof ledger>) => void} changed */
export function keepLedger(changed) {
  const note = (/** @type {string} */ host, /** @type {boolean} */ refused) => {
    entries.push({ host, refused, at: Date.now() });
    changed(ledger());
  };
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (data?.kind === "refused") note(data.host, true);
  });
  // Without a service worker the page still sees what it fetched itself.
  new PerformanceObserver((list) => {
    for (const { name } of list.getEntries()) {
      const url = new URL(name, document.baseURI);
      const left = url.protocol.startsWith("http") && url.origin !== location.origin;
      if (left && !navigator.serviceWorker?.controller) note(url.host, false);
    }
  }).observe({ type: "resource", buffered: true });
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
