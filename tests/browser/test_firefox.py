"""Firefox boots the site, answers, shows the privacy page, and does so again without the host."""

import pytest

from onglet.words import TABLES
from onglet_build.browser import firefox_executable
from onglet_build.driver import LISTEN
from onglet_build.firefox import firefox
from onglet_build.loopback import Loopback

FOCUS_COMPOSER = """(() => {
  const find = root => root.querySelector('#question') ?? [...root.querySelectorAll('*')]
    .map(element => element.shadowRoot && find(element.shadowRoot)).find(Boolean)
  find(document).focus()
})()"""


HEADINGS_SHOWN = """(() => {
  const found = []
  const walk = root => root.querySelectorAll('*').forEach(element => {
    if (element.shadowRoot) walk(element.shadowRoot)
    if (element.matches('h2') && element.getClientRects().length) found.push(element.textContent)
  })
  walk(document)
  return found
})()"""


@pytest.fixture
def host(site):
    """A server of this test's own, because it will be stopped."""
    with Loopback({"/": site}) as running:
        yield running


@pytest.fixture
def fox():
    executable = firefox_executable()
    if not executable:
        pytest.skip("no Firefox on this machine")
    with firefox(executable) as session:
        yield session


def answer(fox) -> dict:
    fox.wait_for("globalThis.onglet?.timeline?.live", 60)
    fox.wait_for("globalThis.onglet?.timeline?.model_ready", 120)
    fox.evaluate(f"({LISTEN})()")
    fox.evaluate(FOCUS_COMPOSER)
    fox.type_keys("What is the capital of France?\ue007")
    return fox.wait_for("heard.end && {...heard.end, text: heard.text}", 180)


def test_boots_and_answers(fox, host):
    fox.open(host.url)
    told = answer(fox)
    assert told["kind"] == "done"
    assert "Paris" in told["text"]
    assert fox.evaluate("crossOriginIsolated")
    assert fox.evaluate("onglet.loaded.threads") >= 2
    assert fox.evaluate("onglet.ledger().off_origin_requests") == 0
    show_privacy(fox)
    fox.wait_for("onglet.timeline.offline_ready", 180)
    host.stop()
    fox.evaluate("void (location.hash = 'chat')")
    fox.evaluate("void location.reload()")
    fox.wait_for("!globalThis.onglet?.timeline?.offline_ready", 30)
    assert "Paris" in answer(fox)["text"]
    show_privacy(fox)


def show_privacy(fox) -> None:
    heading = TABLES["en"]["privacy.heading"]
    fox.evaluate("void (location.hash = 'privacy')")
    fox.wait_for(f"{HEADINGS_SHOWN}.includes({heading!r})", 30)
