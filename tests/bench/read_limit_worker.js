/* One reader of read_limit.js. Times are comparable between workers: milliseconds since 1970. */

let read = null

self.onmessage = async ({ data }) => {
  if (data === 'read') {
    const start = performance.timeOrigin + performance.now()
    read()
    self.postMessage({ start, end: performance.timeOrigin + performance.now() })
    return
  }
  const { module, memory, from, bytes } = data
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } })
  read = () => exports.read(from, bytes / 16)
  self.postMessage('ready')
}
