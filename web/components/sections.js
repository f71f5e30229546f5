/**
 * What sheets and plain pages say, as sections in order. A section is a plain object with a `kind`
 * that is a row of the table below; all text goes in as text.
 */
import { CONTROLS_STYLE, drawControls } from "./controls.js";
import { drawArtifact } from "./artifact.js";
import { make, set } from "./dom.js";
import { drawAlternatives, drawTokens, TOKENS_STYLE } from "./tokens.js";

export const SECTIONS_STYLE = `${CONTROLS_STYLE}${TOKENS_STYLE}
  .beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 0 28px; }
  .beside > div { min-width: 0; }
  p:empty { display: none; }
  h3 { font-size: 13px; font-weight: 600; color: var(--muted); margin: 22px 0 6px; }
  p { margin: 0 0 10px; font-size: 15px; }
  p.muted { color: var(--muted); font-size: 14px; }
  p.full { white-space: pre-wrap; border-left: 3px solid var(--line); padding: 2px 0 2px 12px; }
  p.big { font-size: 20px; line-height: 1.35; }
  p.problem { border: 1px solid var(--wrong); border-radius: 10px; padding: 10px 12px; }
  dl { display: grid; grid-template-columns: fit-content(38%) minmax(0, 1fr); margin: 0 0 14px; font-size: 15px; }
  dt, dd { padding: 6px 0; border-bottom: 1px solid var(--line); }
  dt { color: var(--muted); padding-right: 16px; min-width: 80px; }
  dd { margin: 0; font-variant-numeric: tabular-nums; }
  dd.code { font: 13px/1.5 ui-monospace, monospace; padding-top: 8px; word-break: break-all; }
  .bar { height: 6px; border-radius: 3px; background: var(--line); overflow: hidden; margin: 4px 0 8px; }
  .bar > div { height: 100%; background: var(--accent); }
  .buttons { display: flex; flex-wrap: wrap; gap: 8px; margin: 4px 0 14px; }
  .text-button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
  .wide { overflow-x: auto; margin: 0 0 14px; }
  table { border-collapse: collapse; font-size: 15px; min-width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: 7px 18px 7px 0; border-bottom: 1px solid var(--line);
           font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
  th { color: var(--muted); font-weight: 600; font-size: 13px; white-space: nowrap; }
  table.bars { width: 100%; margin: 0 0 16px; font-size: 14px; }
  caption { text-align: left; padding: 4px 0; }
  .bars th, .bars td { border: 0; padding: 3px 0; vertical-align: middle; }
  .bars th { font-size: inherit; font-weight: 400; color: inherit; white-space: normal; padding-right: 10px; width: 45%; }
  .bars thead th { font-size: 13px; color: var(--muted); }
  .measure { display: flex; align-items: center; gap: 8px; font-variant-numeric: tabular-nums; }
  .measure > div { flex: 1; }
  .measure > div > div { height: 12px; min-width: 2px; border-radius: 3px; background: var(--muted); }
  .measure > span { min-width: 44px; text-align: right; }
  .bars tbody tr:first-child > th { font-weight: 600; }
  .bars tbody tr:first-child .measure > div > div { background: var(--accent); }
  .plot { display: grid; grid-template-columns: auto 1fr auto; gap: 7px 14px; align-items: center; margin: 0 0 14px;
          font-size: 15px; }
  .plot > :nth-child(3n) { text-align: right; font-variant-numeric: tabular-nums; }
  .plot .bar { margin: 0; }
  li code { font: 13px/1.5 ui-monospace, monospace; color: var(--muted); display: block; overflow-wrap: anywhere; }
  .proved li { margin-bottom: 8px; }
  svg.dots { display: block; width: min(320px, 100%); background: #fff; fill: #000; margin: 0 0 14px; border-radius: 10px; }
  figure.columns { margin: 0 0 16px; }
  .columns svg { display: block; width: 100%; height: 160px; border-bottom: 1px solid var(--edge); }
  .columns figcaption { font-size: 14px; color: var(--muted); margin: 8px 0; }
  .columns ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px; }
  .columns .part { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 7px; }
  .part-0 { fill: var(--accent); background: var(--accent); }
  .part-1 { fill: var(--edge); background: var(--edge); }
  .part-2 { fill: var(--warning); background: var(--warning); }
  .graph { overflow: auto; max-height: 70vh; border: 1px solid var(--line); border-radius: 10px; padding: 12px; margin: 0 0 12px; }
  .graph svg { display: block; margin: 0 auto; }
  .graph line { stroke: var(--edge); }
  .graph rect { fill: var(--raised); stroke: var(--edge); }
  .graph .input rect, .graph .output rect { stroke: var(--accent); }
  .graph .running rect { fill: var(--accent); stroke: var(--accent); }
  .graph .running text { fill: var(--on-accent); }
  .graph .done rect { stroke: var(--accent); }
  .graph :is(.failed, .stopped) rect { stroke: var(--wrong); }
  .graph .skipped rect { stroke-dasharray: 4; }
  .graph .skipped text { opacity: .6; }
  .graph text { font: 12px ui-monospace, monospace; fill: var(--ink); text-anchor: middle; }
  img.result { display: block; min-width: 96px; max-width: 100%; image-rendering: pixelated; border: 1px solid var(--line); margin: 0 0 14px; }
  p.source { font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow: auto; max-height: 420px; max-width: none;
             border: 1px solid var(--line); border-radius: 10px; padding: 10px 12px; }
  .form { margin: 4px 0 16px; }
  .form textarea.source { width: 100%; box-sizing: border-box; font: 13px/1.5 ui-monospace, monospace; color: inherit; background: var(--paper);
                   border: 1px solid var(--edge); border-radius: 10px; padding: 10px 12px; margin-bottom: 10px; resize: vertical; }
  .artifact { display: block; width: 100%; height: min(60vh, 560px); background: #FFF; border: 1px solid var(--line);
              border-radius: 10px; margin: 0 0 14px; }
  .form label { display: grid; gap: 3px; margin-bottom: 10px; font-size: 15px; }
  .form input { font: inherit; font-size: 16px; color: inherit; background: var(--paper); border: 1px solid var(--edge);
                border-radius: 10px; padding: 7px 10px; min-height: 44px; width: 100%; }
  p.code { font: 15px/1.7 ui-monospace, monospace; border: 1px solid var(--line); border-radius: 10px; padding: 10px 12px; }
  ul.items { list-style: none; padding: 0; }
  .items li { border-bottom: 1px solid var(--line); padding: 10px 0 2px; }
  .items strong { display: block; font-weight: 600; overflow-wrap: anywhere; }
  .items .facts { display: block; color: var(--muted); font-size: 14px; margin-bottom: 6px;
                  font-variant-numeric: tabular-nums; }
  .passages { list-style: none; margin: 0 0 14px; padding: 0; }
  .passages li { border-left: 3px solid var(--line); padding: 2px 0 2px 14px; margin: 0 0 18px; scroll-margin: 80px; }
  .passages li.marked { border-left-color: var(--accent); background: var(--hover); }
  .passages .place { display: block; color: var(--muted); font-size: 13px; }
  .passages p { white-space: pre-wrap; margin: 4px 0 6px; }
  ul { margin: 0 0 12px; padding-left: 20px; font-size: 15px; }
`;

