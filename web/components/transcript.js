/**
 * The turns of a conversation, the welcome while there are none, and what a screen reader hears of
 * a growing answer: its finished sentences. Follows the end unless the reader scrolled away.
 */
import { icon, make } from "./dom.js";
import { drawTurn, fillBlocks, fillThoughts } from "./turn.js";

const NEAR_END = 60; // pixels
const SENTENCES = /^[\s\S]*[.!?:;](?=\s)|^[\s\S]*\n/;

export class Transcript {
  constructor(/** @type {(message: object) => void} */ tell) {
    this.tell = tell;
    this.labels = /** @type {any} */ ({});
    this.welcome = /** @type {any} */ ({});
    /** @type {any[]} */ this.turns = [];
    this.following = true;
    this.heard = 0; // characters of the growing answer already said
    this.column = make("div", { class: "column turns" });
    this.scroll = make("div", { class: "scroll", tabindex: 0, role: "log", "aria-live": "off" }, this.column);
    this.voice = make("div", { class: "heard-only", role: "status", "aria-live": "polite" });
    this.latest = make("button", { type: "button", class: "latest", hidden: true }, icon("down"));
    this.element = make("div", { class: "transcript" }, this.scroll, this.latest, this.voice);
    this.latest.addEventListener("click", () => this.#follow());
    this.scroll.addEventListener("scroll", () => this.#scrolled());
    const resized = new ResizeObserver(() => this.following && this.#toEnd());
    for (const each of [this.column, this.scroll]) resized.observe(each);
  }

  label(/** @type {any} */ labels, /** @type {any} */ welcome) {
    this.labels = labels;
    this.welcome = welcome;
    this.scroll.setAttribute("aria-label", labels.log);
    for (const name of ["aria-label", "title"]) this.latest.setAttribute(name, labels.latest);
    this.#draw();
  }

  busy(/** @type {boolean} */ busy) {
    this.column.classList.toggle("busy", busy);
    this.scroll.setAttribute("aria-busy", String(busy));
  }

  /** Messages: `turns` (all of them), `add` (one), `change` (some fields of one), `blocks` (text). */
  hear(/** @type {any} */ message) {
    if (message.kind === "turns") this.#replace(message.turns);
    else if (message.kind === "add") this.#add(message.turn);
    else if (message.kind === "change") this.#change(message.id, message.fields);
    else if (message.kind === "blocks") this.#grow(message);
  }

  #replace(/** @type {any[]} */ turns) {
    this.turns = turns;
    this.#draw();
    if (turns.length) this.#follow();
  }

  #add(/** @type {any} */ turn) {
    if (!this.turns.length) this.column.replaceChildren();
    this.turns.push(turn);
    this.column.append(this.#drawn(turn));
    this.heard = 0;
    this.voice.replaceChildren();
    this.#follow();
  }

  #change(/** @type {string} */ id, /** @type {object} */ fields) {
    const turn = this.turns.find((each) => each.id === id);
    if (!turn) return;
    Object.assign(turn, fields);
    const old = this.#element(id);
    const focused = old?.getRootNode().activeElement?.dataset?.key;
    const drawn = this.#drawn(turn);
    const folds = (/** @type {Element} */ turn) => /** @type {NodeListOf<HTMLDetailsElement>} */ (turn.querySelectorAll("details"));
    const before = old ? [...folds(old)] : [];
    for (const [number, fold] of folds(drawn).entries()) if (before[number]?.open) fold.open = true;
    old?.replaceWith(drawn);
    if (focused) drawn.querySelector(`[data-key="${focused}"]`)?.focus();
    if (turn.role === "answer" && turn.phase === "done") this.#say(drawn, true);
  }

  #grow(/** @type {any} */ { id, start, blocks, thoughts, thoughts_label }) {
    const turn = this.turns.find((each) => each.id === id);
    const element = this.#element(id);
    if (!turn || !element) return;
    turn.blocks.splice(start, Infinity, ...blocks);
    Object.assign(turn, { thoughts, thoughts_label });
    fillThoughts(element, turn);
    fillBlocks(element.querySelector(".text"), start, blocks, this.labels, this.tell);
    this.#say(element, false);
    if (this.following) this.#toEnd();
  }

  #draw() {
    const drawn = this.turns.map((turn) => this.#drawn(turn));
    this.column.classList.toggle("empty", !drawn.length);
    this.column.replaceChildren(...(drawn.length ? drawn : [this.#drawnWelcome()]));
    if (drawn.length) return;
    this.following = false; // the welcome is read from its top
    this.latest.hidden = true;
    this.scroll.scrollTop = 0;
  }

  #drawn(/** @type {any} */ turn) {
    this.column.classList.remove("empty");
    return drawTurn(turn, this.labels, this.tell);
  }

  #drawnWelcome() {
    const { sentence, heading, note, tries } = this.welcome;
    const suggestion = (/** @type {{label: string, text: string}} */ { label, text }) =>
      make(
        "button",
        { type: "button", class: "try", onclick: () => this.tell({ kind: "ask", text }) },
        make("strong", {}, label),
        label === text ? null : make("span", {}, text),
      );
    return make(
      "section",
      { class: "welcome" },
      icon("mark"),
      make("p", { class: "sentence" }, sentence),
      make("h2", {}, heading),
      make("div", { class: "tries" }, ...tries.map(suggestion)),
      make("p", { class: "note" }, note),
    );
  }

  #element(/** @type {string} */ id) {
    return this.column.querySelector(`[data-turn="${CSS.escape(id)}"]`);
  }

  /** Says the sentences that are new, the rest only when the answer is finished. */
  #say(/** @type {HTMLElement} */ element, /** @type {boolean} */ finished) {
    const text = element.querySelector(".text")?.textContent ?? "";
    const fresh = text.slice(this.heard);
    const said = finished ? fresh : (SENTENCES.exec(fresh)?.[0] ?? "");
    if (!said.trim()) return;
    this.heard += said.length;
    this.voice.append(make("span", {}, said));
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    this.following = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.latest.hidden = this.following || !this.turns.length;
  }

  #follow() {
    this.following = true;
    this.#toEnd();
  }

  #toEnd() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }
}
