// @ts-check
/**
 * The threads of the engine: chooses the build of the kernels that this browser can run, compiles
 * it, and keeps the kernel workers. Everything that needs no model starts before there is one.
 * Knows nothing about what the kernels compute.
 */
import { Failure } from "../files/failure.js";
import { Kernels } from "./kernels.js";

/** @typedef {import("./kernels.js").Program} Program */
/** @typedef {"relaxed"|"plain"} Variant */
/**
 * @typedef {object} Options
 * @property {number} threads
 * @property {Variant} variant
 * @property {(thread: number) => string} lock name of the Web Lock of a kernel worker
 * @property {(lock: string) => void} alive
 * @property {(lock: string) => void} ended
 */

const PAGE = 65536;
const MOST_PAGES = 65536; // 4 GiB, what 32-bit addresses reach
const MOST_THREADS = 8;

// A function of one instruction, i32x4.relaxed_dot_i8x16_i7x16_add_s on three zero vectors.
const RELAXED = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0,
  65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 147, 2, 11,
);

/** @returns {Variant} the faster build that this browser accepts */
export function bestVariant() {
  return WebAssembly.validate(RELAXED) ? "relaxed" : "plain";
}

/** @param {number|null} wanted */
export function threadCount(wanted) {
  if (!self.crossOriginIsolated) return 1; // memory cannot be sent to another worker
  return Math.max(1, Math.min(wanted ?? navigator.hardwareConcurrency ?? 1, MOST_THREADS));
}

export class Pool {
  /** @param {Options} options */
  constructor({ threads, variant, lock, alive, ended }) {
    this.threads = threads;
    this.alive = alive;
    this.ended = ended;
    this.module = compile(variant);
    this.module.catch(() => {}); // told by build()
    this.members = Array.from({ length: threads - 1 }, (_, index) => {
      const url = new URL("./kernel_worker.js", import.meta.url);
      return { worker: new Worker(url, { type: "module" }), lock: lock(index + 1), running: false };
    });
  }

  /**
   * Lays the program out in a fresh memory and sets every thread on it; the caller is thread 0.
   * @param {Program} program
   * @returns {Promise<Kernels>}
   */
  async build(program) {
    const module = await this.module;
    const memory = allocate(program.memory_bytes);
    new Int32Array(memory.buffer).set(program.words, program.words_address / 4);
    const instance = await WebAssembly.instantiate(module, { env: { memory } });
    const exports = /** @type {any} */ (instance.exports);
    exports.__stack_pointer.value = stackTop(program, 0);
    await Promise.all(this.members.map((_, index) => this.serve(index, module, memory, program)));
    return new Kernels(program, memory, exports, this.threads);
  }

  /**
   * @param {number} index
   * @param {WebAssembly.Module} module
   * @param {WebAssembly.Memory} memory
   * @param {Program} program
   * @returns {Promise<void>} when the worker takes jobs; never if it is ended before
   */
  serve(index, module, memory, program) {
    const member = this.members[index];
    const thread = index + 1;
    const stack = stackTop(program, thread);
    const { worker, lock } = member;
    return new Promise((resolve, reject) => {
      worker.onmessage = () => {
        member.running = true;
        this.alive(lock);
        resolve();
      };
      worker.onerror = () => reject(new Failure("kernel_trap"));
      worker.postMessage({ module, memory, program: program.words_address, thread, stack, lock });
    });
  }

  /** Ends the workers; the memory goes when nobody holds it any more. */
  end() {
    for (const { worker, lock, running } of this.members) {
      if (running) this.ended(lock);
      worker.terminate();
    }
    this.members = [];
  }
}

/**
 * @param {Variant} variant
 * @returns {Promise<WebAssembly.Module>}
 */
async function compile(variant) {
  const url = new URL(`./kernels-${variant}.wasm`, import.meta.url);
  const response = await fetch(url);
  if (response.ok) return WebAssembly.compile(await response.arrayBuffer());
  throw new Failure("download_failed", { url: url.pathname, status: response.status });
}

/**
 * @param {number} bytes
 * @returns {WebAssembly.Memory} zeros, which cost nothing until they are touched
 */
function allocate(bytes) {
  const pages = Math.ceil(bytes / PAGE);
  if (pages > MOST_PAGES) throw new Failure("too_big", { need: bytes, limit: MOST_PAGES * PAGE });
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (error) {
    throw error instanceof RangeError ? new Failure("out_of_memory", { need: bytes }) : error;
  }
}

/**
 * @param {Program} program
 * @param {number} thread
 */
function stackTop({ fields }, thread) {
  return fields.stacks + (thread + 1) * fields.stack_bytes;
}
