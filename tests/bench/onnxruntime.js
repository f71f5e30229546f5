/* onnxruntime-web behind the bench's two doors: the session lives in a worker. */

import { doorsOf } from './in_worker.js'

export const { load, generate } = doorsOf('onnxruntime_worker.js')
