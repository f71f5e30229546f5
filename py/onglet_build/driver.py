"""Drives the opened site as a person does: waits for the app, types a question, reads the answer.
Used by ask, bench and the browser tests; knows the page's composer and `globalThis.onglet`
(docs/protocols.md section 6), nothing of the engine.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

COMPOSER = "textarea:visible"
SECONDS_TO_LIVE = 60
SECONDS_TO_MODEL = 120
SECONDS_TO_ANSWER = 180
SECONDS_TO_STORE = 120
POLL_SECONDS = 0.03

# Collects the engine's copies of one request at a time; `begin` empties it.
LISTEN = """() => {
  if (globalThis.heard) { globalThis.heard = {...globalThis.heard, text: '', end: null}; return }
  globalThis.heard = {text: '', end: null}
  onglet.on('tokens', message => { heard.text += message.text })
  onglet.on('done', message => { heard.end = message })
  onglet.on('failed', message => { heard.end = message })
}"""


class AskFailed(Exception):
    """The page answered with an error; the text is the sentence it showed."""


@dataclass(frozen=True)
class Answer:
    """One answer as the page streamed it, with the engine's own figures (`done` message)."""

    text: str
    done: dict


class App:
    """One page with Onglet in it."""

    def __init__(self, page, url: str):
        self.page = page
        self.url = url

    def open(self) -> "App":
        self.page.goto(self.url, wait_until="commit")
        return self

    def wait_live(self) -> "App":
        """Waits until Python answers the page (through the reload of a first visit too)."""
        self._wait("() => globalThis.onglet?.timeline?.live != null", SECONDS_TO_LIVE)
        return self

    def wait_model(self) -> "App":
        """Waits until the model can answer."""
        self._wait("() => globalThis.onglet?.timeline?.model_ready != null", SECONDS_TO_MODEL)
        return self

    def wait_stored(self) -> "App":
        """Waits until the service worker holds everything that a visit without a network needs."""
        self._wait("() => globalThis.onglet?.timeline?.offline_ready != null", SECONDS_TO_STORE)
        return self

    def _wait(self, condition: str, seconds: float):
        return self.page.wait_for_function(condition, timeout=seconds * 1000)

    def window(self) -> dict:
        """What the page tells about itself: timeline, facts, loaded, done, failed, ledger."""
        return self.page.evaluate(
            """() => JSON.parse(JSON.stringify({timeline: onglet.timeline, facts: onglet.facts,
              loaded: onglet.loaded, done: onglet.done, failed: onglet.failed,
              ledger: onglet.ledger()}))"""
        )

    def type_question(self, text: str) -> None:
        composer = self.page.locator(COMPOSER).last
        composer.fill(text)
        composer.press("Enter")

    def ask(self, text: str, grown: Callable[[str], None] = lambda new: None) -> Answer:
        """Asks in the composer; `grown` gets each new piece of the answer as it comes."""
        self.page.evaluate(LISTEN)
        self.type_question(text)
        return self.read_answer(grown)

    def read_answer(self, grown: Callable[[str], None] = lambda new: None) -> Answer:
        """Reads the answer that is on its way to its end; raises AskFailed if there is none."""
        shown = 0
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while time.monotonic() < deadline:
            heard = self.page.evaluate("() => heard")
            if len(heard["text"]) > shown:
                grown(heard["text"][shown:])
                shown = len(heard["text"])
            if heard["end"]:
                return self._finish(heard)
            if (sentence := self.error_sentence()) and not heard["text"]:
                raise AskFailed(sentence)
            time.sleep(POLL_SECONDS)
        raise AskFailed("The page did not finish its answer in time.")

    def _finish(self, heard: dict) -> Answer:
        if heard["end"]["kind"] == "failed":
            raise AskFailed(self.error_sentence() or heard["end"]["code"])
        return Answer(heard["text"].strip(), heard["end"])

    def error_sentence(self) -> str:
        """The sentence of the newest error on the page, '' where there is none."""
        alerts = self.page.locator("[role=alert]:visible")
        return alerts.last.inner_text().strip() if alerts.count() else ""

    def answers_on_screen(self) -> list[str]:
        """The texts of the assistant's messages as a person reads them."""
        return self.page.locator(".onglet-answer:visible").all_inner_texts()