const SVG = "http://www.w3.org/2000/svg";
const TALL = 100; // of a plot's own units; a column is 10 wide

/**
 * Stacked columns, as a picture whose label says what is to be seen.
 * @param {string} label @param {{title: string, shares: number[]}[]} columns shares of the tallest
 */
function drawColumns(label, columns) {
  const picture = document.createElementNS(SVG, "svg");
  set(picture, "viewBox", `0 0 ${10 * columns.length} ${TALL}`);
  set(picture, "preserveAspectRatio", "none");
  set(picture, "role", "img");
  set(picture, "aria-label", label);
  for (const [number, { title, shares }] of columns.entries()) {
    const column = document.createElementNS(SVG, "g");
    const name = document.createElementNS(SVG, "title");
    name.textContent = title;
    column.append(name);
    let top = TALL;
    for (const [part, share] of shares.entries()) {
      const box = document.createElementNS(SVG, "rect");
      top -= share * TALL;
      const place = { x: 10 * number + 1, y: top, width: 8, height: share * TALL };
      for (const [key, value] of Object.entries(place)) set(box, key, value);
      set(box, "class", `part-${part}`);
      column.append(box);
    }
    picture.append(column);
  }
  return picture;
}

/**
 * A code for cameras: dark dots on white in any theme, as readers want it, in one path.
 * @param {string} label @param {string[]} rows a letter 1 for each dark dot
 */
