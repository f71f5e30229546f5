"""Documents on plain SQLite: taken in, found by words and by meaning, thrown away, brought back.
The workshop is played by letters counted: its own answers are judged in tests/browser/."""

import asyncio
import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onglet import workshop
from onglet.browser.bridge import StandIn
from onglet.documents import search
from onglet.documents.library import ENCODER, Library
from onglet.engine.errors import Refused
from onglet.vault import schema
from onglet.vault.history import History
from onglet.vault.keeper import Keeper
from onglet.vault.papers import Entry, Papers
from onglet.vault.store import FileStore
from onglet_build import encoder

MANUAL = [
    ["Feed the cat twice a day.", 1, "Animals › Cats", False],
    ["The dog wants a walk\u202e at noon.", 2, "Animals", True],
    ["Water the roses every evening.", 3, "Garden", False],
]


def vector_of(text: str) -> str:
    """How often each letter stands in a text, as the workshop writes vectors."""
    counts = np.zeros(384)
    for letter in text.lower():
        counts[ord(letter) % 384] += 1
    return base64.b64encode(np.rint(counts / np.linalg.norm(counts) * 127).astype(np.int8)).decode()


class Shop:
    """The service `workshop`."""

    def __init__(self):
        self.known = ("", [], None)
        self.asked: list[str] = []
        self.error: str | None = None
        self.when_embedding = lambda: None

    def __call__(self, task, job, arguments, file):
        self.asked.append(job)
        if self.error:
            return {"error": {"code": self.error, "values": {}}}
        return {"value": getattr(self, job)(**arguments)}

    def read_document(self, name):
        return {"pages": 3, "passages": MANUAL}

    def embed(self, texts):
        self.when_embedding()
        return [vector_of(text) for text in texts]

    def nearest(self, question, index, count, numbers=None, vectors=""):
        if numbers is not None:
            rows = np.frombuffer(base64.b64decode(vectors), np.int8).reshape(len(numbers), -1)
            self.known = (index, numbers, rows)
        if self.known[0] != index:
            return None
        wanted = np.frombuffer(base64.b64decode(vector_of(question)), np.int8)
        return workshop.ranked(wanted, self.known[1], self.known[2], count)


@pytest.fixture
def store():
    made = FileStore()
    asyncio.run(schema.migrate(made))
    yield made
    made.close()


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def library(store, shop):
    keeper = Keeper()
    keeper.store, keeper.history = store, History(store)
    made = Library(keeper)
    made.start(tab(shop))
    return made


def tab(shop, alone=True):
    services = {"end_workshop": lambda: True, "hold_document": lambda id: alone}
    return StandIn(workshop=shop, pick_documents=list, **services)


FILE = {"key": "m-1", "name": "manual.pdf", "bytes": 1000}


async def take_in(library, *files):
    library.add(list(files))
    await library._work


def texts(hits):
    return [hit.passage.text for hit in hits]


def test_a_file_becomes_passages_that_are_found(library, shop):
    async def body():
        await take_in(library, FILE)
        (entry,) = library.entries
        assert (entry.name, entry.pages, entry.passages) == ("manual.pdf", 3, 3)
        assert library.imports == []
        hits = await library.search("When should I water roses?")
        assert texts(hits)[0] == "Water the roses every evening."
        assert (hits[0].passage.page, hits[0].passage.headings) == (3, "Garden")
        await library.search("roses")
        assert shop.asked.count("nearest") == 3  # the vectors travel once

    asyncio.run(body())


def test_what_a_document_says_cannot_turn_the_order_of_letters(library):
    async def body():
        await take_in(library, FILE)
        shown = await library.passages(library.entries[0].id, 1, 1)
        assert (shown[0].text, shown[0].seen) == ("The dog wants a walk at noon.", True)

    asyncio.run(body())


