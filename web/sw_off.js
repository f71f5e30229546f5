/**
 * The kill switch: published in place of sw.js it gives every browser back to the host. It empties
 * the caches of this site, unregisters itself and loads the open tabs again, once. What people
 * stored (conversations, models, settings) is not touched.
 */
{
  const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
  const SCOPE = new URL(worker.registration.scope);
  const NAMES = [`onglet ${SCOPE.pathname} `, `onglet-seal ${SCOPE.pathname}`];
  /** A page that registers this file itself has no other worker to be freed of: no reload, no loop. */
  const frees = worker.registration.active !== null;

  worker.addEventListener("install", (event) => event.waitUntil(worker.skipWaiting()));
  worker.addEventListener("activate", (event) => event.waitUntil(leave()));

  async function leave() {
    for (const name of await caches.keys()) {
      if (NAMES.some((ours) => name.startsWith(ours))) await caches.delete(name);
    }
    if (frees) await worker.clients.claim(); // only its own clients may be navigated
    await worker.registration.unregister();
    if (!frees) return;
    const pages = await worker.clients.matchAll({ includeUncontrolled: true, type: "window" });
    for (const page of pages) {
      if (page.url.startsWith(SCOPE.href)) page.navigate(page.url).catch(() => {});
    }
  }
}
