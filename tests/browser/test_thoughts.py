"""What a model thinks lies folded above what it says; who unfolds it keeps it open."""

from onglet_build import tiny_model

VARIANT = tiny_model.VARIANTS["F32"]


def write_thinker(path) -> None:
    """A model whose known answer begins with thoughts: two of its tokens are the marks."""
    first, _, third, *_ = VARIANT.answer
    words = {first: "<think>", third: "</think>"}
    assert not set(words) & set(tiny_model.encode(tiny_model.PROMPT))
    template = tiny_model.PROMPT.replace("\n", "{{ '\\n' }}")
    tiny_model.write(path, VARIANT, template=template, words=words)


def shown(tokens) -> str:
    texts = tiny_model.vocabulary()
    return "".join(texts[token] for token in tokens).replace("Ġ", " ").strip()


def test_thoughts_are_folded(app_page, tmp_path):
    path = tmp_path / "thinker.gguf"
    write_thinker(path)
    app_page.open_model(path)
    app_page.ask("hello")
    app_page.page.locator(".turn.answer.done").wait_for()
    assert app_page.answers_on_screen()[-1] == shown(VARIANT.answer[3:-1])
    fold = app_page.page.locator("details.thoughts").last
    assert fold.locator("summary").inner_text() == "Thoughts"
    assert fold.get_attribute("open") is None
    assert not fold.locator(".thought").is_visible()
    fold.locator("summary").click()
    assert fold.locator(".thought").inner_text() == shown(VARIANT.answer[1:2])


def test_a_prompt_that_begins_the_thoughts(app_page, tmp_path):
    """Such a model never says <think> itself; it may also come to no end."""
    path = tmp_path / "thinker.gguf"
    tiny_model.write(path, VARIANT, template=tiny_model.TEMPLATE + "{{ '<think>\\n' }}")
    app_page.open_model(path)
    app_page.ask("hello")
    app_page.page.locator(".turn.answer.done").wait_for()
    assert app_page.answers_on_screen()[-1] == ""
    fold = app_page.page.locator("details.thoughts").last
    fold.locator("summary").click()
    assert fold.locator(".thought").inner_text() != ""
