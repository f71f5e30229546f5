/* The graph of py/onglet_build/bench/encoder_graph.py on onnxruntime-web's WASM build, its weights
   made float32 when it is opened. It is given tokens, so it does not cut text itself. */

import * as ort from '/vendor/onnxruntime/dist/ort.wasm.min.mjs'
import { answer } from './in_worker.js'
import { batches } from './length_sorted.js'

const WIDTH = 384
let session = null

/** Opens the graph; resolves to {load_seconds}. */
async function load({ threads }) {
  ort.env.wasm.wasmPaths = new URL('/vendor/onnxruntime/dist/', location.href).href
  ort.env.wasm.numThreads = threads
  ort.env.logLevel = 'error'
  const started = performance.now()
  const bytes = new Uint8Array(await (await fetch('/encoder/onnx/model.onnx')).arrayBuffer())
  const extra = { session: { disable_quant_qdq: '1' } }
  session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'], extra })
  return { load_seconds: (performance.now() - started) / 1000 }
}

/** The vectors of texts, given as tokens, and how long they took. */
async function generate({ ids }) {
  const started = performance.now()
  const vectors = new Float32Array(ids.length * WIDTH)
  for (const batch of batches(ids.map(({ length }) => length))) {
    const means = await run(batch.map(number => ids[number]))
    batch.forEach((number, row) => vectors.set(means[row], number * WIDTH))
  }
  return { seconds: (performance.now() - started) / 1000, vectors: [...vectors] }
}

async function run(ids) {
  const longest = ids[0].length
  const dims = [ids.length, longest]
  const tokens = new BigInt64Array(ids.length * longest)
  const mask = new BigInt64Array(ids.length * longest)
  ids.forEach((each, row) => {
    tokens.set(BigInt64Array.from(each, BigInt), row * longest)
    mask.fill(1n, row * longest, row * longest + each.length)
  })
  const outputs = await session.run({
    input_ids: new ort.Tensor('int64', tokens, dims),
    attention_mask: new ort.Tensor('int64', mask, dims) })
  const states = outputs.last_hidden_state.data
  return ids.map((each, row) => mean(states.subarray(row * longest * WIDTH), each.length))
}

function mean(states, count) {
  const total = new Float32Array(WIDTH)
  for (let at = 0; at < count * WIDTH; at++) total[at % WIDTH] += states[at]
  const length = Math.hypot(...total)
  return total.map(value => value / length)
}

answer({ load, generate })
