/* The machine's read limit as WASM sees it: each thread reads its own half of a shared memory that
   no cache holds, whose pages were written first (untouched ones all show the same page of zeros). */

const BYTES = 512 << 20
const PASSES = 6

/** Bytes per second that `threads` workers read together: one figure for each of PASSES passes. */
export async function measure(threads) {
  const pages = BYTES / 65536 + 1
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  new Uint32Array(memory.buffer).fill(0x01020304)
  const module = await WebAssembly.compileStreaming(fetch('/read_limit/read_limit.wasm'))
  const share = BYTES / threads
  const workers = Array.from({ length: threads }, () => (
    new Worker(new URL('read_limit_worker.js', import.meta.url), { type: 'module' })))
  const ask = (worker, message) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = event => reject(new Error(event.message))
    worker.postMessage(message)
  })
  const all = make => Promise.all(workers.map((worker, index) => ask(worker, make(index))))
  await all(index => ({ module, memory, from: 65536 + index * share, bytes: share }))
  const rates = []
  for (let pass = 0; pass <= PASSES; pass++) {
    const times = await all(() => 'read')
    const span = Math.max(...times.map(time => time.end)) - Math.min(...times.map(time => time.start))
    if (pass) rates.push(BYTES / (span / 1000)) // the first one warms up
  }
  for (const worker of workers) worker.terminate()
  return rates
}
