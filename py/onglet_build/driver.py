"""Drives the opened site as a person does: waits for the app, types a question, reads the answer.
Used by ask, bench and the browser tests; knows the page's elements (web/components/) and
`globalThis.onglet` (docs/protocols.md section 6), nothing of the engine.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onglet.words import TABLES

NO_AGENT = "This link holds a flow or a page and no agent to ask: open it in a browser."
COMPOSER = "#question"
ANSWER = ".turn.answer .text"
PROBLEM_OF_ANSWER = ".turn .problem p"
NOTHING_FOUND = ".turn.answer.last.done .reason"
SOURCES = ".turn.answer.last .sources li"
PROBLEM_OF_LOAD = ".notice.problem .grow"
SECONDS_TO_LIVE = 60
SECONDS_TO_MODEL = 120
SECONDS_TO_ANSWER = 180
SECONDS_TO_STORE = 120
SECONDS_TO_IMPORT = 1800
SECONDS_TO_EXPLAIN = 5
POLL_SECONDS = 0.1  # what asks more often slows the answer that it waits for

# Collects the engine's copies of one request at a time; calling it again empties it. A model that
# was there already may be told of late: it is not the one that is being opened.
LISTEN = """() => {
  const first = !window.heard
  const which = loaded => loaded && JSON.stringify(loaded.card)
  window.heard = {text: '', end: null, opened: null, known: which(onglet.loaded)}
  if (!first) return
  onglet.on('tokens', message => { heard.text += message.text })
  onglet.on('done', message => { heard.end = message })
  onglet.on('failed', message => { heard.end = message; heard.opened ??= message })
  onglet.on('loaded', message => {
    if (which(message) !== heard.known) heard.opened ??= message
  })
}"""
WINDOW = """() => JSON.parse(JSON.stringify({timeline: onglet.timeline, facts: onglet.facts,
  loaded: onglet.loaded, done: onglet.done, failed: onglet.failed, ledger: onglet.ledger()}))"""


CITED = """(items) => items.map((item) => ({ document: item.dataset.document,
  page: item.dataset.page ? Number(item.dataset.page) : null,
  passage: item.querySelector("p").textContent }))"""


class AskFailed(Exception):
    """There is no answer; the text is the sentence that the page shows."""


@dataclass(frozen=True)
class Answer:
    """One answer as the engine streamed it, with the engine's own figures (`done` message)."""

    text: str
    done: dict


