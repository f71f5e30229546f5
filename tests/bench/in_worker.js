/* The bench's two doors, `load` and `generate`, when they lie in a worker: both halves. */

/** On the page: the doors of the worker in `file`. */
export function doorsOf(file) {
  const worker = new Worker(new URL(file, import.meta.url), { type: 'module' })
  const call = (name, request) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => data.error ? reject(new Error(data.error)) : resolve(data.value)
    worker.onerror = event => reject(new Error(event.message))
    worker.postMessage({ name, request })
  })
  return { load: request => call('load', request), generate: request => call('generate', request) }
}

/** In the worker: answers the page's calls with `doors`. */
export function answer(doors) {
  self.onmessage = async ({ data: { name, request } }) => {
    try {
      self.postMessage({ value: await doors[name](request) })
    } catch (error) {
      self.postMessage({ error: String(error) })
    }
  }
}
