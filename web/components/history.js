/**
 * The list of conversations: search, groups, and what can be done with one of them. Shows what
 * Python says and tells it what was pressed; all text goes in as text.
 */
import { icon, make } from "./dom.js";
import { nameDialog } from "./sheet.js";
import { styled } from "./style.js";

const STYLE = `
  :host { display: block; height: 100%; }
  .list { display: flex; flex-direction: column; height: 100%; padding: 0 8px; overflow-wrap: anywhere; }
  .head { display: flex; align-items: center; min-height: 56px; padding-left: 10px; }
  h2 { font-size: 20px; line-height: 1.3; margin: 0; flex: 1; }
  h3 { font-size: 13px; font-weight: 600; color: var(--muted); margin: 0; flex: 1; }
  .group { display: flex; align-items: center; min-height: 34px; padding: 8px 0 0 10px; }
  .scroll { flex: 1; min-height: 0; overflow: hidden auto; }
  ul { list-style: none; margin: 0; padding: 0; }
  .row { display: flex; align-items: center; border-radius: 10px; }
  .row:hover, .row.current { background: var(--hover); }
  .row > .open { flex: 1; min-width: 0; text-align: left; padding: 7px 10px; min-height: 40px; font-size: 15px; line-height: 1.35;
                 overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .row.current > .open { font-weight: 600; }
  .acts { display: flex; flex-wrap: wrap; gap: 6px; padding: 4px 10px 10px; }
  .acts form { display: flex; gap: 6px; flex: 1 1 100%; }
  input, select { font: inherit; font-size: 15px; color: inherit; background: var(--paper); min-width: 0; flex: 1; width: 100%;
                  border: 1px solid var(--edge); border-radius: 10px; padding: 7px 10px; min-height: 40px; }
  .search { padding: 0 10px 6px; }
  .text-button { font-size: 14px; }
  p { margin: 14px 10px; color: var(--muted); font-size: 15px; }
  .undo { display: flex; align-items: center; gap: 8px; padding: 8px 10px; font-size: 14px; border-top: 1px solid var(--line); }
  .undo span { flex: 1; }
  .foot { padding: 8px 10px 12px; border-top: 1px solid var(--line); }
  .foot .text-button { width: 100%; }
  @media (pointer: coarse) { .row > .open, input, select { min-height: 44px; } }
`;

/** @typedef {(message: object) => void} Tell */
/** @typedef {{id: string, title: string, current: boolean, folder: string}} Item */
/** @typedef {{name: string, folder: string, items: Item[]}} Group */

export function renderHistory(/** @type {any} */ { model, el }) {
  const tell = (/** @type {object} */ message) => model.send_msg(message);
  const opened = { row: "" }; // which row shows what can be done with it
  const search = make("input", { type: "search", id: "history-search", autocomplete: "off" });
  const head = make("div", { class: "head" });
  const scroll = make("div", { class: "scroll" });
  const undo = make("div", { class: "undo", role: "status", hidden: true });
  const foot = make("div", { class: "foot" });
  const whole = make("nav", { class: "list" }, head, make("div", { class: "search" }, search), scroll, undo, foot);
  const redraw = () => {
    const focused = scroll.getRootNode().activeElement?.dataset?.key;
    scroll.replaceChildren(...groups(model, opened, tell, redraw));
    if (focused) scroll.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  };
  const label = () => {
    const { labels } = model;
    whole.setAttribute("aria-label", labels.title);
    for (const name of ["aria-label", "placeholder"]) search.setAttribute(name, labels.search);
    const close = { type: "button", class: "square", "data-key": "close", "aria-label": labels.close, title: labels.close };
    head.replaceChildren(
      make("h2", {}, labels.title),
      make("button", { ...close, onclick: () => tell({ kind: "close" }) }, icon("close")),
    );
    const data = { type: "button", class: "text-button", "data-key": "data", onclick: () => tell({ kind: "data" }) };
    foot.replaceChildren(make("button", data, labels.data));
    redraw();
  };
  const inform = () => {
    undo.hidden = !model.notice.text;
    const act = { type: "button", class: "text-button", "data-key": "undo", onclick: () => tell({ kind: "undo" }) };
    undo.replaceChildren(make("span", {}, model.notice.text), make("button", act, model.notice.action));
  };
  label();
  inform();
  model.on("labels", label);
  model.on(["groups", "folders", "empty"], redraw);
  model.on("notice", inform);
  search.addEventListener("input", () => tell({ kind: "search", text: search.value }));
  new ResizeObserver(() => nameDialog(el, model.labels.title)).observe(whole);
  el.append(styled(STYLE), whole);
}

