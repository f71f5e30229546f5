"""A sealed session sends nothing, whichever part of the site tries: the page, a worker, a worker's
worker. The policy of this site allows every connection, so that what is seen is the seal."""

import shutil

import pytest

from onglet_build.places import WEB
from tests.browser.test_service_worker import host, list_files, make_site, settle, visit

pytestmark = pytest.mark.service_worker

__all__ = ["host", "visit"]

TRY = """
const tryAll = async addresses => {
  const ask = address => fetch(address).then(({ status }) => status, () => 'refused')
  return Promise.all(addresses.map(ask))
}
"""
INNER = TRY + "onmessage = async ({ data }) => postMessage(await tryAll(data))"
OUTER = """
const inner = new Worker('inner.js', { type: 'module' })
onmessage = ({ data }) => inner.postMessage(data)
inner.onmessage = ({ data }) => postMessage(data)
"""
TRY_IN = """([name, addresses]) => new Promise(resolve => {
  const worker = new Worker(`a/one/${name}.js`, { type: 'module' })
  worker.onmessage = ({ data }) => resolve(data)
  worker.postMessage(addresses)
})"""
PLACES = ("page", "inner", "outer")


@pytest.fixture
def folder(tmp_path):
    folder = make_site(tmp_path / "site", "one")
    code = folder / "a/one"
    (code / "inner.js").write_text(INNER)
    (code / "outer.js").write_text(OUTER)
    shutil.copyfile(WEB / "page/seal.js", code / "page/seal.js")
    main = (code / "main.js").read_text()
    main = 'import { readSeal, sealSession } from "./page/seal.js";\n' + main
    (code / "main.js").write_text(main + "Object.assign(globalThis, { readSeal, sealSession });\n")
    index = (folder / "index.html").read_text()
    preload = '<link rel="modulepreload" href="a/one/page/seal.js">'
    (folder / "index.html").write_text(index.replace("<title>", preload + "<title>"))
    worker = (folder / "sw.js").read_text()
    (folder / "sw.js").write_text(worker.replace("connect-src 'self'", "connect-src *"))
    list_files(folder, "one")
    return folder


def attempt(page, place: str, addresses: list[str]) -> list:
    if place != "page":
        return page.evaluate(TRY_IN, [place, addresses])
    return page.evaluate(f"addresses => {{ {TRY} return tryAll(addresses) }}", addresses)


def test_nothing_leaves_a_sealed_site(folder, visit, host, watch):
    watch.provoked = True
    page = visit()
    own = f"{host.origin}/elsewhere"
    elsewhere = "http://127.0.0.1:9/x"
    for place in PLACES:
        assert attempt(page, place, [own, elsewhere]) == [404, "refused"], place
    asked = len(host.log)
    assert page.evaluate("() => sealSession()") is True
    for place in PLACES:
        assert attempt(page, place, [own, elsewhere]) == ["refused", "refused"], place
        assert attempt(page, place, [host.url + "a/one/asset.txt"]) == [200], place
    assert page.evaluate("post => fetch(post, { method: 'POST' }).catch(() => 'refused')", own) == (
        "refused"
    )
    page.reload()
    settle(page)
    assert page.evaluate("() => readSeal()") is True
    assert attempt(page, "page", [own]) == ["refused"]
    assert len([path for _, path, _ in host.log[asked:] if "sw.js" not in path]) == 0
    assert not host.posted


def test_the_seal_holds_in_every_tab_and_ends_with_the_last(folder, visit, host, watch):
    watch.provoked = True
    first, second = visit(), visit()
    first.evaluate("() => sealSession()")
    assert attempt(second, "page", [f"{host.origin}/elsewhere"]) == ["refused"]
    first.close()
    third = visit()
    assert third.evaluate("() => readSeal()") is True
    second.close()
    third.close()
    fourth = visit()
    assert fourth.evaluate("() => readSeal()") is False
    assert attempt(fourth, "page", [f"{host.origin}/elsewhere"]) == [404]
