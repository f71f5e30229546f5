/**
 * The top bar: mark, title, the two chips (what runs, what left the tab), new chat, and a small menu
 * for language and appearance. Shows what Python says and tells it what was pressed.
 */
import { icon, make } from "./dom.js";
import { styled } from "./style.js";

const STYLE = `
  :host { flex: 1 1 0 !important; min-width: 0; width: auto !important; }
  .top { display: flex; align-items: center; gap: 8px; height: 47px; padding: 0 8px; }
  .mark { color: var(--accent); display: grid; }
  .mark .icon { width: 26px; height: 26px; stroke-width: 1.5; }
  h1 { font-size: 16px; font-weight: 600; margin: 0 auto 0 2px; white-space: nowrap; }
  .chip { position: relative; display: flex; align-items: center; gap: 7px; height: 32px;
          padding: 0 11px; border: 1px solid var(--line); border-radius: 10px; font-size: 13px;
          line-height: 1; white-space: nowrap; min-width: 0; font-variant-numeric: tabular-nums; }
  .chip > * { pointer-events: none; }
  .chip::after { content: ""; position: absolute; inset: -8px 0; }
  .chip:hover { background: var(--hover); }
  .chip .icon { width: 16px; height: 16px; color: var(--muted); }
  .chip .name { overflow: hidden; text-overflow: ellipsis; line-height: 1.3; }
  .chip .more { color: var(--muted); }
  .chip .dot { width: 8px; height: 8px; border-radius: 50%; flex: none; background: var(--accent); }
  .chip.none .dot { background: none; border: 1.5px solid var(--muted); }
  .chip.problem .dot { background: var(--wrong); }
  .chip.loading .dot { animation: breathe 1.4s ease-in-out infinite; }
  .chip.sent { color: var(--warning); border-color: var(--warning); }
  @keyframes breathe { 50% { opacity: .25; } }
  .short { display: none; }
  .menu { position: fixed; inset: 52px 8px auto auto; width: min(280px, calc(100vw - 16px)); margin: 0;
          padding: 8px 16px 16px; border: 1px solid var(--line); border-radius: 10px;
          background: var(--raised); color: var(--ink); box-shadow: var(--shadow); }
  fieldset { border: 0; margin: 0; padding: 10px 0 0; }
  fieldset + fieldset { margin-top: 6px; border-top: 1px solid var(--line); }
  legend { float: left; width: 100%; }
  legend + * { clear: both; }
  legend, .menu h2 { font-size: 13px; font-weight: 600; color: var(--muted); padding: 0; margin: 0 0 2px; }
  .menu h2 { padding-top: 12px; margin-top: 8px; border-top: 1px solid var(--line); }
  label { display: flex; align-items: center; gap: 10px; min-height: 36px; cursor: pointer; }
  input { accent-color: var(--accent); width: 18px; height: 18px; margin: 0; }
  dl { display: grid; grid-template-columns: 1fr auto; gap: 4px 12px; margin: 6px 0 0; font-size: 14px; }
  dd { margin: 0; }
  kbd { font: 12px/1.5 ui-monospace, monospace; border: 1px solid var(--edge); border-radius: 5px;
        padding: 1px 6px; }
  @media (pointer: coarse) { label { min-height: 44px; } dl, .keys { display: none; } }
  @media (max-width: 720px) { .chip .more { display: none; } }
  @media (max-width: 480px) {
    .top { padding: 0; gap: 4px; }
    .long, .chip .icon { display: none; }
    .short { display: inline; }
    .chip { padding: 0 9px; }
    h1 { position: absolute; clip-path: inset(50%); }
    .mark { margin-right: auto; }
  }
`;

/**
 * @typedef {{kind: string, name: string, more: string, label: string}} ModelChip
 * @typedef {{sent: boolean, text: string, short: string, label: string}} SilenceChip
 */
