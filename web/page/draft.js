/**
 * The question that is being written, carried over the reload after the app worker died. It lies in
 * this tab's session storage only from that reload until the page answers again.
 */
const NAME = "onglet.draft";

export function keepDraft() {
  const field = find(document);
  try {
    if (field?.value) sessionStorage.setItem(NAME, field.value);
  } catch {
    // a private window may refuse
  }
}

/** @returns {string} */
export function keptDraft() {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

export function dropDraft() {
  if (keptDraft()) sessionStorage.removeItem(NAME);
}

/** @param {Document | ShadowRoot} root @returns {HTMLTextAreaElement | null} */
function find(root) {
  const here = root.querySelector("textarea#question");
  if (here) return /** @type {HTMLTextAreaElement} */ (here);
  for (const { shadowRoot } of root.querySelectorAll("*")) {
    const found = shadowRoot && find(shadowRoot);
    if (found) return found;
  }
  return null;
}
