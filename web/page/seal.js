/**
 * The first module that runs: takes away the one thing a policy does not stop from reaching
 * another machine (facts/browser.md section 2). And the seal: a person's word that nothing more
 * may leave before the last tab is closed, kept by the service worker for every tab and worker.
 */
import { askWorker, PATIENCE, register } from "./isolation.js";

for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection"]) {
  Object.defineProperty(globalThis, name, { value: undefined, configurable: false });
}

/** @returns {Promise<boolean | null>} null where no service worker could keep a seal */
export async function readSeal() {
  const worker = navigator.serviceWorker?.controller;
  if (worker) return Boolean((await askWorker(worker, { kind: "is_sealed" })).sealed);
  return navigator.serviceWorker ? false : null;
}

/** @returns {Promise<boolean | null>} whether it holds now */
export async function sealSession() {
  const worker = await controller();
  return worker && Boolean((await askWorker(worker, { kind: "seal" })).sealed);
}

/** The worker that this tab's requests go through; a first visit may not have one yet. */
async function controller() {
  const container = navigator.serviceWorker;
  if (!container || container.controller || !(await register())) return container?.controller ?? null;
  await new Promise((resolve) => {
    container.addEventListener("controllerchange", resolve, { once: true });
    setTimeout(resolve, container.controller ? 0 : PATIENCE);
  });
  return container.controller;
}
