/** Files dropped on the page, keyboard shortcuts, long rest and the page that the address names. */

/** By the key's place, because Alt with a letter types another character on some keyboards. */
const SHORTCUTS = { Escape: "stop", "Alt+KeyN": "new_chat", "Alt+KeyH": "history", "Alt+KeyL": "lock" };

const SUFFIX = ".onglet"; // of a file with an agent, a flow or a page
const LONGEST_LINK = 33_000; // characters; Python refuses what is longer than 32,768

/** @param {(name: string) => void} pressed */
export function listenForShortcuts(pressed) {
  addEventListener("keydown", (event) => {
    const { altKey, ctrlKey, metaKey, shiftKey, isComposing, code } = event;
    if (isComposing || ctrlKey || metaKey || shiftKey) return;
    const name = SHORTCUTS[/** @type {keyof SHORTCUTS} */ ((altKey ? "Alt+" : "") + code)];
    if (!name) return;
    if (altKey) event.preventDefault();
    pressed(name);
  });
}

/**
 * @param {(file: File, handle: any) => void} dropped a model, with the file's handle, where the browser gives one
 * @param {Record<string, (files: File[]) => void>} pages where dropped files are something else
 * @param {(file: File) => void} agent a file that says it holds an agent, whatever page it falls on
 */
export function listenForFiles(dropped, pages, agent) {
  const holdsFiles = (/** @type {DragEvent} */ event) =>
    event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    document.documentElement.classList.add("dragging-file");
  });
  const leave = () => document.documentElement.classList.remove("dragging-file");
  addEventListener("dragleave", (event) => event.relatedTarget === null && leave());
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    leave();
    const page = pages[pageNamed()];
    const file = event.dataTransfer?.files[0];
    if (file?.name.endsWith(SUFFIX)) return agent(file);
    if (page) return page([...(event.dataTransfer?.files ?? [])]);
    /** @type {any} */
    const item = event.dataTransfer?.items[0];
    const asked = item?.getAsFileSystemHandle?.() ?? Promise.resolve(null);
    if (file) asked.catch(() => null).then((/** @type {any} */ handle) => dropped(file, handle));
  });
}

/** The page that the address names. */
export function pageNamed() {
  keepLink();
  return location.hash.slice(1);
}

let link = "";

/** A link to an agent leaves the address as soon as it was seen; the page of agents takes it. */
function keepLink() {
  const text = location.hash.slice(1);
  if (!/^o1e?\//.test(text)) return;
  link = text.slice(0, LONGEST_LINK);
  history.replaceState(history.state, "", "#agents");
}

/** The link that the address held, once. */
export function takeLink() {
  const taken = link;
  link = "";
  return taken;
}

/** Tells when the address names another page. */
export function listenForPages(/** @type {(name: string) => void} */ named) {
  addEventListener("hashchange", () => named(pageNamed()));
}

/**
 * Tells once that nobody has touched the page for a while.
 * @param {number} milliseconds @param {() => void} rested
 */
export function listenForRest(milliseconds, rested) {
  let timer = setTimeout(rested, milliseconds);
  const touched = () => {
    clearTimeout(timer);
    timer = setTimeout(rested, milliseconds);
  };
  for (const name of ["pointerdown", "keydown", "wheel"]) addEventListener(name, touched, { passive: true });
}