class App:
    """One page with Onglet in it, in English."""

    def __init__(self, page, url: str):
        self.page = page
        self.url = url
        self.known_problems: list[str] = []

    def open(self) -> "App":
        self.page.goto(self.url, wait_until="commit")
        return self

    def wait_live(self) -> "App":
        """Waits until Python answers the page (through the reload of a first visit too)."""
        return self.wait_for_moment("live", SECONDS_TO_LIVE)

    def wait_model(self) -> "App":
        """Waits until the model can answer."""
        return self.wait_for_moment("model_ready", SECONDS_TO_MODEL)

    def wait_stored(self) -> "App":
        """Waits until the service worker holds everything that a visit without a network needs."""
        return self.wait_for_moment("offline_ready", SECONDS_TO_STORE)

    def wait_for_moment(self, name: str, seconds: float) -> "App":
        condition = "name => globalThis.onglet?.timeline?.[name] != null"
        self.page.wait_for_function(condition, arg=name, timeout=seconds * 1000)
        return self

    def use_link(self, fragment: str, passphrase: str | None = None) -> "App":
        """Opens a link to an agent and says yes to what it shows. Raises AskFailed."""
        self.page.goto(f"{self.url}#{fragment}")
        problem, use, other = (
            self.page.locator(each).filter(visible=True)
            for each in ("p.problem", "[data-key=use]", "[data-key=flow_use], [data-key=keep_page]")
        )
        shown = use.or_(other).or_(problem)
        locked = self.page.locator("#open_closed-passphrase")
        shown.or_(locked).first.wait_for()
        if locked.count():
            if passphrase is None:
                raise AskFailed(TABLES["en"]["agents.closed"])
            locked.fill(passphrase)
            locked.press("Enter")
            shown.first.wait_for()
        if problem.count():
            raise AskFailed(problem.first.inner_text())
        if not use.count():
            raise AskFailed(NO_AGENT)
        use.click()
        self.page.locator(COMPOSER).wait_for()
        return self

    def add_document(self, file: Path) -> None:
        """Takes a file of this machine in, and has it asked. Raises AskFailed if it is refused."""
        self.page.locator("[data-key=page-documents]").click()
        with self.page.expect_file_chooser() as chooser:
            self.press("documents.pick")
        chooser.value.set_files(file)
        row = self.page.locator(".items li").filter(has_text=file.name)
        problem = row.locator("p.problem")
        kept = row.locator("[data-key=delete]")
        kept.or_(problem).first.wait_for(timeout=SECONDS_TO_IMPORT * 1000)
        if problem.count():
            raise AskFailed(problem.inner_text())
        self.press("documents.ask")
        self.page.locator("[data-key=documents][aria-pressed=true]").wait_for()

    def citations(self) -> list[dict]:
        """The passages under the last answer: document, page (null without pages), passage."""
        return self.page.locator(SOURCES).evaluate_all(CITED)

    def window(self) -> dict:
        """What the page tells about itself: timeline, facts, loaded, done, failed, ledger."""
        return self.page.evaluate(WINDOW)

    def press(self, key: str) -> None:
        """Presses the button whose label is the word `key`."""
        self.page.get_by_role("button", name=TABLES["en"][key], exact=True).first.click()

    def expect(self, key: str) -> None:
        """Waits until the sentence of `key` (up to its first gap) is on the screen.

        A page that is not shown may hold it too."""
        text = TABLES["en"][key].split("{")[0].strip()
        self.page.get_by_text(text).filter(visible=True).first.wait_for()

    def ask(self, text: str, grown: Callable[[str], None] = lambda new: None) -> Answer:
        """Asks in the composer; `grown` gets each new piece of the answer as it comes."""
        self.send(text)
        return self.read_answer(grown)

    def send(self, text: str) -> None:
        """Sends a question, as soon as the page no longer shows that the last one is answered."""
        send = TABLES["en"]["composer.send"]
        self.page.get_by_role("button", name=send, exact=True).wait_for()
        self.page.evaluate(LISTEN)
        self.known_problems = self.problems()
        composer = self.page.locator(COMPOSER)
        composer.fill(text)
        composer.press("Enter")

    def read_answer(self, grown: Callable[[str], None] = lambda new: None) -> Answer:
        """Reads the answer that was asked for to its end. Raises AskFailed."""
        shown = 0
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while time.monotonic() < deadline:
            heard = self.page.evaluate("() => heard")
            if len(heard["text"]) > shown:
                grown(heard["text"][shown:])
                shown = len(heard["text"])
            if heard["end"] and heard["end"]["kind"] == "done":
                return Answer(heard["text"].strip(), heard["end"])
            if not heard["end"] and (sentence := self.nothing_found()):
                raise AskFailed(sentence)
            if heard["end"] or self.new_problem():
                raise AskFailed(self.wait_problem())
            time.sleep(POLL_SECONDS)
        raise AskFailed("The page did not finish its answer in time.")

    def problems(self) -> list[str]:
        return [text.strip() for text in self.page.locator(PROBLEM_OF_ANSWER).all_inner_texts()]

    def new_problem(self) -> str:
        """The sentence of a problem that came since the last question, '' without one."""
        now = self.problems()
        return now[-1] if now and now != self.known_problems else ""

    def nothing_found(self) -> str:
        """The sentence that stands in place of an answer when the documents hold none, else ''."""
        said = self.page.locator(NOTHING_FOUND).all_inner_texts()
        return said[-1] if said == [TABLES["en"]["chat.not_in_documents"]] else ""

    def wait_problem(self) -> str:
        """Waits for the sentence that explains what went wrong."""
        deadline = time.monotonic() + SECONDS_TO_EXPLAIN
        while time.monotonic() < deadline:
            if sentence := self.new_problem():
                return sentence
            time.sleep(POLL_SECONDS)
        raise AskFailed("The page showed no sentence about what went wrong.")

    def open_model(self, file: Path) -> None:
        """Opens a model file of this machine. Raises AskFailed if it is refused."""
        self.wait_model()
        if self.choose_model(file)["kind"] == "failed":
            problem = self.page.locator(PROBLEM_OF_LOAD).last
            raise AskFailed(problem.inner_text().strip())
        self.page.keyboard.press("Escape")

    def choose_model(self, file: Path) -> dict:
        """Picks a file in the model sheet; returns what the engine says: `loaded` or `failed`."""
        self.page.evaluate(LISTEN)
        self.page.evaluate("() => { globalThis.showOpenFilePicker = undefined }")  # no dialog here
        self.page.locator("[data-key=model]").click()
        with self.page.expect_file_chooser() as chooser:
            self.press("model.open")
        chooser.value.set_files(file)
        seconds = SECONDS_TO_MODEL * 1000
        return self.page.wait_for_function("() => heard.opened", timeout=seconds).json_value()

    def answers_on_screen(self) -> list[str]:
        """The texts of the model's messages as a person reads them."""
        return [text.strip() for text in self.page.locator(ANSWER).all_inner_texts()]
