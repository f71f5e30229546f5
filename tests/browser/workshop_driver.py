"""Starts the workshop in the built site's page, without the app; gives it jobs or Python."""

import base64
import json

START = """([threads]) => {
  const site = JSON.parse(document.getElementById('site').textContent)
  const root = new URL('./', document.baseURI).href
  const worker = new Worker(root + site.code + 'workshop/worker.js', { type: 'module' })
  worker.postMessage({ kind: 'start', root, places: site.workshop, threads })
  worker.addEventListener('message', ({ data }) => {
    if (data.kind === 'need') worker.postMessage({ kind: 'stored', group: data.group })
  })
  let count = 0
  const ask = (job, given, file) => new Promise((resolve) => {
    const id = ++count
    worker.addEventListener('message', ({ data }) => {
      if (data.id !== id) return
      if (data.kind === 'progress') workshop.progress.push(data.value)
      else resolve(data)
    })
    worker.postMessage({ kind: 'do', id, job, arguments: given, file })
  })
  globalThis.workshop = { worker, progress: [], ask }
}"""
ASK = """([job, given, name, text]) => {
  const bytes = text && Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  return workshop.ask(job, given, bytes && new File([bytes], name))
}"""
WRAPPED = """
import json
async def body():
{body}
json.dumps(await body())
"""


class Workshop:
    def __init__(self, page, threads: int = 2):
        self.page = page
        with page.expect_event("worker", lambda worker: "/workshop/" in worker.url) as begun:
            page.evaluate(START, [threads])
        self.worker = begun.value

    def ask(self, job: str, name: str = "", data: bytes | None = None, **given) -> dict:
        """Does a job, on a file of that name; returns its `done` or `failed` message."""
        given |= {"name": name} if name else {}
        text = base64.b64encode(data).decode() if data is not None else None
        return self.page.evaluate(ASK, [job, given, name, text])

    def python(self, body: str, **values):
        """Runs the body of an async Python function in the workshop; returns what JSON carries."""
        given = [f"{name} = json.loads({json.dumps(value)!r})" for name, value in values.items()]
        lines = [*given, *body.strip().splitlines()]
        script = WRAPPED.replace("{body}", "".join(f"    {line}\n" for line in lines))
        done = self.ask("embed", texts=[])  # Python is awake then
        assert done["kind"] == "done", done
        self.worker.evaluate("() => workbench.numpy()")
        return json.loads(self.worker.evaluate("(code) => pyodide.runPythonAsync(code)", script))
