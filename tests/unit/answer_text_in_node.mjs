// Reads {code, cases: [{stops, pieces (lists of bytes)}]}; prints what came out after each piece, what
// came at the end, and whether a stop string was met.
import fs from "node:fs";

const { code, cases } = JSON.parse(fs.readFileSync(0, "utf8"));
const { AnswerText } = await import(`${code}/engine/answer_text.js`);
console.log(JSON.stringify(cases.map(({ stops, pieces }) => {
  const text = new AnswerText(stops);
  const out = pieces.map((piece) => text.push(Uint8Array.from(piece)));
  return { out, end: text.finish(), stopped: text.stopped };
})));
