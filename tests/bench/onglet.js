/* The built site's engine behind the bench's two doors: its own worker, kernels and prepared model,
   spoken to as the app does (docs/protocols.md section 5). */

const page = await (await fetch('/site/index.html')).text()
const parsed = new DOMParser().parseFromString(page, 'text/html')
const site = JSON.parse(parsed.getElementById('site').textContent)
const root = new URL('/site/', location.href).href
const channel = new MessageChannel()
const asked = new Map()
let last = 0

channel.port1.onmessage = ({ data }) => {
  const request = asked.get(data.id)
  if (data.kind === 'tokens') request.text += data.text
  if (data.kind === 'failed') request.reject(new Error(JSON.stringify(data)))
  if (data.kind === 'loaded' || data.kind === 'done') request.resolve({ ...data, text: request.text })
}

function ask(message) {
  const id = ++last
  return new Promise((resolve, reject) => {
    asked.set(id, { resolve, reject, text: '' })
    channel.port1.postMessage({ ...message, id })
  })
}

/** Starts the worker and loads the site's model, or another prepared one; resolves to
    {load_seconds, threads, variant, memory_bytes}. */
export async function load({ threads, model, variant = null }) {
  const started = performance.now()
  const worker = new Worker(`${root}${site.code}engine/worker.js`, { type: 'module' })
  const nonce = crypto.randomUUID()
  worker.postMessage({ kind: 'start', port: channel.port2, load: null, threads, variant, root, nonce },
    [channel.port2])
  const loaded = await ask({ kind: 'load', source: { kind: 'site', path: model ?? site.model.path }, context: null })
  return { load_seconds: (performance.now() - started) / 1000, threads: loaded.threads,
    variant: loaded.backend, memory_bytes: loaded.memory_bytes }
}

/** One greedy answer of at most `answer_tokens`; the figures are the engine's own. */
export async function generate({ prompt, answer_tokens }) {
  const sampling = { temperature: 0, top_k: 1, top_p: 1, min_p: 0, repeat_penalty: 1,
    repeat_last_n: 0, seed: 1 }
  const done = await ask({ kind: 'generate', prompt, stop: [], sampling, max_tokens: answer_tokens })
  const evaluated = done.prompt_tokens - done.reused_tokens
  return { text: done.text, prompt_tokens: done.prompt_tokens,
    prefill_seconds: done.prefill_seconds * done.prompt_tokens / evaluated,
    answer_tokens: done.answer_tokens, decode_seconds: done.decode_seconds }
}
