/* Greedy decoding of the graph of py/onglet_build/onnx_model.py: keys and values go back in as
   they came out, as transformers.js does it on the WASM backend. */

import * as ort from '/vendor/onnxruntime/dist/ort.wasm.min.mjs'
import { answer } from './in_worker.js'

let session = null

/** Loads the graph; resolves to {load_seconds, threads}. */
async function load({ threads, model }) {
  ort.env.wasm.wasmPaths = new URL('/vendor/onnxruntime/dist/', location.href).href
  ort.env.wasm.numThreads = threads
  ort.env.logLevel = 'error'
  const started = performance.now()
  const bytes = new Uint8Array(await (await fetch(new URL(model, location.href))).arrayBuffer())
  session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] })
  return { load_seconds: (performance.now() - started) / 1000, threads: ort.env.wasm.numThreads }
}

function emptyPast() {
  const names = session.inputNames.filter(name => name.startsWith('past_key_values'))
  const { shape } = session.inputMetadata.find(({ name }) => name === names[0])
  const empty = () => new ort.Tensor('float32', new Float32Array(0), [1, shape[1], 0, shape[3]])
  return Object.fromEntries(names.map(name => [name, empty()]))
}

async function step(tokens, total, past) {
  const ids = BigInt64Array.from(tokens, BigInt)
  const mask = new BigInt64Array(total).fill(1n)
  const outputs = await session.run({ ...past,
    input_ids: new ort.Tensor('int64', ids, [1, tokens.length]),
    attention_mask: new ort.Tensor('int64', mask, [1, total]) })
  for (const name of Object.keys(past)) past[name] = outputs[name.replace('past_key_values', 'present')]
  return best(outputs.logits.data)
}

function best(logits) {
  let found = 0
  for (let token = 1; token < logits.length; token++) if (logits[token] > logits[found]) found = token
  return found
}

/** One greedy answer of `answer_tokens` tokens; the first of them belongs to the prefill. */
async function generate({ tokens, answer_tokens }) {
  const past = emptyPast()
  const started = performance.now()
  const said = [await step(tokens, tokens.length, past)]
  const first = performance.now()
  while (said.length <= answer_tokens)
    said.push(await step(said.slice(-1), tokens.length + said.length, past))
  return { prompt_tokens: tokens.length, prefill_seconds: (first - started) / 1000,
    answer_tokens, decode_seconds: (performance.now() - first) / 1000 }
}

answer({ load, generate })
