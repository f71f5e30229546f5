/**
 * An answer token by token: how sure the model was of each is seen, and pressing one asks for what
 * might have come instead. Arrow keys go from token to token.
 */
import { make } from "./dom.js";

export const TOKENS_STYLE = `
  .tokens { font-size: 17px; line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 12px;
            border: 1px solid var(--line); border-radius: 12px; padding: 10px 14px; min-height: 56px; }
  .tokens span { border-bottom: 3px solid transparent; padding: 2px 0; cursor: pointer; }
  .tokens span:hover { background: var(--hover); }
  .tokens .sure-1 { border-bottom-color: color-mix(in srgb, var(--accent) 30%, transparent); }
  .tokens .sure-2 { border-bottom-color: color-mix(in srgb, var(--accent) 65%, transparent); }
  .tokens .sure-3 { border-bottom-color: var(--warning); }
  .tokens .sure-4 { border-bottom-color: var(--wrong); }
  .tokens .forced { font-weight: 650; text-decoration: underline dotted; text-underline-offset: 4px; }
  .tokens span[aria-pressed=true] { background: var(--hover); outline: 2px solid var(--accent); border-radius: 4px; }
  .alternatives { margin: 0 0 16px; padding: 0; list-style: none; }
  .alternatives li { border: 0; margin: 0; }
  .alternatives button { display: grid; grid-template-columns: minmax(88px, 30%) 1fr 64px; gap: 12px; align-items: center;
    width: 100%; min-height: 36px; font: inherit; font-size: 15px; color: inherit; background: none; border: 0;
    border-radius: 8px; padding: 2px 8px; text-align: left; cursor: pointer; }
  .alternatives button:hover:not(:disabled) { background: var(--hover); }
  .alternatives button:disabled { cursor: default; }
  .alternatives code { font: 14px/1.5 ui-monospace, monospace; color: inherit; overflow: hidden; text-overflow: ellipsis; white-space: pre; }
  .alternatives .length { height: 12px; border-radius: 3px; background: var(--muted); min-width: 2px; }
  .alternatives .taken .length { background: var(--accent); }
  .alternatives .taken code { font-weight: 700; }
  .alternatives .value { text-align: right; font-variant-numeric: tabular-nums; }
  @media (pointer: coarse) { .alternatives button { min-height: 44px; } .tokens { line-height: 2.6; } }
`;

const PRESSES = ["Enter", " "];
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 };

/**
 * Tokens are spans, not buttons: a line breaks where words end, not where tokens do.
 * @param {{key: string, label: string, items: {text: string, sure: number, forced: boolean}[]}} section
 * @param {(message: object) => void} tell
 */
export function drawTokens({ key, label, items }, tell) {
  const box = make("div", { class: "tokens", role: "group", "aria-label": label });
  const pick = (/** @type {any} */ button) => {
    for (const other of box.children) {
      other.setAttribute("aria-pressed", String(other === button));
      other.tabIndex = other === button ? 0 : -1;
    }
    tell({ kind: "look", key, number: [...box.children].indexOf(button) });
  };
  box.append(...items.map(({ text, sure, forced }, number) => make("span", {
    role: "button", class: forced ? `sure-${sure} forced` : `sure-${sure}`, tabindex: number ? -1 : 0,
    "aria-pressed": "false", onclick: (/** @type {any} */ event) => pick(event.currentTarget),
  }, text)));
  box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const at = /** @type {any} */ (event.target);
    if (PRESSES.includes(event.key)) {
      event.preventDefault();
      pick(at);
    }
    const step = STEPS[/** @type {keyof STEPS} */ (event.key)];
    const next = /** @type {any} */ (step && box.children[[...box.children].indexOf(at) + step]);
    if (!next) return;
    event.preventDefault();
    next.focus();
    pick(next);
  });
  return box;
}

/**
 * @typedef {{text: string, share: number, value: string, taken: boolean}} Alternative
 * @param {{key: string, caption: string, items: Alternative[], rest: string}} section
 * @param {(message: object) => void} tell
 */
export function drawAlternatives({ key, caption, items, rest }, tell) {
  return make(
    "section",
    { "aria-label": caption },
    make("p", {}, caption),
    make("ol", { class: "alternatives" }, ...items.map((item, number) => make(
      "li",
      { class: item.taken ? "taken" : null },
      make(
        "button",
        {
          type: "button", disabled: item.taken, "aria-current": item.taken, "data-key": `instead-${number}`,
          onclick: () => tell({ kind: "instead", key, number }),
        },
        make("code", {}, item.text),
        make("div", { class: "length", style: `width: ${Math.max(0.5, 100 * item.share)}%` }),
        make("span", { class: "value" }, item.value),
      ),
    ))),
    rest ? make("p", { class: "muted" }, rest) : null,
  );
}
