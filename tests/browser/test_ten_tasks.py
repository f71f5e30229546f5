"""Ten real tasks in one visit, each by a built-in agent or flow on the embedded model, from the
question to a result that is checked."""

import json
from datetime import date, timedelta

import pytest

from onglet.agents import flow as flows
from onglet.agents import gallery, links
from onglet_build.browser import Watch
from onglet_build.driver import SECONDS_TO_ANSWER, App, AskFailed

AGENTS, FLOWS = gallery.agents("en"), gallery.flows("en")
PATIENCE = 1000 * SECONDS_TO_ANSWER
TABLE = "shop.csv\nfruit,units\napple,4\npear,5\napple,6\n"
WIDE = "() => document.documentElement.scrollWidth <= innerWidth"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 860}
NOTE = "Remember that the spare key is at <b>Maria's</b>."
MANUAL = (
    b"# Keys\n\nThe spare key of the shed hangs behind the blue door.\n\n# Cat\n\nFeed her at noon."
)
DROP = """text => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([text], "given.onglet"));
  dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, cancelable: true }));
}"""
SQUARES = "Run this program:\n```python\nprint(sum(n * n for n in range(1, 101)))\n```"


@pytest.fixture(scope="module")
def visit(browser, server):
    """One page for all; a minute of what is planned has two seconds."""
    watch = Watch(origins={server.origin})
    context = browser.new_context(service_workers="block", viewport=DESK)
    watch.follow(context)
    yield App(context.new_page(), f"{server.url}?minute=2").open().wait_live().wait_model()
    context.close()
    assert (watch.off_origin, watch.violations, watch.errors) == ([], [], [])
    assert [body for _, body in server.posted] == []


def agent(**wanted):
    """The first agent of the gallery that has such fields."""
    return next(a for a in AGENTS if all(getattr(a, k) == v for k, v in wanted.items()))


HANDY = next(each for each in AGENTS if "convert@1" in each.tools)
PLOTTER = next(each for each in AGENTS if "python@1" in each.tools)
LIBRARIAN = agent(tools=("lookup@1",))
PAGES = next(each for each in AGENTS if "HTML" in each.instructions)
MOOD = next(each for each in AGENTS if each.form)


def seen(app: App, key: str):
    return app.page.locator(f"[data-key={key}]").filter(visible=True)


def use(app: App, wanted) -> None:
    """Begins a chat with an agent of the gallery."""
    app.page.locator("[data-key=page-agents]").click()
    if seen(app, "dismiss").count():
        seen(app, "dismiss").first.click()
    seen(app, f"use_made_{AGENTS.index(wanted)}").click()
    app.page.get_by_text(wanted.openings[0]).filter(visible=True).first.wait_for()


def answer(app: App, question: str, *, allow: bool | None = None) -> str:
    """What the answer says once it has come to its end."""
    page = app.page
    count = page.locator(".turn.answer").count()
    app.send(question)
    if allow is not None:
        seen(app, "allow" if allow else "refuse").click(timeout=PATIENCE)
    page.locator(".turn.answer").nth(count).wait_for()
    page.locator(".turn.answer.last.done").wait_for(timeout=PATIENCE)
    return app.answers_on_screen()[-1]


def test_a_unit_conversion(visit):
    use(visit, HANDY)
    assert "42.1648 kilometers" in answer(visit, "Convert 26.2 miles to kilometers")
    visit.page.locator("[data-key=step_0]").press("Enter")  # the fold opens by keyboard
    assert visit.page.locator(".step pre").all_inner_texts() == [
        '{"amount": 26.2, "unit": "mile", "to": "kilometer"}',
        "26.2 miles = 42.1648 kilometers",
    ]


def test_a_date_question(visit):
    use(visit, HANDY)
    then = date.today() + timedelta(days=30)
    said = answer(visit, "What is the date in 30 days?")
    near = {then.isoformat(), (then + timedelta(days=1)).isoformat()}  # midnight may come
    assert any(day in said for day in near)


def test_a_sum_over_a_csv(visit):
    use(visit, HANDY)
    assert "10" in answer(visit, f"How many units of apple?\n{TABLE}")


def test_a_note_remembered_in_a_later_chat(visit):
    page = visit.page
    use(visit, HANDY)
    assert answer(visit, NOTE, allow=False).startswith("The tool remember was not used.")
    assert "<b>Maria's</b>" in answer(visit, NOTE, allow=True)  # as text
    assert page.locator(".turn b").count() == 0
    page.reload()
    visit.wait_live().wait_model()
    page.locator(".step").first.wait_for()  # what tools did is kept with the chat
    use(visit, HANDY)
    assert "Maria" in answer(visit, "Where did I say the spare key is?")


def test_a_constrained_form(visit):
    use(visit, MOOD)
    for opening, feeling in zip(MOOD.openings, ("positive", "negative"), strict=True):
        assert json.loads(answer(visit, opening)) == {"feeling": feeling}


