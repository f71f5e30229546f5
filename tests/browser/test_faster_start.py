"""What a second visit finds made ready by the first: the interpreter's memory as files that a start
reads without the service worker, and scripts whose compiled code the browser may keep. Neither is
needed, and what is not as it was written is made anew."""

import pytest

from onglet_build.driver import App
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

pytestmark = pytest.mark.service_worker

KEPT = """async () => {
  const root = await navigator.storage.getDirectory()
  const found = {}
  for await (const [name, file] of (await root.getDirectoryHandle('onglet-python')).entries()) {
    const bytes = await (await file.getFile()).arrayBuffer()
    found[name] = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).toHex()
  }
  return found
}"""
# Changes one byte in one kept file, cuts the other and adds one of an older build.
SPOIL = """async () => {
  const root = await navigator.storage.getDirectory()
  const folder = await root.getDirectoryHandle('onglet-python')
  const write = async (file, ...data) => {
    const writer = await file.createWritable({ keepExistingData: true })
    for (const piece of data) await writer.write(piece)
    await writer.close()
  }
  const [first, second] = await Array.fromAsync(folder.values())
  await write(first, { type: 'write', position: 1000, data: new Uint8Array([1, 2, 3, 4]) })
  await write(second, { type: 'truncate', size: 1000 })
  await write(await folder.getFileHandle('older', { create: true }), 'of another build')
}"""
CUT = """async () => {
  const root = await navigator.storage.getDirectory()
  for await (const file of (await root.getDirectoryHandle('onglet-python')).values()) {
    const writer = await file.createWritable({ keepExistingData: true })
    await writer.truncate(1000)
    await writer.close()
  }
}"""
FORGET_CACHED_SNAPSHOT = """async () => {
  for (const name of await caches.keys()) {
    const cache = await caches.open(name)
    for (const request of await cache.keys()) {
      if (request.url.includes('/snapshot.')) await cache.delete(request)
    }
  }
}"""
STORED_AS_FETCHED = """async () => {
  const found = {}
  for (const { src } of document.querySelectorAll('script[src*="static/"]')) {
    found[src] = (await caches.match(src)).url
  }
  return found
}"""


def is_whole(kept: dict) -> bool:
    return len(kept) == 2 and all(name == found for name, found in kept.items())


def test_a_second_visit_finds_what_the_first_made_ready(new_context, site):
    with Loopback({"/": site}, headers=HEADERS) as host:
        app = App(new_context(host).new_page(), host.url).open()
        app.wait_live().wait_model().wait_stored()
        large_scripts_are_stored_as_they_were_fetched(app)
        assert is_whole(app.page.evaluate(KEPT))
        damage_is_found_and_mended(app)
        app.page.evaluate(FORGET_CACHED_SNAPSHOT)
        host.stop()
        app.page.goto(app.url, wait_until="commit")
        app.wait_live()
        assert "Paris" in app.ask("What is the capital of France?").text


def large_scripts_are_stored_as_they_were_fetched(app) -> None:
    """Chromium keeps compiled code for a stored response that has an address, for no other."""
    stored = app.page.evaluate(STORED_AS_FETCHED)
    assert len(stored) == 4
    assert all(address == url for address, url in stored.items())


def damage_is_found_and_mended(app) -> None:
    """A cut file at the start itself, a changed one after it."""
    app.page.evaluate(CUT)
    app.page.reload()
    app.wait_live().wait_stored()
    assert is_whole(app.page.evaluate(KEPT))
    app.page.evaluate(SPOIL)
    app.page.goto(f"{app.url}?snapshot=none")
    app.wait_live().wait_stored()
    assert is_whole(app.page.evaluate(KEPT))
