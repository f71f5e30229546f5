/* onnxruntime-web behind the doors of embeddings.py: the session lives in a worker. */

import { doorsOf } from './in_worker.js'

export const { load, generate } = doorsOf('embed_onnxruntime_worker.js')
