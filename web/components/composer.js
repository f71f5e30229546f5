/** Where a question is written. Keeps the draft; Enter sends, Shift+Enter starts a new line. */
import { keptDraft } from "../page/draft.js";
import { icon, make, set } from "./dom.js";

const TALLEST = 220; // pixels

/** @typedef {{busy: boolean, text: string, context: string, editing: boolean, documents: boolean | null, collection: string}} Status */
export class Composer {
  constructor(/** @type {(message: object) => void} */ tell) {
    this.tell = tell;
    this.labels = /** @type {any} */ ({});
    this.now = /** @type {Status} */ ({ busy: false, text: "", context: "", editing: false, documents: null, collection: "" });
    this.text = make("textarea", { rows: 1, id: "question", enterkeyhint: "send" });
    this.text.value = keptDraft();
    this.name = make("label", { for: "question", class: "heard-only" });
    this.button = make("button", { type: "submit", class: "send" });
    this.hint = make("span", { class: "hint grow" });
    this.context = make("span", { class: "hint context" });
    this.edit = make("div", { class: "editing", hidden: true });
    this.documents = make("button", {
      type: "button", class: "chip", "data-key": "documents", hidden: true, onclick: () => this.tell({ kind: "documents" }),
    });
    this.element = this.#build();
    this.#listen();
  }

  #build() {
    const box = make("div", { class: "box" }, this.name, this.text, this.button);
    const below = make("div", { class: "below" }, this.documents, this.hint, this.context);
    return make("form", { class: "composer column", novalidate: true }, this.edit, box, below);
  }

  #listen() {
    this.text.addEventListener("input", () => this.#changed());
    this.text.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.element.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      if (this.now.busy) this.tell({ kind: "stop" });
      else this.#send();
    });
    this.element.querySelector(".box").addEventListener("click", (/** @type {Event} */ event) => {
      if (event.target === event.currentTarget) this.focus();
    });
  }

  label(/** @type {any} */ labels) {
    this.labels = labels;
    this.name.textContent = labels.question;
    this.text.placeholder = labels.placeholder;
    const cancel = () => this.tell({ kind: "cancel_edit" });
    this.edit.replaceChildren(
      make("span", { class: "grow" }, labels.editing),
      make("button", { type: "button", class: "link", onclick: cancel }, labels.cancel_edit),
    );
    this.status(this.now);
  }

  status(/** @type {Status} */ now) {
    this.now = now;
    this.hint.textContent = now.text || this.labels.hint;
    this.hint.classList.toggle("said", Boolean(now.text));
    this.context.textContent = now.context;
    this.edit.hidden = !now.editing;
    this.documents.hidden = now.documents === null;
    const { documents = "" } = this.labels;
    this.documents.textContent = now.collection ? `${documents} · ${now.collection}` : documents;
    set(this.documents, "aria-pressed", String(Boolean(now.documents)));
    const name = now.busy ? "stop" : "send";
    const label = this.labels[name];
    if (!this.button.querySelector(`.icon-${name}`)) this.button.replaceChildren(icon(name));
    set(this.button, "aria-label", label);
    set(this.button, "title", label);
    this.#changed();
  }

  /** Puts a text here to be changed or sent again. */
  draft(/** @type {{text: string, focus?: boolean}} */ { text, focus = true }) {
    this.text.value = text;
    this.#changed();
    if (!focus) return;
    this.focus();
    this.text.setSelectionRange(text.length, text.length);
  }

  focus() {
    this.text.focus({ preventScroll: true });
  }

  #send() {
    const text = this.text.value.trim();
    if (!text || this.now.busy) return;
    this.tell({ kind: "ask", text });
    this.draft({ text: "" });
  }

  #changed() {
    this.button.disabled = !this.now.busy && !this.text.value.trim();
    this.text.style.height = "auto";
    const height = this.text.scrollHeight;
    if (height) this.text.style.height = `${Math.min(height, TALLEST)}px`;
  }
}
