/**
 * The conversation as people see it: welcome, turns, notices, composer. Draws what Python tells it
 * (properties `labels`, `welcome`, `notices`, `status`, `locked`; messages about turns) and reports what is
 * pressed. Knows nothing of models.
 */
import { Composer } from "./composer.js";
import { icon, make } from "./dom.js";
import { drawLocked } from "./locked.js";
import { styled } from "./style.js";
import { Transcript } from "./transcript.js";
import { CHAT_STYLE } from "./chat_style.js";

export function renderChat(/** @type {any} */ { model, el }) {
  const tell = (/** @type {object} */ message) => model.send_msg(message);
  const transcript = new Transcript(tell);
  const composer = new Composer(tell);
  const notices = make("div", { class: "notices column" });
  const column = make("div", { class: "whole" }, transcript.element, notices, composer.element);

  const label = () => {
    transcript.label(model.labels, model.welcome);
    composer.label(model.labels);
  };
  const inform = () => notices.replaceChildren(...model.notices.map(
    (/** @type {Notice} */ notice) => drawNotice(notice, model.labels, tell)));
  const locked = make("div", { hidden: true });
  column.prepend(locked);
  const lock = () => {
    const { title } = model.locked;
    locked.replaceChildren(...(title ? [drawLocked(model.locked, tell)] : []));
    locked.hidden = !title;
    transcript.element.hidden = composer.element.hidden = Boolean(title);
    if (title) locked.querySelector("input").focus();
  };
  const status = () => {
    composer.status(model.status);
    transcript.busy(model.status.busy);
  };
  label();
  inform();
  status();
  lock();
  model.on("locked", lock);
  model.on(["labels", "welcome"], label);
  model.on("notices", inform);
  model.on("status", status);
  model.on("msg:custom", (/** @type {any} */ message) => {
    if (message.kind === "draft") composer.draft(message);
    else if (message.kind === "focus") composer.focus();
    else transcript.hear(message);
  });
  el.style.height = "100%";
  el.append(styled(CHAT_STYLE), column);
  if (matchMedia("(pointer: fine)").matches) composer.focus(); // no keyboard pops up there
  tell({ kind: "ready" });
}

/**
 * @typedef {{id: string, kind: string, text: string, action: string | null}} Notice
 * @param {Notice} notice
 * @param {any} labels
 * @param {(message: object) => void} tell
 */
function drawNotice({ id, kind, text, action }, labels, tell) {
  const act = () => tell({ kind: "notice", id, act: true });
  const close = () => tell({ kind: "notice", id, act: false });
  return make(
    "div",
    { class: `notice ${kind}`, role: kind === "problem" ? "alert" : "status" },
    make("span", { class: "grow" }, text),
    action ? make("button", { type: "button", class: "text-button", onclick: act }, action) : null,
    make(
      "button",
      { type: "button", class: "square", "aria-label": labels.dismiss, title: labels.dismiss, onclick: close },
      icon("close"),
    ),
  );
}
