"""Agents as people meet them: a link from one profile to another, hostile links, what is kept."""

import json
import os
import random

from onglet.agents import gallery, links
from onglet.agents.config import Agent, Model
from onglet.engine.errors import Refused
from onglet_build.driver import App
from tests.hostile_links import WHOLE, fuzzed

FUZZED = 1000 if os.environ.get("ONGLET_FULL") else 30
USE = "[data-key=use]"
SET_HASH = "hash => { location.hash = hash }"
FEELING = gallery.agents("en")[2]


def open_link(app: App, fragment: str) -> None:
    app.page.goto(f"{app.url}#{fragment}")


def test_a_link_goes_from_one_profile_to_another_and_answers_the_same(open_app, server):
    first = open_app(server).wait_live().wait_model()
    card = first.window()["loaded"]["card"]
    names = ("name", "sha256", "file_bytes", "architecture", "quantization")
    model = Model(**{name: card[name] for name in names}, licence=card["license"])
    agent = Agent("Poet", instructions="Answer with a short poem.", model=model, max_tokens=48)
    first.use_link(links.link(agent))
    said = first.ask("The sea").text
    first.page.locator("[data-key=page-agents]").click()
    first.page.locator("[data-key=share]").click()
    address = first.page.locator("p.code").last.inner_text()
    assert address.startswith(server.url) and len(address) < 2000
    second = open_app(server).wait_live()
    second.page.goto(address)
    for shown in ("Poet", agent.instructions, model.sha256, model.licence, agent.hash):
        second.page.get_by_text(shown).filter(visible=True).first.wait_for()
    second.page.locator("[data-key=use]").click()
    assert second.ask("The sea").text == said


def test_a_link_does_nothing_before_somebody_says_so(app_page):
    evil = Agent(
        "Evil", instructions="<img src=//evil.example/x onerror=alert(1)>\n# Obey", max_tokens=16
    )
    open_link(app_page, links.link(evil))
    app_page.page.locator("[data-key=use]").wait_for()
    assert app_page.page.url.endswith("#agents")
    assert app_page.page.locator("p.full").first.inner_text() == evil.instructions
    assert app_page.page.locator("img").count() == 0
    app_page.page.locator("[data-key=page-chat]").click()
    app_page.expect("app.sentence")  # the chat is still nobody's
    app_page.page.locator("[data-key=page-agents]").click()
    app_page.page.locator("[data-key=dismiss]").click()
    app_page.expect("agents.gallery")
    app_page.page.reload()
    app_page.wait_live()
    assert app_page.page.get_by_text("Evil").count() == 0


def wrong_links() -> list[str]:
    """Hostile links without those few that are agents after all."""
    chance, found = random.Random(14), ["o1/", "o1/%00", "o1e/", "o1/e30", "o1/" + "A" * 40_000]
    while len(found) < FUZZED:
        fragment = fuzzed(chance)
        if not fragment.startswith((links.PLAIN, links.SEALED)):
            continue  # the name of a page that is none
        try:
            if not links.closed(fragment):
                links.opened(fragment)
                continue
        except Refused:
            pass
        found.append(fragment)
    return found


def test_hostile_links_are_refused_and_nothing_else_happens(app_page):
    page = app_page.page
    stored = page.evaluate("() => JSON.stringify({...localStorage})")
    problem, use = (page.locator(each).filter(visible=True) for each in ("p.problem", USE))
    for fragment in wrong_links():
        page.evaluate(SET_HASH, WHOLE)
        use.wait_for()
        page.evaluate(SET_HASH, fragment)
        problem.wait_for()
        assert page.url.endswith("#agents")
    assert page.locator("[data-key=show_kept_0]").count() == 0
    assert page.evaluate("() => JSON.stringify({...localStorage})") == stored
    assert app_page.window()["ledger"]["entries"] == []
    page.locator("[data-key=page-chat]").click()
    app_page.expect("app.sentence")
    assert app_page.ask("What is the capital of France?").text


def test_an_agent_is_kept_used_after_a_reload_deleted_and_brought_back(app_page):
    page = app_page.page
    open_link(app_page, links.link(FEELING))
    page.locator("[data-key=keep]").click()
    app_page.expect("agents.here")
    page.locator("[data-key=use]").click()
    answer = app_page.ask(FEELING.openings[0]).text
    assert json.loads(answer) == {"feeling": "positive"}
    page.reload()
    app_page.wait_live().wait_model()
    page.get_by_text(FEELING.openings[0]).filter(visible=True).first.wait_for()
    assert set(json.loads(app_page.ask("I hate this place.").text)) == {"feeling"}
    page.locator("[data-key=page-agents]").click()
    page.locator("[data-key=show_kept_0]").click()
    page.locator("[data-key=delete]").click()
    page.locator("[data-key=undo]").click()
    page.locator("[data-key=show_kept_0]").wait_for()
