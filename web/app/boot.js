/**
 * Starts the page: isolation first, then the app worker and the engine worker (side by side where
 * there are cores for it), with a channel between them; answers what Python asks of the page, and
 * tells it what happens there. Knows nothing of models, chats or widgets.
 */
import "../page/seal.js";
import { keep } from "./kept.js";
import { fetchPicture, mount } from "./mount.js";
import { site, startPython, wishes } from "./start.js";
import { DiskFiles } from "../page/disk.js";
import { dropDraft } from "../page/draft.js";
import { EngineHost } from "../page/engine.js";
import { Events } from "../page/events.js";
import { FilesHost } from "../page/files.js";
import { listenForFiles, listenForPages, listenForRest, listenForShortcuts } from "../page/gestures.js";
import { becomeIsolated, register } from "../page/isolation.js";
import { guardLinks } from "../page/links.js";
import { keepLedger, mark, openWindow, tell } from "../page/observe.js";
import { rest, storeForOffline } from "../page/offline.js";
import { answerCalls, facts, language, services, settings } from "../page/services.js";
import { SandboxHost } from "../page/sandbox.js";
import { keepAgentFile, StoreHost } from "../page/store.js";
import { showProgress, showStopped, showTrouble } from "../page/signs.js";
import { WorkshopHost } from "../page/workshop.js";
import { takeNewBuild, watchForNewBuild } from "../page/update.js";

const FEW_CORES = 2; // with no more, Python and the engine make each other late: one after the other
const REST = 15 * 60_000; // milliseconds without a touch after which what has a passphrase is locked
const FIRST_LOAD = 1; // the id of the load that the page itself asks for

openWindow();
document.documentElement.lang = language();
if (settings().theme) document.documentElement.dataset.theme = settings().theme;

if (!globalThis.crossOriginIsolated) await becomeIsolated();
mark("isolation_settled");
fetchPicture(site.app, language());
const app = startPython();
const engine = new EngineHost(firstChoice(), hear, restarted);
const python = Promise.withResolvers();
const fewCores = navigator.hardwareConcurrency <= FEW_CORES;
const enginePort = engine.start(fewCores ? python.promise : undefined);
const events = new Events(app);
const files = new FilesHost((news) => events.send("library", news));
const disk = new DiskFiles(engine, files);
const workshop = new WorkshopHost((news) => events.send("workshop", news));
const sandbox = new SandboxHost((text) => events.send("console_said", text));
const store = new StoreHost((name, value) => events.send(name, value));
startApp();
listen();
takeNewBuild().then(() => watchForNewBuild(site.build, () => events.send("new_build", true)));

/** Starts Python's worker and lets it draw; it hears of the page's events once it is awake. */
function startApp() {
  const now = facts();
  tell("facts", now);
  /** @type {import("./mount.js").StartMessage} */
  const start = {
    kind: "start",
    app: site.app,
    engine: enginePort,
    language: language(),
    dark: settings().theme ? settings().theme === "dark" : now.dark,
    lock: `onglet-app-${crypto.randomUUID?.() ?? Math.random()}`,
  };
  const model = { path: site.model.path, loading: engine.choice.load !== null };
  answerCalls(app, services(engine, model, store, { files, disk, workshop, sandbox }));
  const { prerendered, live, stopped } = mount(app, start);
  app.postMessage(start, [enginePort]);
  prerendered.then(() => mark("prerendered"));
  live.then(python.resolve, python.resolve);
  stopped.then(() => showStopped(site.words[document.documentElement.lang]));
  live.then(awake, (trouble) => showTrouble(site.words[language()], trouble));
}

function awake() {
  mark("live");
  dropDraft();
  tell("live", true);
  events.release();
  store.start();
}

/** What happens on the page, for Python. */
function listen() {
  guardLinks((key) => site.words[document.documentElement.lang][key]);
  keepLedger((value) => events.send("ledger", value));
  listenForPages((name) => events.send("page", name));
  listenForShortcuts((name) => events.send("shortcut", name));
  listenForRest(Number(wishes.get("rest")) || REST, () => events.send("rest", true));
  listenForFiles(
    async (file, handle) => events.send("dropped_file", await disk.take(file, handle)),
    {
      documents: (files) => events.send("dropped_documents", files.map((file) => workshop.handOver(file))),
      graphs: ([file]) => events.send("dropped_graph", workshop.handOver(file)),
    },
    (file) => {
      keepAgentFile(file);
      location.hash = "agents";
      events.send("page", "agents"); // it may have been there already
    },
  );
  for (const name of ["online", "offline"]) {
    addEventListener(name, () => events.send("online", navigator.onLine));
  }
}

/** A copy of what the engine says to Python. */
function hear(/** @type {any} */ message) {
  tell(message.kind, message);
  if (message.kind === "progress") showProgress(message);
  if (message.kind === "loaded" || message.kind === "failed") {
    showProgress(null);
    keepForOffline();
  }
}

function restarted(/** @type {MessagePort | null} */ port) {
  events.send("engine_restarted", port, port ? [port] : []);
}

let keeping = false;
/** Begins only after the first load has ended, so that it takes nothing from it. */
async function keepForOffline() {
  if (keeping) return;
  keeping = true;
  const registration = await register();
  const stored =
    registration !== null && (await storeForOffline(registration, () => engine.lastHeard));
  if (stored === null) return;
  if (stored) await keepPython();
  if (stored) mark("offline_ready");
  tell("offline_ready", stored);
  events.send("offline_ready", stored);
}

/** For a faster start the next time; not where all that the site keeps has just been deleted. */
function keepPython() {
  const files = site.app.snapshot.files.map((/** @type {any} */ part) => ({
    ...part,
    file: new URL(site.app.folder + part.file, document.baseURI).href,
  }));
  return keep(files, async () => {
    await rest(() => engine.lastHeard);
    return Boolean(await navigator.serviceWorker.getRegistration());
  });
}

/** What the engine starts with: the site's model, as many threads as it likes. */
function firstChoice() {
  const source = { kind: "site", path: site.model.path };
  const load = { kind: "load", id: FIRST_LOAD, source, context: null };
  const threads = globalThis.crossOriginIsolated ? Number(wishes.get("threads")) || null : 1;
  const wanted = wishes.get("model") === "none" ? null : load;
  return { load: wanted, threads, variant: wishes.get("variant") };
}
