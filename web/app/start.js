/**
 * Starts Python's worker before anything else of the page: it has the longest way to go. A page that
 * is about to reload for its isolation waits with it. Knows only which files the worker needs.
 */

/** What the build wrote into the page. @type {any} */
export const site = JSON.parse(document.getElementById("site")?.textContent ?? "{}");
/** For tests and bench: ?threads=1&variant=plain&model=none&snapshot=none&minute=2 (seconds) */
export const wishes = new URLSearchParams(location.search);

/** @type {Worker | undefined} */
let worker;
if (globalThis.crossOriginIsolated) startPython();

/** @returns {Worker} the one app worker, already waking Python */
export function startPython() {
  if (worker) return worker;
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const root = new URL("./", document.baseURI).href;
  worker.postMessage({ kind: "wake", root, app: site.app, snapshot: wishes.get("snapshot") !== "none" });
  return worker;
}
