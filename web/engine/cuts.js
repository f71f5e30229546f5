// @ts-check
/**
 * How each family of byte-level vocabularies cuts text before merging, by the name in
 * `tokenizer.ggml.pre`. Source of the names and expressions: llama.cpp, src/llama-vocab.cpp.
 */

/**
 * `whole_words`: a piece that is a word of the vocabulary is taken without merging.
 * @typedef {{splits: string[], whole_words?: boolean, normalizer?: string}} Rule
 */

// Rust and llama.cpp read \s as the Unicode property; JavaScript's own \s differs at U+0085, U+FEFF.
/** @param {string} text */
const wide = (text) => text
  .replaceAll(String.raw`\S`, String.raw`\P{White_Space}`)
  .replaceAll(String.raw`\s`, String.raw`\p{White_Space}`);

const SPACES = String.raw`\s+(?!\S)|\s+`;
const LINES = String.raw`\s*[\r\n]+|${SPACES}`;
const ENDINGS = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
const GPT_2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|${SPACES}`;

/** @param {string} digits how many digits make one piece */
const cased = (digits) => (
  String.raw`${ENDINGS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${LINES}`);

/**
 * Words change where a small letter is followed by a capital.
 * @param {string} ending
 * @param {string} digits
 */
const humped = (ending, digits) => (
  String.raw`[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+${ending}|`
  + String.raw`[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*${ending}|`
  + String.raw`\p{N}${digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${LINES}`);

const MARKED = String.raw`${ENDINGS}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|`
  + String.raw` ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${LINES}`;
// Between U+0800 and U+4E00 lie spaces, which llama.cpp does not count here.
const CJK = String.raw`(?:(?!\s)[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF])+`;
// Letters that have a large and a small form, as deepseek-llm lists them.
const LETTERS = String.raw`A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293`
  + String.raw`\u0295-\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C`
  + String.raw`\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5`
  + String.raw`\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77`
  + String.raw`\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59`
  + String.raw`\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC`
  + String.raw`\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107`
  + String.raw`\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139`
  + String.raw`\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE`
  + String.raw`\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E`
  + String.raw`\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\u{10400}-\u{1044F}`
  + String.raw`\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}`
  + String.raw`\u{118A0}-\u{118DF}\u{1E900}-\u{1E943}`;
const DEEPSEEK_3 = [
  String.raw`\p{N}{1,3}`,
  String.raw`[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+`,
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
    + String.raw`[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|${LINES}`,
];

/** @type {[string, Rule][]} names of families, and their rule */
const FAMILIES = [
  ["gpt-2 phi-2 mpt olmo jais trillion granite-docling", { splits: [GPT_2] }],
  ["smollm starcoder refact command-r codeshell exaone minerva-7b",
    { splits: [String.raw`\p{N}`, GPT_2] }],
  ["llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2",
    { splits: [cased("{1,3}")], whole_words: true }],
  ["dbrx smaug-bpe glm4 chatglm-bpe", { splits: [cased("{1,3}")] }],
  ["qwen2", { splits: [cased("")], normalizer: "NFC" }],
  ["qwen35", { splits: [MARKED], normalizer: "NFC" }],
  ["deepseek-r1-qwen stablelm2 hunyuan", { splits: [cased("")] }],
  ["deepseek-llm", { splits: [
    String.raw`[\r\n]`,
    String.raw`\s?[${LETTERS}]+`,
    String.raw`\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3001\u3002]+`,
    String.raw`\s+$`,
    CJK,
    String.raw`\p{N}+`,
  ] }],
  ["deepseek-coder", { splits: [
    String.raw`[\r\n]`, String.raw`\s?\p{L}+`, String.raw`\s?\p{P}+`, CJK, String.raw`\p{N}`] }],
  ["deepseek-v3 hunyuan-dense joyai-llm", { splits: DEEPSEEK_3 }],
  ["tekken", { splits: [humped("", "")], whole_words: true }],
  ["gpt-4o llama4", { splits: [humped(`(?:${ENDINGS})?`, "{1,3}")] }],
  ["falcon", { splits: [String.raw`[\p{P}\$\+<=>\^~\|${"`"}]+`, GPT_2, "[0-9][0-9][0-9]"] }],
  ["default", { splits: [
    String.raw`[\p{P}\$\+<=>\^~\|]+`, GPT_2, String.raw`\p{N}+`, "[0-9][0-9][0-9]"] }],
];

/** @type {Map<string, Rule>} */
export const RULES = new Map(FAMILIES.flatMap(([names, rule]) => (
  names.split(" ").map((name) => [name, { ...rule, splits: rule.splits.map(wide) }]))));
