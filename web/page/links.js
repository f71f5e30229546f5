/**
 * The one way out by a click: before a link to another site opens, its full address is shown, the
 * host set apart. Holds for every link on the page, whoever wrote it; an opened one is in the ledger.
 */
import { isElsewhere, note } from "./observe.js";
import { readSeal } from "./seal.js";

const LONGEST = 2_000; // characters of an address that are shown in one piece

/** @param {(key: string) => string} say the sentence of a key, in the language of now */
export function guardLinks(say) {
  for (const kind of ["click", "auxclick"]) {
    addEventListener(kind, (event) => {
      const link = event.composedPath().find((element) => element instanceof HTMLAnchorElement);
      if (!(link instanceof HTMLAnchorElement) || !leads(link.href)) return;
      event.preventDefault();
      event.stopPropagation();
      if (event instanceof MouseEvent && event.button < 2) ask(link.href, say);
    }, true);
  }
}

const leads = (/** @type {string} */ address) => isElsewhere(address) || /^mailto:/i.test(address);

/** @param {string} address @param {(key: string) => string} say */
async function ask(address, say) {
  const sealed = isElsewhere(address) && (await readSeal());
  document.querySelector("dialog.link")?.remove();
  const open = button("link-open", say("link.open"), () => {
    dialog.close();
    follow(address);
  });
  const dialog = element("dialog", { className: "link" },
    element("h2", { id: "link-title" }, say(sealed ? "link.sealed" : "link.title")),
    written(new URL(address)),
    element("p", {}, say("link.meaning")),
    element("div", {}, button("link-cancel", say("link.cancel"), () => dialog.close()), sealed ? "" : open));
  dialog.setAttribute("aria-labelledby", "link-title");
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

/** The whole address, its host in bold; foreign letters of a host in their plain spelling (xn--). */
function written(/** @type {URL} */ { href, host }) {
  const at = host ? href.indexOf(host, href.indexOf("//")) : 0;
  const end = at + host.length;
  const rest = href.slice(end);
  const shown = rest.length > LONGEST ? `${rest.slice(0, LONGEST)} … (${rest.length})` : rest;
  return element("p", { className: "address" }, href.slice(0, at), element("strong", {}, href.slice(at, end)), shown);
}

function follow(/** @type {string} */ address) {
  if (isElsewhere(address)) {
    const bytes = new TextEncoder().encode(address).length;
    note({ host: new URL(address).host, why: "link", bytes, approved: Date.now() });
  }
  element("a", { href: address, target: "_blank", rel: "noopener noreferrer", referrerPolicy: "no-referrer" })
    .dispatchEvent(new MouseEvent("click"));
}

/** @param {string} key @param {string} text @param {() => void} onclick */
function button(key, text, onclick) {
  const made = element("button", { type: "button", onclick }, text);
  made.dataset.key = key;
  return made;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {object} properties @param {...(Node | string)} children
 */
function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
