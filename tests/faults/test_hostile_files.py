"""Files that are no good model, opened through the page: one plain sentence each, and the model
that was there goes on answering."""

from pathlib import Path

from onglet.words import TABLES
from onglet_build import tiny_model, vendor
from onglet_build.driver import App

QUESTION = "What is the capital of France?"


def sentence(code: str) -> str:
    """The beginning of an error's English sentence, up to its first gap."""
    return TABLES["en"][f"error.{code}"].split("{")[0].strip()


def truncated(path: Path) -> None:
    with vendor.model_file().open("rb") as whole:
        path.write_bytes(whole.read(3_000_000))


def cut_in_header(path: Path) -> None:
    with vendor.model_file().open("rb") as whole:
        path.write_bytes(whole.read(1000))


def unknown_architecture(path: Path) -> None:
    tiny_model.write(path, tiny_model.VARIANTS["Q8_0"], architecture="mamba9")


def zip_renamed(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04" + bytes(5000))


def empty(path: Path) -> None:
    path.write_bytes(b"")


FILES = {
    truncated: "truncated",
    cut_in_header: "truncated",
    unknown_architecture: "unknown_architecture",
    zip_renamed: "not_gguf",
    empty: "empty_file",
}


def test_a_device_with_too_little_memory_refuses_a_file_before_it_is_read(new_context, server):
    context = new_context(server)
    half = "Object.defineProperty(Navigator.prototype, 'deviceMemory', { get: () => 0.5 })"
    context.add_init_script(half)
    app = App(context.new_page(), server.url).open().wait_live().wait_model()
    app.page.wait_for_function("() => onglet.facts?.memory === 0.5")
    assert app.choose_model(vendor.model_file()).get("code") == "too_big"
    app.expect("error.too_big")
    app.page.keyboard.press("Escape")
    assert "Paris" in app.ask(QUESTION).text


def test_each_bad_file_and_question_gets_its_sentence_and_good_ones_answers(app_page, tmp_path):
    """In one page, one after the other, as somebody tries whose downloads keep failing."""
    for write, code in FILES.items():
        path = tmp_path / f"{write.__name__}.gguf"
        write(path)
        assert app_page.choose_model(path).get("code") == code, write.__name__
        app_page.expect(f"error.{code}")
        app_page.page.keyboard.press("Escape")
    app_page.send("word " * 12_000)  # more than the context holds
    assert app_page.wait_problem().startswith(sentence("prompt_too_long"))
    app_page.press("chat.new")
    assert "Paris" in app_page.ask(QUESTION).text
    for variant in ("F32", "Q4_0"):
        path = tmp_path / f"tiny-{variant}.gguf"
        tiny_model.write(path, tiny_model.VARIANTS[variant])
        app_page.open_model(path)
        assert app_page.window()["loaded"]["card"]["file_bytes"] == path.stat().st_size
        app_page.press("chat.new")
        assert app_page.ask("hello").done["answer_tokens"] > 0
