/** Files dropped on the page and keyboard shortcuts, told to Python as events. */

/** Keys that work everywhere on the page; `Mod` is Ctrl, or Cmd on a Mac. */
const SHORTCUTS = {
  Escape: "stop",
  "Mod+Shift+O": "new_chat",
  "Mod+Shift+M": "model_card",
  "Mod+Shift+L": "theme",
};

/** @param {(name: string) => void} pressed */
export function listenForShortcuts(pressed) {
  addEventListener("keydown", (event) => {
    const name = SHORTCUTS[/** @type {keyof SHORTCUTS} */ (combination(event))];
    if (!name || event.isComposing) return;
    if (name !== "stop") event.preventDefault();
    pressed(name);
  });
}

function combination(/** @type {KeyboardEvent} */ event) {
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const modifier = event.ctrlKey || event.metaKey;
  return (modifier ? "Mod+" : "") + (event.shiftKey ? "Shift+" : "") + key;
}

/** @param {(file: File) => void} dropped */
export function listenForFiles(dropped) {
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
    const file = event.dataTransfer?.files[0];
    if (file) dropped(file);
  });
}
