/** A page that is read: a heading, then sections in order, in one column. */
import { make } from "./dom.js";
import { sectionDrawer, SECTIONS_STYLE } from "./sections.js";
import { styled } from "./style.js";

const STYLE = `
  :host { height: 100%; min-height: 0; overflow: hidden auto; }
  .words { max-width: 792px; margin: 0 auto; padding: 24px 16px 48px; overflow-wrap: anywhere; }
  h2 { font-size: 25px; line-height: 1.3; margin: 0 0 14px; }
  h2:focus { outline: none; }
  h3 { font-size: 20px; color: var(--ink); margin: 34px 0 8px; }
  p { max-width: 44em; text-wrap: pretty; }
`;

function reveal(/** @type {any} */ marked) {
  marked?.scrollIntoView({ block: "center" });
  marked?.focus({ preventScroll: true });
}

export function renderPaper(/** @type {any} */ { model, el }) {
  const tell = (/** @type {object} */ message) => model.send_msg(message);
  const heading = make("h2", { tabindex: -1 });
  const told = make("div");
  const name = () => heading.replaceChildren(model.labels.title);
  const draw = sectionDrawer(told, tell);
  name();
  draw(model.sections);
  model.on("labels", name);
  model.on("sections", () => draw(model.sections));
  model.on("msg:custom", (/** @type {any} */ { kind, section }) => {
    if (kind === "focus") heading.focus();
    if (kind === "show") told.children[section]?.scrollIntoView({ block: "center" });
    if (kind === "reveal") reveal(told.querySelector(".marked"));
  });
  el.style.height = "100%";
  el.append(styled(SECTIONS_STYLE + STYLE), make("div", { class: "words" }, heading, told));
}