def test_a_plot_and_a_program_of_ones_own(visit):
    page = visit.page
    use(visit, PLOTTER)
    visit.send(PLOTTER.openings[0])
    seen(visit, "allow").wait_for()
    shown = page.locator(".step pre").first.inner_text()
    assert shown.startswith("import matplotlib") and "['apples', 'pears', 'plums']" in shown
    seen(visit, "allow").click()
    page.locator(".turn.answer.last.done").wait_for(timeout=PATIENCE)
    assert "3 values, from 2 to 7" in visit.answers_on_screen()[-1]
    figure = page.locator(".figure")
    figure.wait_for()
    assert figure.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 600
    assert figure.get_attribute("alt")
    assert page.locator("iframe").count() <= 1  # the spare one

    said = answer(visit, f"Plot units by fruit in shop.csv\n{TABLE}", allow=True)
    assert "apple: 10, pear: 5" in said
    assert "338350" in answer(visit, SQUARES, allow=True)
    failed = answer(visit, "Run:\n```python\n1 / 0\n```", allow=True)
    assert failed and "ZeroDivisionError" in page.locator(".step pre").last.text_content()

    visit.send("Run:\n```python\nwhile True: pass\n```")
    seen(visit, "allow").click()
    page.get_by_text("Tool: python, at work").wait_for()
    page.keyboard.press("Escape")  # ends the program at once
    page.get_by_text("Tool: python, stopped").wait_for()

    page.reload()
    visit.wait_live().wait_model()
    page.locator(".figure").nth(1).wait_for()  # pictures are kept with the chat
    page.set_viewport_size(PHONE)
    assert page.evaluate(WIDE)
    page.set_viewport_size(DESK)


def finished(app: App) -> str:
    """The result of the flow on the screen."""
    seen(app, "flow_copy").wait_for(timeout=PATIENCE)
    return app.page.locator("p.full").filter(visible=True).last.inner_text()


def test_a_two_agent_review(visit):
    page = visit.page
    page.locator("[data-key=page-agents]").click()
    review = FLOWS[0]
    seen(visit, "show_flow_0").click()
    for shown in (review.hash, review.parts[1].task, review.parts[1].agent.instructions):
        page.get_by_text(shown).filter(visible=True).first.wait_for()
    seen(visit, "flow_use").click()
    seen(visit, "flow_run").click()
    visit.expect("error.no_question")
    seen(visit, "flow_ask_0").click()
    seen(visit, "flow_run").click()
    page.locator(".graph .running").wait_for()
    result = finished(visit)
    assert "bee" in result.lower() and page.locator(".graph .done").count() == 3
    notes = page.locator(".items p.full").filter(visible=True).all_inner_texts()
    assert notes[2] == result
    seen(visit, "step_look").nth(2).click()
    read = page.locator("p.source").filter(visible=True).inner_text()
    assert notes[0] in read and notes[1] in read and review.openings[0] in read
    seen(visit, "step_again").nth(2).click()
    seen(visit, "flow_stop").click()
    page.locator(".graph .stopped").wait_for()
    assert page.locator(".graph .done").count() == 2
    seen(visit, "step_again").nth(2).click()
    assert "bee" in finished(visit).lower()
    page.set_viewport_size(PHONE)
    assert page.evaluate(WIDE)
    page.set_viewport_size(DESK)


def test_a_flow_is_made_from_a_link_and_leaves_as_one(visit):
    page = visit.page
    judge = next(each for each in FLOWS if each.shape == flows.JUDGE)
    with pytest.raises(AskFailed, match="no agent"):
        visit.use_link(links.link(judge))
    page.get_by_text(judge.hash).filter(visible=True).wait_for()
    assert page.locator(".graph .waiting").count() == 4
    seen(visit, "flow_fork").click()
    page.locator("[id='name']").fill("Two answers")
    page.locator("[id='task.0']").fill("{answers}")
    page.locator("p.problem").filter(visible=True).wait_for()
    page.locator("[id='task.0']").fill("In one word: {question}")
    page.locator("p.problem").filter(visible=True).wait_for(state="detached")
    seen(visit, "flow_less").click()
    page.locator("[id='task.3']").wait_for(state="detached")
    seen(visit, "flow_save").click()
    visit.expect("flow.here")
    page.get_by_text(judge.hash).filter(visible=True).wait_for()  # its parent
    seen(visit, "share").click()
    address = page.locator("p.code").filter(visible=True)
    address.wait_for()
    fork = links.opened(address.inner_text().partition("#")[2])
    assert (fork.name, len(fork.parts), fork.parent) == ("Two answers", 3, judge.hash)
    page.locator("[data-key=page-models]").click()
    page.evaluate(DROP, fork.canonical())  # the same as a file, wherever it falls
    visit.expect("flow.here")
    seen(visit, "flow_delete").click()
    visit.expect("agents.deleted")
    seen(visit, "flow_undo").click()
    visit.expect("flow.kept")
    seen(visit, "use_flow_0").click()
    page.locator("[id='flow_question']").fill("Which city is the capital of France?")
    seen(visit, "flow_run").click()
    assert "Paris" in finished(visit)
    seen(visit, "flow_back").click()


