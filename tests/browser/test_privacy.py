"""The privacy page: what left, what is stored, delete everything; and the way between pages."""

import json
from pathlib import Path

import pytest

from onglet.words import TABLES
from onglet_build.driver import App

pytestmark = pytest.mark.service_worker

ENGLISH = TABLES["en"]
WHAT_IS_LEFT = """async () => ({
  caches: await caches.keys(),
  workers: (await navigator.serviceWorker.getRegistrations()).length,
  databases: (await indexedDB.databases()).map(({ name }) => name),
  files: await Array.fromAsync((await navigator.storage.getDirectory()).keys()),
  settings: Object.keys(localStorage).concat(Object.keys(sessionStorage)),
})"""
LEAVE_TRACES = """async () => {
  localStorage.setItem('onglet.settings', '{"theme": "light"}')
  const root = await navigator.storage.getDirectory()
  const folder = await root.getDirectoryHandle('onglet-test', { create: true })
  const stream = await (await folder.getFileHandle('x', { create: true })).createWritable()
  await stream.write('1234567')
  await stream.close()
  await new Promise(done => { indexedDB.open('onglet-test').onsuccess = event => {
    event.target.result.close(); done() } })
}"""


def cells(page) -> list[list[str]]:
    rows = page.locator("tbody tr").all()
    return [row.locator("td").all_inner_texts() for row in rows]


def open_privacy(app: App) -> None:
    app.page.locator("[data-key=page-privacy]").click()
    app.page.get_by_role("heading", name=ENGLISH["privacy.heading"]).wait_for()


def test_pages_are_reached_by_rail_address_and_sheet(open_app, server):
    app = open_app(server).wait_live()
    heading = app.page.get_by_role("heading", name=ENGLISH["privacy.heading"])
    open_privacy(app)
    assert app.page.url.endswith("#privacy")
    assert app.page.locator("#question").is_hidden()
    assert app.page.locator("[data-key=page-privacy]").get_attribute("aria-current") == "page"
    app.page.go_back()
    app.page.locator("#question").wait_for()
    assert heading.is_hidden()
    app.page.locator("[data-key=silence]").click()
    app.press("silence.more")
    heading.wait_for()
    app.page.reload(wait_until="commit")
    app.wait_live()
    heading.wait_for()
    app.page.keyboard.press("Alt+n")
    app.page.locator("#question").wait_for()
    assert app.page.title().startswith(ENGLISH["chat.title"])


def test_the_ledger_tells_what_tried_and_what_left_and_can_be_saved(open_app, server, watch):
    app = open_app(server).wait_live()
    watch.provoked = True
    open_privacy(app)
    app.expect("silence.none")
    app.page.evaluate("() => fetch('https://refused.example/x?secret').catch(() => {})")
    app.page.get_by_role("cell", name="refused.example").wait_for()
    host, why, sent, yes = cells(app.page)[0][1:]
    assert [host, why] == ["refused.example", ENGLISH["privacy.why.refused"]]
    assert [sent.replace("\u00a0", " "), yes] == ["0 bytes", ENGLISH["privacy.nobody"]]
    with app.page.expect_download() as download:
        app.press("privacy.export")
    saved = json.loads(Path(download.value.path()).read_text())
    assert [entry["host"] for entry in saved["entries"]] == ["refused.example"]
    assert saved["bytes"] == 0


def test_delete_everything_leaves_nothing(open_app, server):
    app = open_app(server).wait_live().wait_model().wait_stored()
    app.ask("Tell me about Paris, the capital of France, its rivers and its bridges. " * 4)
    app.page.evaluate(LEAVE_TRACES)
    open_privacy(app)
    app.page.get_by_role("cell", name="onglet-test").first.wait_for()
    table = {tuple(row[:2]): row[2].replace("\u00a0", " ") for row in cells(app.page)}
    model = (ENGLISH["privacy.kept.files.onglet-models"], ENGLISH["privacy.place.files"])
    assert "98 MB" in table[model]
    assert table[("onglet-test", ENGLISH["privacy.place.files"])] == "7 bytes"
    app.press("privacy.delete")
    app.press("privacy.keep")
    app.press("privacy.delete")
    app.press("privacy.delete_now")
    app.expect("privacy.deleted")
    left = app.page.evaluate(WHAT_IS_LEFT)
    assert left == {"caches": [], "workers": 0, "databases": [], "files": [], "settings": []}
    app.page.locator("[data-key=page-chat]").click()
    app.send("Is anybody there?")
    app.expect("error.deleted")
    open_privacy(app)
    assert app.page.evaluate(WHAT_IS_LEFT) == left
    app.press("privacy.deleted.again")
    app.page.wait_for_function("() => globalThis.onglet?.timeline?.model_ready")
    app.page.locator("[data-key=page-chat]").click()
    assert "Paris" in app.ask("What is the capital of France?").text