export function renderBar(/** @type {any} */ { model, el }) {
  const tell = (/** @type {object} */ message) => model.send_msg(message);
  const bar = make("div", { class: "top" });
  const redraw = () => {
    const open = bar.querySelector(".menu")?.matches(":popover-open");
    const focused = bar.getRootNode().activeElement?.dataset.key;
    bar.replaceChildren(...parts(model, tell));
    if (open) bar.querySelector(".menu").showPopover();
    if (focused) bar.querySelector(`[data-key="${focused}"]`)?.focus();
    document.documentElement.lang = model.language;
    document.title = model.labels.document;
  };
  const chips = () => {
    fillModelChip(bar.querySelector("[data-key=model]"), model.model_chip);
    fillSilenceChip(bar.querySelector("[data-key=silence]"), model.silence_chip);
  };
  redraw();
  model.on(["labels", "theme", "language"], redraw);
  model.on("theme", () => wearTheme(model.theme)); // at first boot.js dressed the page
  model.on(["model_chip", "silence_chip"], chips);
  el.append(styled(STYLE), bar);
}

/** The chosen appearance; "system" leaves it to the browser. */
function wearTheme(/** @type {string} */ theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/**
 * @param {any} model
 * @param {(message: object) => void} tell
 */
function parts(model, tell) {
  const { labels } = model;
  return [
    button("history", "history", labels.history, () => tell({ kind: "history" })),
    make("span", { class: "mark" }, icon("mark")),
    make("h1", {}, labels.title),
    fillModelChip(chipButton("model", tell), model.model_chip),
    fillSilenceChip(chipButton("silence", tell), model.silence_chip),
    button("new", "add", labels.new, () => tell({ kind: "new" })),
    button("menu", "more", labels.menu, toggleMenu),
    menu(model, tell),
  ];
}

/**
 * @param {string} key
 * @param {any} name
 * @param {string} label
 * @param {(event: any) => void} onclick
 */
function button(key, name, label, onclick) {
  const properties = { class: "square", "data-key": key, "aria-label": label, title: label, onclick };
  return make("button", { type: "button", ...properties }, icon(name));
}

function toggleMenu(/** @type {any} */ event) {
  event.currentTarget.parentNode.querySelector(".menu").togglePopover();
}

/**
 * The chips stay while what they say changes: a press that begins on one must end on it.
 * @param {string} kind
 * @param {(message: object) => void} tell
 */
function chipButton(kind, tell) {
  return make("button", { type: "button", "data-key": kind, onclick: () => tell({ kind }) });
}

/**
 * @param {HTMLElement} button
 * @param {ModelChip} chip
 */
function fillModelChip(button, { kind, name, more, label }) {
  button.className = `chip ${kind}`;
  button.setAttribute("aria-label", label);
  button.replaceChildren(
    make("span", { class: "dot" }),
    make("span", { class: "name" }, name),
    ...(more ? [make("span", { class: "more" }, `· ${more}`)] : []),
  );
  return button;
}

/**
 * @param {HTMLElement} button
 * @param {SilenceChip} chip
 */
function fillSilenceChip(button, { sent, text, short, label }) {
  button.className = sent ? "chip sent" : "chip";
  button.setAttribute("aria-label", label);
  button.replaceChildren(
    icon("silence"),
    make("span", { class: "long" }, text),
    make("span", { class: "short" }, short),
  );
  return button;
}

/**
 * @param {any} model
 * @param {(message: object) => void} tell
 */
function menu({ labels, language, theme }, tell) {
  return make(
    "div",
    { class: "menu", popover: "auto", role: "group", "aria-label": labels.menu },
    choice("language", labels.language, labels.languages, language, tell),
    choice("theme", labels.theme, labels.themes, theme, tell),
    make("h2", { class: "keys" }, labels.keys),
    make("dl", {}, ...labels.shortcuts.flatMap(shortcut)),
  );
}

const shortcut = (/** @type {[string, string]} */ [what, key]) => [
  make("dt", {}, what),
  make("dd", {}, make("kbd", {}, key)),
];

/**
 * @param {string} kind
 * @param {string} legend
 * @param {[string, string][]} options
 * @param {string} chosen
 * @param {(message: object) => void} tell
 */
function choice(kind, legend, options, chosen, tell) {
  const option = ([value, text] = ["", ""]) => {
    const onchange = () => tell({ kind, value });
    const own = { type: "radio", name: kind, value, "data-key": `${kind}-${value}` };
    const lang = kind === "language" ? value : null;
    return make(
      "label",
      { lang },
      make("input", { ...own, checked: value === chosen, onchange }),
      text,
    );
  };
  return make("fieldset", {}, make("legend", {}, legend), ...options.map(option));
}
