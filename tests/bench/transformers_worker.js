/* transformers.js on its WASM device: its own loading and its own greedy generation, on the graph of
   py/onglet_build/onnx_model.py. Its web build asks for onnxruntime-web by name; the bench serves a
   copy with the names replaced by addresses (py/onglet_build/bench/peers.py). */

import { AutoModelForCausalLM, Tensor } from '/transformers/transformers.js'
import { answer } from './in_worker.js'
import { setUp } from './transformers_setup.js'

let model = null

/** Loads the graph; resolves to {load_seconds, threads}. */
async function load({ threads }) {
  const wasm = setUp(threads)
  const started = performance.now()
  model = await AutoModelForCausalLM.from_pretrained('onnx', { device: 'wasm', dtype: 'q4' })
  return { load_seconds: (performance.now() - started) / 1000, threads: wasm.numThreads }
}

/** One greedy answer of `answer_tokens` tokens after a first one, which belongs to the prefill. */
async function generate({ tokens, answer_tokens }) {
  const dims = [1, tokens.length]
  const moments = []
  const streamer = { put: () => moments.push(performance.now()), end() {} }
  const started = performance.now()
  await model.generate({
    inputs: new Tensor('int64', BigInt64Array.from(tokens, BigInt), dims),
    attention_mask: new Tensor('int64', new BigInt64Array(tokens.length).fill(1n), dims),
    max_new_tokens: answer_tokens + 1, min_new_tokens: answer_tokens + 1, do_sample: false,
    eos_token_id: null, streamer })
  const [, first] = moments // the streamer is given the prompt before the answer
  return { prompt_tokens: tokens.length, prefill_seconds: (first - started) / 1000,
    answer_tokens: moments.length - 2, decode_seconds: (moments.at(-1) - first) / 1000 }
}

answer({ load, generate })
