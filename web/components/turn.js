/** Draws one question or one answer with what can be done about it. */
import { drawArtifact } from "./artifact.js";
import { icon, make } from "./dom.js";
import { safeFragment } from "./safe.js";

const PAGES = new Set(["html", "svg"]); // languages of code that can be shown as a page

/**
 * @typedef {{id: string, role: "question" | "answer", text: string, blocks: string[], phase: string,
 *   thoughts: string, thoughts_label: string, steps: Step[], note: string, meta: string, meta_title: string, last: boolean,
 *   problem: null | {title: string, text: string,
 *   actions: {name: string, label: string}[]}, remark: string, go_on: string,
 *   sources: {name: string, page: number | null, label: string, text: string}[],
 *   branch: null | {place: number, count: number, before: string, after: string}}} Turn
 * @param {Turn} turn
 * @param {any} labels
 * @param {(message: object) => void} tell
 */
export function drawTurn(turn, labels, tell) {
  const question = turn.role === "question";
  return make(
    "article",
    { class: `turn ${turn.role} ${turn.phase}${turn.last ? " last" : ""}`, "data-turn": turn.id },
    make("h2", { class: "heard-only" }, question ? labels.you : labels.model),
    question ? null : drawThoughts(turn),
    question || !turn.steps.length ? null : drawSteps(turn.steps, labels, tell),
    question ? make("div", { class: "text" }, turn.text) : answerText(turn, labels, tell),
    turn.sources.length ? drawSources(turn, labels, tell) : null,
    turn.phase !== "done" && turn.note ? make("p", { class: "waiting" }, turn.note) : null,
    turn.phase === "done" && turn.note ? make("p", { class: "reason" }, turn.note) : null,
    turn.problem ? drawProblem(turn.problem, tell) : null,
    turn.remark ? make("p", { class: "remark" }, turn.remark) : null,
    turn.phase === "done" ? footer(turn, labels, tell) : null,
  );
}

/**
 * The calls of tools, folded away; one that asks is open, with its two buttons.
 * @typedef {{title: string, asks: string, arguments_label: string, arguments: string,
 *   result_label: string, result: string, figures: {source: string, label: string}[]}} Step
 * @param {Step[]} steps @param {any} labels @param {(message: object) => void} tell
 */
function drawSteps(steps, labels, tell) {
  return make("div", { class: "steps" }, ...steps.map((step, number) => drawStep(step, number, labels, tell)));
}

/** @param {Step} step @param {number} number @param {any} labels @param {(message: object) => void} tell */
function drawStep(step, number, labels, tell) {
  const answer = (/** @type {boolean} */ yes) => make("button", {
    type: "button", class: "text-button", "data-key": yes ? "allow" : "refuse",
    onclick: () => tell({ kind: "permit", yes }),
  }, yes ? labels.allow : labels.refuse);
  const part = (/** @type {string} */ label, /** @type {string} */ text) =>
    label ? [make("span", { class: "step-label" }, label), make("pre", { tabindex: 0 }, text)] : [];
  return make(
    "div",
    { class: "step" },
    make(
      "details",
      { class: "thoughts", open: Boolean(step.asks) },
      make("summary", { "data-key": `step_${number}` }, step.title),
      make("div", { class: "thought" },
        ...part(step.arguments_label, step.arguments), ...part(step.result_label, step.result)),
    ),
    ...step.figures.map(({ source, label }) => make("img", { class: "figure", src: source, alt: label })),
    step.asks ? make("div", { class: "asks", role: "alert" }, make("p", {}, step.asks),
      make("div", { class: "actions" }, answer(true), answer(false))) : null,
  );
}

/**
 * The passages that an answer stands on, numbered, each to be read here or in its document.
 * @param {Turn} turn @param {any} labels @param {(message: object) => void} tell
 */
function drawSources({ id, sources }, labels, tell) {
  const show = (/** @type {number} */ number) => () => tell({ kind: "show_source", id, number });
  return make(
    "section",
    { class: "sources", "aria-label": labels.sources },
    make("strong", {}, labels.sources),
    make("ol", {}, ...sources.map(({ name, page, label, text }, number) => make(
      "li",
      { "data-document": name, "data-page": page },
      make(
        "details",
        {},
        make("summary", {}, label),
        make("p", {}, text),
        make("button", {
          type: "button", class: "text-button", "data-key": `source-${number}`, onclick: show(number),
          "aria-label": `${labels.show_source}: ${label}`,
        }, labels.show_source),
      ),
    ))),
  );
}

/**
 * What the model thought before it spoke, folded away; hidden while there is nothing.
 * @param {{thoughts: string, thoughts_label: string}} turn
 */
function drawThoughts({ thoughts, thoughts_label }) {
  return make(
    "details",
    { class: "thoughts", hidden: !thoughts },
    make("summary", { "data-key": "thoughts" }, thoughts_label),
    make("div", { class: "thought" }, thoughts),
  );
}

/**
 * The thoughts as they are now; whoever unfolded them keeps them open.
 * @param {HTMLElement} element of the answer
 * @param {{thoughts: string, thoughts_label: string}} turn
 */
export function fillThoughts(element, turn) {
  const fold = /** @type {HTMLDetailsElement} */ (element.querySelector(":scope > .thoughts"));
  if (fold.textContent === turn.thoughts_label + turn.thoughts) return;
  const fresh = drawThoughts(turn);
  fold.hidden = !turn.thoughts;
  fold.replaceChildren(...fresh.children);
}

/**
 * @param {Turn} turn
 * @param {any} labels
 * @param {(message: object) => void} tell
 */
function answerText(turn, labels, tell) {
  const element = make("div", { class: "text" });
  fillBlocks(element, 0, turn.blocks, labels, tell);
  return element;
}

