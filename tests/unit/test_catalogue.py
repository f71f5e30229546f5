"""The catalogue leads to files that a hub can name, and states nothing that was not checked."""

import json
import re

import pytest

from onglet.engine.errors import Refused
from onglet.library.catalogue import ENTRIES
from onglet.library.fit import Machine
from onglet.library.hub import HUB, quantization_of, read_address
from onglet.library.shelf import Shelf


class Page:
    """The page's services, with answers of a hub in the test's hands."""

    def __init__(self, **texts: str):
        self.texts = texts  # a part of an address -> what lies there
        self.hosts: dict[str, dict] = {}
        self.asked: list[str] = []

    def on_event(self, name, listener) -> None:
        pass

    async def call(self, name: str, **given):
        if name == "approve_host":
            self.hosts[given["host"]] = {"leads": given["leads"]}
        if name == "library" and given["verb"] == "text":
            url = given["asked"]["url"]
            self.asked.append(url)
            return {"value": next(text for part, text in self.texts.items() if part in url)}
        return {"hosts": self.hosts, "disk_files": []}.get(name)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_is_a_file_of_an_open_model(entry):
    address = read_address(entry.address)
    assert (address.host, address.repository, address.path) == (HUB, entry.repository, entry.file)
    assert quantization_of(entry.file) or entry.file.endswith("-q4.gguf")
    assert entry.licence in ("Apache-2.0", "MIT")
    assert re.fullmatch(r"[\d.]+[MB]", entry.parameters)
    assert entry.bytes is None and entry.sha256 is None  # nobody here has seen the file


def test_about_a_dozen_each_once():
    assert 10 <= len({entry.address for entry in ENTRIES}) == len(ENTRIES) <= 14


async def searched(answer: object, text: str = "tiny llama") -> tuple[Shelf, Page]:
    page, machine = Page(**{"search=": json.dumps(answer)}), Machine()
    shelf = Shelf(lambda: None)
    shelf.start(page)
    await shelf.search(text, machine)
    if shelf.asking:
        assert page.asked == []  # nothing leaves before a yes
        await shelf.approve(machine)
    return shelf, page


def run(work):
    """Plays a coroutine that never waits for anything outside."""
    try:
        while True:
            work.send(None)
    except StopIteration as end:
        return end.value


def test_a_search_asks_first_and_lists_what_is_sound():
    rows = [
        {"id": "org/one-GGUF", "downloads": 7, "gated": False},
        {"id": "org/two-GGUF", "downloads": "many", "gated": "manual"},
        {"id": "../../evil"},
        {"id": "org/one-GGUF", "downloads": 7},
        {"id": "a/b<script>"},
        7,
    ]
    shelf, page = run(searched(rows))
    assert [(one.name, one.downloads, one.gated) for one in shelf.found] == [
        ("org/one-GGUF", 7, False),
        ("org/two-GGUF", None, True),
    ]
    assert page.asked == [
        "https://huggingface.co/api/models?search=tiny%20llama"
        "&filter=gguf&sort=downloads&direction=-1&limit=20"
    ]


@pytest.mark.parametrize(
    ("answer", "text", "code"),
    [([], "x", "none_found"), ({}, "x", "bad_hub_answer"), ([], "  ", "no_query")],
)
def test_what_a_search_may_come_to(answer, text, code):
    shelf, _ = run(searched(answer, text))
    assert isinstance(shelf.problem, Refused) and shelf.problem.code == code


def test_the_hub_that_was_looked_at_last_is_searched():
    page = Page(**{"/tree/": "[]", "search=": "[]"})
    page.hosts = {"mirror.example": {"leads": []}}
    shelf = Shelf(lambda: None)
    shelf.start(page)
    shelf.hosts = page.hosts
    run(shelf.open("https://mirror.example/org/name", Machine()))
    run(shelf.search("x", Machine()))
    assert page.asked[-1].startswith("https://mirror.example/api/models?search=x")
