"""Before a link to another site opens, its whole address is on the screen; an opened one is in the
ledger; a sealed session opens none."""

import pytest

from onglet.words import TABLES

pytestmark = pytest.mark.service_worker

ENGLISH = TABLES["en"]
ADDRESS = "https://b\u0430nk.example/pay?to=me#now"  # its second letter is Cyrillic
PLAIN = "https://xn--bnk-6cd.example/pay?to=me#now"
ADD_LINK = """address => {
  const link = Object.assign(document.createElement('a'), {
    href: address, target: '_blank', textContent: 'my bank', id: 'link' })
  link.style.cssText = 'position: fixed; z-index: 9999; top: 60px; left: 200px'
  const inside = document.body.appendChild(document.createElement('div'))
  inside.attachShadow({ mode: 'open' }).append(link)
}"""


@pytest.fixture
def app(open_app, server, watch):
    watch.provoked = True
    app = open_app(server).wait_live().wait_model()
    app.page.evaluate(ADD_LINK, ADDRESS)
    return app


def dialog(app):
    return app.page.locator("dialog.link")


def test_a_link_shows_its_address_before_it_opens(app, watch):
    for button in ("left", "middle"):
        app.page.locator("#link").click(button=button)
        dialog(app).wait_for()
        shown = dialog(app).locator(".address").inner_text()
        assert shown == PLAIN
        assert dialog(app).locator(".address strong").inner_text() == "xn--bnk-6cd.example"
        assert len(app.page.context.pages) == 1
        app.page.locator("[data-key=link-cancel]").click()
        dialog(app).wait_for(state="detached")
    assert watch.off_origin == []
    app.page.locator("#link").focus()
    app.page.keyboard.press("Enter")
    with app.page.context.expect_page() as opened:
        app.page.locator("[data-key=link-open]").click()
    assert opened.value.evaluate("() => opener") is None
    opened.value.close()
    ledger = app.window()["ledger"]
    assert [entry["host"] for entry in ledger["entries"]] == ["xn--bnk-6cd.example"]
    assert ledger["bytes"] == len(PLAIN)
    assert ledger["entries"][0]["approved"]
    chip = app.page.locator("[data-key=silence] .long")
    assert chip.inner_text().startswith(str(len(PLAIN)))


def test_a_sealed_session_opens_no_link(app):
    app.page.locator("[data-key=page-privacy]").click()
    app.press("privacy.seal")
    app.expect("privacy.seal.holds")
    app.page.locator("#link").click()
    app.page.get_by_role("heading", name=ENGLISH["link.sealed"]).wait_for()
    assert app.page.locator("[data-key=link-open]").count() == 0
    app.page.keyboard.press("Escape")
    dialog(app).wait_for(state="detached")
    assert len(app.page.context.pages) == 1