/**
 * Replaces the blocks from number `start` on. Earlier ones stay, so a selection in them stays too.
 * @param {HTMLElement} element
 * @param {number} start
 * @param {string[]} blocks
 * @param {any} labels
 * @param {(message: object) => void} tell
 */
export function fillBlocks(element, start, blocks, labels, tell) {
  while (element.children.length > start) element.lastElementChild?.remove();
  for (const html of blocks) {
    const block = make("div", { class: "block" });
    block.append(safeFragment(html));
    for (const pre of block.querySelectorAll("pre")) frameCode(pre, labels, tell);
    element.append(block);
  }
}

/**
 * Code gets a head with its language and a copy button, and scrolls by keyboard.
 * @param {HTMLElement} pre
 * @param {any} labels
 * @param {(message: object) => void} tell
 */
function frameCode(pre, labels, tell) {
  const frame = make("div", { class: "code" });
  pre.replaceWith(frame);
  pre.tabIndex = 0;
  const copy = make("button", {
    type: "button", class: "square", "aria-label": labels.copy_code, title: labels.copy_code,
  }, icon("copy"));
  copy.addEventListener("click", () => {
    tell({ kind: "copy_code", text: pre.textContent ?? "" });
    showCopied(copy, labels);
  });
  const head = make("div", { class: "head" }, make("span", {}, pre.dataset.language ?? ""), copy);
  if (PAGES.has(pre.dataset.language ?? "")) head.insertBefore(artifactButtons(pre, labels, tell), copy);
  frame.append(head, pre);
}

/**
 * What can be done with a page that a model wrote: see it in place of its source, and keep it.
 * @param {HTMLElement} pre @param {any} labels @param {(message: object) => void} tell
 */
function artifactButtons(pre, labels, tell) {
  const source = () => pre.textContent ?? "";
  const show = make("button", { type: "button", class: "text-button", "data-key": "show_artifact", "aria-pressed": "false" },
    labels.show_artifact);
  show.addEventListener("click", () => {
    const shown = pre.parentElement?.querySelector(".artifact");
    if (shown) shown.remove();
    else pre.after(drawArtifact(source(), labels.show_artifact));
    pre.hidden = !shown;
    show.textContent = shown ? labels.show_artifact : labels.show_code;
    show.setAttribute("aria-pressed", String(!shown));
  });
  const keep = make("button", {
    type: "button", class: "text-button", "data-key": "keep_artifact",
    onclick: () => tell({ kind: "keep_artifact", text: source() }),
  }, labels.keep_artifact);
  return make("span", { class: "actions" }, show, keep);
}

/**
 * @param {Turn} turn
 * @param {any} labels
 * @param {(message: object) => void} tell
 */
function footer(turn, labels, tell) {
  const press = (/** @type {string} */ kind) => (/** @type {any} */ event) => {
    tell({ kind, id: turn.id });
    if (kind === "copy") showCopied(event.currentTarget, labels);
  };
  const button = (/** @type {any} */ name, /** @type {string} */ kind) =>
    make("button", {
      type: "button", class: "square", "data-key": kind, "aria-label": labels[kind],
      title: labels[kind], onclick: press(kind),
    }, icon(name));
  const answer = turn.role === "answer";
  const filled = answer ? turn.blocks.length : turn.text;
  return make(
    "footer",
    {},
    filled ? button("copy", "copy") : null,
    answer && turn.last ? button("again", "regenerate") : null,
    answer && turn.go_on ? goOn(turn, tell) : null,
    !answer ? button("edit", "edit") : null,
    turn.branch ? stepper(turn.branch, labels, tell) : null,
    turn.meta ? make("span", { class: "meta", title: turn.meta_title || null }, turn.meta) : null,
  );
}

/** @param {Turn} turn @param {(message: object) => void} tell */
function goOn({ go_on }, tell) {
  const press = () => tell({ kind: "go_on" });
  return make("button", { type: "button", class: "text-button", "data-key": "go_on", onclick: press }, go_on);
}

/**
 * "2/3" with arrows: which of the branches is shown.
 * @param {{place: number, count: number, before: string, after: string}} branch ids, "" at an end
 * @param {any} labels @param {(message: object) => void} tell
 */
function stepper({ place, count, before, after }, labels, tell) {
  const arrow = (/** @type {"before" | "after"} */ name, /** @type {string} */ id) =>
    make("button", {
      type: "button", class: "square", "data-key": name, "aria-label": labels[name], title: labels[name],
      disabled: !id, onclick: () => tell({ kind: "branch", id }),
    }, icon(name));
  return make("span", { class: "branch" }, arrow("before", before), `${place}/${count}`, arrow("after", after));
}

/**
 * @param {HTMLElement} button
 * @param {any} labels
 */
function showCopied(button, labels) {
  const label = button.getAttribute("aria-label") ?? "";
  button.replaceChildren(icon("done"));
  button.setAttribute("aria-label", labels.copied);
  setTimeout(() => {
    button.replaceChildren(icon("copy"));
    button.setAttribute("aria-label", label);
  }, 1500);
}

/**
 * @param {NonNullable<Turn["problem"]>} problem
 * @param {(message: object) => void} tell
 */
function drawProblem({ title, text, actions }, tell) {
  const button = (/** @type {{name: string, label: string}} */ { name, label }) =>
    make("button", {
      type: "button", class: "text-button", "data-key": name, onclick: () => tell({ kind: name }),
    }, label);
  return make(
    "div",
    { class: "problem", role: "alert" },
    make("strong", {}, title),
    make("p", {}, text),
    actions.length ? make("div", { class: "actions" }, ...actions.map(button)) : null,
  );
}
