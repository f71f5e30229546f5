"""An agent as people make, try and pass it on: editor, preview, bench, fork, links and file."""

from pathlib import Path

import segno

from onglet.agents import gallery, links, picture
from onglet.words import TABLES
from onglet_build.driver import SECONDS_TO_ANSWER, App

SENTENCE = gallery.agents("en")[0]
PASSPHRASE = "two small boats"
WIDE = "() => document.documentElement.scrollWidth <= innerWidth"
DOTS = """(path) => [...path.getAttribute('d').matchAll(/M(\\d+) (\\d+)h(\\d+)/g)].map(
  ([, x, y, length]) => [Number(x), Number(y), Number(length)])"""


def seen(app: App, selector: str):
    return app.page.locator(selector).filter(visible=True)


def agents(app: App) -> None:
    app.page.locator("[data-key=page-agents]").click()


def type_into(app: App, field: str, text: str) -> None:
    app.page.locator(f"[id='{field}']").fill(text)


def press(app: App, key: str) -> None:
    seen(app, f"[data-key={key}]").first.click()


def test_an_agent_is_forked_tried_saved_changed_and_brought_back(app_page: App):
    page = app_page.page
    agents(app_page)
    press(app_page, "show_made_0")
    press(app_page, "fork")
    prompt = seen(app_page, "p.source")
    prompt.wait_for()
    assert SENTENCE.instructions in prompt.inner_text()
    assert SENTENCE.openings[0] in prompt.inner_text()
    assert TABLES["en"]["agents.budget.opening"] in seen(app_page, ".plot").inner_text()

    type_into(app_page, "name", "")  # said at once, and nothing is lost
    seen(app_page, "p.problem").get_by_text(TABLES["en"]["agents.field.name"]).wait_for()
    type_into(app_page, "name", "Capitals")
    type_into(app_page, "instructions", "Answer with the name of the city alone.")
    page.locator("[id='name']").focus()
    page.keyboard.press("End")
    page.keyboard.type(" of Europe")  # the field is not drawn anew while it is typed in
    page.get_by_text("with the name of the city alone").filter(visible=True).first.wait_for()
    assert page.locator("[id='name']").input_value() == "Capitals of Europe"
    page.locator("[id='tools.calculator']").select_option("free")
    page.get_by_text(TABLES["en"]["agents.budget.choosing"]).wait_for()
    page.locator("[id='tools.calculator']").select_option("none")

    for question, expected in (("What is the capital of France?", "paris"), ("And of Mars?", "%")):
        page.locator("#add_case-question").fill(question)
        page.locator("#add_case-expected").fill(expected)
        press(app_page, "add_case")
        page.locator(".items strong").get_by_text(question).wait_for()
    press(app_page, "run_cases")
    page.get_by_text("This version: 1 of 2 right.").wait_for(timeout=2000 * SECONDS_TO_ANSWER)
    press(app_page, "case_history")
    rows = seen(app_page, "table tbody tr")
    rows.first.wait_for()
    assert "Paris" in rows.first.inner_text() and "right" in rows.first.inner_text()
    press(app_page, "delete_case")
    press(app_page, "undo_case")

    press(app_page, "save")
    app_page.expect("agents.here")
    page.get_by_text(SENTENCE.hash).wait_for()  # where it comes from
    app_page.expect("agents.changes")
    press(app_page, "change")
    type_into(app_page, "purpose", "Names capitals")
    seen(app_page, "p").get_by_text(TABLES["en"]["agents.edit.changed"]).wait_for()
    assert seen(app_page, ".items li").count() == 2
    press(app_page, "leave")
    app_page.expect("agents.edit.left")
    press(app_page, "undo")
    assert page.locator("[id='purpose']").input_value() == "Names capitals"
    press(app_page, "save")
    page.get_by_text("Names capitals").filter(visible=True).first.wait_for()
    page.reload()
    app_page.wait_live()
    press(app_page, "show_kept_0")
    assert page.locator("[data-key=show_kept_1]").count() == 0
    press(app_page, "change")
    page.get_by_text("This version: 1 of 2 right.").wait_for(state="detached")
    press(app_page, "case_history")
    rows.first.wait_for()  # what another version said is kept
    assert rows.count() == 1
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(WIDE)
    press(app_page, "leave")
    press(app_page, "show_kept_0")
    press(app_page, "delete")
    press(app_page, "undo")
    seen(app_page, "[data-key=show_kept_0]").wait_for()


def test_an_agent_leaves_encrypted_as_a_picture_and_as_a_file(app_page: App, tmp_path: Path):
    page = app_page.page
    agents(app_page)
    press(app_page, "show_made_0")
    press(app_page, "share")
    address = seen(app_page, "p.code")
    address.wait_for()
    plain = address.inner_text()
    assert plain.endswith(links.link(SENTENCE)) and len(plain) < 2000
    wanted = picture.rows(plain)
    shown = page.locator("svg.dots path").evaluate(DOTS)
    drawn = [["0"] * len(wanted) for _ in wanted]
    for x, y, length in shown:
        drawn[y][x : x + length] = ["1"] * length
    assert ["".join(row) for row in drawn] == wanted
    assert segno.make(plain, error="l", micro=False).symbol_size(border=4)[0] == len(wanted)

    press(app_page, "share_key")
    page.get_by_text("#o1e/").wait_for()
    by_key = address.inner_text()
    page.locator("#share_passphrase-passphrase").fill("short")
    press(app_page, "share_passphrase")
    seen(app_page, "p.problem").wait_for()
    page.locator("#share_passphrase-passphrase").fill(PASSPHRASE)
    press(app_page, "share_passphrase")
    page.wait_for_function("before => !document.body.textContent.includes(before)", arg=by_key)
    seen(app_page, "p.problem").wait_for(state="detached")
    by_passphrase = address.inner_text()
    assert "." not in by_passphrase.partition("#")[2] and "." in by_key.partition("#")[2]
    with page.expect_download() as saved:
        press(app_page, "share_file")
    assert saved.value.suggested_filename == "One-sentence.onglet"
    file = tmp_path / "agent.onglet"
    saved.value.save_as(file)
    assert file.read_text("utf-8") == SENTENCE.canonical()
    press(app_page, "dismiss")

    shown_whole = page.get_by_text(SENTENCE.hash).filter(visible=True)
    page.evaluate("hash => { location.hash = hash }", by_key.partition("#")[2])
    shown_whole.wait_for()
    assert page.url.endswith("#agents")  # neither key nor agent stays in the address
    press(app_page, "dismiss")
    page.evaluate("hash => { location.hash = hash }", by_passphrase.partition("#")[2])
    field = page.locator("#open_closed-passphrase")
    field.fill("something else")
    press(app_page, "open_closed")
    app_page.expect("error.wrong_passphrase")
    assert shown_whole.count() == 0
    field.fill(PASSPHRASE)
    press(app_page, "open_closed")
    shown_whole.wait_for()
    press(app_page, "dismiss")
    for content in (SENTENCE.canonical(), "ONGLET\r\n", "{}", "x" * 300_000):
        (tmp_path / "given.onglet").write_text(content, newline="")
        with page.expect_file_chooser() as chooser:
            press(app_page, "open_agent_file")
        chooser.value.set_files(tmp_path / "given.onglet")
        if content == SENTENCE.canonical():
            shown_whole.wait_for()
            press(app_page, "dismiss")
        else:
            app_page.expect("error.not_an_agent")
    wrong = by_key[:-2] + ("AA" if by_key[-2:] != "AA" else "BA")
    page.evaluate("hash => { location.hash = hash }", wrong.partition("#")[2])
    app_page.expect("error.bad_link")
