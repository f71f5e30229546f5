/* onnxruntime-web behind the bench's two doors: the session lives in a worker. */

const worker = new Worker(new URL('onnxruntime_worker.js', import.meta.url), { type: 'module' })

function call(name, request) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => data.error ? reject(new Error(data.error)) : resolve(data.value)
    worker.onerror = event => reject(new Error(event.message))
    worker.postMessage({ name, request })
  })
}

export const load = request => call('load', request)
export const generate = request => call('generate', request)
