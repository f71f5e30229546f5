// Reads {code, files: [{header, tables, lines}]} from its standard input and prints, as JSON, for
// each file the ids of each line and the text that they give back, or why it was refused.
import fs from "node:fs";

const { code, files } = JSON.parse(fs.readFileSync(0, "utf8"));
const { Tokens } = await import(`${code}/engine/tokens.js`);

const built = ({ header, tables }) => {
  const steps = Tokens.build(new Uint8Array(fs.readFileSync(header)), tables);
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
};
const answer = (file) => {
  const tokens = built(file);
  const ids = file.lines.map((line) => tokens.encode(line));
  const text = (list) => Buffer.concat(list.map((id) => tokens.bytes(id))).toString("utf8");
  return { ids, texts: ids.map(text) };
};
console.log(JSON.stringify(files.map((file) => {
  try {
    return answer(file);
  } catch (failure) {
    return { code: failure.code, values: failure.values };
  }
})));
