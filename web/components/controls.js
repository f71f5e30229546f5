/** Fields to fill in: sliders, numbers, choices, lines and long texts, each with its label and its hint. */
import { make } from "./dom.js";

export const CONTROLS_STYLE = `
  .control { display: grid; grid-template-columns: 1fr auto; gap: 0 12px; align-items: baseline; padding: 7px 0; }
  .control label { font-size: 15px; }
  .control output { font-size: 15px; font-weight: 600; font-variant-numeric: tabular-nums; }
  .control input[type=range] { grid-column: 1 / -1; width: 100%; margin: 0; height: 32px; accent-color: var(--accent); }
  .control .hint { grid-column: 1 / -1; margin: 0; color: var(--muted); font-size: 13px; line-height: 1.45; }
  .control input[type=number] { width: 132px; text-align: right; }
  .control textarea { grid-column: 1 / -1; width: 100%; margin-top: 4px; resize: vertical; }
  .control input[type=text] { grid-column: 1 / -1; width: 100%; margin-top: 4px; }
  .control select { max-width: 60vw; }
  .control :is(textarea, select, input[type=number], input[type=text]) { font: inherit; font-size: 15px; color: inherit; background: var(--paper);
    border: 1px solid var(--edge); border-radius: 10px; padding: 7px 10px; min-height: 40px; }
  @media (pointer: coarse) {
    .control input[type=range], .control :is(textarea, select, input[type=number], input[type=text]) { min-height: 44px; }
  }
`;

/**
 * @typedef {{name: string, type: "range" | "number" | "text" | "line" | "choice", label: string, hint: string,
 *   min: number, max: number, step: number, value: number | string, options?: [string, string][]}} Control
 * @param {{title: string, items: Control[], reset?: string}} controls
 * @param {(message: object) => void} tell
 */
export function drawControls({ title, items, reset }, tell) {
  const button = { type: "button", class: "text-button", "data-key": "reset" };
  return make(
    "section",
    {},
    title ? make("h3", {}, title) : null,
    ...items.map((item) => drawControl(item, tell)),
    reset ? make(
      "div",
      { class: "buttons" },
      make("button", { ...button, onclick: () => tell({ kind: "reset" }) }, reset),
    ) : null,
  );
}

/**
 * @param {Control} control
 * @param {(message: object) => void} tell
 */
function drawControl(control, tell) {
  const { name, type, label, hint } = control;
  const output = type === "range" ? make("output", { for: name }, written(control.value)) : null;
  const field = FIELDS[type](control);
  if (hint) field.setAttribute("aria-describedby", `${name}-hint`);
  field.addEventListener("input", () => {
    const value = NUMBERS.includes(type) ? field.valueAsNumber : field.value;
    if (Number.isNaN(value) || !field.checkValidity()) return;
    if (output) output.textContent = written(value);
    tell({ kind: "set", name, value });
  });
  const labelled = make("label", { for: name }, label);
  const explained = hint ? make("p", { class: "hint", id: `${name}-hint` }, hint) : null;
  return make("div", { class: "control" }, labelled, output, field, explained);
}

const NUMBERS = ["range", "number"];

const textField = (/** @type {Control} */ { name, value }) =>
  make("textarea", { id: name, rows: Math.min(12, Math.max(3, String(value).split("\n").length)) }, String(value));

const lineField = (/** @type {Control} */ { name, value, max }) =>
  make("input", { id: name, type: "text", value, maxlength: max, autocomplete: "off" });

const choiceField = (/** @type {Control} */ { name, value, options = [] }) => make(
  "select",
  { id: name },
  ...options.map(([key, label]) => make("option", { value: key, selected: key === value }, label)),
);

const numberField = (/** @type {Control} */ { name, type, min, max, step, value }) =>
  make("input", { id: name, type, min, max, step, value, inputmode: "decimal" });

/** @type {Record<Control["type"], (control: Control) => any>} */
const FIELDS = {
  text: textField, line: lineField, choice: choiceField, number: numberField, range: numberField,
};

const written = (/** @type {number | string} */ value) =>
  Number(value).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 2 });
