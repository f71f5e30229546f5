/** What a side sheet says: a head with a close button, then sections in order, then fields. */
import { drawControls } from "./controls.js";
import { icon, make } from "./dom.js";
import { sectionDrawer, SECTIONS_STYLE } from "./sections.js";
import { styled } from "./style.js";

const STYLE = `
  :host { display: block; }
  .words { padding: 0 20px 8px; overflow-wrap: anywhere; }
  .head { display: flex; align-items: center; height: 56px; margin-right: -10px; background: var(--raised); }
  .words > :first-child { position: sticky; top: 0; z-index: 1; }
  h2 { font-size: 20px; line-height: 1.3; margin: 0; flex: 1; }
  @media (max-width: 600px) { .words { padding: 0 16px 8px; } }
`;

export function renderSheet(/** @type {any} */ { model, el }) {
  const tell = (/** @type {object} */ message) => model.send_msg(message);
  const told = make("div");
  const fields = make("div");
  const top = make("div");
  const sheet = make("div", { class: "words" }, top, told, fields);
  const drawHead = () => top.replaceChildren(head(model.labels, tell));
  const drawSections = sectionDrawer(told, tell);
  const drawFields = () => fields.replaceChildren(
    ...(model.controls.items ? [drawControls(model.controls, tell)] : []));
  drawHead();
  drawSections(model.sections);
  drawFields();
  model.on("labels", drawHead);
  model.on("sections", () => drawSections(model.sections));
  model.on("controls", drawFields);
  new ResizeObserver(() => nameDialog(el, model.labels.title)).observe(sheet);
  el.append(styled(STYLE + SECTIONS_STYLE), sheet);
}

/** Material's drawer is a dialog without a name, made anew each time it opens. */
export function nameDialog(/** @type {Element} */ inside, /** @type {string} */ name) {
  /** @type {Element | null} */ let element = inside;
  while (element && !element.closest("[role=dialog]")) {
    element = /** @type {ShadowRoot} */ (element.getRootNode()).host ?? null;
  }
  element?.closest("[role=dialog]")?.setAttribute("aria-label", name);
}

/**
 * @param {{title: string, close: string}} labels
 * @param {(message: object) => void} tell
 */
function head(labels, tell) {
  const close = make("button", {
    type: "button", class: "square", "data-key": "close", "aria-label": labels.close,
    title: labels.close, onclick: () => tell({ kind: "close" }),
  }, icon("close"));
  return make("div", { class: "head" }, make("h2", {}, labels.title), close);
}
