"""Firefox boots the site and answers."""

import pytest

from onglet_build.browser import firefox_executable
from onglet_build.driver import LISTEN
from onglet_build.firefox import firefox

FOCUS_COMPOSER = """(() => {
  const find = root => root.querySelector('#question') ?? [...root.querySelectorAll('*')]
    .map(element => element.shadowRoot && find(element.shadowRoot)).find(Boolean)
  find(document).focus()
})()"""


@pytest.fixture
def fox():
    executable = firefox_executable()
    if not executable:
        pytest.skip("no Firefox on this machine")
    with firefox(executable) as session:
        yield session


def test_boots_and_answers(fox, plain_server):
    fox.open(plain_server.url)
    fox.wait_for("globalThis.onglet?.timeline?.live", 60)
    fox.wait_for("globalThis.onglet?.timeline?.model_ready", 120)
    fox.evaluate(f"({LISTEN})()")
    fox.evaluate(FOCUS_COMPOSER)
    fox.type_keys("What is the capital of France?\ue007")
    answer = fox.wait_for("heard.end && {...heard.end, text: heard.text}", 180)
    assert answer["kind"] == "done"
    assert "Paris" in answer["text"]
    assert fox.evaluate("crossOriginIsolated")
    assert fox.evaluate("onglet.loaded.threads") >= 2
    assert fox.evaluate("onglet.ledger().off_origin_requests") == 0