/**
 * @param {any} model @param {{row: string}} opened @param {Tell} tell
 * @param {() => void} redraw
 */
function groups(model, opened, tell, redraw) {
  if (!model.groups.length) return [make("p", {}, model.empty)];
  return model.groups.flatMap((/** @type {Group} */ group) => [
    groupHead(group, model.labels, tell),
    make("ul", {}, ...group.items.map((item) => row(item, model, opened, tell, redraw))),
  ]);
}

/** @param {Group} group @param {any} labels @param {Tell} tell */
function groupHead({ name, folder }, labels, tell) {
  const remove = () => tell({ kind: "delete_folder", folder });
  const label = `${labels.delete_folder}: ${name}`;
  return make(
    "div",
    { class: "group" },
    make("h3", {}, name),
    folder ? make("button", { type: "button", class: "square", "aria-label": label, title: label, onclick: remove }, icon("close")) : null,
  );
}

/**
 * @param {Item} item @param {any} model @param {{row: string}} opened @param {Tell} tell
 * @param {() => void} redraw
 */
function row(item, model, opened, tell, redraw) {
  const { labels } = model;
  const open = opened.row === item.id;
  const more = () => {
    opened.row = open ? "" : item.id;
    redraw();
  };
  return make(
    "li",
    {},
    make(
      "div",
      { class: item.current ? "row current" : "row" },
      make("button", {
        type: "button", class: "open", "data-key": `open-${item.id}`, title: item.title,
        "aria-current": item.current ? "true" : null, onclick: () => tell({ kind: "open", id: item.id }),
      }, item.title),
      make("button", {
        type: "button", class: "square", "data-key": `more-${item.id}`, "aria-expanded": String(open),
        "aria-label": `${labels.more}: ${item.title}`, title: labels.more, onclick: more,
      }, icon("more")),
    ),
    open ? acts(item, model, tell, more) : null,
  );
}

/** @param {Item} item @param {any} model @param {Tell} tell @param {() => void} close */
function acts({ id, title, folder }, { labels, folders }, tell, close) {
  const name = make("input", { value: title, "aria-label": labels.name, maxlength: 120 });
  const rename = (/** @type {Event} */ event) => {
    event.preventDefault();
    close();
    tell({ kind: "rename", id, title: name.value });
  };
  const choices = [["", labels.no_folder], ...folders, ["+", labels.new_folder]].map(
    ([value, text]) => make("option", { value, selected: value === folder }, text));
  const into = make("select", { "aria-label": labels.folder }, ...choices);
  const fresh = make("input", { "aria-label": labels.folder_name, placeholder: labels.folder_name, maxlength: 60 });
  const made = make("form", { hidden: true }, fresh, make("button", { type: "submit", class: "text-button" }, labels.make));
  into.addEventListener("change", () => {
    if (into.value !== "+") return tell({ kind: "move", id, folder: into.value });
    made.hidden = false;
    fresh.focus();
  });
  made.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    tell({ kind: "make_folder", id, name: fresh.value });
  });
  const remove = { type: "button", class: "text-button", "data-key": "delete", onclick: () => tell({ kind: "delete", id }) };
  return make(
    "div",
    { class: "acts" },
    make("form", { onsubmit: rename }, name, make("button", { type: "submit", class: "text-button", "data-key": "rename" }, labels.rename)),
    into,
    make("button", remove, labels.delete),
    made,
  );
}
