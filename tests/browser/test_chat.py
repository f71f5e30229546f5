"""The chat page in the built site: what a person does with it, in both languages, on a phone."""

import re
import time

import pytest

from onglet.browser import safe
from onglet.words import TABLES
from tests.hostile_output import SHORT

ENGLISH, FRENCH = TABLES["en"], TABLES["fr"]
PHONE = {"width": 360, "height": 740}
PALINDROME = ENGLISH["try.2.text"]
# Chromium reports inline handlers even where it parses without running: they have no place here.
SILENT_PAYLOADS = [payload for payload in SHORT if not re.search(r"\bon\w+=|<base", payload)]
LONG = "Tell me a long story about a fox."
SMALL_TARGETS = """() => {
  const found = []
  const walk = root => root.querySelectorAll('*').forEach(element => {
    if (element.shadowRoot) walk(element.shadowRoot)
    if (!element.matches('button, textarea, input, a[href]')) return
    const { width, height } = element.getBoundingClientRect()
    const after = getComputedStyle(element, '::after')
    const reach = after.content === 'none' ? height : Math.max(height, parseFloat(after.height))
    if (width && height && (width < 43.9 || reach < 43.9) && !element.closest('label'))
      found.push(`${element.outerHTML.slice(0, 80)} ${width}x${reach}`)
  })
  walk(document)
  return found
}"""


def turns(app) -> list[str]:
    return [
        role.split()[1]
        for role in app.page.locator(".turn").evaluate_all("all => all.map(e => e.className)")
    ]


def wait_until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_done(app, answers=1):
    wait_until(lambda: app.page.locator(".turn.answer.done").count() == answers, 60)


def wait_growing(app):
    growing = app.page.locator(".turn.answer:not(.done) .text")
    wait_until(lambda: growing.count() == 1 and len(growing.inner_text()) > 20)


def button(app, key, table=ENGLISH):
    return app.page.get_by_role("button", name=table[key], exact=True)


def composer(app):
    return app.page.locator("#question")


def test_an_answer_streams_and_is_explained(app_page):
    app_page.ask("What is the capital of France?")
    wait_done(app_page)
    assert "Paris" in app_page.answers_on_screen()[0]
    first = ENGLISH["chat.first_answer"].split("{")[0]
    assert app_page.page.get_by_text(first).is_visible()
    assert re.search(r"\d+ tokens · [\d.]+ tokens/s", app_page.page.locator(".meta").inner_text())
    assert "tok/s" in app_page.page.locator("[data-key=model]").inner_text()
    assert re.search(
        r"\d+ of [\d,]+ tokens of context", app_page.page.locator(".context").inner_text()
    )
    assert "Paris" in app_page.page.locator(".transcript > [role=status]").inner_text()


def test_markdown_is_drawn_and_code_can_be_copied(app_page):
    app_page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    app_page.page.locator(".try").nth(1).click()
    wait_done(app_page)
    code = app_page.page.locator(".code pre").first.inner_text()
    assert "def is_palindrome" in code, app_page.window()
    button(app_page, "chat.copy_code").first.click()
    wait_until(lambda: app_page.page.evaluate("navigator.clipboard.readText()") == code)


def test_an_answer_can_be_copied(app_page):
    app_page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    app_page.ask("What is the capital of France?")
    wait_done(app_page)
    app_page.page.locator(".turn.answer [data-key=copy]").click()
    wait_until(lambda: "Paris" in app_page.page.evaluate("navigator.clipboard.readText()"))


def test_stop_by_button_and_by_escape(app_page):
    for number, stop in enumerate(("button", "escape"), 1):
        app_page.send(LONG)
        wait_growing(app_page)
        if stop == "button":
            button(app_page, "composer.stop").click()
        else:
            app_page.page.keyboard.press("Escape")
        wait_done(app_page, number)
        assert (
            app_page.page.locator(".turn.last .reason").inner_text()
            == ENGLISH["chat.reason.cancelled"]
        )
    assert "Paris" in app_page.ask("What is the capital of France?").text


