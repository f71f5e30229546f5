"""The playground on the embedded model: each token with its probability, another one taken in its
place, two settings side by side; by keyboard, on a phone, without a fault that axe finds."""

from playwright.sync_api import expect
from test_accessibility import PHONE, axe, judge  # noqa: F401 (a fixture)

from onglet_build.driver import SECONDS_TO_ANSWER, App

PATIENCE = SECONDS_TO_ANSWER * 1000


def run(page) -> None:
    page.locator("[data-key=run]").click()
    finish(page)


def finish(page) -> None:
    """Waits until an answer that has begun is there."""
    page.locator("[data-key=stop]").wait_for()
    page.locator("[data-key=run]").wait_for(timeout=PATIENCE)


def tokens(page, answer: int = 0) -> list[str]:
    return page.locator(".tokens").nth(answer).locator("span").all_text_contents()


def test_an_answer_is_looked_into_and_led_elsewhere(open_app, server, axe):  # noqa: F811
    app: App = open_app(server, viewport=PHONE, reduced_motion="reduce")
    page = app.wait_live().wait_model().page
    page.evaluate("location.hash = 'playground'")
    page.locator("[data-key=run]").click()
    app.expect("playground.empty")

    page.locator("[data-key=use_question]").click()
    run(page)
    first = tokens(page)
    assert "Paris" in "".join(first) and first[-1] == "<|im_end|>"
    place = next(number for number, text in enumerate(first) if "Paris" in text)
    spans = page.locator(".tokens span")
    spans.nth(place - 1).click()
    spans.nth(place - 1).press("ArrowRight")
    expect(spans.nth(place)).to_have_attribute("aria-pressed", "true")
    others = page.locator(".alternatives li")
    expect(others.first).to_contain_text("Paris")
    expect(others.first.get_by_role("button")).to_be_disabled()
    page.evaluate(axe)
    judge(page)

    taken = others.nth(1).locator("code").inner_text().replace("␣", " ")
    others.nth(1).get_by_role("button").click()
    finish(page)
    second = tokens(page)
    assert second[: place + 1] == [*first[:place], taken]
    expect(spans.nth(place)).to_have_class("sure-4 forced")


def test_two_settings_are_compared_and_a_text_is_gone_on_with(open_app, server):
    page = open_app(server).wait_live().wait_model().page
    page.evaluate("location.hash = 'playground'")
    page.get_by_label("What the model is given").fill("One, two, three, four,")
    page.get_by_label("Read as").select_option("text")
    page.locator("[data-key=compare]").click()
    expect(page.get_by_label("What the model is given")).to_have_value("One, two, three, four,")
    for which, length in (("first", 12), ("second", 5)):
        page.locator(f'[id="{which}.max_tokens"]').fill(str(length))
    page.locator('[id="second.seed"]').fill("7")
    run(page)
    assert "five, six" in "".join(tokens(page))
    assert [len(tokens(page, answer)) for answer in (0, 1)] == [12, 5]
    run(page)
    assert [len(tokens(page, answer)) for answer in (0, 1)] == [12, 5]
    page.locator("[data-key=alone]").click()
    expect(page.locator(".tokens")).to_have_count(1)
