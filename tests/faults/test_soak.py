"""An hour of use at a high rate: questions, branches, stops, new chats, chats thrown away, models
let go of and loaded again, reloads. Memory, errors and what is kept are looked at all along."""

import os
import statistics
import time

import pytest

from onglet.words import TABLES
from onglet_build.browser import memory_of_pages
from onglet_build.driver import App

MINUTES = float(os.environ.get("ONGLET_SOAK", 60))
MORE = 1.1  # times the memory after the warm-up
WARM_UP = 0.2  # of the time
QUESTIONS = ("What is the capital of France?", "Name three colours.", "Count from one to ten.")
LONG = "Write a long story about a lighthouse keeper and the sea."
TURNS, KEPT, RELOAD = 10, 5, 5  # a chat; chats; rounds between two reloads


@pytest.mark.skipif(not os.environ.get("ONGLET_FULL"), reason="check --full")
def test_an_hour_of_use(new_context, server, browser):
    app = App(new_context(server).new_page(), server.url).open().wait_live().wait_model()
    began, measured, chats = time.monotonic(), [], []
    while (at := time.monotonic() - began) < MINUTES * 60:
        number = len(measured)
        chats.append(f"{QUESTIONS[0]} Round {number}.")
        talk(app, chats[-1])
        measured.append((at, memory_of_pages(browser)))
        if len(chats) > KEPT:
            throw_away(app, chats.pop(0))
        assert listed(app) == chats[::-1]
        load_again(app)
        if number % RELOAD == RELOAD - 1:
            app.page.reload()
            app.wait_live().wait_model()
            app.page.locator(".turn.question").get_by_text(chats[-1]).wait_for()
        print(f"{at:.0f} s: {measured[-1][1] >> 20} MB", flush=True)
    seconds = MINUTES * 60
    warm = [used for at, used in measured if WARM_UP <= at / seconds < 2 * WARM_UP]
    late = [used for at, used in measured if at / seconds >= 1 - WARM_UP]
    grown = statistics.median(late) / statistics.median(warm)
    print(f"{len(measured) * TURNS} turns, {len(measured)} loads, memory x {grown:.3f}")
    assert grown <= MORE


def talk(app: App, first: str) -> None:
    """A new chat with a branch and an answer that is stopped."""
    app.page.keyboard.press("Alt+KeyN")
    app.ask(first)
    for number in range(TURNS - 2):
        app.ask(QUESTIONS[number % len(QUESTIONS)])
    app.page.locator("[data-key=regenerate]").click()
    app.page.get_by_text("2/2").wait_for()
    app.send(LONG)
    app.page.wait_for_function("() => heard.text")
    app.press("composer.stop")
    app.read_answer()


def open_history(app: App) -> None:
    app.page.keyboard.press("Alt+KeyH")
    app.page.locator(".row .open").first.wait_for()


def listed(app: App) -> list[str]:
    open_history(app)
    titles = app.page.locator(".row .open").evaluate_all("all => all.map(each => each.title)")
    app.page.keyboard.press("Escape")
    return titles


def throw_away(app: App, title: str) -> None:
    open_history(app)
    more = f"{TABLES['en']['history.more']}: {title}"
    app.page.get_by_role("button", name=more, exact=True).click()
    app.page.locator("[data-key=delete]").click()
    app.page.locator(f".row .open[title='{title}']").wait_for(state="detached")
    app.page.keyboard.press("Escape")


def load_again(app: App) -> None:
    app.page.locator("[data-key=page-models]").click()
    app.press("models.unload")
    app.expect("models.none")
    app.press("model.site")
    app.page.locator("[data-key=unload]").wait_for()
    app.page.locator("[data-key=page-chat]").click()
