"""A hostile model: all that tests/hostile_output.py can say, streamed token by token through the
real page. Only the engine worker is a stand-in, which says the pieces that it is asked for."""

import json
import os
import shutil

import pytest

from onglet.browser import safe
from onglet_build.driver import App
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS
from tests.hostile_output import LARGE, OPEN_ENDED, SHORT

ENGINE = """
const PIECES = @pieces@
const TEMPLATE = '{% for message in messages %}|{{ message.content }}{% endfor %}'
const loaded = { kind: 'loaded', card: { name: 'Hostile', sha256: null, file_bytes: 1 },
  chat_template: TEMPLATE, special_tokens: { bos: '', eos: '' }, threads: 1, backend: 'wasm-plain',
  isolated: true, context: 100000, seconds: 0, memory_bytes: 0 }
const turn = () => new Promise(resolve => setTimeout(resolve, 0))
let port
const reply = message => { port.postMessage(message); self.postMessage(message) }
async function say({ id, prompt }) {
  const text = PIECES[Number(/\\d+$/.exec(prompt)[0])]
  const letters = Array.from(text)
  const step = 3 + Math.floor(letters.length / 500)
  for (let at = 0; at < letters.length; at += step) {
    const text = letters.slice(at, at + step).join('')
    reply({ kind: 'tokens', id, text, count: 1 })
    if (at % (step * 20) === 0) await turn()
  }
  reply({ kind: 'done', id, reason: 'stop', prompt_tokens: 1, reused_tokens: 0,
    answer_tokens: 1, prefill_seconds: 0, decode_seconds: 0, prefill_tokens_per_second: 0,
    decode_tokens_per_second: 0, context_used: 1, context: 100000 })
}
function receive(message) {
  if (message.kind === 'load') reply({ ...loaded, id: message.id })
  if (message.kind === 'generate') say(message)
}
self.onmessage = ({ data }) => {
  if (data.kind !== 'start') return
  port = data.port
  port.onmessage = event => receive(event.data)
  if (data.load) receive(data.load)
}
"""
FOUND = """() => {
  const found = new Set()
  const walk = root => root.querySelectorAll('*').forEach(element => {
    if (element.shadowRoot) walk(element.shadowRoot)
    if (!element.closest('.block') || element.closest('button')) return
    found.add(element.localName)
    for (const { name } of element.attributes) found.add(`${element.localName} ${name}`)
  })
  walk(document)
  return [...found]
}"""
OWN = {"div", "div class", "pre tabindex"}  # of the frame of code


# In the full run each piece comes alone, plain and inside others.
FRAMES = ("{}", "> - {}", "| a |\n|---|\n| {} |") if os.environ.get("ONGLET_FULL") else ()


def answers() -> list[str]:
    """What can stand side by side shares an answer; what swallows what follows comes alone."""
    alone = [frame.replace("{}", piece) for frame in FRAMES for piece in SHORT]
    if alone:
        return [*alone, *LARGE, *OPEN_ENDED]
    together = ["\n\n".join(SHORT[start : start + 12]) for start in range(0, len(SHORT), 12)]
    return [*together, *LARGE, *OPEN_ENDED]


@pytest.fixture
def hostile(site, tmp_path):
    """The site with an engine that says what it is asked for."""
    (engine,) = site.glob("a/*/engine")
    shutil.copytree(engine, tmp_path / "engine")
    stand_in = ENGINE.replace("@pieces@", json.dumps(answers()))
    (tmp_path / "engine/worker.js").write_text(stand_in)
    folder = f"/{engine.relative_to(site).as_posix()}/"
    with Loopback({folder: tmp_path / "engine", "/": site}, headers=HEADERS) as running:
        yield running


def test_hostile_output_is_only_text(new_context, hostile, watch):
    page = new_context(hostile).new_page()
    page.add_init_script("globalThis.alert = () => { globalThis.pwned = 1 }")
    app = App(page, hostile.origin + "/").open().wait_live().wait_model()
    for number in range(len(answers())):
        app.ask(str(number))
        assert page.evaluate("() => globalThis.pwned ?? null") is None, number
        allowed = {f"{tag} {name}" for tag, names in safe.ATTRIBUTES.items() for name in names}
        assert set(page.evaluate(FOUND)) <= safe.TAGS | allowed | OWN, number
        page.locator("[data-key=new]").click()
    assert page.locator("#question").is_visible()
    assert page.evaluate("() => policyViolations") == []
    assert app.window()["ledger"]["entries"] == []
    assert watch.off_origin == []
