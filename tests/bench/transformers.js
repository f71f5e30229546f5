/* transformers.js behind the bench's two doors: the model lives in a worker, as its guide advises. */

import { doorsOf } from './in_worker.js'

export const { load, generate } = doorsOf('transformers_worker.js')
