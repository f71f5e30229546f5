"""What is left of a damaged store, mended: rows that fit together, and a store made of them."""

import asyncio
import json
import random

import pytest

from onglet.agents.conversation import DONE, Conversation
from onglet.agents.gallery import agents
from onglet.vault import archive, rescue, schema
from onglet.vault.history import Folder, History
from onglet.vault.papers import Entry, Papers
from onglet.vault.shelf import Kept, Shelf
from onglet.vault.store import FileStore

VECTOR = "A" * 512


def run(work):
    return asyncio.run(work)


def fresh() -> FileStore:
    made = FileStore()
    run(schema.migrate(made))
    return made


async def fill(store: FileStore) -> None:
    history, papers = History(store), Papers(store)
    await history.make_folder(Folder("f", "Work"))
    for number in range(3):
        made = Conversation()
        for word in ("one", "two", "three"):
            turn = made.ask(f"{word} {number}?")
            turn.answer, turn.phase = f"{word} é 🦊", DONE
            await history.save(made.to_row(), turn.to_row(made.id))
        await history.move(made.id, "f")
    await Shelf(store).add(Kept(agents("en")[0].hash, agents("en")[0].canonical()))
    await papers.begin(Entry("d", "manual.pdf", 5, 2), "an encoder")
    await papers.add("d", [(place, 1, "[]", f"text {place}", False) for place in range(3)])
    await papers.was_read("d")
    made = [(number, VECTOR) for number, *_ in await papers.without_vector("d", 3)]
    await papers.set_vectors(made)
    await papers.finish("d")


async def read(store: FileStore) -> dict:
    """As web/store/rescue.js reads a store in which nothing is damaged."""
    one = "SELECT {} FROM {} ORDER BY rowid"
    every = [[one.format(", ".join(names), table)] for table, names in rescue.TABLES.items()]
    rows = await store.read(*every)
    return {
        "rows": dict(zip(rescue.TABLES, rows, strict=True)),
        "unsure": {table: [] for table in rescue.TABLES},
    }


@pytest.fixture
def found():
    store = fresh()
    run(fill(store))
    yield run(read(store))
    store.close()


def rebuilt(rescued: rescue.Rescued) -> FileStore:
    store = FileStore()
    run(store.write(*rescued.statements()))
    return store


def test_what_an_older_store_has_not_is_filled_in(found):
    older = json.loads(json.dumps(found))
    for table, name in (("passage", "seen"), ("document", "collection")):
        place = rescue.TABLES[table].index(name)
        for row in older["rows"][table]:
            row[place] = None
    assert rescue.mended(older) == rescue.mended(found)


def test_what_is_not_damaged_comes_back_the_same(found):
    store = rebuilt(rescue.mended(json.loads(json.dumps(found))))
    assert run(read(store)) == found
    assert run(schema.version(store)) == schema.VERSION
    assert len(run(History(store).search("two"))) == 3
    assert len(run(Papers(store).all())) == 1
    store.close()


def test_a_lost_conversation_is_named_by_its_first_question(found):
    id = found["rows"]["conversation"].pop(0)[0]
    rescued = rescue.mended(found)
    (row,) = (row for row in rescued.rows["conversation"] if row["id"] == id)
    assert row["title"] == "one 0?"
    store = rebuilt(rescued)
    back = Conversation.from_rows(*run(History(store).read(id)))
    assert [turn.question for turn in back.turns] == ["one 0?", "two 0?", "three 0?"]
    store.close()


def test_a_lost_turn_leaves_those_after_it(found):
    del found["rows"]["turn"][1]
    store = rebuilt(rescue.mended(found))
    id = found["rows"]["turn"][0][1]
    back = Conversation.from_rows(*run(History(store).read(id)))
    assert [turn.question for turn in back.turns] == ["one 0?", "three 0?"]
    store.close()


def test_a_wrong_letter_costs_no_words(found):
    rows = found["rows"]
    turn, agent, conversation = rows["turn"][0], rows["agent"][0], rows["conversation"][0]
    turn[-1] = turn[-1].replace("{", "[", 1)
    agent[1] = agent[1].replace("a", "b", 1)
    conversation[2] = "g"
    found["unsure"] |= {"turn": [0], "agent": [0], "conversation": [0]}
    rescued = rescue.mended(found)
    assert rescued.unsure == 3
    assert (rescued.count("turn"), rescued.count("agent")) == (9, 0)
    assert rescued.rows["conversation"][0]["folder"] is None
    rebuilt(rescued).close()


JUNK = (None, 7, -1, 1e300, float("inf"), "", "{", '{"figures": 1}', "é\0", "x" * 5000)
ROUNDS = 60


def test_whatever_was_read_makes_a_store(found):
    chance = random.Random(7)
    whole = json.dumps(found)
    for _ in range(ROUNDS):
        read = json.loads(whole)
        for table, rows in read["rows"].items():
            for place, row in enumerate(rows):
                if chance.random() < 0.3:
                    row[chance.randrange(len(row))] = chance.choice(JUNK)
                    read["unsure"][table].append(place)
        store = rebuilt(rescue.mended(read))
        for entry in run(History(store).recent()):
            Conversation.from_rows(*run(History(store).read(entry.id)))
        other = fresh()
        run(archive.merge(other, run(archive.dump(store))))
        store.close(), other.close()
