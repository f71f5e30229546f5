/**
 * Gets the page cross-origin isolated, with the service worker where the host sends no headers,
 * at the price of at most one reload. Where that cannot be, the page goes on with one thread.
 */
const RELOAD_PAUSE = 10_000; // milliseconds between two reloads; a flag would not survive the swap
export const PATIENCE = 8_000; // milliseconds for the service worker to become active

/** Resolves when no isolation is to be had; does not resolve when the page is about to reload. */
export async function becomeIsolated() {
  const registration = await register();
  if (registration && (await isActive(registration)) && mayReload()) await reload();
}

/** @returns {Promise<ServiceWorkerRegistration | null>} null where service workers are off */
export async function register() {
  try {
    const options = /** @type {const} */ ({ scope: "./", updateViaCache: "none" });
    return (await navigator.serviceWorker?.register("sw.js", options)) ?? null;
  } catch {
    return null;
  }
}

/** @param {ServiceWorkerRegistration} registration */
async function isActive(registration) {
  if (registration.active) return true;
  const worker = registration.installing ?? registration.waiting;
  return new Promise((resolve) => {
    const settle = () => worker?.state === "activated" && resolve(true);
    worker?.addEventListener("statechange", settle);
    settle();
    setTimeout(() => resolve(false), PATIENCE);
  });
}

/**
 * @param {ServiceWorker} worker @param {object} message
 * @returns {Promise<any>} its answer; `{}` when it does not answer in time
 */
export function askWorker(worker, message, patience = PATIENCE) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = (event) => resolve(event.data);
    setTimeout(() => resolve({}), patience);
    worker.postMessage(message, [port2]);
  });
}

/** Whether the last reload by the page itself was long enough ago. */
export function mayReload() {
  try {
    const last = Number(sessionStorage.getItem("onglet.reloaded") ?? 0);
    if (Date.now() - last < RELOAD_PAUSE) return false;
    sessionStorage.setItem("onglet.reloaded", String(Date.now()));
    return true;
  } catch {
    return false; // without a memory of the last reload there is no guard against a loop
  }
}

/** Does not resolve. */
export async function reload() {
  location.reload();
  await new Promise(() => {});
}
