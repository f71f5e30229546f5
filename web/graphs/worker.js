/**
 * Runs ONNX graphs with onnxruntime-web. Takes bytes, or the name of a graph of the site's own
 * table, whose hash it checks; a graph never makes it fetch anything. Knows no model.
 *
 * Requests: `load` (`bytes` or `name`), `run` (`session`, `feeds`), `close` (`session`). A tensor is
 * `{type, shape, data}`: `data` an ArrayBuffer, or a list of texts for the type `string`.
 */
import { sha256 as hashOf } from "../files/store.js";

/** @type {Promise<any>} */ let library;
/** @type {string} */ let root;
/** @type {import("../workshop/worker.js").Places} */ let places;
/** @type {Map<number, any>} */ const sessions = new Map();
let count = 0;

/** @type {Record<string, any>} type of a tensor -> how its bytes are read */
const VIEWS = {
  float32: Float32Array, float64: Float64Array, float16: Uint16Array, bool: Uint8Array,
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array,
};

/** @type {Record<string, (message: any) => Promise<any>>} */
const REQUESTS = { load, run, close };

/** Our own graph's weights are made float32 when it is opened, not in every run. */
const WIDENED = { session: { disable_quant_qdq: "1" } };

/** Of one session at a time: onnxruntime-web runs one graph after the other. */
let turn = Promise.resolve();

self.onmessage = ({ data }) => {
  if (data.kind === "start") {
    ({ root, places } = data);
    library = start(data.threads);
  } else {
    turn = turn.then(() => answer(data));
  }
};

async function answer(/** @type {any} */ message) {
  const { id, kind } = message;
  try {
    const value = await REQUESTS[kind](message);
    self.postMessage({ id, value }, buffersIn(value));
  } catch (error) {
    const reason = String(/** @type {any} */ (error)?.message ?? error);
    self.postMessage({ id, error: { code: "graph_failed", values: { reason } } });
  }
}

async function start(/** @type {number} */ threads) {
  const folder = root + places.onnxruntime;
  const ort = await import(`${folder}ort.wasm.min.mjs`);
  ort.env.wasm.wasmPaths = folder;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  return ort;
}

/** @param {{name?: string, bytes?: ArrayBuffer}} source */
async function load({ name, bytes }) {
  const ort = await library;
  const graph = name ? await graphOf(name) : bytes;
  const session = await ort.InferenceSession.create(new Uint8Array(/** @type {ArrayBuffer} */ (graph)), {
    executionProviders: ["wasm"],
    extra: name ? WIDENED : {},
  });
  sessions.set(++count, session);
  return { session: count, inputs: described(session.inputMetadata), outputs: described(session.outputMetadata) };
}

/** A graph of the site, when its bytes are the ones that the build saw. */
async function graphOf(/** @type {string} */ name) {
  const { path, sha256 } = places.graphs[name];
  const response = await fetch(root + path);
  if (!response.ok) throw new Error(`${response.status} for ${path}`);
  const bytes = await response.arrayBuffer();
  if ((await hashOf(new Uint8Array(bytes))) !== sha256) throw new Error(`${path} has another hash than the build saw`);
  return bytes;
}

const described = (/** @type {any[]} */ values) => values.map(({ name, type, shape }) =>
  ({ name, type: type ?? "", shape: (shape ?? []).map((/** @type {any} */ size) => typeof size === "bigint" ? Number(size) : size) }));

/** @param {{session: number, feeds: Record<string, any>}} request */
async function run({ session, feeds }) {
  const ort = await library;
  const tensors = Object.entries(feeds).map(([name, { type, shape, data }]) => {
    const values = type === "string" ? data : new VIEWS[type](data);
    return [name, new ort.Tensor(type, values, shape)];
  });
  const found = await sessionOf(session).run(Object.fromEntries(tensors));
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, plain(tensor)]));
}

/** A tensor of onnxruntime as one that can be sent. */
function plain(/** @type {any} */ { type, dims, data }) {
  const list = type === "string";
  // What lies in the library's own memory may not be given away.
  const own = list ? data : data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  return { type, shape: [...dims], data: own };
}

const buffersIn = (/** @type {any} */ value) =>
  Object.values(value ?? {}).map((tensor) => tensor?.data).filter((data) => data instanceof ArrayBuffer);

async function close(/** @type {{session: number}} */ { session }) {
  await sessionOf(session).release();
  sessions.delete(session);
}

function sessionOf(/** @type {number} */ number) {
  const session = sessions.get(number);
  if (!session) throw new Error("that session is closed");
  return session;
}

export {}; // a module: its names are its own
