// Reads {code, logits, count, token}; prints what is told of the token that was taken.
import fs from "node:fs";

const { code, logits, count, token } = JSON.parse(fs.readFileSync(0, "utf8"));
const { Choices } = await import(`${code}/engine/choices.js`);
const fields = { logits: 8 };
const kernels = { floats: Float32Array.from([0, 0, ...logits]) };
const tokens = { bytes: (id) => id ? new TextEncoder().encode(`é${id}`) : [], text: () => "<end>" };
const program = { fields, vocabulary: logits.length };
const choices = new Choices({ kernels, tokens, prepared: { program } }, count);
choices.look();
kernels.floats.fill(0); // as choosing a token does
console.log(JSON.stringify(choices.told(token)));
