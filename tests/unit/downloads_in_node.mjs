// Reads {code, cases} from its standard input and runs the library's real downloads one after the
// other, each case in a folder of its own: {folder, attempts: [{wanted, allowed, room, stop, full}]}.
// `allowed`: hosts; `room`: bytes; `stop`, `full`: bytes after which the person pauses, the disk is
// full. Prints, for each attempt, {sha256 | code, values, first, most, total, files}. Time passes a hundred
// times as fast, so that nobody waits for a connection that is silent.
import fs from "node:fs";

const { code, cases } = JSON.parse(fs.readFileSync(0, "utf8"));
const { Folder } = await import("./private_files.mjs");
const { Failure } = await import(`${code}/files/failure.js`);
const { Download } = await import(`${code}/files/download.js`);

const wait = globalThis.setTimeout;
globalThis.setTimeout = (act, milliseconds, ...rest) => wait(act, milliseconds / 100, ...rest);

let root;
navigator.storage = { getDirectory: async () => root };

async function attempt({ wanted, allowed, room, stop, full }) {
  root.room.left = room ?? Infinity;
  root.room.full = false;
  const told = [];
  const gate = async ({ host }, from) => {
    if (!allowed.includes(host)) throw new Failure(from ? "host_led" : "host_unasked", { host, from: from ?? null });
  };
  const download = new Download(wanted, gate, ({ received, total }) => {
    told.push(received);
    if (received > total) throw new Error("more than there is");
    if (stop && received >= stop) download.stop();
    if (full && received >= full) root.room.full = true;
  });
  const ended = await download.run().then((sha256) => ({ sha256 }), (error) => (
    error instanceof Failure ? { code: error.code, values: error.values } : { code: error.name }));
  const files = [];
  for await (const name of (await root.getDirectoryHandle("onglet-models")).keys()) files.push(name);
  return { ...ended, first: told[0] ?? 0, most: Math.max(0, ...told), files: files.sort() };
}

const results = [];
for (const { folder, attempts } of cases) {
  root = new Folder(folder);
  const done = [];
  for (const one of attempts) done.push(await attempt(one));
  results.push(done);
}
fs.writeSync(1, JSON.stringify(results));
process.exit(0); // connections that are silent would hold it
