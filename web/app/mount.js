/**
 * The page's side of the app: draws the document that the build rendered and keeps it equal to the
 * one in the app worker. Knows nothing about what the document shows.
 *
 * @typedef {object} AppFiles what snapshot.build returned, laid as a folder of the site
 * @property {string} folder
 * @property {string} pyodide
 * @property {string} stdlib
 * @property {string} nothing an empty zip in its place, until a start from the snapshot is live
 * @property {string[]} packages zips; the last one is not needed for a start from the snapshot
 * @property {Snapshot} snapshot
 * @property {string[]} scripts BokehJS and Panel in their order, relative to the root
 * @property {{module: string, script: string, name: string}} bundle the components: the script
 *   leaves under the name what a module would export
 * @property {Record<string, string>} documents language -> document as JSON
 *
 * @typedef {object} Snapshot
 * @property {string} head what Pyodide wants to know, as base64
 * @property {number} memory bytes of the whole memory
 * @property {{file: string, sha256: string, stretches: [number, number][]}[]} files each with start
 *   and length of what it holds, in its order
 *
 * @typedef {object} StartMessage
 * @property {"start"} kind
 * @property {AppFiles} app
 * @property {MessagePort} engine
 * @property {string} language
 * @property {boolean} dark
 * @property {string} lock the worker holds it for life
 *
 * @typedef {object} WakeMessage comes first, so that Python wakes while the page reads its own code
 * @property {"wake"} kind
 * @property {string} root of the site, absolute
 * @property {AppFiles} app
 * @property {boolean} snapshot false: build the app in the worker (for tests)
 */

const ROOT_ELEMENT = "app";
const SKELETON = "bar";

const CODE = new URL("../", import.meta.url).href; // the folder of all our code

/** @type {{scripts: Promise<unknown>, text: Promise<string>} | undefined} */
let fetched;
/** Modules that came as scripts: absolute address -> exports. @type {Map<string, object>} */
const exported = new Map();

/**
 * Panel loads component bundles with this; without it, it wants es-module-shims and blob: URLs.
 * `onglet:` stands for the folder of our code, whose name Python does not know.
 */
async function importShim(/** @type {string} */ url) {
  const address = new URL(url.replace(/^onglet:/, CODE), document.baseURI).href;
  return exported.get(address) ?? import(address);
}

Object.assign(globalThis, { importShim: Object.assign(importShim, { addImportMap() {} }) });

/**
 * Begins to fetch what the first picture needs; the earlier, the sooner there is one.
 * @param {AppFiles} app
 * @param {string} language
 */
export function fetchPicture(app, language) {
  fetched ??= {
    scripts: Promise.all([...app.scripts.map(loadScript), loadModule(app.bundle)]),
    text: fetch(app.folder + app.documents[language]).then((response) => response.text()),
  };
  return fetched;
}

/**
 * Draws the prerendered document and links it with the worker, which hears `start` from boot.js.
 * @param {Worker} worker
 * @param {StartMessage} start
 */
export function mount(worker, start) {
  const mounted = new Mounted(worker, start);
  return { prerendered: mounted.prerendered, live: mounted.live, stopped: mounted.stopped };
}

class Mounted {
  /** @param {Worker} worker @param {StartMessage} start */
  constructor(worker, start) {
    this.worker = worker;
    this.start = start;
    this.isLive = false;
    this.isBusy = false;
    this.isApplying = false;
    /** @type {any[]} changes made on the page that Python has not heard of yet */
    this.waiting = [];
    /** @type {string | null} the document that is shown */
    this.text = null;
    const { promise, resolve, reject } = /** @type {PromiseWithResolvers<void>} */ (
      Promise.withResolvers()
    );
    this.live = promise;
    this.resolve = resolve;
    this.reject = reject;
    /** When the worker died, after it had lived. @type {Promise<void>} */
    this.stopped = new Promise((resolve) => { this.stop = resolve; });
    worker.addEventListener("message", ({ data }) => this.hear(data));
    worker.addEventListener("error", (event) => this.fail(event.message));
    this.prerendered = this.drawPrerendered();
    this.order = this.prerendered;
  }

