/* How both of the bench's transformers.js workers run it: on the bench's own onnxruntime-web and files. */

import { env } from '/transformers/transformers.js'

/** Call before the first model is loaded. Returns onnxruntime-web's settings. */
export function setUp(threads) {
  const { wasm } = env.backends.onnx
  const path = new URL('/vendor/onnxruntime/dist/ort-wasm-simd-threaded', location.href).href
  wasm.wasmPaths = { mjs: `${path}.mjs`, wasm: `${path}.wasm` }
  wasm.numThreads = threads
  env.allowRemoteModels = false
  env.allowLocalModels = true
  env.useBrowserCache = false
  env.useWasmCache = false // it would load the module from a blob, which the bench's policy forbids
  env.localModelPath = '/'
  return wasm
}