function drawDots(label, rows) {
  const picture = document.createElementNS(SVG, "svg");
  const dark = document.createElementNS(SVG, "path");
  const runs = rows.flatMap((row, y) =>
    [...row.matchAll(/1+/g)].map(({ index, 0: { length } }) => `M${index} ${y}h${length}v1h-${length}z`));
  set(dark, "d", runs.join(""));
  for (const [name, value] of Object.entries({
    viewBox: `0 0 ${rows.length} ${rows.length}`, role: "img", "aria-label": label, class: "dots",
    "shape-rendering": "crispEdges",
  })) set(picture, name, value);
  picture.append(dark);
  return picture;
}

/** @param {string} kind @param {Record<string, string | number>} attributes @param {(Node | string)[]} children */
function vector(kind, attributes, ...children) {
  const element = document.createElementNS(SVG, kind);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

const BOX = 26; // height of a box of a graph, as in graphs/picture.py
const EDGE = 2;

/**
 * A graph as boxes and lines, in its own size: what is larger than the page is scrolled.
 * @param {{label: string, width: number, height: number, boxes: [string, string, number, number, number][],
 *   lines: [number, number, number, number][]}} picture
 */
function drawGraph({ label, width, height, boxes, lines }) {
  const size = { width: width + 2 * EDGE, height: height + 2 * EDGE };
  const place = { viewBox: `${-EDGE} ${-EDGE} ${size.width} ${size.height}`, role: "img", "aria-label": label };
  return vector("svg", { ...size, ...place },
    ...lines.map(([x1, y1, x2, y2]) => vector("line", { x1, y1, x2, y2 })),
    ...boxes.map(([name, kind, x, y, wide]) => vector("g", { class: kind },
      vector("rect", { x, y, width: wide, height: BOX, rx: 6 }),
      vector("text", { x: x + wide / 2, y: y + 17 }, name))));
}

/** @type {Record<string, (section: any, tell: (message: object) => void) => Node>} */
const DRAW = {
  title: ({ text }) => make("h3", {}, text),
  text: ({ text, look }) => make(
    "p",
    { class: look, role: look === "problem" ? "alert" : null, tabindex: look === "source" ? 0 : null },
    text,
  ),
  rows: ({ rows }) => make("dl", {}, ...rows.flatMap(drawRow)),
  list: ({ items }) => make("ul", {}, ...items.map((/** @type {string} */ item) => make("li", {}, item))),
  proved: ({ items }) => make("ul", { class: "proved" }, ...items.map(drawProved)),
  table: ({ caption, columns, rows }) => make(
    "div",
    { class: "wide", role: "region", "aria-label": caption, tabindex: 0 },
    make(
      "table",
      {},
      make("thead", {}, make("tr", {}, ...columns.map(drawColumn))),
      make("tbody", {}, ...rows.map(drawCells)),
    ),
  ),
  bars: ({ caption, columns, rows }) => make(
    "table",
    { class: "bars" },
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...columns.map(drawColumn))),
    make("tbody", {}, ...rows.map(drawBar)),
  ),
  plot: ({ items }) => make("div", { class: "plot" }, ...items.flatMap(drawStretch)),
  columns: ({ label, parts, columns }) => make(
    "figure",
    { class: "columns" },
    drawColumns(label, columns),
    make("figcaption", {}, label),
    make("ul", {}, ...parts.map((/** @type {string} */ part, /** @type {number} */ number) =>
      make("li", {}, make("span", { class: `part part-${number}` }), part))),
  ),
  graph: (picture) => make(
    "div", { class: "graph", role: "region", "aria-label": picture.label, tabindex: 0 }, drawGraph(picture)),
  image: ({ source, label }) => make("img", { class: "result", src: source, alt: label }),
  progress: ({ share, label }) => make(
    "div",
    {
      class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100,
      "aria-valuenow": Math.round(share * 100),
    },
    make("div", { style: `width: ${Math.round(share * 1000) / 10}%` }),
  ),
  items: ({ items }, tell) => make("ul", { class: "items" }, ...items.map((/** @type {Item} */ item) => drawItem(item, tell))),
  passages: ({ items }, tell) => make("ol", { class: "passages" }, ...items.map((/** @type {Passage} */ item) => drawPassage(item, tell))),
  buttons: ({ buttons, key }, tell) => make(
    "div",
    { class: "buttons" },
    ...buttons.map((/** @type {{name: string, label: string, main: boolean}} */ { name, label, main }) =>
      make("button", {
        type: "button", class: main ? "text-button main" : "text-button", "data-key": name,
        onclick: () => tell({ kind: name, ...(key === undefined ? {} : { key }) }),
      }, label)),
  ),
  dots: ({ label, rows }) => drawDots(label, rows),
  form: drawForm,
  artifact: ({ source, label }) => drawArtifact(source, label),
  source_editor: drawSourceEditor,
  controls: drawControls,
  tokens: drawTokens,
  alternatives: drawAlternatives,
};