  async drawPrerendered() {
    const { scripts, text } = fetchPicture(this.start.app, this.start.language);
    await scripts;
    await this.draw(await text);
  }

  /** @param {any} message */
  hear(message) {
    if (message.kind === "idle") this.flush();
    else if (message.kind === "app_failed") this.fail(message.error);
    else if (message.kind === "alive") navigator.locks.request(message.lock, () => this.stop?.());
    else this.order = this.order.then(() => this.follow(message)).catch(console.error);
  }

  /** Messages that change the document wait for each other. @param {any} message */
  follow(message) {
    if (message.kind === "patch") return this.apply(message.patch);
    if (message.kind === "document") return this.draw(message.text);
    if (message.kind === "live") return this.goLive();
  }

  /**
   * Embeds a document, unless it is the one that is shown already.
   * @param {string} text
   */
  async draw(text) {
    if (text === this.text) return;
    this.text = text;
    const Bokeh = /** @type {any} */ (globalThis).Bokeh;
    for (const view of [...Bokeh.index.roots]) view.remove();
    const { roots, document: content } = JSON.parse(text);
    if (this.start.dark) darken(content);
    rootElement();
    const item = { docid: "onglet", root_ids: roots, roots: { [roots[0]]: ROOT_ELEMENT } };
    const [views] = await Bokeh.embed.embed_items({ onglet: content }, [item]);
    this.document = [...views.roots.values()][0].model.document;
    this.waiting = [];
    this.document.on_change((/** @type {any} */ event) => this.changed(event), false);
    await painted();
  }

  goLive() {
    this.isLive = true;
    this.flush();
    this.resolve();
  }

  /** @param {string} reason */
  fail(reason) {
    this.reject({ code: "app_failed", values: { reason } });
  }

  /** @param {string} patch */
  apply(patch) {
    this.isApplying = true;
    try {
      this.document.apply_json_patch(JSON.parse(patch));
    } finally {
      this.isApplying = false;
    }
  }

  /**
   * Keeps a change made on the page for Python. A newer value takes the place of an older one only
   * if nothing happened in between: a message may depend on the value that was there before it.
   * @param {any} event
   */
  changed(event) {
    if (this.isApplying) return;
    const last = this.waiting.at(-1);
    const newer = last && event.attr && last.model === event.model && last.attr === event.attr;
    if (newer) this.waiting.pop();
    this.waiting.push(event);
    if (this.isLive && !this.isBusy) this.flush();
  }

  /** Sends what is waiting; called again when Python has dealt with it. */
  flush() {
    this.isBusy = this.waiting.length > 0;
    if (!this.isBusy) return;
    const patch = this.document.create_json_patch(this.waiting);
    this.waiting = [];
    this.worker.postMessage({ kind: "patch", patch: JSON.stringify(patch, bytesAsText) });
  }
}

/** @param {AppFiles["bundle"]} bundle */
async function loadModule({ module, script, name }) {
  await loadScript(script);
  exported.set(new URL(module, document.baseURI).href, /** @type {any} */ (globalThis)[name]);
}

/** @param {string} url */
function loadScript(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.async = false;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${url} could not be loaded`));
    script.src = url;
    document.head.append(script);
  });
}

/** The build renders the light theme; whoever has the dark one shall not see it flash. */
function darken(/** @type {any} */ content) {
  for (const root of content.roots) root.attributes.data.attributes.dark_theme = true;
}

/** Bokeh keeps bytes in objects of its own. @param {string} _ @param {any} value */
function bytesAsText(_, value) {
  return typeof value?.to_base64 === "function" ? value.to_base64() : value;
}

/** The component fills the window only if its place is a child of the body. */
function rootElement() {
  const found = document.getElementById(ROOT_ELEMENT);
  if (!found) document.body.append(Object.assign(document.createElement("div"), { id: ROOT_ELEMENT }));
}

/** Resolves when React has drawn the page component and the browser has painted it. */
async function painted() {
  const root = document.getElementById(ROOT_ELEMENT)?.firstElementChild;
  while (!root?.shadowRoot?.querySelector("[class*=Mui]")) await nextFrame();
  document.getElementById(SKELETON)?.remove();
  await nextFrame();
}

function nextFrame() {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}
