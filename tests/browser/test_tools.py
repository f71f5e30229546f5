"""Agents with tools on the embedded model: the built-in one at work, and a sample of the cases."""

from datetime import date, timedelta

from engine_driver import PAGE
from run_cases import opened, run

from onglet.agents import gallery
from onglet_build.driver import SECONDS_TO_ANSWER, App
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

HANDY = next(agent for agent in gallery.agents("en") if agent.tools)
TABLE = "shop.csv\nfruit,units\napple,4\npear,5\napple,6\n"


def answer(app: App, question: str, *, allow: bool | None = None) -> str:
    """What the last answer says once it has come to its end."""
    page = app.page
    count = page.locator(".turn.answer").count()
    app.send(question)
    if allow is not None:
        page.locator("[data-key=allow]").wait_for()
        page.locator(f"[data-key={'allow' if allow else 'refuse'}]").click()
    page.locator(".turn.answer").nth(count).wait_for()
    finished = page.locator(".turn.answer.last.done")
    finished.wait_for(timeout=SECONDS_TO_ANSWER * 1000)
    return app.answers_on_screen()[-1]


def use_handy(app: App) -> None:
    page = app.page
    page.locator("[data-key=page-agents]").click()
    page.get_by_text(HANDY.name, exact=True).wait_for()
    place = [agent.name for agent in gallery.agents("en")].index(HANDY.name)
    page.locator(f"[data-key=use_made_{place}]").click()
    page.get_by_text(HANDY.openings[0]).filter(visible=True).first.wait_for()


def test_the_handy_agent_converts_dates_notes_and_asks_before_it_writes(app_page):
    page = app_page.page
    use_handy(app_page)
    assert "42.1648 kilometers" in answer(app_page, "Convert 26.2 miles to kilometers")
    page.locator("[data-key=step_0]").press("Enter")  # the fold opens by keyboard
    shown = page.locator(".step pre").all_inner_texts()
    assert shown == [
        '{"amount": 26.2, "unit": "mile", "to": "kilometer"}',
        "26.2 miles = 42.1648 kilometers",
    ]
    then = date.today() + timedelta(days=30)
    near = {then.isoformat(), (then + timedelta(days=1)).isoformat()}  # midnight may come
    said = answer(app_page, "What is the date in 30 days?")
    assert any(day in said for day in near)
    assert "10" in answer(app_page, f"How many units of apple?\n{TABLE}")
    note = "Remember that the spare key is at <b>Maria's</b>."
    refused = answer(app_page, note, allow=False)
    assert refused.startswith("The tool remember was not used.")
    assert "<b>Maria's</b>" in answer(app_page, note, allow=True)  # as text
    assert page.locator(".turn b").count() == 0

    page.reload()
    app_page.wait_live().wait_model()
    page.locator(".step").first.wait_for()  # what tools did is kept with the chat
    use_handy(app_page)
    assert "Maria" in answer(app_page, "Where did I say the spare key is?")

    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("[data-key=page-agents]").click()
    page.locator("[data-key=delete_note]").click()
    page.locator("[data-key=undo]").click()
    page.locator("[data-key=delete_note]").click()
    app_page.expect("notes.deleted")
    place = [agent.name for agent in gallery.agents("en")].index(HANDY.name)
    page.locator(f"[data-key=show_made_{place}]").click()
    page.locator("[data-key=permit_never]").nth(1).click()
    app_page.expect("agents.changes")
    wide = "() => document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(wide)
    page.locator("[data-key=use]").click()
    page.get_by_text(HANDY.openings[0]).filter(visible=True).first.wait_for()
    said = answer(app_page, "Convert 26.2 miles to kilometers")
    assert page.locator(".step").count() == 0 and said


def test_a_sample_of_the_cases_on_the_real_engine(site, new_context):
    with Loopback({"/": PAGE, "/site/": site}, headers=HEADERS) as host:
        engine = opened(new_context(host).new_page(), host.url, site)
        right = [is_right for _, _, is_right in run(engine, every=6)]
    assert engine.written  # every call was parsed, or run would have raised
    assert sum(right) >= 0.8 * len(right)