/**
 * @typedef {object} Item a thing with what can be done to it
 * @property {string} key what its buttons send
 * @property {string} title
 * @property {string} facts
 * @property {string} note
 * @property {string} look of the note
 * @property {number | null} share how far something has come with it
 * @property {{name: string, label: string, main: boolean}[]} buttons
 */
/** @param {Item} item @param {(message: object) => void} tell */
function drawItem({ key, title, facts, note, look, share, buttons }, tell) {
  const pressed = (/** @type {string} */ name) => () => tell({ kind: name, key });
  return make(
    "li",
    {},
    make("strong", {}, title),
    make("span", { class: "facts" }, facts),
    share === null ? null : DRAW.progress({ share, label: title }, tell),
    note ? make("p", { class: look, role: look === "problem" ? "alert" : null }, note) : null,
    make("div", { class: "buttons" }, ...buttons.map(({ name, label, main }) =>
      make("button", {
        type: "button", class: main ? "text-button main" : "text-button", "data-key": name,
        "aria-label": `${label}: ${title}`, onclick: pressed(name),
      }, label))),
  );
}

/**
 * @typedef {object} Passage a part of a document
 * @property {string} key
 * @property {string} place document, page, headings
 * @property {string} text
 * @property {boolean} marked the one that was asked for
 * @property {{name: string, label: string} | null} button
 */
/** @param {Passage} passage @param {(message: object) => void} tell */
function drawPassage({ key, place, text, marked, button }, tell) {
  return make(
    "li",
    { class: marked ? "marked" : null, tabindex: marked ? -1 : null },
    make("span", { class: "place" }, place),
    make("p", {}, text),
    button && make("button", {
      type: "button", class: "text-button", "data-key": `${button.name}-${key}`,
      "aria-label": `${button.label}: ${place}`, onclick: () => tell({ kind: button.name, key }),
    }, button.label),
  );
}

/**
 * A few fields and one button; what was typed leaves them when it is sent, a field with a value of
 * its own keeps it.
 * @typedef {{name: string, label: string, type: string, autocomplete: string, optional?: boolean,
 *   value?: string}} Field
 * @param {{name: string, button: string, hint: string, fields: Field[]}} section
 * @param {(message: object) => void} tell
 */
function drawForm({ name, button, hint, fields }, tell) {
  const inputs = fields.map((field) => make("input", {
    id: `${name}-${field.name}`, name: field.name, type: field.type, autocomplete: field.autocomplete,
    required: !field.optional, value: field.value ?? "",
  }));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const values = Object.fromEntries(inputs.map((input) => [input.name, input.value]));
    for (const [number, input] of inputs.entries()) if (fields[number].value === undefined) input.value = "";
    tell({ kind: name, ...values });
  };
  const rows = fields.map((field, number) =>
    make("label", {}, make("span", {}, field.label), inputs[number]));
  return make(
    "form",
    { class: "form", onsubmit: submit },
    ...rows,
    hint ? make("p", { class: "muted" }, hint) : null,
    make("button", { type: "submit", class: "text-button", "data-key": name }, button),
  );
}

