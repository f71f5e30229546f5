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

pytestmark = pytest.mark.service_worker

MAIN = """
import { becomeIsolated, register } from "./page/isolation.js";
import { storeForOffline } from "./page/offline.js";
import { takeNewBuild, useNewBuild, watchForNewBuild } from "./page/update.js";
globalThis.build = "@build@";
globalThis.offers = 0;
globalThis.useNewBuild = useNewBuild;
if (!crossOriginIsolated) await becomeIsolated();
await takeNewBuild();
await watchForNewBuild(globalThis.build, () => globalThis.offers++);
globalThis.stored = await storeForOffline(await register(), () => -1e9);
globalThis.asset = await (await fetch("a/@build@/asset.txt")).text();
"""


def make_site(folder: Path, build: str) -> Path:
    """Writes the whole site of one build, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    code = folder / "a" / build
    (code / "page").mkdir(parents=True)
    for name in ("isolation.js", "offline.js", "update.js"):
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
        if path.name in ("sw.js", "files.json"):
            continue
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


@pytest.fixture
def hurried(folder):
    """The page's pauses last a tenth: a second between two reloads, 0.8 for a worker to answer."""
    script = folder / "a/one/page/isolation.js"
    text = script.read_text()
    for pause in ("RELOAD_PAUSE = 10_000", "PATIENCE = 8_000"):
        assert text.count(pause) == 1
        text = text.replace(pause, pause.removesuffix("0"))
    script.write_text(text)
    list_files(folder, "one")


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


def test_no_loop_where_the_worker_does_not_isolate(folder, new_context, host):
    """A browser that does not heed the headers, or a host's own worker."""
    script = folder / "sw.js"
    header = '"Cross-Origin-Embedder-Policy": "require-corp"'
    assert script.read_text().count(header) == 1
    script.write_text(script.read_text().replace(header, '"X-Nothing": "no"'))
    page = new_context(host).new_page()
    navigations = []
    page.on("framenavigated", lambda frame: navigations.append(frame.url))
    page.goto(host.url)
    settle(page)
    assert not page.evaluate("() => crossOriginIsolated")
    assert len(navigations) == 2


def test_a_hard_reload_costs_one_more(hurried, visit):
    page = visit()
    navigations = []
    page.wait_for_timeout(1_100)  # the guard against loops has to have passed
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
    assert kept_builds(page) == ["two"]


def test_a_part_that_comes_in_use_meanwhile_is_stored_too(folder, visit, host):
    code = folder / "a/one"
    for name in ("first.txt", "second.txt"):
        (code / name).write_text(name)
    use = """() => {
      globalThis.used ??= caches.open(`onglet ${location.pathname} one`).then((cache) =>
        cache.put("a/one/first.txt", new Response("first.txt")));
      return -1e9;
    }"""
    main = code / "main.js"
    main.write_text(main.read_text().replace("() => -1e9", use))
    list_files(folder, "one")
    listed = json.loads((folder / "files.json").read_text())
    for row in listed["files"]:
        row["group"] = "workshop" if row["path"].endswith(("first.txt", "second.txt")) else "app"
    (folder / "files.json").write_text(json.dumps(listed))
    page = visit()
    assert page.evaluate("() => globalThis.stored") is True
    host.stop()
    second = "async () => (await fetch('a/one/second.txt')).text()"
    assert page.evaluate(second) == "second.txt"


