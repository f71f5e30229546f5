/** What stands in place of a conversation while the store is locked: one field, one button. */
import { icon, make } from "./dom.js";

/**
 * @param {{title: string, text: string, label: string, button: string, problem: string}} words
 * @param {(message: object) => void} tell
 */
export function drawLocked({ title, text, label, button, problem }, tell) {
  const own = { type: "password", id: "unlock", autocomplete: "current-password", required: true };
  const input = make("input", own);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    tell({ kind: "unlock", passphrase: input.value });
    input.value = "";
  };
  return make(
    "form",
    { class: "locked column", onsubmit: submit },
    icon("lock"),
    make("h2", {}, title),
    make("p", {}, text),
    make("label", { for: "unlock" }, label),
    input,
    problem ? make("p", { class: "wrong", role: "alert" }, problem) : null,
    make("button", { type: "submit", class: "text-button", "data-key": "unlock" }, button),
  );
}
