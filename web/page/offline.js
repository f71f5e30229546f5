/**
 * Fills the service worker's cache after a first visit, one file after the other and only while
 * the engine rests, so that it never slows an answer down.
 */
import { askWorker } from "./isolation.js";

const REST = 1_500; // milliseconds without a word from the engine before the next file
const FILE_PATIENCE = 600_000;

/**
 * @param {ServiceWorkerRegistration} registration
 * @param {() => number} quietSince when the engine last said something (performance.now)
 * @returns {Promise<boolean>} whether the site now works without a network
 */
export async function storeForOffline(registration, quietSince) {
  const worker = (await navigator.serviceWorker.ready).active ?? registration.active;
  if (!worker) return false;
  const { files, error } = await askWorker(worker, { kind: "missing" });
  if (!files || error) return false;
  for (const file of files) {
    await rest(quietSince);
    const { stored } = await askWorker(worker, { kind: "store", file }, FILE_PATIENCE);
    if (!stored) return false;
  }
  return Boolean((await askWorker(worker, { kind: "finish" })).complete);
}

async function rest(/** @type {() => number} */ quietSince) {
  for (;;) {
    const left = quietSince() + REST - performance.now();
    if (left <= 0) return;
    await new Promise((resolve) => setTimeout(resolve, left));
  }
}
