"""The agent that plots and runs programs, on the embedded model: what is asked, shown and kept."""

from onglet.agents import gallery
from onglet_build.driver import App

PLOTTER = next(each for each in gallery.agents("en") if "python@1" in each.tools)
TABLE = "shop.csv\nfruit,units\napple,4\npear,5\napple,6\n"


def use_plotter(app: App) -> None:
    place = gallery.agents("en").index(PLOTTER)
    app.page.locator("[data-key=page-agents]").click()
    app.page.locator(f"[data-key=use_made_{place}]").click()
    app.page.get_by_text(PLOTTER.openings[0]).filter(visible=True).first.wait_for()


SQUARES = "Run this program:\n```python\nprint(sum(n * n for n in range(1, 101)))\n```"


def answer(app: App, question: str) -> str:
    """What is said after the program was allowed to run."""
    count = app.page.locator(".turn.answer").count()
    app.send(question)
    app.page.locator("[data-key=allow]").click(timeout=120_000)
    app.page.locator(".turn.answer").nth(count).wait_for()
    app.page.locator(".turn.answer.last.done").wait_for(timeout=120_000)
    return app.answers_on_screen()[-1]


def test_a_plot_from_sandboxed_python_and_a_program_of_ones_own(app_page):
    page = app_page.page
    use_plotter(app_page)
    app_page.send(PLOTTER.openings[0])
    page.locator("[data-key=allow]").wait_for()
    shown = page.locator(".step pre").first.inner_text()
    assert shown.startswith("import matplotlib") and "['apples', 'pears', 'plums']" in shown
    page.locator("[data-key=allow]").click()
    page.locator(".turn.answer.last.done").wait_for(timeout=120_000)
    assert "3 values, from 2 to 7" in app_page.answers_on_screen()[-1]
    figure = page.locator(".figure")
    figure.wait_for()
    assert figure.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 600
    assert figure.get_attribute("alt")
    assert page.locator("iframe").count() <= 1  # the spare one

    said = answer(app_page, f"Plot units by fruit in shop.csv\n{TABLE}")
    assert "apple: 10, pear: 5" in said
    assert "338350" in answer(app_page, SQUARES)
    failed = answer(app_page, "Run:\n```python\n1 / 0\n```")
    assert failed and "ZeroDivisionError" in page.locator(".step pre").last.text_content()

    app_page.send("Run:\n```python\nwhile True: pass\n```")
    page.locator("[data-key=allow]").click()
    page.get_by_text("Tool: python, at work").wait_for()
    page.keyboard.press("Escape")  # ends the program at once
    page.get_by_text("Tool: python, stopped").wait_for()

    page.reload()
    app_page.wait_live().wait_model()
    page.locator(".figure").nth(1).wait_for()  # pictures are kept with the chat
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