def test_regenerate_replaces_the_answer(app_page):
    app_page.ask("What is the capital of France?")
    wait_done(app_page)
    app_page.page.locator("[data-key=regenerate]").click()
    app_page.page.locator(".branch").filter(has_text="2/2").wait_for()
    wait_done(app_page)
    assert turns(app_page) == ["question", "answer"]
    assert app_page.answers_on_screen()[0]


def test_the_last_question_can_be_edited(app_page):
    app_page.ask("What is the capital of Spain?")
    wait_done(app_page)
    app_page.page.locator(".turn.question").hover()
    app_page.page.locator("[data-key=edit]").click()
    wait_until(lambda: composer(app_page).input_value() == "What is the capital of Spain?")
    assert app_page.page.get_by_text(ENGLISH["composer.editing"]).is_visible()
    app_page.ask("What is the capital of France?")
    wait_done(app_page)
    assert turns(app_page) == ["question", "answer"]
    assert "Paris" in app_page.answers_on_screen()[0]


def test_escape_leaves_an_edit(app_page):
    app_page.ask("What is the capital of France?")
    wait_done(app_page)
    app_page.page.locator(".turn.question").hover()
    app_page.page.locator("[data-key=edit]").click()
    wait_until(lambda: composer(app_page).input_value() != "")
    app_page.page.keyboard.press("Escape")
    wait_until(lambda: composer(app_page).input_value() == "")
    app_page.page.get_by_text(ENGLISH["composer.editing"]).wait_for(state="hidden")


def test_new_chat_and_its_undo(app_page):
    app_page.ask("What is the capital of France?")
    wait_done(app_page)
    app_page.page.keyboard.press("Alt+n")
    wait_until(lambda: app_page.page.locator(".welcome").is_visible())
    button(app_page, "chat.undo").click()
    wait_until(lambda: turns(app_page) == ["question", "answer"])
    button(app_page, "chat.new").click()
    wait_until(lambda: turns(app_page) == [])
    assert "Paris" in app_page.ask("What is the capital of France?").text


def test_the_keys_of_the_composer(app_page):
    composer(app_page).click()
    for key in ("o", "n", "e", "Shift+Enter", "t", "w", "o"):
        app_page.page.keyboard.press(key)
    assert composer(app_page).input_value() == "one\ntwo"
    app_page.page.keyboard.press("Enter")
    wait_until(lambda: app_page.page.locator(".turn.question .text").count() == 1)
    assert app_page.page.locator(".turn.question .text").inner_text() == "one\ntwo"
    assert composer(app_page).input_value() == ""
    wait_done(app_page)


def test_no_model_then_one_and_the_question_is_answered(new_context, server):
    from onglet_build.driver import App

    app = App(new_context(server).new_page(), server.url + "?model=none").open().wait_live()
    app.send("What is the capital of France?")
    assert app.wait_problem() == ENGLISH["error.no_model"]
    button(app, "model.load").click()
    wait_until(lambda: any("Paris" in text for text in app.answers_on_screen()), 60)


def test_language_and_appearance_are_chosen_and_remembered(app_page):
    page = app_page.page
    app_page.ask("What is the capital of France?")
    wait_done(app_page)
    page.locator("[data-key=menu]").click()
    page.get_by_label("Français").check()
    wait_until(
        lambda: composer(app_page).get_attribute("placeholder") == FRENCH["composer.placeholder"]
    )
    page.get_by_text(FRENCH["chat.first_answer"].split("{")[0]).wait_for()
    wait_until(lambda: "jetons" in page.locator(".meta").inner_text())
    wait_until(lambda: page.evaluate("document.documentElement.lang") == "fr")
    page.get_by_label(FRENCH["theme.dark"]).check()
    dark = "() => getComputedStyle(document.body).backgroundColor"
    wait_until(lambda: page.evaluate(dark) == "rgb(21, 24, 27)")
    wait_until(lambda: page.evaluate("localStorage['onglet.settings']?.includes('dark')"))
    page.reload()
    app_page.wait_live()
    assert composer(app_page).get_attribute("placeholder") == FRENCH["composer.placeholder"]
    assert page.evaluate(dark) == "rgb(21, 24, 27)"