def test_a_scheduled_summary(visit):
    page = visit.page
    page.locator("[data-key=page-agents]").click()
    seen(visit, "plan_make").click()
    digest = next(each for each in FLOWS if each.parts[0].agent.name == "Summary")
    page.locator("[id='plan_who']").select_option(digest.hash)
    page.locator("[id='plan_question']").fill("Summarize my notes.")
    page.locator("[id='plan_notes']").select_option("yes")
    page.locator("[id='plan_at']").fill("25:00")
    seen(visit, "plan_save").click()
    visit.expect("error.bad_time")
    page.locator("[id='plan_how']").select_option("every")
    page.locator("[id='plan_every']").fill("1")
    seen(visit, "plan_save").click()
    seen(visit, "plan_stop").wait_for()  # by itself
    seen(visit, "plan_pause").click()
    seen(visit, "plan_stop").wait_for(state="detached", timeout=PATIENCE)
    seen(visit, "plan_show").click()
    page.get_by_text(": done").filter(visible=True).first.wait_for()
    seen(visit, "plan_look_0").click()
    read = page.locator("p.source").filter(visible=True)
    read.nth(1).wait_for()
    assert "the spare key is at <b>Maria's</b>" in read.first.inner_text() and read.count() == 2
    seen(visit, "plan_delete").click()
    visit.expect("plan.deleted")


def test_a_question_to_a_document(visit):
    page = visit.page
    page.locator("[data-key=page-documents]").click()
    with page.expect_file_chooser() as chooser:
        visit.press("documents.pick")
    chooser.value.set_files({"name": "notes.md", "mimeType": "text/plain", "buffer": MANUAL})
    page.locator(".items li").filter(has_text="notes.md").locator("[data-key=delete]").wait_for(
        timeout=PATIENCE
    )
    use(visit, LIBRARIAN)
    said = answer(visit, "What do my documents say about the spare key?")
    assert "notes.md: “" in said and "behind the blue door" in said


def test_a_page_is_made_shared_and_forked(visit):
    page = visit.page
    use(visit, PAGES)
    answer(visit, PAGES.openings[0])
    for _ in range(4):  # roundings of another machine lead elsewhere: asked again, as people do
        if seen(visit, "show_artifact").count():
            break
        visit.press("chat.regenerate")
        page.locator(".turn.answer.last.done").wait_for(state="detached")
        page.locator(".turn.answer.last.done").wait_for(timeout=PATIENCE)
    seen(visit, "show_artifact").first.click()
    frame = page.frame_locator("iframe.artifact").first
    frame.locator("body > *").first.wait_for()
    seen(visit, "keep_artifact").first.click()
    visit.expect("notice.artifact")
    page.locator("[data-key=page-artifacts]").click()
    seen(visit, "show").first.click()
    seen(visit, "share").click()
    address = page.locator("p.code").filter(visible=True)
    address.wait_for()
    fragment = address.inner_text().partition("#")[2]
    sent = links.opened(fragment)
    page.evaluate("hash => { location.hash = hash }", fragment)
    visit.expect("artifacts.sent")
    assert sent.source == page.locator("p.source").filter(visible=True).text_content()
    seen(visit, "keep_page").click()
    seen(visit, "back").click()  # to the list; the first one was still shown
    seen(visit, "show").nth(1).wait_for()
    seen(visit, "show").first.click()
    page.locator("[data-key=edit].text-button").filter(visible=True).click()
    page.locator("textarea.source").filter(visible=True).fill("<h1>Winter party</h1>")
    seen(visit, "change").click()
    page.get_by_text("Made from").filter(visible=True).wait_for()
    seen(visit, "share").click()
    address.wait_for()
    fork = links.opened(address.inner_text().partition("#")[2])
    assert (fork.source, fork.parent) == ("<h1>Winter party</h1>", sent.hash)


def test_notes_and_permissions_are_in_the_persons_hands(visit):
    page = visit.page
    page.set_viewport_size(PHONE)
    page.locator("[data-key=page-agents]").click()
    seen(visit, "delete_note").click()
    seen(visit, "undo").click()
    seen(visit, "delete_note").click()
    visit.expect("notes.deleted")
    seen(visit, f"show_made_{AGENTS.index(HANDY)}").click()
    seen(visit, "permit_never").nth(1).click()
    visit.expect("agents.changes")
    assert page.evaluate(WIDE)
    seen(visit, "use").click()
    page.get_by_text(HANDY.openings[0]).filter(visible=True).first.wait_for()
    assert answer(visit, "Convert 26.2 miles to kilometers")
    assert page.locator(".step").count() == 0
