/**
 * What Python may ask of the page, by name (docs/protocols.md section 6): the few things that only
 * a document can do. Each takes an object of arguments and returns plain data.
 */
import { wishes } from "../app/start.js";
import { exportModel, room } from "./files.js";
import { approvals, approve, revoke } from "./hosts.js";
import { pageNamed, takeLink } from "./gestures.js";
import { ledger, timeline } from "./observe.js";
import { readSeal, sealSession } from "./seal.js";
import { deleteEverything, storageMap } from "./storage.js";
import { useNewBuild } from "./update.js";

const SETTINGS = "onglet.settings";
const SETTING_NAMES = ["language", "theme", "exported"];

/**
 * Answers what the app worker asks.
 * @param {Worker} app @param {Record<string, (value: any) => Promise<any>>} known
 */
export function answerCalls(app, known) {
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

/**
 * @param {import("./engine.js").EngineHost} engine
 * @param {{path: string, loading: boolean}} model the site's own, and whether the page loads it
 * @param {import("./store.js").StoreHost} store
 * @param {{files: import("./files.js").FilesHost, disk: import("./disk.js").DiskFiles,
 *   workshop: import("./workshop.js").WorkshopHost, sandbox: import("./sandbox.js").SandboxHost}} hosts
 */
export function services(engine, model, store, { files, disk, workshop, sandbox }) {
  return {
    ...store.services(),
    ...workshop.services(),
    ...sandbox.services(),
    facts: async () => ({ ...facts(), persisted: await navigator.storage?.persisted?.() }),
    ledger: async () => ledger(),
    timeline: async () => timeline,
    is_sealed: readSeal,
    seal_session: sealSession,
    storage_map: storageMap,
    delete_everything: () => deleteEverything(() => {
      store.stop();
      engine.stop();
      workshop.stop();
      sandbox.end();
      sandbox.endConsole();
      files.end();
    }),
    site_model: async () => model,
    pick_model_file: () => disk.pick(),
    disk_files: () => disk.list(),
    open_disk_file: (/** @type {{key: string}} */ { key }) => disk.open(key),
    verify_disk_file: (/** @type {{key: string}} */ { key }) => disk.verify(key),
    read_disk_file: (/** @type {{key: string, bytes: number}} */ { key, bytes }) => disk.read(key, bytes),
    forget_disk_file: (/** @type {{key: string}} */ { key }) => disk.forget(key),
    library: (/** @type {{verb: string, asked: object}} */ { verb, asked }) => files.ask(verb, asked),
    hosts: async () => approvals(),
    approve_host: approve,
    revoke_host: revoke,
    room,
    export_model: exportModel,
    copy_text: copyText,
    save_text: saveText,
    remember,
    recall: async (/** @type {{name: string}} */ { name }) => settings()[name] ?? null,
    restart_engine: async (/** @type {any} */ change) => engine.restart(change),
    page: async () => pageNamed(),
    take_link: async () => takeLink(),
    address: async () => location.origin + location.pathname,
    go_to: async (/** @type {{page: string}} */ { page }) => void (location.hash = page),
    reload: async () => location.reload(),
    use_new_build: useNewBuild,
  };
}

/** What is known at once. */
export function facts() {
  return {
    isolated: globalThis.crossOriginIsolated,
    cores: navigator.hardwareConcurrency,
    language: language(),
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    online: navigator.onLine,
    touch: matchMedia("(pointer: coarse)").matches,
    memory: deviceGigabytes(),
    minute: Number(wishes.get("minute")) || 60,
    service_worker: Boolean(navigator.serviceWorker?.controller),
  };
}

/** Gigabytes of this device, as coarse as browsers tell it; null where they do not. */
function deviceGigabytes() {
  return /** @type {any} */ (navigator).deviceMemory ?? null;
}

/** The remembered language, else French for French browsers, else English. */
export function language() {
  return settings().language ?? (navigator.language.startsWith("fr") ? "fr" : "en");
}

/** @returns {Record<string, string>} */
export function settings() {
  try {
    return JSON.parse(localStorage.getItem(SETTINGS) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {{name: string, value: string}} setting */
async function remember({ name, value }) {
  if (!SETTING_NAMES.includes(name)) throw new Error(`no setting is named ${name}`);
  try {
    localStorage.setItem(SETTINGS, JSON.stringify({ ...settings(), [name]: String(value) }));
    return true;
  } catch {
    return false; // private windows may refuse; the choice then lasts as long as the tab
  }
}

/** @param {{text: string}} what */
async function copyText({ text }) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // no permission, or a page that is not secure
  }
}

function copyBySelection(/** @type {string} */ text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

/** @param {{name: string, text: string}} what a download of a text file */
async function saveText({ name, text }) {
  return saveBlob(name, new Blob([text], { type: "text/plain;charset=utf-8" }));
}

/** A download. @param {string} name @param {Blob} content */
export function saveBlob(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return true;
}
