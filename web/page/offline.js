/**
 * Fills the service worker's cache after a first visit, one file after the other and only while
 * the engine rests, so that it never slows an answer down.
 */
import { askWorker, PATIENCE } from "./isolation.js";

const REST = 1_500; // milliseconds without a word from the engine before the next file
const FILE_PATIENCE = 600_000;
const ROUNDS = 5; // while files are stored the person may use a part that adds to them
const LOOK = 50; // milliseconds between two looks whether the worker of the host's build is there

/**
 * @param {ServiceWorkerRegistration} registration
 * @param {() => number} quietSince when the engine last said something (performance.now)
 * @returns {Promise<boolean | null>} whether the site now works without a network; null when the
 *   host is changing its build, so that the next visit will tell
 */
export async function storeForOffline(registration, quietSince) {
  const worker = await activeWorker(registration);
  const stored = await fill(worker, quietSince);
  if (stored !== null) return stored;
  await registration.update().catch(() => {});
  const end = performance.now() + PATIENCE;
  while (registration.active === worker && performance.now() < end) await pause(LOOK);
  return registration.active === worker ? null : fill(registration.active, quietSince);
}

/** @param {ServiceWorkerRegistration} registration */
async function activeWorker(registration) {
  const inTime = pause(PATIENCE).then(() => registration);
  return (await Promise.race([navigator.serviceWorker.ready, inTime])).active;
}

/**
 * @param {ServiceWorker | null} worker
 * @param {() => number} quietSince
 */
async function fill(worker, quietSince) {
  if (!worker) return false;
  for (let round = 0; round < ROUNDS; round++) {
    const { files, error, moved } = await askWorker(worker, { kind: "missing" });
    if (moved) return null;
    if (!files || error) return false;
    for (const file of files) {
      await rest(quietSince);
      const { stored } = await askWorker(worker, { kind: "store", file }, FILE_PATIENCE);
      if (!stored) return false;
    }
    const end = await askWorker(worker, { kind: "finish" });
    if (end.moved) return null;
    if (end.complete) return true;
  }
  return false;
}

/**
 * Stores a group of files that is fetched when first needed, so that it is there without a network.
 * @param {string} group
 * @param {(done: number, total: number) => void} told bytes
 * @returns {Promise<boolean>} whether it is stored; it may be there in the browser's own cache all the same
 */
export async function storeGroup(group, told) {
  const worker = navigator.serviceWorker?.controller;
  if (!worker) return false;
  const { files } = await askWorker(worker, { kind: "missing", group });
  const total = (files ?? []).reduce((/** @type {number} */ sum, /** @type {any} */ { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const file of files ?? []) {
    told(done, total);
    const { stored } = await askWorker(worker, { kind: "store", file }, FILE_PATIENCE);
    if (!stored) return false;
    done += file.bytes;
  }
  return Boolean(files);
}

/** Waits until the engine has rested for a while. */
export async function rest(/** @type {() => number} */ quietSince) {
  for (;;) {
    const left = quietSince() + REST - performance.now();
    if (left <= 0) return;
    await pause(left);
  }
}

const pause = (/** @type {number} */ time) => new Promise((resolve) => setTimeout(resolve, time));
