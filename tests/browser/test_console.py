"""The Python page on the embedded model: the README's example, streams, vectors, names that stay, a
program that hangs is stopped, one that floods the page with questions is ended."""

import re

from playwright.sync_api import expect
from test_accessibility import axe, judge  # noqa: F401 (a fixture)

from onglet_build.driver import SECONDS_TO_ANSWER
from onglet_build.places import ROOT

PATIENCE = SECONDS_TO_ANSWER * 1000
README = (ROOT / "README.md").read_text("utf-8").partition("## Ask it from Python")[2]
EXAMPLE = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]

FLOOD = """import asyncio
from onglet import client
await asyncio.gather(*(client.models.list() for _ in range(50)), return_exceptions=True)"""


def test_programs_ask_the_model_and_stay_behind_walls(open_app, server, axe):  # noqa: F811
    page = open_app(server).wait_live().wait_model().page
    page.evaluate("location.hash = 'console'")
    field = page.get_by_label("Python program")

    def run(code: str):
        field.fill(code)
        ran = page.locator("[data-key=again]").count()
        field.press("Shift+Enter")
        expect(page.locator("[data-key=again]")).to_have_count(ran + 1, timeout=PATIENCE)
        return page.locator("p.source").last

    expect(run(EXAMPLE)).to_contain_text("Paris")
    page.locator("[data-key=use_stream]").click()
    expect(field).to_have_value(re.compile("stream=True"))
    expect(run(field.input_value())).to_contain_text(re.compile(r"1.*2.*\| \d+", re.DOTALL))
    expect(run("len(pieces) > 3, type(client).__name__")).to_have_text("(True, 'Client')")
    wrong = "await client.chat.completions.create(messages=[])"
    expect(run(wrong)).to_contain_text("APIError: The request is not understood at “messages”")
    expect(run("import js\nhasattr(js.self, 'postMessage'), hasattr(js, 'fetch')")).to_have_text(
        "(False, False)"
    )
    page.locator("[data-key=use_embed]").click()
    expect(field).to_have_value(re.compile("embeddings"))
    run(field.input_value())
    assert page.locator("table td").all_inner_texts()[::4] == ["cat", "kitten", "engine"]
    page.evaluate(axe)
    judge(page)

    field.fill("while True: pass")
    field.press("Shift+Enter")
    page.locator("[data-key=stop_code]").click()
    expect(page.locator("p.problem")).to_be_visible()
    page.locator("[data-key=restart]").wait_for()
    expect(run("pieces")).to_contain_text("NameError")
    page.locator("[data-key=restart]").click()
    field.fill(FLOOD)
    field.press("Shift+Enter")
    expect(page.locator("p.problem")).to_be_visible(timeout=PATIENCE)
    expect(run("'still here'")).to_contain_text("still here")
