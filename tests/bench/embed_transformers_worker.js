/* transformers.js on its WASM device: its own tokenizer, pooling and normalisation, on the graph of
   py/onglet_build/bench/encoder_graph.py (the same runtime: see transformers_worker.js). */

import { pipeline } from '/transformers/transformers.js'
import { answer } from './in_worker.js'
import { batches } from './length_sorted.js'
import { setUp } from './transformers_setup.js'

let encode = null

/** Opens the pipeline; resolves to {load_seconds}. */
async function load({ threads }) {
  setUp(threads)
  const started = performance.now()
  const session_options = { extra: { session: { disable_quant_qdq: '1' } } }
  encode = await pipeline('feature-extraction', 'encoder', { device: 'wasm', dtype: 'fp32', session_options })
  return { load_seconds: (performance.now() - started) / 1000 }
}

/** The vectors of texts and how long they took. */
async function generate({ texts, ids }) {
  const started = performance.now()
  const vectors = texts.map(() => null)
  for (const batch of batches(ids.map(({ length }) => length))) {
    const found = await encode(batch.map(number => texts[number]), { pooling: 'mean', normalize: true })
    found.tolist().forEach((vector, row) => { vectors[batch[row]] = vector })
  }
  return { seconds: (performance.now() - started) / 1000, vectors: vectors.flat() }
}

answer({ load, generate })
