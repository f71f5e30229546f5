/* wllama behind the bench's two doors. Its own build and settings, but: the given number of
   threads, no GPU, a context that holds the long prompt, and no prompt cache between runs. */

import { Wllama, LoggerWithoutDebug } from '/vendor/wllama/esm/index.min.js'

const CONTEXT = 2048
const COMPAT = new URL('/vendor/wllama-compat/wasm/', location.href).href
let wllama = null

/** Loads the model; resolves to {load_seconds, threads}. */
export async function load({ threads, model, compat }) {
  const quiet = { ...LoggerWithoutDebug, log() {}, warn() {} }
  wllama = new Wllama({ default: '/vendor/wllama/esm/wasm/wllama.wasm' }, { logger: quiet })
  if (compat) delete WebAssembly.Suspending // as in a browser without JSPI: wllama takes the other build
  wllama.setCompat({ worker: `${COMPAT}wllama.js`, wasm: `${COMPAT}wllama.wasm` })
  const started = performance.now()
  await wllama.loadModelFromUrl(new URL(model, location.href).href,
    { n_threads: threads, n_ctx: CONTEXT, n_gpu_layers: 0 })
  return { load_seconds: (performance.now() - started) / 1000, threads: wllama.getNumThreads() }
}

/** One greedy answer of `answer_tokens`; the figures are wllama's own timings. */
export async function generate({ prompt, answer_tokens }) {
  const answer = await wllama.createCompletion({
    prompt, max_tokens: answer_tokens, temperature: 0, ignore_eos: true, cache_prompt: false })
  const { prompt_n, prompt_ms, predicted_n, predicted_ms } = answer.timings
  return { text: answer.choices[0].text, prompt_tokens: prompt_n, prefill_seconds: prompt_ms / 1000,
    answer_tokens: predicted_n, decode_seconds: predicted_ms / 1000 }
}
