"""The site's model is kept on this device as one file: a second visit reads it there, a wrong byte
in it never answers, and a browser without such a place works as before."""

import re

import pytest

from onglet_build.driver import App
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

pytestmark = pytest.mark.service_worker

CAPITAL = "What is the capital of France?"
KEPT = """async () => {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle('onglet-models');
  const names = [];
  for await (const name of folder.keys()) names.push(name);
  return names.sort();
}"""
FLIP = """async (place) => {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle('onglet-models');
  const names = [];
  for await (const name of folder.keys()) names.push(name);
  const handle = await folder.getFileHandle(names.find((name) => name.length === 64));
  const byte = new Uint8Array(await (await handle.getFile()).slice(place, place + 1).arrayBuffer());
  const stream = await handle.createWritable({ keepExistingData: true });
  await stream.write({ type: 'write', position: place, data: Uint8Array.of(byte[0] ^ 4) });
  await stream.close();
}"""
CACHED_PIECES = """async () => {
  const found = [];
  for (const name of await caches.keys()) {
    for (const { url } of await (await caches.open(name)).keys()) {
      if (/models.*\\/\\d{3}$/.test(url)) found.push(url);
    }
  }
  return found;
}"""
NO_PLACE = """
navigator.storage.getDirectory = async () => { throw new DOMException('', 'SecurityError'); };
"""


@pytest.fixture
def host(site):
    with Loopback({"/": site}, headers=HEADERS) as running:
        yield running


def pieces_asked(host: Loopback) -> int:
    return sum(bool(re.search(r"/models/\w{64}/\d{3}$", path)) for _, path, _ in host.log)


def test_kept_once_read_from_here_and_mended_when_damaged(open_app, host, site):
    pieces = len(list(site.glob("models/*/0*")))
    app = open_app(host).wait_live().wait_model().wait_stored()
    sha256 = app.window()["loaded"]["card"]["sha256"]
    assert app.page.evaluate(KEPT) == [sha256, f"{sha256}.json"]
    assert app.page.evaluate(CACHED_PIECES) == []
    assert pieces_asked(host) == pieces

    app.page.reload(wait_until="commit")
    app.wait_live().wait_model()
    assert "Paris" in app.ask(CAPITAL).text
    assert pieces_asked(host) == pieces

    app.page.evaluate(FLIP, 60_000_000)
    app.page.reload(wait_until="commit")
    app.wait_live().wait_model()
    app.page.evaluate("() => { globalThis.loads = 0; onglet.on('loaded', () => { loads++; }); }")
    app.send(CAPITAL)
    app.page.wait_for_function("() => loads === 1 && onglet.done")
    assert app.window()["failed"]["code"] == "wrong_hash"
    app.page.locator(".turn.answer.last.done").get_by_text("Paris").wait_for()
    assert pieces_asked(host) == 2 * pieces


def test_without_such_a_place_the_host_is_asked_again(new_context, host, site):
    context = new_context(host)

    def forbid(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text() + NO_PLACE)

    context.route("**/engine/worker.js", forbid)
    app = App(context.new_page(), host.url).open().wait_live().wait_model()
    assert "Paris" in app.ask(CAPITAL).text
    app.page.reload(wait_until="commit")
    app.wait_live().wait_model()
    assert pieces_asked(host) == 2 * len(list(site.glob("models/*/0*")))
