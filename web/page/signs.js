/**
 * The two signs that work without Python: the thin line that says how far a load is, and the plain
 * words for the case that Python cannot start, or stopped. Both elements are in index.html.
 */
import { keepDraft } from "./draft.js";

/** @param {{stage: string, received: number, total: number} | null} progress null hides the line */
export function showProgress(progress) {
  const line = document.getElementById("thin-line");
  if (!line || progress?.stage === "prefill") return;
  const share = progress?.total ? progress.received / progress.total : 0;
  line.hidden = !progress;
  line.style.setProperty("--share", String(share));
  line.setAttribute("aria-valuenow", String(Math.round(share * 100)));
}

/** The app worker died: what is on the screen can still be read. @param {Record<string, string>} words */
export function showStopped(words) {
  const place = document.getElementById("trouble");
  if (!place) return;
  place.classList.add("over");
  fill(place, words, "notice.app_stopped");
}

/** @param {HTMLElement} place @param {Record<string, string>} words @param {string} key */
function fill(place, words, key) {
  place.querySelector("h1")?.append(words["error.title"]);
  place.querySelector("p")?.append(words[key]);
  const button = place.querySelector("button");
  button?.append(words["notice.reload"]);
  button?.addEventListener("click", () => {
    keepDraft();
    location.reload();
  });
  place.hidden = false;
}

/** @param {Record<string, string>} words @param {{code?: string} | Error} trouble */
export function showTrouble(words, trouble) {
  console.error("onglet: the app could not start", trouble);
  const place = document.getElementById("trouble");
  if (!place) return;
  const code = "code" in trouble ? trouble.code : String(trouble);
  place.querySelector("code")?.append(String(code));
  fill(place, words, "notice.app_failed");
}
