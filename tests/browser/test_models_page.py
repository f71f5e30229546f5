"""The page of models, with files of this disk and a hub on this machine that speaks the protocol of
Hugging Face: nothing is asked before a person agreed, a broken download goes on where it stopped,
a wrong byte is found."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from onglet_build import vendor
from onglet_build.browser import memory_of_pages
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS
from onglet_build.tiny_model import VARIANTS
from onglet_build.tiny_model import write as write_tiny
from tests.faulty_host import READABLE, FaultyHost

pytestmark = pytest.mark.service_worker

MODEL = "org/capital-GGUF"
FILE = "capital-Q4_1.gguf"
PIECE = 4 << 20
TIMES = 20 if os.environ.get("ONGLET_FULL") else 3
WEIGHTS = 90 << 20  # bytes that the weights of the site's model take, at least
LOOKS = 80  # at memory that the system takes back, a quarter of a second apart
LINES = 3  # requests at a time (web/files/download.js)
TRIED = """async (url) => {
  try { await fetch(url); return 'out'; } catch { return 'refused'; }
}"""


@pytest.fixture
def repository(tmp_path) -> Path:
    """The embedded model under another name, so that it is another file than the site's own."""
    data = vendor.model_file().read_bytes().replace(b"general.name", b"general.mane", 1)
    folder = tmp_path / MODEL / "resolve" / "main"
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(data)
    lfs = {"oid": sum_of(data), "size": len(data)}
    rows = [{"type": "file", "path": FILE, "size": 135, "lfs": lfs}]
    rows.append({"type": "file", "path": "README.md", "size": 10})
    tree = tmp_path / "api" / "models" / MODEL / "tree"
    tree.mkdir(parents=True)
    (tree / "main").write_text(json.dumps(rows))
    return tmp_path


@pytest.fixture
def hub(repository, watch):
    with Loopback({"/": repository}, headers=READABLE) as running:
        watch.origins.add(running.origin)
        yield running


@pytest.fixture
def app(open_app, site):
    """The app on a host of its own, after a first visit, with its page of models open."""
    with Loopback({"/": site}, headers=HEADERS) as host:
        app = open_app(host).wait_live().wait_model().wait_stored()
        show_models(app)
        yield app


def show_models(app) -> None:
    app.page.locator("[data-key=page-models]").click()
    app.expect("models.site_model")


def look(app, address: str) -> None:
    app.page.locator("#address-address").fill(address)
    app.press("models.look")


def item(app, name: str):
    """The row of a model or a download."""
    return app.page.locator(".items li").filter(has_text=name)


def test_models_of_hosts_of_the_disk_and_of_a_hub(app, hub, repository, watch, tmp_path, browser):
    """In one profile, as its first visit takes longest."""
    what_a_host_may_answer(app, hub, repository, watch)
    visit_again(app)
    a_file_of_the_disk_is_used_where_it_is(app, tmp_path, browser)
    visit_again(app)
    from_a_hub_to_an_answer(app, hub, repository)


def visit_again(app) -> None:
    app.page.reload(wait_until="commit")
    app.wait_live().wait_model()
    show_models(app)


