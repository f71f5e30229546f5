// @ts-check
/**
 * One thread of the pool: an instance of the kernels on the shared memory that takes jobs until it
 * is stopped. It holds a Web Lock for life, so that the page learns at once when it is gone.
 * Knows nothing about models or messages.
 */

/**
 * @typedef {object} Start
 * @property {WebAssembly.Module} module
 * @property {WebAssembly.Memory} memory
 * @property {number} program address of the program's words
 * @property {number} thread
 * @property {number} stack where this thread's stack begins (it grows down)
 * @property {string} lock
 */

self.onmessage = ({ data }) => {
  const start = /** @type {Start} */ (data);
  const run = () => serve(start);
  if (navigator.locks) navigator.locks.request(start.lock, run);
  else run();
};

/**
 * Blocks this worker for good; a trap ends it and so frees its lock.
 * @param {Start} start
 */
function serve({ module, memory, program, thread, stack }) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const kernels = /** @type {any} */ (exports);
  kernels.__stack_pointer.value = stack;
  self.postMessage("ready");
  kernels.serve(program, thread);
}
