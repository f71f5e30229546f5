"""What was read of a conversation comes back after a reload, is nobody's to read, and is deleted
when it shall be. The engine worker alone, in a profile that stays."""

import pytest
from engine_driver import PAGE, Engine, chat

from onglet.words import TABLES
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

FACT = "The lighthouse keeper Odile paints every boat that passes, and she has painted for years. "
LONG = chat(FACT * 18 + "What does Odile do?")
PAGES = 128
FILES = """
const found = {}
const walk = async (folder, path) => {
  for await (const [name, entry] of folder.entries()) {
    if (entry.kind === 'directory') await walk(entry, `${path}${name}/`)
    else found[path + name] = (await entry.getFile()).size
  }
}
await walk(await navigator.storage.getDirectory(), '')
return found"""
FLIP = """
const root = await navigator.storage.getDirectory()
const parts = a[0].split('/')
let folder = root
for (const part of parts.slice(0, -1)) folder = await folder.getDirectoryHandle(part)
const file = await folder.getFileHandle(parts.at(-1))
const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer())
bytes[a[1]] ^= 1
const writable = await file.createWritable()
await writable.write(bytes)
await writable.close()"""


@pytest.fixture
def open_engine(site, new_context):
    """open_engine() -> a fresh page of one profile whose engine has loaded the site's model."""
    with Loopback({"/": PAGE, "/site/": site}, headers=HEADERS) as server:
        context = new_context(server)

        def open_page() -> Engine:
            page = context.new_page()
            engine = Engine.opened(page, server.url, site)
            engine.start()
            assert engine.load()["kind"] == "loaded"
            return engine

        yield open_page


def kept(engine: Engine) -> dict[str, int]:
    """Path -> bytes of what is kept of conversations."""
    files = engine.run(FILES)
    return {path: size for path, size in files.items() if path.startswith("onglet-readings/")}


def wait_kept(engine: Engine, count: int) -> list[str]:
    """Waits until so many conversations are kept; returns the paths of their tokens."""
    for _ in range(300):
        tokens = [path for path, size in kept(engine).items() if path.endswith(".tokens") and size]
        if len(tokens) == count:
            return tokens
        engine.page.wait_for_timeout(100)
    raise AssertionError(f"{len(tokens)} conversations are kept, not {count}")


def ask(engine: Engine, prompt: str, conversation: str | None = "talk") -> tuple[str, dict]:
    answer = engine.answer(prompt, conversation=conversation, max_tokens=12)
    assert answer["end"]["kind"] == "done", answer["end"]
    return answer["text"], answer["end"]


def test_a_reload_reads_nothing_twice_and_answers_the_same(open_engine):
    engine = open_engine()
    said, first = ask(engine, LONG)
    assert first["reused_tokens"] == 0
    wait_kept(engine, 1)
    engine.page.close()

    again = open_engine()
    same, second = ask(again, LONG)
    assert same == said
    assert second["reused_tokens"] == second["prompt_tokens"] - 1
    told = chat(FACT * 18 + "What does Odile do?", said.strip(), "And what is her name?")
    _, third = ask(again, told)
    assert third["reused_tokens"] > first["prompt_tokens"] - 8


def test_two_conversations_take_turns(open_engine):
    engine = open_engine()
    other = chat(FACT.replace("Odile", "Basil") * 18 + "What does Basil do?")
    answers = {}
    for name, prompt in (("one", LONG), ("two", other)):
        answers[name], _ = ask(engine, prompt, name)
        wait_kept(engine, 1 if name == "one" else 2)
    same, end = ask(engine, LONG, "one")
    assert same == answers["one"]
    assert end["reused_tokens"] == end["prompt_tokens"] - 1


def test_what_is_kept_is_sealed(open_engine):
    engine = open_engine()
    said, _ = ask(engine, LONG)
    (tokens,) = wait_kept(engine, 1)
    pages = tokens.replace(".tokens", ".pages")
    sizes = kept(engine)
    engine.page.close()

    again = open_engine()
    again.run(FLIP, pages, sizes[pages] // 2)  # in the middle of the pages
    same, end = ask(again, LONG)
    assert same == said
    assert end["reused_tokens"] == PAGES  # the first page is whole, the second is not
    wait_kept(again, 1)
    again.page.close()

    last = open_engine()
    last.run(FLIP, tokens, 40)
    same, end = ask(last, LONG)
    assert (same, end["reused_tokens"]) == (said, 0)


def test_nothing_is_kept_unasked_and_everything_is_deleted(open_engine):
    engine = open_engine()
    ask(engine, LONG, None)
    ask(engine, LONG, "one")
    wait_kept(engine, 1)
    ask(engine, chat("Name a colour. " * 30), "two")
    wait_kept(engine, 2)
    assert engine.ended(engine.ask(kind="forget", conversation="one"))["kind"] == "forgotten"
    assert [path.split("/")[-1] for path in wait_kept(engine, 1)] == ["two.tokens"]
    assert engine.ended(engine.ask(kind="forget", conversation=None))["kind"] == "forgotten"
    assert kept(engine) == {}


def kept_in(app) -> list[str]:
    paths = app.page.evaluate(f"async () => {{ {FILES} }}")
    return [path for path in paths if path.startswith("onglet-readings/") and paths[path]]


def wait_until(app, condition) -> None:
    for _ in range(300):
        if condition():
            return
        app.page.wait_for_timeout(100)
    raise AssertionError(kept_in(app))


def test_the_app_goes_on_after_a_reload_and_forgets_what_is_deleted(app_page):
    app_page.ask(FACT * 6 + "What does Odile do?")
    first = app_page.window()["done"]
    wait_until(app_page, lambda: len(kept_in(app_page)) == 2)
    app_page.page.reload()
    app_page.wait_live().wait_model()
    app_page.page.locator(".turn.answer.done").wait_for()
    app_page.ask("And what is her name?")
    assert app_page.window()["done"]["reused_tokens"] > first["prompt_tokens"]

    app_page.page.keyboard.press("Alt+KeyH")
    more = TABLES["en"]["history.more"]
    app_page.page.get_by_role("button", name=f"{more}: ").first.click()
    app_page.page.locator("[data-key=delete]").click()
    wait_until(app_page, lambda: not kept_in(app_page))
