/**
 * Starts the page: isolation first, then the engine worker and the app worker side by side, with a
 * channel between them; answers what Python asks of the page, and tells it what happens there.
 * Knows nothing of models, chats or widgets.
 */
import "./page/seal.js";
import { mount } from "./app/mount.js";
import { EngineHost } from "./page/engine.js";
import { listenForFiles, listenForShortcuts } from "./page/gestures.js";
import { register, settleIsolation } from "./page/isolation.js";
import { keepLedger, mark, openWindow, tell } from "./page/observe.js";
import { storeForOffline } from "./page/offline.js";
import { facts, handOver, language, services, settings } from "./page/services.js";
import { showProgress, showTrouble } from "./page/signs.js";

const site = JSON.parse(document.getElementById("site")?.textContent ?? "{}");
const FIRST_LOAD = 1; // the id of the load that the page itself asks for

openWindow();
document.documentElement.lang = language();
if (settings().theme) document.documentElement.dataset.theme = settings().theme;
await boot();

async function boot() {
  let { registration } = await settleIsolation();
  mark("isolation_settled");
  const wishes = new URLSearchParams(location.search);
  const engine = new EngineHost(firstChoice(wishes), hear, engineRestarted);
  const app = new Worker(new URL("./app/worker.js", import.meta.url), { type: "module" });
  const post = holdBack(app);
  const known = { engine, registration: () => Boolean(registration?.active) };

  const enginePort = engine.start();
  const now = await facts(known.registration());
  tell("facts", now);
  const start = {
    kind: "start",
    root: new URL("./", document.baseURI).href,
    app: site.app,
    engine: enginePort,
    facts: now,
    settings: { ...settings(), language: language() },
  };
  answerCalls(app, services(known));
  const { prerendered, live } = mount(app, start);
  app.postMessage(start, [enginePort]);
  prerendered.then(() => mark("prerendered"));
  live.then(wake, (trouble) => showTrouble(site.words[language()], trouble));

  /** Python is awake: it hears from now on what happens on the page. */
  function wake() {
    mark("live");
    tell("live", now);
    post.release();
  }

  function hear(/** @type {any} */ message) {
    tell(message.kind, message);
    if (message.kind === "progress") showProgress(message);
    if (message.kind === "loaded" || message.kind === "failed") {
      showProgress(null);
      keepForOffline();
    }
  }

  function engineRestarted(/** @type {MessagePort | null} */ port) {
    post.event("engine_restarted", port, port ? [port] : []);
  }

  let keeping = false;
  async function keepForOffline() {
    if (keeping) return;
    keeping = true;
    registration ??= await register();
    const ready = registration && (await storeForOffline(registration, () => engine.lastHeard));
    if (ready) {
      mark("offline_ready");
      tell("offline_ready", true);
      post.event("offline_ready", true);
    }
  }

  keepLedger((value) => post.event("ledger", value));
  listenForShortcuts((name) => post.event("shortcut", name));
  listenForFiles((file) => post.event("dropped_file", handOver(engine, file)));
  for (const name of ["online", "offline"]) {
    addEventListener(name, () => post.event("online", navigator.onLine));
  }
}

/**
 * What the engine starts with. `?threads=1&variant=plain&model=none` are for tests and bench.
 * @param {URLSearchParams} wishes
 */
function firstChoice(wishes) {
  const source = { kind: "site", path: site.model.path };
  const load = { kind: "load", id: FIRST_LOAD, source, context: null };
  const threads = globalThis.crossOriginIsolated ? Number(wishes.get("threads")) || null : 1;
  const wanted = wishes.get("model") === "none" ? null : load;
  return { load: wanted, threads, variant: wishes.get("variant") };
}

/** Events wait until Python can hear them. */
function holdBack(/** @type {Worker} */ app) {
  /** @type {[object, Transferable[]][] | null} */
  let waiting = [];
  return {
    event(/** @type {string} */ name, /** @type {any} */ value, /** @type {any[]} */ moved = []) {
      const message = { kind: "event", name, value };
      if (waiting) waiting.push([message, moved]);
      else app.postMessage(message, moved);
    },
    release() {
      for (const [message, moved] of waiting ?? []) app.postMessage(message, moved);
      waiting = null;
    },
  };
}

/** @param {Worker} app @param {Record<string, (value: any) => Promise<any>>} known */
function answerCalls(app, known) {
  app.addEventListener("message", async ({ data }) => {
    if (data?.kind !== "call") return;
    const { id, name } = data;
    try {
      const value = await known[name](data.arguments ?? {});
      app.postMessage({ kind: "answer", id, value: value ?? null });
    } catch (error) {
      app.postMessage({ kind: "answer", id, error: String(error) });
    }
  });
}