def test_a_french_browser_gets_french(open_app, server):
    app = open_app(server, locale="fr-FR").wait_live()
    assert composer(app).get_attribute("placeholder") == FRENCH["composer.placeholder"]
    assert app.page.get_by_text(FRENCH["app.sentence"]).is_visible()


def test_settings_reach_the_engine_and_can_be_reset(app_page):
    page = app_page.page
    page.locator("[data-key=model]").click()
    longest = page.get_by_role("spinbutton", name=ENGLISH["sampling.max_tokens"])
    longest.fill("3")
    button(app_page, "model.close").click()
    page.locator("[role=dialog]").wait_for(state="hidden")
    assert app_page.ask(LONG).done["answer_tokens"] <= 3
    wait_done(app_page)
    limit = ENGLISH["chat.reason.length"].split("{")[0]
    assert limit in page.locator(".reason").inner_text()
    page.locator("[data-key=model]").click()
    button(app_page, "sampling.reset").click()
    wait_until(lambda: longest.input_value() == "512")


def test_the_sheets_tell_the_model_and_the_silence(app_page):
    page = app_page.page
    page.locator("[data-key=model]").click()
    card = page.get_by_role("dialog", name=ENGLISH["model.title"])
    for word in ("SmolLM2-135M-Instruct", "135 million", "98", "Q4_1", "llama", "b179c9523d0e"):
        assert word in card.locator("dl").inner_text()
    page.keyboard.press("Escape")
    card.wait_for(state="hidden")
    page.locator("[data-key=silence]").click()
    silence = page.get_by_role("dialog", name=ENGLISH["silence.title"])
    silence.get_by_text(ENGLISH["silence.none"]).wait_for()


@pytest.mark.parametrize("language", ["en-US", "fr-FR"])
def test_a_phone_scrolls_nothing_sideways_and_has_room_for_fingers(open_app, server, language):
    app = open_app(server, viewport=PHONE, has_touch=True, is_mobile=True, locale=language)
    app.wait_live().wait_model()
    width = "document.documentElement.scrollWidth"
    assert app.page.evaluate(width) <= PHONE["width"]
    assert app.page.evaluate(SMALL_TARGETS) == []
    app.page.locator(".try").nth(1).tap()
    wait_done(app)
    assert app.page.evaluate(width) <= PHONE["width"]
    assert app.page.evaluate(SMALL_TARGETS) == []
    for sheet in ("model", "silence"):
        app.page.locator(f"[data-key={sheet}]").tap()
        app.page.locator("[data-key=close]").wait_for()
        assert app.page.evaluate(width) <= PHONE["width"]
        assert app.page.evaluate(SMALL_TARGETS) == []
        app.page.locator("[data-key=close]").tap()
        app.page.locator("[role=dialog]").wait_for(state="hidden")


def test_the_second_wall_lets_nothing_through(app_page):
    """safe.js alone, with the raw payloads, as if Python's door had failed."""
    tags = app_page.page.evaluate(
        """async payloads => {
          const site = JSON.parse(document.getElementById('site').textContent)
          const address = new URL(site.code + 'components/safe.js', document.baseURI).href
          const { safeFragment } = await import(address)
          const found = []
          for (const payload of payloads) {
            const holder = document.createElement('div')
            holder.append(safeFragment(payload))
            document.body.append(holder)
            for (const element of holder.querySelectorAll('*')) found.push([element.localName,
              ...[...element.attributes].map(each => `${each.name}=${each.value}`)])
          }
          return found
        }""",
        [*SILENT_PAYLOADS, "<p title=a id=b class=c>text</p>"],
    )
    assert tags
    for tag, *attributes in tags:
        assert tag not in (
            "script",
            "img",
            "iframe",
            "svg",
            "style",
            "object",
            "form",
            "base",
            "meta",
        )
        for attribute in attributes:
            assert attribute.split("=")[0] in safe.ATTRIBUTES.get(tag, ())
            assert "javascript:" not in attribute.lower()
