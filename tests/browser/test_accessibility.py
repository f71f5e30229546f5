"""axe finds nothing serious on any page, in either theme, wide and on a phone, and no page scrolls
sideways: the chat empty and with an answer, the sheets, the privacy page with all that it can show,
the other pages as a first visit finds them.

One visit a theme: what differs between wide and narrow is looked at by changing the window.
"""

from collections.abc import Callable

import pytest

from onglet_build import vendor
from onglet_build.driver import App

RUN_AXE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ['violations'] })
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html.slice(0, 120)).join(' | ')}`)
}"""
FITS = "() => document.documentElement.scrollWidth <= innerWidth"
PHONE = {"width": 360, "height": 780}
DESKTOP = {"width": 1280, "height": 860}


@pytest.fixture(scope="session")
def axe() -> str:
    return (vendor.package("axe-core").folder / "axe.min.js").read_text()


def judge(page) -> None:
    """At both widths."""
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        assert page.evaluate(RUN_AXE) == []
        assert page.evaluate(FITS)


def chat(app: App) -> None:
    judge(app.page)
    app.ask("What is the capital of France?")
    judge(app.page)


def sheets(app: App) -> None:
    for sheet in ("model", "silence"):
        app.page.locator(f"[data-key={sheet}]").click()
        app.page.locator(".MuiDrawer-paper").filter(visible=True).wait_for()
        judge(app.page)
        app.page.keyboard.press("Escape")


def privacy(app: App) -> None:
    show(app, "privacy")
    app.page.evaluate("() => fetch('https://refused.example/').catch(() => {})")
    app.press("privacy.delete")
    app.expect("privacy.delete.sure")
    app.page.get_by_role("cell", name="refused.example").wait_for()
    judge(app.page)


def agents(app: App) -> None:
    show(app, "agents")
    judge(app.page)
    app.page.locator("[data-key=show_made_2]").click()
    app.expect("agents.form")
    judge(app.page)


def the_other(name: str) -> Callable[[App], None]:
    def visit(app: App) -> None:
        show(app, name)
        judge(app.page)

    return visit


def show(app: App, name: str) -> None:
    app.page.locator(f"[data-key=page-{name}]").click()
    app.page.locator("h2").filter(visible=True).first.wait_for()


SEEN = {"chat": chat, "sheets": sheets, "privacy": privacy, "agents": agents}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_and_sheet(open_app, server, axe, watch, theme):
    watch.provoked = True  # a request that the policy refuses, for the ledger
    app = open_app(server, color_scheme=theme, viewport=DESKTOP, reduced_motion="reduce")
    page = app.wait_live().wait_model().page
    page.evaluate(axe)
    pages = page.locator("[data-key^=page-]").evaluate_all(
        "links => links.map(link => link.dataset.key.slice('page-'.length))"
    )
    assert {"chat", "agents", "privacy"} <= set(pages)
    for name in [*SEEN, *(each for each in pages if each not in SEEN)]:
        page.set_viewport_size(DESKTOP)
        SEEN.get(name, the_other(name))(app)
