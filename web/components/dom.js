/** Makes elements: the only way in which these components write to the page. */

/**
 * `make("button", {class: "send", onclick: send, "aria-label": "Send"}, "text", child)`.
 * A property that starts with `on` is a listener; null, undefined and false leave an attribute out.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...present(children));
  return element;
}

/** Sets, or with null, undefined or false removes, one attribute or listener. */
export function set(/** @type {Element} */ element, /** @type {string} */ name, /** @type {any} */ value = null) {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * @param {(Node | string | null | undefined)[]} children
 * @returns {(Node | string)[]}
 */
const present = (children) =>
  /** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined));

/** Strokes on a 24 by 24 grid. */
const ICONS = {
  mark: "M1.500 20H4c1.500 0 2-1 2-2.500V7.500C6 5 7.500 3.500 10 3.500h4c2.500 0 4 1.500 4 4v10c0 1.500.5 2.500 2 2.500h2.500M12 7.500c2 2.500 3.500 4 3.500 6.500 0 2-1.500 3.500-3.500 3.500S8.500 16 8.500 14c0-1.500.5-2.500 1.500-3.500M12 13c.8 1 1.300 1.500 1.300 2.300",
  add: "M12 5v14M5 12h14",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  history: "M4 6h16M4 12h16M4 18h10",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  before: "M15 6l-6 6 6 6",
  after: "M9 6l6 6-6 6",
  silence: "M12 19V9M8 12.500l4-4 4 4M5 5h14",
  model: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M8 8h8v8H8z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  done: "M5 13l4 4L19 7",
  again: "M20 12a8 8 0 1 1-2.500-5.800M20 3v4h-4",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  down: "M12 5v14M6 13l6 6 6-6",
  chat: "M5 5h14v11h-8l-4 4v-4H5zM9 9.500h6M9 12.500h4",
  models: "M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.500 8-4.500M12 12v9",
  agent: "M12 3.500v3M6 6.500h12v9H6zM9.500 10.500v1.500M14.500 10.500v1.500M8 20.500h8M12 15.500v5",
  document: "M7 3.500h7l4 4V20.500H7zM14 3.500v4h4M10 12h5M10 15.500h5",
  token: "M3.500 8h6v8h-6zM9.500 8h5v8h-5zM14.500 8h6v8h-6zM6 20h13",
  graph: "M12 4.500a2 2 0 1 1 0 4 2 2 0 0 1 0-4M6 15.500a2 2 0 1 1 0 4 2 2 0 0 1 0-4M18 15.500a2 2 0 1 1 0 4 2 2 0 0 1 0-4M11 8.500l-4 7M13 8.500l4 7M8 17.500h8",
  shield: "M12 3.500l7 2.500v5c0 4.500-3 7.500-7 9.500-4-2-7-5-7-9.500V6zM9 12l2.200 2.200L15.500 10",
  artifact: "M4 5h16v14H4zM4 9h16M7 7h.01M8 16l3-4 2 2.500 1.500-2L17 16z",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5M13.500 5l-3 14",
  close: "M6 6l12 12M18 6L6 18",
};

/** @param {keyof ICONS} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
