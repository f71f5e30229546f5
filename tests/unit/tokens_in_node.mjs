// Reads {code, header, tables, rules, lines} from its standard input and prints, as JSON, the ids of
// each line, the text its tokens give back, and the splits of each line by each rule.
import fs from "node:fs";

const { code, header, tables, splits, lines } = JSON.parse(fs.readFileSync(0, "utf8"));
const { Tokens } = await import(`${code}/engine/tokens.js`);
const { AnswerText } = await import(`${code}/engine/answer_text.js`);

const file = new Uint8Array(fs.readFileSync(header));
const build = (wanted) => {
  const steps = Tokens.build(file, wanted);
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
};
const tokens = build(tables);
const ids = lines.map((line) => tokens.encode(line));
const shown = ids.map((list) => {
  const text = new AnswerText([]);
  return list.map((id) => text.push(tokens.bytes(id))).join("") + text.finish();
});

const none = { offset: 0, count: 0 };
const bare = { ...tables, tokens: none, merges: none, types: none, unknown: null, special: [] };
const cut = (rule, line) => {
  const { normalizer, pre_tokenizer: split } = build({ ...bare, pre: rule }).coder.library;
  return split(normalizer ? normalizer(line) : line);
};
const pieces = Object.fromEntries(Object.entries(splits).map(([rule, cases]) => (
  [rule, cases.map(([line]) => cut(rule, line))])));

console.log(JSON.stringify({ ids, shown, splits: pieces }));