def what_a_host_may_answer(app, hub, repository, watch) -> None:
    page, files = app.page, repository / MODEL / "resolve" / "main"
    watch.provoked = True
    look(app, f"{hub.origin}/{MODEL}/resolve/main/none.gguf")
    app.press("models.allow")
    page.get_by_text("has no such file").wait_for()
    (files / "page.html").write_text("<!doctype html>" + "x" * 100)
    look(app, f"{hub.origin}/{MODEL}/resolve/main/page.html")
    page.get_by_text("sent a web page instead of a file").wait_for()

    right = (files / FILE).read_bytes()
    wrong = bytearray(right)
    wrong[50_000_000] ^= 1
    (files / FILE).write_bytes(wrong)
    look(app, f"{hub.origin}/{MODEL}/resolve/main/{FILE}")
    app.expect("models.verdict.fits")
    app.press("models.get")
    app.expect("error.wrong_hash")
    item(app, FILE).locator("[data-key=forget]").click()
    page.wait_for_function("() => !document.body.innerText.includes('capital')")
    (files / FILE).write_bytes(right)

    with (
        FaultyHost({FILE: right}) as cdn,
        FaultyHost({FILE: right}, elsewhere=f"http://{cdn.name}") as host,
    ):
        watch.origins |= {f"http://{host.name}", f"http://{cdn.name}"}
        look(app, host.url("leads", FILE))
        app.press("models.allow")
        page.get_by_text(f"passed the request on to {cdn.name}").wait_for()
        last = app.window()["ledger"]["entries"][-1]
        assert (last["host"], last["approved"]) == (cdn.name, None)
        app.press("models.allow")
        app.expect("models.verdict.fits")
        assert app.window()["ledger"]["entries"][-1]["approved"]
        look(app, host.url("shrank", FILE))
        page.get_by_text("is not the one that was expected").wait_for()
        look(app, host.url("busy", FILE))
        page.get_by_text("is busy (status 503)").wait_for()
        look(app, host.url("changes", FILE))
        app.expect("models.verdict.fits")
        app.press("models.get")
        page.get_by_text("is not the one that was expected").wait_for()
        item(app, FILE).locator("[data-key=forget]").click()

    assert page.evaluate(TRIED, f"{hub.origin}/api") == "refused"  # the page itself never gets out
    item(app, f"127.0.0.1:{hub.port}").locator("[data-key=revoke]").click()
    asked = len(hub.log)
    look(app, f"{hub.origin}/{MODEL}")
    page.get_by_text("May this site ask").wait_for()
    assert len(hub.log) == asked


def a_file_of_the_disk_is_used_where_it_is(app, tmp_path, browser) -> None:
    """Picked once, listed, and opened again after a reload; nothing is copied. Models that are
    unloaded give their memory back."""
    page = app.page
    tiny = tmp_path / "tiny-F32.gguf"
    write_tiny(tiny, next(iter(VARIANTS.values())))
    app.page.evaluate(HANDLE, [tiny.name, list(tiny.read_bytes())])
    app.press("model.open")
    page.wait_for_function("() => onglet.loaded.card.width < 576")
    item(app, tiny.name).get_by_text("on your disk").wait_for()
    item(app, tiny.name).locator("[data-key=verify]").click()
    app.expect("models.whole")
    item(app, tiny.name).locator("[data-key=inspect]").click()
    page.get_by_role("cell", name="token_embd.weight").wait_for()
    page.locator("[data-key=close_inside]").first.click()
    page.locator("[data-key=page-chat]").click()
    app.ask("Hello")
    page.locator(".meta").filter(has_text="tiny").wait_for()

    page.reload(wait_until="commit")
    app.wait_live().wait_model()
    page.get_by_text("“tiny” answered in this chat").wait_for()
    app.press("notice.load_before")
    page.wait_for_function("() => onglet.loaded.card.width < 576")
    page.get_by_text("“tiny” answered in this chat").wait_for(state="detached")
    page.reload(wait_until="commit")
    app.wait_live().wait_model()
    page.locator("[data-key=page-models]").click()
    page.locator("[data-key=inspect_loaded]").click()
    page.get_by_role("img", name="32 columns").wait_for()
    page.get_by_text("{% for message in messages %}").wait_for()
    page.locator("[data-key=close_inside]").first.click()
    item(app, tiny.name).locator("[data-key=use]").click()
    page.wait_for_function("() => onglet.loaded.card.width < 576")
    assert page.evaluate(KEPT) == 1  # the site's own model

    app.press("models.unload")
    app.expect("models.none")
    app.press("model.site")
    page.get_by_text("SmolLM2 135M", exact=False).first.wait_for()
    check_memory(app, browser)
    item(app, tiny.name).locator("[data-key=delete]").click()
    item(app, tiny.name).locator("[data-key=delete_now]").click()
    item(app, tiny.name).wait_for(state="detached")


