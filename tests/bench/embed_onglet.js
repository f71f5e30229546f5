/* The built site's encoder behind the doors of embeddings.py: its own workers, spoken to as the
   workshop does. */

const page = await (await fetch('/site/index.html')).text()
const parsed = new DOMParser().parseFromString(page, 'text/html')
const site = JSON.parse(parsed.getElementById('site').textContent)
const root = new URL('/site/', location.href).href
const { Encoders } = await import(`${root}${site.code}workshop/encoders.js`)
let encoders = null

/** Opens the encoder; resolves to {load_seconds}. */
export async function load({ threads }) {
  const started = performance.now()
  encoders = new Encoders(root, site.workshop.encoder, threads)
  await encoders.tokens('ready')
  return { load_seconds: (performance.now() - started) / 1000 }
}

/** The vectors of texts, one after the other, and how long they took. */
export async function generate({ texts }) {
  const started = performance.now()
  const { value, error } = await encoders.encode(texts, () => {})
  if (error) throw new Error(JSON.stringify(error))
  return { seconds: (performance.now() - started) / 1000, vectors: [...value] }
}
