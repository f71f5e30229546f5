// @ts-check
/**
 * Carries a model file's bytes into shared memory as they arrive: through a small ring, as jobs
 * that the pool repacks into the kernels' layout. There is never a second whole copy.
 * Knows nothing about where the bytes come from or what a weight is for.
 *
 * The ring is cut into equal slots, one job each. Jobs finish in order, so job n may take its slot
 * as soon as job n - slots is done.
 */
import { Failure } from "../files/failure.js";

/** @typedef {import("./kernels.js").Kernels} Kernels */
/** @typedef {import("./kernels.js").Weight} Weight */

const BLOCK_ROWS = 8; // the kernels repack whole blocks of rows
const SLOT = 256 << 10; // small enough that the pool starts early, big enough to hide a job's cost

export class WeightStream {
  /** @param {Kernels} kernels */
  constructor(kernels) {
    this.kernels = kernels;
    this.weights = kernels.program.weights;
    const { ring, ring_bytes } = kernels.program.fields;
    this.ring = ring;
    this.slot = Math.max(SLOT, ...this.weights.map((weight) => blockBytes(weight)));
    this.slots = Math.floor(ring_bytes / this.slot);
    if (this.slots < 1) throw new Failure("too_big", { need: this.slot, limit: ring_bytes });
    this.position = 0; // in the file
    this.weight = 0; // index of the one being filled
    this.row = 0; // its first row in the current slot
    this.filled = 0; // bytes in the current slot
    this.jobs = 0;
  }

  /**
   * Takes the next bytes of the file.
   * @param {Uint8Array} bytes
   */
  push(bytes) {
    let at = 0;
    while (at < bytes.length && this.weight < this.weights.length) {
      const here = this.position + at;
      const start = this.weights[this.weight].source;
      const used = here < start ? Math.min(start - here, bytes.length - at) : this.fill(bytes, at);
      at += used;
    }
    this.position += bytes.length;
  }

  /** Waits until every job is done. */
  finish() {
    this.kernels.awaitJobs(this.jobs);
  }

  get complete() {
    return this.weight === this.weights.length;
  }

  /** How many bytes the file must have. */
  get end() {
    const last = this.weights[this.weights.length - 1];
    return last.source + last.bytes;
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} at
   * @returns {number} how many bytes went into the current slot
   */
  fill(bytes, at) {
    const weight = this.weights[this.weight];
    const rows = this.rowsInSlot(weight);
    const need = rows * rowBytes(weight);
    if (this.filled === 0) this.kernels.awaitJobs(this.jobs - this.slots + 1);
    const used = Math.min(need - this.filled, bytes.length - at);
    const address = this.slotAddress();
    this.kernels.bytes.set(bytes.subarray(at, at + used), address + this.filled);
    this.filled += used;
    if (this.filled === need) this.post(weight, rows, address);
    return used;
  }

  /**
   * @param {Weight} weight
   * @param {number} rows
   * @param {number} address
   */
  post(weight, rows, address) {
    this.kernels.postRepack(weight, rows, this.row, address);
    this.jobs++;
    this.filled = 0;
    this.row += rows;
    if (this.row < weight.rows) return;
    this.row = 0;
    this.weight++;
  }

  /** @param {Weight} weight */
  rowsInSlot(weight) {
    const rows = Math.floor(this.slot / blockBytes(weight)) * BLOCK_ROWS;
    return Math.min(rows, weight.rows - this.row);
  }

  slotAddress() {
    return this.ring + (this.jobs % this.slots) * this.slot;
  }
}

/** @param {Weight} weight */
const rowBytes = (weight) => weight.bytes / weight.rows;
/** @param {Weight} weight */
const blockBytes = (weight) => BLOCK_ROWS * rowBytes(weight);