DAMAGES = {
    "old list": lambda folder, old: (folder / "files.json").write_text(old),
    "no list": lambda folder, old: (folder / "files.json").unlink(),
    "wrong byte": lambda folder, old: (folder / "a/two/asset.txt").write_text("asset of twp"),
    "missing file": lambda folder, old: (folder / "a/two/main.js").unlink(),
    "a page of the host instead": lambda folder, old: (folder / "a/two/asset.txt").write_text(
        "<!doctype html><title>Not found</title>"
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_half_deployed_build_is_not_taken(folder, visit, host, watch, damage):
    """And once the host has all of it, it is."""
    page = visit()
    listed = (folder / "files.json").read_text()
    make_site(folder, "two")
    DAMAGES[damage](folder, listed)
    look_for_update(page)
    assert page.evaluate("async () => !(await navigator.serviceWorker.getRegistration()).waiting")
    page.reload()
    assert build_of(settle(page)) == ["one", "asset of one"]
    assert page.evaluate("() => offers") == 0
    make_site(folder, "two")
    wait_for_new_build(page, "waiting")
    page.close()
    assert build_of(visit()) == ["two", "asset of two"]
    watch.errors.clear()


def look_for_update(page) -> None:
    """Has the browser ask for sw.js, and waits until what it found has installed or failed."""
    page.evaluate(
        """async () => {
          const registration = await navigator.serviceWorker.getRegistration();
          await registration.update().catch(() => {});
          while (registration.installing) await new Promise(resolve => setTimeout(resolve, 20));
        }"""
    )


def test_an_update_is_offered_and_taken_when_accepted(folder, visit, host):
    page = visit()
    make_site(folder, "two")
    look_for_update(page)
    page.wait_for_function("() => offers === 1")
    assert build_of(page) == ["one", "asset of one"], "nothing changes before the person says so"
    with page.expect_navigation():
        page.evaluate("() => void useNewBuild()")
    assert build_of(settle(page)) == ["two", "asset of two"]
    assert page.evaluate("() => offers") == 0


def test_no_update_under_another_open_tab(folder, visit, host):
    first, second = visit(), visit()
    make_site(folder, "two")
    look_for_update(first)
    first.wait_for_function("() => offers === 1")
    second.wait_for_function("() => offers === 1")
    assert first.evaluate("useNewBuild") is False
    for page in (first, second):
        page.reload()
        assert build_of(settle(page)) == ["one", "asset of one"]


def test_a_host_that_goes_back_takes_its_build_back(folder, visit, host):
    page = visit()
    make_site(folder, "two")
    wait_for_new_build(page, "waiting")
    page.close()
    page = visit()
    assert build_of(page) == ["two", "asset of two"]
    make_site(folder, "one")
    wait_for_new_build(page, "waiting")
    page.close()
    assert build_of(visit()) == ["one", "asset of one"]


def test_a_build_withdrawn_while_it_waits_is_not_offered_again(folder, visit, host):
    page = visit()
    make_site(folder, "two")
    wait_for_new_build(page, "waiting")
    make_site(folder, "one")
    look_for_update(page)
    page.reload()
    settle(page)
    assert page.evaluate("() => offers") == 0
    page.close()
    assert build_of(visit()) == ["one", "asset of one"]


def test_a_host_that_changes_before_all_is_stored_leaves_no_mixture(
    folder, new_context, host, watch
):
    """The first visit stored but a part; the next one, of another build, stores that one whole."""
    (folder / "a/one/asset.txt").write_text("not what is listed")
    context = new_context(host)
    page = context.new_page()
    page.goto(host.url)
    settle(page)
    assert page.evaluate("() => stored") is False
    page.close()
    make_site(folder, "two")
    page = context.new_page()
    page.goto(host.url)
    assert build_of(settle(page)) == ["two", "asset of two"]
    page.wait_for_function("() => stored === true")
    host.stop()
    page.reload()
    assert build_of(settle(page)) == ["two", "asset of two"]
    assert kept_builds(page) == ["two"]
    watch.errors.clear()


def kept_builds(page) -> list[str]:
    return page.evaluate("async () => (await caches.keys()).map(name => name.split(' ').pop())")


BROKEN = """
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => event.respondWith(new Response("broken", { status: 500 })));
"""


@pytest.mark.parametrize("state", ["whole", "broken"])
def test_the_kill_switch_gives_every_browser_back_to_the_host(folder, visit, host, watch, state):
    page = visit()
    if state == "broken":
        (folder / "sw.js").write_text(BROKEN)
        look_for_update(page)
        page.reload()
        assert page.inner_text("body") == "broken"
    shutil.copyfile(WEB / "sw_off.js", folder / "sw.js")
    (folder / "index.html").write_text('<link rel="icon" href="data:,"><p>from the host</p>')
    look_for_update(page)
    page.wait_for_function("() => document.body.innerText === 'from the host'")
    assert page.evaluate("() => caches.keys()") == []
    assert (
        page.evaluate("async () => (await navigator.serviceWorker.getRegistrations()).length") == 0
    )
    watch.errors.clear()


def test_the_kill_switch_is_no_loop_for_a_page_that_registers_it(
    hurried, folder, new_context, host
):
    shutil.copyfile(WEB / "sw_off.js", folder / "sw.js")
    page = new_context(host).new_page()
    navigations = []
    page.on("framenavigated", lambda frame: navigations.append(frame.url))
    page.goto(host.url)
    page.wait_for_function("() => globalThis.stored === false", timeout=60_000)
    assert len(navigations) <= 2