def from_a_hub_to_an_answer(app, hub, repository) -> None:
    page, asked, sent = app.page, len(hub.log), hub.sent
    app.press("models.show_all")
    item(app, "Qwen3 4B").locator("[data-key=weigh]").click()
    page.get_by_text("May this site ask huggingface.co").wait_for()
    page.wait_for_function(SEEN, arg="[data-key=allow]")
    app.press("models.decline")
    data = (repository / MODEL / "resolve/main" / FILE).read_bytes()
    look(app, f"{hub.origin}/{MODEL}")
    page.get_by_text(f"May this site ask 127.0.0.1:{hub.port}").wait_for()
    assert len(hub.log) == asked
    app.press("models.allow")
    item(app, FILE).locator("[data-key=choose]").click()
    app.expect("models.verdict.fits")
    assert hub.sent - sent < 9 << 20  # the header, not the file

    hub.slow_part, hub.delay = "/resolve/", 0.1
    before = hub.sent
    app.press("models.get")
    while hub.sent < before + (60 << 20):
        page.wait_for_timeout(50)
    page.reload(wait_until="commit")  # ends the download wherever it is
    app.wait_live().wait_model()
    app.expect("models.downloads")
    hub.slow_part = ""
    item(app, FILE).locator("[data-key=go_on]").click()
    item(app, FILE).locator("[data-key=use]").wait_for()
    fetched = hub.sent - before
    # Only what was not whole came twice, and what lay in the system's buffers.
    assert fetched <= len(data) + 4 * LINES * PIECE
    entries = app.window()["ledger"]["entries"]
    assert {entry["why"] for entry in entries} == {"model"}
    assert all(entry["approved"] and entry["bytes"] for entry in entries)

    item(app, FILE).locator("[data-key=verify]").click()
    app.expect("models.whole")
    item(app, FILE).locator("[data-key=use]").click()
    page.wait_for_function("sum => onglet.loaded.card.sha256 === sum", arg=sum_of(data))
    page.locator("[data-key=page-chat]").click()
    assert "Paris" in app.ask("What is the capital of France?").text


SEEN = """(selector) => {
  const deep = (root) => root.querySelector(selector)
    ?? [...root.querySelectorAll('*')]
      .map((one) => one.shadowRoot && deep(one.shadowRoot)).find(Boolean)
  const place = deep(document).getBoundingClientRect()
  return place.top >= 0 && place.bottom <= innerHeight
}"""


def check_memory(app, browser) -> None:
    """The site's model is unloaded and loaded again some times."""
    left = []
    for _ in range(TIMES):
        app.page.locator("[data-key=unload]").wait_for()
        full = memory_of_pages(browser)
        app.press("models.unload")
        app.expect("models.none")
        for _ in range(LOOKS):
            if (empty := memory_of_pages(browser)) < full - WEIGHTS:
                break
            app.page.wait_for_timeout(250)
        assert empty < full - WEIGHTS
        left.append(empty)
        app.press("model.site")
    assert left[-1] <= 1.1 * left[0]
    app.page.locator("[data-key=unload]").wait_for()


# A real handle to a real file, which a headless browser's dialog cannot give.
HANDLE = """async ([name, bytes]) => {
  const root = await navigator.storage.getDirectory()
  const handle = await root.getFileHandle(name, {create: true})
  const stream = await handle.createWritable()
  await stream.write(new Uint8Array(bytes))
  await stream.close()
  globalThis.showOpenFilePicker = async () => [handle]
}"""
KEPT = """async () => {
  const root = await navigator.storage.getDirectory()
  let models = 0
  for await (const name of (await root.getDirectoryHandle('onglet-models')).keys()) {
    if (name.length === 64) models++
  }
  return models
}"""


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
