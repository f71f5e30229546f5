"""axe finds nothing serious on any page: in both themes, wide and on a phone; the chat empty, with
an answer, and with the sheets open; the privacy page with all that it can show; the
agents page."""

import pytest

from onglet_build import vendor

RUN_AXE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ['violations'] })
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html.slice(0, 120)).join(' | ')}`)
}"""
PHONE = {"width": 360, "height": 780}
DESKTOP = {"width": 1280, "height": 860}


@pytest.fixture(scope="session")
def axe() -> str:
    return (vendor.package("axe-core").folder / "axe.min.js").read_text()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_chat_page(open_app, server, axe, theme, viewport):
    app = open_app(server, color_scheme=theme, viewport=viewport, reduced_motion="reduce")
    app.wait_live().wait_model()
    app.page.evaluate(axe)
    assert app.page.evaluate(RUN_AXE) == []
    app.ask("What is the capital of France?")
    assert app.page.evaluate(RUN_AXE) == []
    for sheet in ("model", "silence"):
        app.page.locator(f"[data-key={sheet}]").click()
        assert app.page.evaluate(RUN_AXE) == []
        app.page.keyboard.press("Escape")


@pytest.mark.parametrize(("theme", "viewport"), [("light", DESKTOP), ("dark", PHONE)])
def test_privacy_page(open_app, server, axe, watch, theme, viewport):
    watch.provoked = True
    app = open_app(server, color_scheme=theme, viewport=viewport, reduced_motion="reduce")
    app.wait_live().wait_model()
    app.page.locator("[data-key=page-privacy]").click()
    app.page.evaluate("() => fetch('https://refused.example/').catch(() => {})")
    app.press("privacy.delete")
    app.expect("privacy.delete.sure")
    app.page.get_by_role("cell", name="refused.example").wait_for()
    app.page.evaluate(axe)
    assert app.page.evaluate(RUN_AXE) == []
    assert app.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("theme", "viewport"), [("light", DESKTOP), ("dark", PHONE)])
def test_agents_page(open_app, server, axe, theme, viewport):
    app = open_app(server, color_scheme=theme, viewport=viewport, reduced_motion="reduce")
    app.wait_live()
    app.page.locator("[data-key=page-agents]").click()
    app.expect("agents.gallery")
    app.page.evaluate(axe)
    assert app.page.evaluate(RUN_AXE) == []
    app.page.locator("[data-key=show_made_2]").click()
    app.expect("agents.form")
    assert app.page.evaluate(RUN_AXE) == []
    assert app.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