def test_thrown_away_is_not_found_and_comes_back(library):
    async def body():
        await take_in(library, FILE)
        (entry,) = library.entries
        await library.delete(entry.id)
        assert library.entries == []
        assert await library.search("roses") == []
        await library.undo()
        assert library.entries == [entry]
        assert await library.search("roses")

    asyncio.run(body())


def test_documents_are_grouped_and_searched_in_their_collection(library):
    async def body():
        await take_in(library, FILE, FILE | {"key": "m-2", "name": "other.pdf"})
        other, manual = library.entries
        assert (other.name, library.collections) == ("other.pdf", [])
        await library.collect(manual.id, " House\u202e ")
        assert library.collections == ["House"]
        found = await library.search("roses", "House")
        assert {hit.passage.document for hit in found} == {manual.id}
        assert len(await library.search("roses", "Gone")) > len(found)  # there is none: all
        await library.rename("House", "Home")
        assert library.collections == ["Home"]
        await library.rename("Home", " ")  # no name
        await library.dissolve("Home")
        assert (library.collections, len(library.entries)) == ([], 2)
        await library.undo()
        assert [one.collection for one in library.entries] == ["", "Home"]
        await library.collect(manual.id, "")
        assert library.collections == []

    asyncio.run(body())


def test_a_cancelled_import_leaves_nothing(library, shop, store):
    async def body():
        shop.when_embedding = lambda: setattr(library.imports[0], "cancelled", True)
        await take_in(library, FILE)
        assert (library.imports, library.entries) == ([], [])
        assert await store.read(["SELECT * FROM document"]) == [[]]

    asyncio.run(body())


def test_what_goes_wrong_is_told_and_leaves_nothing(library, shop, store):
    async def body():
        shop.error = "document_bomb"
        await take_in(library, FILE)
        assert [one.problem.code for one in library.imports] == ["document_bomb"]
        shop.error = None
        await take_in(library, FILE)  # again
        await take_in(library, FILE)
        assert [one.problem.code for one in library.imports] == ["document_known"]
        ((((documents,),)),) = await store.read(["SELECT count(*) FROM document"])
        assert documents == 1

    asyncio.run(body())


class Killed(BaseException):
    """What a killed tab does: nothing more."""


def killed():
    raise Killed


def opened_again(store, shop, alone=True):
    keeper = Keeper()
    keeper.store, keeper.history = store, History(store)
    made = Library(keeper)
    made.start(tab(shop, alone))
    return made


def test_a_killed_tab_goes_on_where_it_was(library, shop, store, monkeypatch):
    monkeypatch.setattr("onglet.documents.library.EMBEDDED", 1)

    async def body():
        shop.when_embedding = lambda: killed() if shop.asked.count("embed") == 3 else None
        with pytest.raises(Killed):
            await take_in(library, FILE)
        shop.when_embedding = lambda: None
        beside = opened_again(store, shop, alone=False)  # the killed one's work may be alive there
        await beside._look()
        assert (beside.imports, beside.entries) == ([], [])
        again = opened_again(store, shop)
        await again._look()
        await again._work
        (entry,) = again.entries
        assert (entry.name, entry.pages, entry.passages) == ("manual.pdf", 3, 3)
        assert (again.imports, shop.asked.count("read_document")) == ([], 1)
        assert shop.asked.count("embed") == 4  # of three passages two were left when it was killed
        assert texts(await again.search("roses"))[0] == "Water the roses every evening."

    asyncio.run(body())


def test_what_was_cut_while_it_was_read_is_told_and_leaves_nothing(library, shop, store):
    async def body():
        papers = Papers(store)
        await papers.begin(Entry("half", "half.pdf", 10, 2), ENCODER)
        await papers.add("half", [(0, 1, "", "The first half.", False)])
        await library._look()
        assert [one.problem.code for one in library.imports] == ["document_cut_short"]
        assert await store.read(["SELECT * FROM passage"]) == [[]]
        await library.cancel("half")
        assert library.imports == []

    asyncio.run(body())