/**
 * One large field of code, with what it holds now.
 * @param {{name: string, label: string, text: string, button: string, rows?: number, runs?: boolean}} section
 *   `runs`: Shift and Enter press its button
 * @param {(message: object) => void} tell
 */
function drawSourceEditor({ name, label, text, button, rows = 18, runs = false }, tell) {
  const field = make("textarea", { class: "source", rows, spellcheck: "false", "aria-label": label });
  field.value = text;
  if (runs) {
    field.onkeydown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter" || !event.shiftKey) return;
      event.preventDefault();
      field.form.requestSubmit();
    };
  }
  return make(
    "form",
    {
      class: "form",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        tell({ kind: name, text: field.value });
      },
    },
    field,
    make("button", { type: "submit", class: "text-button main", "data-key": name }, button),
  );
}

const drawColumn = (/** @type {string} */ name) => make("th", { scope: "col" }, name);

/** The length of the bar says the same as the number, so only the number is read aloud. */
const drawBar = (/** @type {{name: string, value: string, share: number}} */ { name, value, share }) =>
  make(
    "tr",
    {},
    make("th", { scope: "row" }, name),
    make("td", {}, make(
      "div",
      { class: "measure" },
      make("div", {}, make("div", { style: `width: ${Math.round(share * 1000) / 10}%` })),
      make("span", {}, value),
    )),
  );

const drawCells = (/** @type {string[]} */ cells) =>
  make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));

const drawProved = (/** @type {[string, string]} */ [text, test]) =>
  make("li", {}, text, make("code", {}, test));

/** A stretch of time from the start: its name, its bar (of the longest), its length. */
const drawStretch = (/** @type {[string, number, string]} */ [name, share, length]) => [
  make("span", {}, name),
  make("div", { class: "bar" }, make("div", { style: `width: ${Math.round(share * 1000) / 10}%` })),
  make("span", {}, length),
];

const drawRow = (/** @type {[string, string, string]} */ [term, value, look]) => [
  make("dt", {}, term),
  make("dd", { class: look }, value),
];

/**
 * Draws only the sections that differ: a button must not vanish under a finger while the lines
 * around it count megabytes.
 * @param {HTMLElement} parent
 * @param {(message: object) => void} tell
 */
export function sectionDrawer(parent, tell) {
  /** @type {string[]} */ let drawn = [];
  return (/** @type {any[]} */ sections) => {
    const wanted = sections.map((section) => JSON.stringify(section));
    while (parent.children.length > wanted.length) parent.lastElementChild?.remove();
    for (const [number, text] of wanted.entries()) {
      if (text === drawn[number]) continue;
      const { kind, columns } = sections[number];
      const before = parent.children[number];
      if (kind === "beside" && fillBeside(before, columns)) continue;
      const section = kind === "beside" ? drawBeside(columns, tell) : DRAW[kind](sections[number], tell);
      if (before) before.replaceWith(section);
      else parent.append(section);
    }
    drawn = wanted;
  };
}

/** @type {WeakMap<Element, ((sections: any[]) => void)[]>} */
const drawers = new WeakMap();

/**
 * Lists of sections beside each other, below each other on phones.
 * @param {any[][]} columns @param {(message: object) => void} tell
 */
function drawBeside(columns, tell) {
  const parts = columns.map(() => make("div"));
  const section = make("div", { class: "beside" }, ...parts);
  drawers.set(section, parts.map((part) => sectionDrawer(part, tell)));
  fillBeside(section, columns);
  return section;
}

/** Draws what differs; false when `section` is not that many lists. */
function fillBeside(/** @type {Element} */ section, /** @type {any[][]} */ columns) {
  const draw = section && drawers.get(section);
  if (draw?.length !== columns.length) return false;
  columns.forEach((sections, number) => draw[number](sections));
  return true;
}
