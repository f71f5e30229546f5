// @ts-check
/**
 * Answers that keep a form: before each token is chosen, the logits of those that the form forbids
 * become minus infinity. The form is a JSON schema or a grammar (EBNF), compiled by XGrammar for
 * the model's own tokens. Loaded with the first question that wants it. Knows no tool and no chat.
 */
import { Failure } from "../files/failure.js";

/** @typedef {import("./load.js").Model} Model */
/** @typedef {{kind: "json", schema: object} | {kind: "ebnf", text: string}} Form */

const LIBRARY = "../vendor/xgrammar/index.js";
/** How often the library came to its end: what it cannot read aborts it for good. */
let ended = 0;
/** How XGrammar calls the ways in which vocabularies write bytes. @type {Record<string, string>} */
const SPELLINGS = { gpt2: "byte_level", llama: "byte_fallback" };
const SEPARATORS = [", ", ": "];

/**
 * The grammar of one answer, from its first token on. Throws Failure `bad_grammar`.
 * @param {Model} model
 * @param {Form} form
 */
export async function follow(model, form) {
  model.grammar ??= open(model);
  const { library, compiler } = await model.grammar;
  try {
    const compiled = form.kind === "json"
      ? await compiler.compileJSONSchema(JSON.stringify(form.schema), false, -1, SEPARATORS)
      : await compiler.compileGrammar(form.text);
    const matcher = await library.GrammarMatcher.createGrammarMatcher(compiled);
    return new Following(model, compiled, matcher);
  } catch {
    model.grammar = undefined;
    ended++;
    throw new Failure("bad_grammar");
  }
}

/**
 * Tells the library the vocabulary, once a model: 60 ms for 49,152 tokens. Tokens that are never
 * shown are told as empty, so that no text holds them; the ends of a turn end a form.
 * @param {Model} model
 */
async function open({ tokens, prepared }) {
  await import(`${LIBRARY}#${ended}`); // another fragment is another instance of the same file
  const library = /** @type {any} */ (globalThis).xgrammar;
  const { model: kind, end_of_turn: ends } = prepared.tokenizer;
  const texts = tokens.texts.map((text, id) => (tokens.hidden.has(id) ? "" : text));
  const info = await library.TokenizerInfo.createTokenizerInfo(
    texts, SPELLINGS[kind], false, texts.length, ends);
  return { library, compiler: await library.GrammarCompiler.createGrammarCompiler(info) };
}

class Following {
  /**
   * @param {Model} model
   * @param {any} compiled
   * @param {any} matcher
   */
  constructor(model, compiled, matcher) {
    this.compiled = compiled;
    this.matcher = matcher;
    const { program, tokenizer } = model.prepared;
    const row = program.fields.logits / 4;
    this.ends = tokenizer.end_of_turn;
    /** The logits of the next token. @type {Float32Array} */
    this.logits = model.kernels.floats.subarray(row, row + program.vocabulary);
    /** A bit a token: whether the form allows it. @type {Int32Array} */
    this.allowed = new Int32Array(0);
  }

  /** Looks what may come next; false when nothing may but an end. */
  async goesOn() {
    this.allowed = await this.matcher.getNextTokenBitmask();
    const { allowed, ends } = this;
    for (let word = 0; word < allowed.length; word++) {
      let bits = allowed[word];
      for (const id of ends) if (id >> 5 === word) bits &= ~(1 << (id & 31));
      if (bits) return true;
    }
    return false;
  }

  /** Forbids what does not fit, in place. Words of 32 tokens at once where all are alike. */
  restrict() {
    const { logits, allowed } = this;
    for (let first = 0; first < logits.length; first += 32) {
      const word = first >> 5;
      let forbidden = word < allowed.length ? ~allowed[word] : -1;
      if (forbidden === -1) logits.fill(-Infinity, first, first + 32);
      else {
        for (; forbidden; forbidden &= forbidden - 1) {
          const id = first + 31 - Math.clz32(forbidden & -forbidden);
          if (id < logits.length) logits[id] = -Infinity;
        }
      }
    }
  }

  /** @param {number} token that was chosen */
  accept(token) {
    this.matcher.acceptToken(token);
  }

  end() {
    this.matcher.dispose();
    this.compiled.dispose();
  }
}
