/**
 * A later build of the site: taken over before anything has started where this is the only tab,
 * else offered; nothing changes under an open tab before the person says so.
 */
import { askWorker, mayReload, PATIENCE, reload } from "./isolation.js";

const PAUSE = 3_600_000; // milliseconds between two looks for a later build while the tab is open

const container = navigator.serviceWorker;

/** A build that waited for the old one's tabs takes over now if this is the only tab. */
export async function takeNewBuild() {
  const registration = await container?.getRegistration();
  if (registration?.waiting && mayReload()) await replaceBy(registration.waiting);
}

/**
 * Offers each build that comes to wait while this tab is open.
 * @param {string} build the one that this tab is made of @param {() => void} offer
 */
export async function watchForNewBuild(build, offer) {
  const registration = await container?.getRegistration();
  if (!registration) return;
  const look = async () => {
    const { waiting } = registration;
    if (waiting && (await askWorker(waiting, { kind: "build" })).build !== build) offer();
  };
  registration.addEventListener("updatefound", () => {
    const { installing } = registration;
    installing?.addEventListener("statechange", () => installing.state === "installed" && look());
  });
  look();
  let looked = performance.now();
  addEventListener("visibilitychange", () => {
    if (document.hidden || performance.now() - looked < PAUSE) return;
    looked = performance.now();
    registration.update().catch(() => {}); // offline: another time
  });
}

/** @returns {Promise<boolean>} false when other tabs still use this build; else the page reloads */
export async function useNewBuild() {
  const registration = await container?.getRegistration();
  return registration?.waiting ? replaceBy(registration.waiting) : false;
}

/** @param {ServiceWorker} waiting */
async function replaceBy(waiting) {
  const changed = new Promise((resolve) => {
    container.addEventListener("controllerchange", resolve, { once: true });
    setTimeout(resolve, PATIENCE);
  });
  const { replacing } = await askWorker(waiting, { kind: "replace" });
  if (!replacing) return false;
  await changed;
  await reload();
  return true;
}
