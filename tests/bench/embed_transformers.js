/* transformers.js behind the doors of embeddings.py: the pipeline lives in a worker. */

import { doorsOf } from './in_worker.js'

export const { load, generate } = doorsOf('embed_transformers_worker.js')
