/**
 * The way between pages: a rail at the left, on phones a bar below. Plain links to the address's
 * hash, so that the back button, a reload and a link from outside lead to the same page.
 */
import { icon, make, set } from "./dom.js";
import { styled } from "./style.js";

const STYLE = `
  nav { position: fixed; z-index: 1100; inset: 48px auto 0 0; width: 84px; padding: 10px 0;
        display: flex; flex-direction: column; gap: 4px; background: var(--paper);
        border-right: 1px solid var(--line); }
  a { display: grid; justify-items: center; align-content: center; gap: 3px; min-height: 56px; padding: 4px 2px;
      border-radius: 10px; color: var(--muted); font-size: 11px; line-height: 1.2; text-decoration: none; }
  a:hover { background: var(--hover); color: var(--ink); }
  a[aria-current] { color: var(--accent); font-weight: 600; }
  .icon { width: 22px; height: 22px; }
  @media (max-width: 600px) {
    nav { inset: auto 0 0; width: auto; gap: 0; padding: 2px 0; overflow-x: auto; flex-direction: row; justify-content: space-around;
          border-right: 0; border-top: 1px solid var(--line); }
    a { flex: 1; min-width: 44px; max-width: 120px; min-height: 52px; padding: 4px 0; }
    a[aria-current] { flex-grow: 2; }
    a:not([aria-current]) span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  }
  @media (max-width: 600px) and (max-height: 480px) { nav { display: none; } }
`;

/** @typedef {{name: string, icon: any, label: string}} Entry */
export function renderRail(/** @type {any} */ { model, el }) {
  const nav = make("nav");
  const draw = () => {
    nav.setAttribute("aria-label", model.labels.pages);
    for (const entry of model.entries) fill(linkTo(nav, entry), entry, model.current);
  };
  draw();
  model.on(["labels", "entries", "current"], draw);
  el.append(styled(STYLE), nav);
}

/**
 * The links stay while what they say changes: a press that begins on one must end on it.
 * @param {HTMLElement} nav @param {Entry} entry
 */
function linkTo(nav, { name, icon: picture }) {
  const found = nav.querySelector(`[data-key="page-${name}"]`);
  if (found) return found;
  const link = make("a", { href: `#${name}`, "data-key": `page-${name}` }, icon(picture), make("span"));
  nav.append(link);
  return link;
}

/** @param {any} link @param {Entry} entry @param {string} current */
function fill(link, { name, label }, current) {
  link.querySelector("span").textContent = label;
  set(link, "aria-current", name === current ? "page" : null);
}
