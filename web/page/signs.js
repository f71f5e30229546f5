/**
 * The two signs that work without Python: the thin line that says how far a load is, and the plain
 * page for the case that Python cannot start. Both elements are in index.html.
 */

/** @param {{stage: string, received: number, total: number} | null} progress null hides the line */
export function showProgress(progress) {
  const line = document.getElementById("thin-line");
  if (!line || progress?.stage === "prefill") return;
  const share = progress?.total ? progress.received / progress.total : 0;
  line.hidden = !progress;
  line.style.setProperty("--share", String(share));
  line.setAttribute("aria-valuenow", String(Math.round(share * 100)));
}

/** @param {Record<string, string>} words @param {{code?: string} | Error} trouble */
export function showTrouble(words, trouble) {
  console.error("onglet: the app could not start", trouble);
  const place = document.getElementById("trouble");
  if (!place) return;
  const code = "code" in trouble ? trouble.code : String(trouble);
  place.querySelector("h1")?.append(words["error.title"]);
  place.querySelector("p")?.append(words["notice.app_failed"]);
  place.querySelector("code")?.append(String(code));
  const button = place.querySelector("button");
  button?.append(words["notice.reload"]);
  button?.addEventListener("click", () => location.reload());
  place.hidden = false;
}
