"""The service worker on a site of three files: isolation, offline use, and builds that never mix.

The site is made here, with the real sw.js and the real page modules, so that two builds of it can
be served one after the other.
"""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from onglet_build.loopback import Loopback
from onglet_build.places import WEB
from onglet_build.policy import CONTENT_SECURITY_POLICY

MAIN = """
import { becomeIsolated, register, takeNewBuild } from "./page/isolation.js";
import { storeForOffline } from "./page/offline.js";
globalThis.build = "@build@";
if (!crossOriginIsolated) await becomeIsolated();
await takeNewBuild();
globalThis.stored = await storeForOffline(await register(), () => -1e9);
globalThis.asset = await (await fetch("a/@build@/asset.txt")).text();
"""


def make_site(folder: Path, build: str) -> Path:
    """Writes the whole site of one build, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    code = folder / "a" / build
    (code / "page").mkdir(parents=True)
    for name in ("isolation.js", "offline.js"):
        shutil.copyfile(WEB / "page" / name, code / "page" / name)
    (code / "main.js").write_text(MAIN.replace("@build@", build))
    (code / "asset.txt").write_text(f"asset of {build}")
    (folder / "index.html").write_text(
        '<!doctype html><link rel="icon" href="data:,"><title>site</title>'
        f'<script type="module" src="a/{build}/main.js"></script>'
    )
    list_files(folder, build)
    worker = (WEB / "sw.js").read_text().replace("@policy@", CONTENT_SECURITY_POLICY)
    (folder / "sw.js").write_text(worker.replace("@build@", build))
    return folder


def list_files(folder: Path, build: str) -> None:
    rows = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        place = path.relative_to(folder).as_posix()
        rows.append({"path": place, "bytes": path.stat().st_size, "sha256": digest})
    (folder / "files.json").write_text(json.dumps({"build": build, "files": rows}))


@pytest.fixture
def folder(tmp_path):
    return make_site(tmp_path / "site", "one")


@pytest.fixture
def host(folder):
    with Loopback({"/sub/folder/": folder}) as running:
        yield running


@pytest.fixture
def visit(new_context, host):
    """visit() -> a new tab of one profile, settled, its files stored."""
    context = new_context(host)

    def open_tab():
        page = context.new_page()
        page.goto(host.url)
        return settle(page)

    return open_tab


def settle(page):
    page.wait_for_function("() => globalThis.asset")
    return page


def build_of(page) -> tuple[str, str]:
    return page.evaluate("() => [globalThis.build, globalThis.asset]")


def wait_for_new_build(page, state: str) -> None:
    page.evaluate(
        """async state => {
          const registration = await navigator.serviceWorker.getRegistration();
          await registration.update().catch(() => {});
          for (let i = 0; i < 100 && !registration[state]; i++)
            await new Promise(resolve => setTimeout(resolve, 50));
          if (!registration[state]) throw new Error(`no worker is ${state}`);
        }""",
        state,
    )


def test_isolated_after_exactly_one_reload(new_context, host):
    page = new_context(host).new_page()
    navigations = []
    page.on("framenavigated", lambda frame: navigations.append(frame.url))
    page.goto(host.url)
    settle(page)
    assert page.evaluate("() => crossOriginIsolated")
    assert len(navigations) == 2
    page.reload()
    settle(page)
    assert len(navigations) == 3


def test_a_hard_reload_costs_one_more(visit):
    page = visit()
    navigations = []
    page.wait_for_timeout(10_100)  # the guard against loops has to have passed
    page.on("framenavigated", lambda frame: navigations.append(frame.url))
    session = page.context.new_cdp_session(page)
    session.send("Page.reload", {"ignoreCache": True})
    page.wait_for_function("() => globalThis.asset && crossOriginIsolated")
    assert len(navigations) == 2


def test_every_answer_carries_the_policy(visit):
    page = visit()
    names = ["content-security-policy", "cross-origin-opener-policy"]
    names += ["cross-origin-embedder-policy", "cross-origin-resource-policy"]
    for place in ("", "a/one/asset.txt", "files.json"):
        told = page.evaluate(
            "async ([place, names]) => { const r = await fetch(place);"
            " return names.map(name => r.headers.get(name)) }",
            [place, names],
        )
        wanted = [CONTENT_SECURITY_POLICY, "same-origin", "require-corp", "same-origin"]
        assert told == wanted, place


def test_answers_without_the_host_after_the_first_visit(visit, host):
    page = visit()
    assert page.evaluate("() => stored")
    host.stop()
    page.reload()
    assert build_of(settle(page)) == ["one", "asset of one"]
    page.goto(host.url + "index.html?x=1#y")
    assert build_of(settle(page)) == ["one", "asset of one"]


def test_a_wrong_byte_is_never_stored(folder, visit, host, watch):
    (folder / "a/one/asset.txt").write_text("asset of onf")
    page = visit()
    assert page.evaluate("() => stored") is False
    watch.errors.clear()


def test_two_builds_never_mix_while_tabs_are_open(folder, visit, host):
    first = visit()
    make_site(folder, "two")
    wait_for_new_build(first, "waiting")
    second = visit()
    assert build_of(second) == ["one", "asset of one"]
    first.reload()
    assert build_of(settle(first)) == ["one", "asset of one"]
    first.close()
    second.close()
    assert build_of(visit()) == ["two", "asset of two"]


def test_the_only_tab_takes_the_new_build_over(folder, visit, host):
    page = visit()
    make_site(folder, "two")
    wait_for_new_build(page, "waiting")
    page.close()
    page = visit()
    assert build_of(page) == ["two", "asset of two"]
    assert page.evaluate(
        "async () => (await caches.keys()).map(name => name.split(' ').pop())"
    ) == ["two"]


@pytest.mark.parametrize("damage", ["old list", "wrong byte"])
def test_a_half_deployed_build_is_not_taken(folder, visit, host, watch, damage):
    page = visit()
    listed = (folder / "files.json").read_text()
    make_site(folder, "two")
    if damage == "old list":
        (folder / "files.json").write_text(listed)
    else:
        (folder / "a/two/asset.txt").write_text("asset of twp")
    page.evaluate(
        """async () => {
          const registration = await navigator.serviceWorker.getRegistration();
          await registration.update().catch(() => {});
          while (registration.installing) await new Promise(resolve => setTimeout(resolve, 20));
          if (registration.waiting) throw new Error('a half build waits to take over');
        }"""
    )
    page.reload()
    assert build_of(settle(page)) == ["one", "asset of one"]
    watch.errors.clear()
