"""After the first visit the host may vanish or change: the page opens and answers all the same, and
says in one line that there is a later build."""

import json
from pathlib import Path

import pytest

from onglet.words import TABLES
from onglet_build.kept_site import keep
from onglet_build.loopback import Loopback
from onglet_build.vendor import sha256_of

pytestmark = pytest.mark.service_worker

LOOK_FOR_UPDATE = "async () => { await (await navigator.serviceWorker.getRegistration()).update() }"


@pytest.fixture
def folder(site, tmp_path):
    return keep(tmp_path)


@pytest.fixture
def host(folder):
    """A server of this test's own, because it will be stopped."""
    with Loopback({"/": folder}) as running:
        yield running


def publish_another_build(folder: Path) -> str:
    """The same files under the name of a later build."""
    build = json.loads((folder / "files.json").read_text())["build"]
    later, index = build[::-1], folder / "index.html"
    old_hash = sha256_of(index)
    for name in ("index.html", "sw.js", "files.json"):
        text = (folder / name).read_text().replace(build, later)
        text = text.replace(old_hash, sha256_of(index))
        (folder / name).unlink()  # a link to the build's own file
        (folder / name).write_text(text)
    return later


def build_shown(page) -> str:
    return json.loads(page.locator("#site").text_content())["build"]


def test_reload_and_answer_without_the_host(open_app, host):
    app = open_app(host).wait_live().wait_model().wait_stored()
    host.stop()
    asked = len(host.log)
    app.page.reload(wait_until="commit")
    app.wait_live()
    assert "Paris" in app.ask("What is the capital of France?").text
    assert len(host.log) == asked
    assert app.window()["facts"]["isolated"]


def test_a_later_build_is_offered_in_one_line(open_app, host, folder):
    app = open_app(host).wait_live().wait_model().wait_stored()
    before = build_shown(app.page)
    later = publish_another_build(folder)
    app.page.evaluate(LOOK_FOR_UPDATE)
    app.expect("notice.new_build")
    assert build_shown(app.page) == before
    with app.page.expect_navigation():
        app.press("notice.use_new_build")
    app.wait_live()
    assert build_shown(app.page) == later
    host.stop()
    app.page.reload(wait_until="commit")
    app.wait_live().wait_model()
    assert not app.page.get_by_text(TABLES["en"]["notice.new_build"]).count()
