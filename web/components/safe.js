/**
 * The second wall behind py/onglet/browser/safe.py: parses HTML without running it and keeps only
 * the tags and attributes of the table. A test compares the table with Python's.
 */
const ATTRIBUTES = {
  p: [], br: [], hr: [], h1: [], h2: [], h3: [], h4: [], h5: [], h6: [], blockquote: [], ul: [],
  li: [], strong: [], em: [], s: [], code: [], table: [], thead: [], tbody: [], tr: [],
  ol: ["start"], a: ["href", "target", "rel"], pre: ["data-language"], span: ["class"],
  th: ["style"], td: ["style"],
};
const LINK = /^(https?:\/\/|mailto:)[^\s]/i;
const ALIGNMENT = /^text-align:(left|right|center)$/;

/**
 * @param {string} html
 * @returns {DocumentFragment}
 */
export function safeFragment(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const fragment = document.createDocumentFragment();
  for (const child of parsed.body.childNodes) fragment.append(...kept(child));
  return fragment;
}

/** @returns {Node[]} the node with what may stay of it; of an unknown element, its text */
function kept(/** @type {Node} */ node) {
  if (node.nodeType === Node.TEXT_NODE) return [document.createTextNode(node.textContent ?? "")];
  if (!(node instanceof Element)) return [];
  const tag = node.localName;
  if (!Object.hasOwn(ATTRIBUTES, tag)) return [document.createTextNode(node.textContent ?? "")];
  const copy = document.createElement(tag);
  const names = /** @type {string[]} */ (ATTRIBUTES[/** @type {keyof ATTRIBUTES} */ (tag)]);
  for (const name of names) {
    const value = node.getAttribute(name);
    if (value !== null && harmless(name, value)) copy.setAttribute(name, value);
  }
  for (const child of node.childNodes) copy.append(...kept(child));
  return [copy];
}

function harmless(/** @type {string} */ name, /** @type {string} */ value) {
  if (name === "href") return LINK.test(value);
  if (name === "style") return ALIGNMENT.test(value);
  return true;
}
