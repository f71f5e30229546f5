/**
 * Runs the site's own Pyodide under Node.js for the build: `node pyodide_node.mjs JOB.json`.
 * Three jobs: `compile` (a Python file over a host folder), `snapshot` (the app built, its documents
 * written, the interpreter saved), `sleep` (the interpreter saved with one module in it). Knows no path but those of the job.
 */
import nodeCrypto from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const SITE_PACKAGES = '/lib/python3.14/site-packages'
const job = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const { loadPyodide } = await import(pathToFileURL(`${job.pyodide}/pyodide.mjs`).href)
const jobs = { compile, snapshot, sleep }
try {
  await jobs[job.kind]()
} catch (error) {
  console.error(error.message) // Node would print the line of Pyodide's source, a megabyte
  process.exitCode = 1
}

async function compile() {
  const python = await loadPyodide({ indexURL: job.pyodide, env: job.environment })
  python.mountNodeFS('/host', job.folder)
  python.runPython(readFileSync(job.code, 'utf8'))
}

/** A clock that counts its readings, and no chance: the same sources shall give the same bytes. */
function foresee() {
  let readings = Date.UTC(2026, 0, 1)
  Date.now = () => readings++
  performance.now = () => readings++ - Date.UTC(2026, 0, 1)
  nodeCrypto.randomFillSync = array => {
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).fill(7)
    return array
  }
}

async function snapshot() {
  foresee()
  const python = await loadPyodide({
    indexURL: job.pyodide, stdLibURL: job.stdlib, env: job.environment, _makeSnapshot: true,
  })
  for (const archive of job.archives) {
    python.unpackArchive(new Uint8Array(readFileSync(archive)), 'zip', { extractDir: SITE_PACKAGES })
  }
  python.runPython('import sys, onglet.start; onglet.start.prepare()')
  const [first, ...others] = job.languages
  writeFileSync(`${job.folder}/document.${first}.json`, python.runPython('onglet.start.as_json()'))
  writeFileSync(`${job.folder}/modules.txt`, python.runPython(
    '"\\n".join(sorted(f for m in sys.modules.values() if (f := getattr(m, "__file__", None))))'))
  python.runPython('import gc; gc.collect()')
  writeFileSync(`${job.folder}/snapshot.bin`, python.makeMemorySnapshot())
  for (const language of others) {
    python.runPython(`onglet.start.use_language("${language}")`)
    const text = python.runPython('onglet.start.as_json()')
    writeFileSync(`${job.folder}/document.${language}.json`, text)
  }
}

async function sleep() {
  foresee()
  const python = await loadPyodide({
    indexURL: job.pyodide, stdLibURL: job.stdlib, env: job.environment, _makeSnapshot: true,
  })
  python.globals.set('source', readFileSync(job.module, 'utf8'))
  python.runPython(`
import gc, sys, types
module = sys.modules['${job.name}'] = types.ModuleType('${job.name}')
exec(compile(source, '${job.name}', 'exec'), module.__dict__)
del source, module
gc.collect()`)
  writeFileSync(`${job.folder}/snapshot.bin`, python.makeMemorySnapshot())
}
