/**
 * A small page that a model wrote, in a frame of an opaque origin that runs no script and asks for
 * nothing: text, styles, drawings, pictures that it carries itself. Scripts stay out on purpose: a
 * window that runs one can speak WebRTC and open connections in spite of every policy.
 */
import { make } from "./dom.js";

const LONGEST = 1 << 20; // characters
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";
const HTML = new Set(
  ("a abbr address article aside b bdi bdo blockquote body br button caption cite code col colgroup data dd " +
    "del details dfn div dl dt em fieldset figcaption figure footer h1 h2 h3 h4 h5 h6 head header hgroup hr html " +
    "i img input ins kbd label legend li main mark meter nav ol optgroup option output p pre progress q rp rt ruby " +
    "s samp section select small span strong style sub summary sup table tbody td textarea tfoot th thead time " +
    "title tr u ul var wbr").split(" "),
);
const SVG = new Set(
  ("svg g path rect circle ellipse line polyline polygon text tspan defs linearGradient radialGradient stop " +
    "clipPath mask pattern marker symbol use animate animateTransform animateMotion").split(" "),
);
/** Attributes that hold an address: only a place in the page itself or a picture in letters stays. */
const ADDRESSES = new Set(["href", "xlink:href", "src", "action", "formaction", "srcset", "ping", "background", "poster", "data"]);
const HARMLESS = /^(#|data:image\/(png|jpeg|gif|webp);base64,)/i;
const SVG_SPACE = "http://www.w3.org/2000/svg";

/**
 * What may stay of a page: known elements of HTML and SVG, no script, no address that leads out.
 * @param {string} source
 */
export function cleaned(source) {
  const page = new DOMParser().parseFromString(source.slice(0, LONGEST), "text/html");
  keep(page.documentElement);
  return page.documentElement.outerHTML;
}

function keep(/** @type {Element} */ element) {
  for (const child of [...element.childNodes]) {
    if (child.nodeType === Node.TEXT_NODE) continue;
    if (child instanceof Element && isKnown(child)) keep(child);
    else child.remove();
  }
  for (const { name, value } of [...element.attributes]) {
    const plain = name.toLowerCase();
    if (plain.startsWith("on") || (ADDRESSES.has(plain) && !HARMLESS.test(value.trim()))) element.removeAttribute(name);
  }
}

function isKnown(/** @type {Element} */ element) {
  return element.namespaceURI === SVG_SPACE ? SVG.has(element.localName) : HTML.has(element.localName);
}

/** @param {string} source @param {string} label */
export function drawArtifact(source, label) {
  const frame = make("iframe", { class: "artifact", sandbox: true, title: label, referrerpolicy: "no-referrer" });
  frame.srcdoc =
    `<!doctype html><meta http-equiv="Content-Security-Policy" content="${POLICY}">` +
    `<meta name="color-scheme" content="light"><style>body{font:16px/1.5 system-ui,sans-serif;margin:16px}</style>${cleaned(source)}`;
  return frame;
}
