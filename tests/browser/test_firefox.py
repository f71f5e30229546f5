"""Firefox boots the site, answers, shows the privacy page, and does so again without the host; it
keeps the conversation, and locks it by a passphrase."""

import pytest

from onglet.words import TABLES
from onglet_build.browser import firefox_executable
from onglet_build.driver import LISTEN
from onglet_build.firefox import firefox
from onglet_build.loopback import Loopback

ALL = """((selector) => {
  const found = root => [...root.querySelectorAll('*')].flatMap(element => [
    ...(element.matches(selector) && element.getClientRects().length ? [element] : []),
    ...(element.shadowRoot ? found(element.shadowRoot) : [])])
  return found(document)
})"""
PARIS = "What is the capital of France?"
PASSPHRASE = "correct horse battery"
ENTER = "\ue007"


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
    type_into(fox, "#question", PARIS + ENTER)
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
    wait_shown(fox, ".turn.question", PARIS)
    assert "Paris" in answer(fox)["text"]
    show_privacy(fox)
    fox.evaluate("void (location.hash = 'chat')")
    lock_and_unlock(fox)


def lock_and_unlock(fox) -> None:
    press(fox, "history.title")
    press(fox, "history.data")
    press(fox, "data.protect")
    type_into(fox, "#set_passphrase-new_passphrase", PASSPHRASE)
    type_into(fox, "#set_passphrase-new_passphrase_again", PASSPHRASE + ENTER)
    press(fox, "data.lock")
    press(fox, "model.close")
    type_into(fox, "#unlock", "not this one" + ENTER)
    wait_shown(fox, "[role=alert], .problem", TABLES["en"]["error.wrong_passphrase"])
    assert fox.evaluate(f"{ALL}('.turn').length") == 0
    fox.evaluate(f"void ({ALL}('#unlock')[0].value = '')")
    type_into(fox, "#unlock", PASSPHRASE + ENTER)
    wait_shown(fox, ".turn.question", PARIS)


def wait_shown(fox, selector: str, words: str) -> None:
    texts = f"{ALL}({selector!r}).map(element => element.textContent)"
    fox.wait_for(f"{texts}.some(text => text.includes({words!r}))", 60)


def press(fox, key: str) -> None:
    """Presses the button with that label or name as soon as it is there."""
    names = "[element.textContent.trim(), element.getAttribute('aria-label')]"
    find = f"{ALL}('button').find(element => {names}.includes({TABLES['en'][key]!r}))"
    fox.wait_for(f"!!{find}", 60)
    fox.evaluate(f"void {find}.click()")


def type_into(fox, selector: str, text: str) -> None:
    fox.wait_for(f"{ALL}({selector!r}).length", 60)
    fox.evaluate(f"void {ALL}({selector!r})[0].focus()")
    fox.type_keys(text)


def show_privacy(fox) -> None:
    heading = TABLES["en"]["privacy.heading"]
    fox.evaluate("void (location.hash = 'privacy')")
    fox.wait_for(f"{HEADINGS_SHOWN}.includes({heading!r})", 30)