def test_an_import_that_failed_goes_on_or_goes(library, shop, store):
    async def body():
        def fail():
            raise Refused("out_of_memory")

        shop.when_embedding = fail
        await take_in(library, FILE)
        (one,) = library.imports
        assert (one.problem.code, library.entries) == ("out_of_memory", [])
        shop.when_embedding = lambda: None
        library.again(one.key)
        await library._work
        assert [entry.name for entry in library.entries] == ["manual.pdf"]
        shop.when_embedding = fail
        await take_in(library, FILE | {"key": "m-2", "name": "other.pdf"})
        await library.cancel("m-2")
        assert (library.imports, len(library.entries)) == ([], 1)
        ((((documents,),)),) = await store.read(["SELECT count(*) FROM document"])
        assert documents == 1

    asyncio.run(body())


def test_vectors_of_another_encoder_are_made_anew(library, shop, store):
    """Meanwhile the document counts and words find it; a second tab leaves it to the first."""

    async def body():
        await take_in(library, FILE)
        (entry,) = library.entries
        await store.write(["UPDATE document SET encoder = 'another'"])
        await store.write(["UPDATE passage SET vector = ?", vector_of("zzz")])
        beside = opened_again(store, shop, alone=False)
        await beside._look()
        assert (beside.entries, beside.imports) == ([entry], [])
        assert texts(await beside.search("roses"))[0] == "Water the roses every evening."
        assert shop.asked.count("nearest") == 1  # there was nothing to compare with
        again = opened_again(store, shop)
        shop.error = "out_of_memory"
        await again._look()
        await again._work
        assert [(one.problem.code, one.counts) for one in again.imports] == [
            ("out_of_memory", True)
        ]
        shop.error = None
        again.again(entry.id)
        await again._work
        assert (again.entries, again.imports) == ([entry], [])
        assert shop.asked.count("read_document") == 1
        ((rows),) = await store.read(
            ["SELECT text, headings, vector, encoder FROM passage, document"]
        )
        for text, above, vector, maker in rows:
            assert (vector, maker) == (vector_of(f"{above}\n{text}"), ENCODER)

    asyncio.run(body())


def test_the_name_of_the_encoder_is_that_of_its_file():
    assert encoder.NAME in ENCODER


def test_without_a_workshop_words_must_do(library, shop):
    async def body():
        await take_in(library, FILE)
        shop.error = "workshop_failed"
        assert texts(await library.search("roses"))[0] == "Water the roses every evening."
        assert await library.search("of the") == []

    asyncio.run(body())


def test_what_was_begun_and_thrown_away_long_ago_goes_with_its_words(library, store):
    async def body():
        await take_in(library, FILE)
        papers = Papers(store)
        await store.write(["UPDATE document SET deleted = 1"])
        await papers.clear()
        for table in ("document", "passage"):
            assert await store.read([f"SELECT * FROM {table}"]) == [[]]
        found = "SELECT rowid FROM passage_words WHERE passage_words MATCH 'roses'"
        assert await store.read([found]) == [[]]

    asyncio.run(body())


def test_a_question_becomes_the_words_that_it_is_about():
    assert search.query("What is the build-dependency of hello?") == (
        '"build" OR "dependency" OR "hello"'
    )
    assert search.query("Où est-ce que l’on écrit « Depends » ?") == '"écrit" OR "depends"'
    assert search.query("what is it?") == ""


@settings(deadline=None)
@given(st.text())
def test_any_question_is_a_query_that_sqlite_understands(question):
    async def body():
        store = FileStore()
        await schema.migrate(store)
        assert await search.search(Papers(store), question, []) == []
        store.close()

    asyncio.run(body())


def test_what_both_lists_have_is_first():
    assert search.fused([1, 2, 3], [4, 2, 5])[0][0] == 2
    assert search.fused([], []) == []
