"""The store on plain SQLite: tables and their versions, the history, and files to take away."""

import asyncio
import json
import re
import time

import pytest

from onglet.agents.conversation import DONE, Conversation, new_id
from onglet.engine.errors import Refused
from onglet.vault import archive, schema
from onglet.vault.artifacts import Artifacts, title_of
from onglet.vault.history import Folder, History
from onglet.vault.notes import Notes
from onglet.vault.rows import UNDO_SECONDS
from onglet.vault.shelf import Kept, Shelf
from onglet.vault.store import FileStore, answered


def run(work):
    return asyncio.run(work)


@pytest.fixture
def store():
    made = FileStore()
    run(schema.migrate(made))
    yield made
    made.close()


@pytest.fixture
def history(store):
    return History(store)


def talk(*said: tuple[str, str]) -> Conversation:
    made = Conversation()
    for question, answer in said:
        turn = made.ask(question)
        turn.answer, turn.phase = answer, DONE
    return made


def keep(history: History, conversation: Conversation) -> Conversation:
    for turn in conversation.tree.values():
        run(history.save(conversation.to_row(), turn.to_row(conversation.id)))
    return conversation


def titles(entries) -> list[str]:
    return [entry.title for entry in entries]


def test_what_is_kept_comes_back_with_all_its_branches(history):
    made = talk(("One?", "1."), ("Two?", "2."))
    made.ask_again().answer = "Zwei."
    made.last.phase = DONE
    keep(history, made)
    assert Conversation.from_rows(*run(history.read(made.id))) == made


def test_the_list_has_the_last_changed_first_and_without_what_was_thrown_away(history):
    _, second = (keep(history, talk((f"{n}?", "yes"))) for n in ("First", "Second"))
    assert titles(run(history.recent())) == ["Second?", "First?"]
    run(history.delete(second.id))
    assert titles(run(history.recent())) == ["First?"]
    assert run(history.read(second.id)) is None
    run(history.restore(second.id))
    assert titles(run(history.recent())) == ["Second?", "First?"]


def test_what_was_thrown_away_a_while_ago_is_gone_at_the_next_start(history, store):
    old, fresh = (keep(history, talk((f"{n}?", "secret"))) for n in ("Old", "Fresh"))
    for each, age in ((old, UNDO_SECONDS + 1), (fresh, 0)):
        change = "UPDATE conversation SET deleted = ? WHERE id = ?"
        run(store.write([change, time.time() - age, each.id]))
    run(history.clear())
    found = "SELECT question FROM words WHERE words MATCH 'secret'"
    turns, words = run(store.read(["SELECT question FROM turn"], [found]))
    assert turns == words == [["Fresh?"]]


@pytest.mark.parametrize("kind", [Shelf, Notes])
def test_agents_and_notes_thrown_away_are_gone_for_good_too(kind, store):
    rows = kind(store)
    for text in ("old", "fresh", "kept"):
        run(rows.add(Kept(text, text) if kind is Shelf else text))
    column = "document" if kind is Shelf else "text"
    change = f"UPDATE {kind.table} SET deleted = ? WHERE {column} = ?"
    now = time.time()
    run(store.write([change, now - UNDO_SECONDS - 1, "old"], [change, now, "fresh"]))
    run(rows.clear())
    (left,) = run(store.read([f"SELECT {column} FROM {kind.table} ORDER BY 1"]))
    assert left == [["fresh"], ["kept"]]


def test_search_finds_words_of_questions_and_answers_without_accents_and_by_beginnings(history):
    keep(history, talk(("Où est le café ?", "À Évreux.")))
    keep(history, talk(("What is a lighthouse?", "A tower.")))
    assert titles(run(history.search("evreux cafe"))) == ["Où est le café ?"]
    assert titles(run(history.search("light"))) == ["What is a lighthouse?"]
    assert run(history.search("evreux lighthouse")) == []
    assert len(run(history.search("  "))) == 2
    for hostile in ('"', "a OR b", "NEAR(", "*", "col:x", "' --", "-x", "(", "\0"):
        run(history.search(hostile))


def test_search_follows_an_answer_that_grows(history):
    made = keep(history, talk(("Story?", "Once upon")))
    made.last.answer += " a lighthouse"
    keep(history, made)
    assert titles(run(history.search("lighthouse"))) == ["Story?"]


def test_a_new_title_stays_when_the_conversation_goes_on(history):
    made = keep(history, talk(("One?", "1.")))
    run(history.rename(made.id, "Numbers"))
    made.ask("Two?")
    keep(history, made)
    assert titles(run(history.recent())) == ["Numbers"]
    assert titles(run(history.search("numbers"))) == ["Numbers"]


def test_folders_hold_conversations_and_leave_them_behind(history):
    made, folder = keep(history, talk(("One?", "1."))), Folder(new_id(), "Work")
    run(history.make_folder(folder))
    run(history.move(made.id, folder.id))
    assert run(history.recent())[0].folder == folder.id
    run(history.rename_folder(folder.id, "Home"))
    assert [each.name for each in run(history.folders())] == ["Home"]
    run(history.delete_folder(folder.id))
    assert run(history.recent())[0].folder is None


def test_an_unfinished_answer_is_found_when_nobody_writes_it_any_more(history):
    made = talk(("One?", "1 is"))
    made.last.phase = "writing"
    keep(history, made)
    assert run(history.interrupted(time.time() - 5)) is None
    assert run(history.interrupted(time.time() + 1)) == made.id


def test_a_batch_is_done_whole_or_not_at_all(store):
    with pytest.raises(Exception, match="no such table"):
        good, bad = "INSERT INTO folder VALUES ('a', 'b', 1)", "INSERT INTO nowhere VALUES (1)"
        run(store.write([good], [bad]))
    assert run(store.read(["SELECT * FROM folder"])) == [[]]


def test_a_newer_store_is_refused_and_left_as_it_is(store):
    run(store.write([f"PRAGMA user_version = {schema.VERSION + 1}"]))
    with pytest.raises(Refused, match="newer_store"):
        run(schema.migrate(store))
    assert run(schema.version(store)) == schema.VERSION + 1


def test_an_answer_of_the_worker_is_a_value_or_a_refusal():
    assert answered({"value": [1]}) == [1]
    with pytest.raises(Refused, match="storage_full"):
        answered({"error": {"code": "storage_full", "values": {}}})
    with pytest.raises(Refused, match="unknown"):
        answered({"error": {"code": "unknown", "values": {"code": "SQLite3Error"}}})


# Files to take away


def fresh() -> FileStore:
    made = FileStore()
    run(schema.migrate(made))
    return made


def test_a_thousand_conversations_come_back_the_same(history, store):
    for number in range(1000):
        keep(history, talk((f"Question {number}? é 🦊", f"Answer {number}\n" * (number % 7))))
    folder = Folder(new_id(), "Work")
    run(history.make_folder(folder))
    run(history.move(run(history.recent())[0].id, folder.id))
    dumped = run(archive.dump(store))
    other = fresh()
    assert run(archive.merge(other, dumped)) == 1000
    assert json.loads(run(archive.dump(other)))["rows"] == json.loads(dumped)["rows"]
    assert len(run(History(other).search("Question 777"))) == 1
    assert run(archive.merge(other, dumped)) == 1000, "a second time changes nothing"
    assert json.loads(run(archive.dump(other)))["rows"] == json.loads(dumped)["rows"]
    other.close()


def test_importing_adds_and_never_makes_older_what_is_here(history, store):
    made = keep(history, talk(("One?", "1.")))
    dumped = run(archive.dump(store))
    made.ask("Two?").phase = DONE
    keep(history, made)
    keep(history, talk(("Here only?", "yes")))
    run(history.rename(made.id, "Renamed"))
    run(archive.merge(store, dumped))
    assert set(titles(run(history.recent()))) == {"Here only?", "Renamed"}
    assert len(run(history.read(made.id))[1]) == 2


def damaged(text: str) -> list[str]:
    whole = json.loads(text)

    def changed(change) -> str:
        copy = json.loads(text)
        change(copy)
        return json.dumps(copy)

    def row(table, place, value):
        return changed(lambda copy: copy["rows"][table][0].__setitem__(place, value))

    assert whole["rows"]["turn"]
    return [
        "",
        "null",
        "[]",
        text[:-5],
        "[" * 100_000,
        changed(lambda copy: copy.pop("kind")),
        changed(lambda copy: copy.update(version="1")),
        changed(lambda copy: copy["rows"].pop("turn")),
        changed(lambda copy: copy["rows"].update(spy=[])),
        changed(lambda copy: copy["rows"]["conversation"].clear()),
        changed(lambda copy: copy["rows"]["turn"].append([1])),
        row("turn", 0, 7),
        row("turn", 0, True),
        row("turn", 5, "gone"),
        row("turn", 7, "{"),
        row("turn", 7, "7"),
        row("turn", 7, '{"figures": {"spy": 1}, "problem": null}'),
        row("turn", 7, '{"figures": null, "problem": {"code": "x"}}'),
        row("conversation", 3, "now"),
        row("conversation", 0, None),
        row("conversation", 2, "no such folder"),
    ]


def test_a_damaged_text_is_refused_whole(history, store):
    keep(history, talk(("One?", "1.")))
    before = run(archive.dump(store))
    other = keep(History(fresh()), talk(("Other?", "yes")))
    assert other
    source = fresh()
    keep(History(source), talk(("Foreign?", "no")))
    for text in damaged(run(archive.dump(source))):
        with pytest.raises(Refused, match="damaged_file"):
            run(archive.merge(store, text))
    newer = json.dumps(json.loads(before) | {"version": schema.VERSION + 1})
    with pytest.raises(Refused, match="newer_file"):
        run(archive.merge(store, newer))
    assert json.loads(run(archive.dump(store)))["rows"] == json.loads(before)["rows"]
    source.close()


def test_readable_texts_hold_what_was_said(history, store):
    made = talk(("One?", "1."))
    made.ask_again().answer = "I."
    made.last.phase = DONE
    keep(history, made)
    run(history.delete(keep(history, talk(("Thrown away?", "yes"))).id))
    whole = json.loads(archive.as_json(run(archive.rows_of(store))))
    assert [turn["answer"] for turn in whole["conversations"][0]["turns"]] == ["1.", "I."]
    text = archive.as_markdown(run(archive.rows_of(store)))
    assert "# One?" in text
    assert "> One?\n\nI." in text
    assert "Thrown away" not in text


def test_a_conversation_that_is_kept_nowhere_is_written_like_one_that_is(history, store):
    made = keep(history, talk(("One?", "1."), ("Two?", "2.")))
    turns = [turn.to_row(made.id) for turn in made.tree.values()]
    rows = archive.rows_of_one(made.to_row(), turns)
    kept = run(archive.rows_of(store))
    for write in (archive.as_markdown, archive.as_json):
        texts = [re.sub(r'"changed": [\d.]+', "", write(each)) for each in (rows, kept)]
        assert texts[0] == texts[1]


def test_a_circle_in_a_file_does_not_hang(history, store):
    made = keep(history, talk(("One?", "1."), ("Two?", "2.")))
    run(store.write(["UPDATE turn SET parent = ? WHERE id = ?", made.last.id, made.turns[0].id]))
    archive.as_markdown(run(archive.rows_of(store)))
    back = Conversation.from_rows(*run(history.read(made.id)))
    assert len(back.turns) <= 2
    back.show(back.shown)


def test_agents_are_kept_thrown_away_and_brought_back(store):
    shelf = Shelf(store)
    run(schema.migrate(store))
    for name in ("one", "two", "one"):
        run(shelf.add(Kept(name, f'{{"name":"{name}"}}')))
    assert {kept.id for kept in run(shelf.all())} == {"one", "two"}
    run(shelf.delete("one"))
    assert [kept.id for kept in run(shelf.all())] == ["two"]
    run(shelf.restore("one"))
    assert len(run(shelf.all())) == 2


def test_a_file_from_before_agents_is_still_read(store):
    run(schema.migrate(store))
    conversation = ["c", "Title", None, 1.0, 2.0, None, None]
    rows = {"folder": [], "conversation": [conversation], "turn": []}
    before = {"kind": archive.KIND, "version": 1, "made": 1.0, "rows": rows}
    assert run(archive.merge(store, json.dumps(before))) == 1
    again = json.loads(run(archive.dump(store)))["rows"]
    assert again["conversation"] == [[*conversation, None]] and again["agent"] == []


def test_artifacts_are_kept_thrown_away_brought_back_and_carried_along(store):
    kept = Artifacts(store)
    first = run(kept.add("One", "<h1>One</h1>"))
    second = run(kept.add("Two", "<h1>Two</h1>", first.id))
    run(kept.delete(first.id))
    assert run(kept.all()) == [second]
    run(kept.restore(first.id))
    assert set(run(kept.all())) == {first, second}
    other = FileStore()
    run(schema.migrate(other))
    run(archive.merge(other, run(archive.dump(store))))
    assert set(run(Artifacts(other).all())) == {first, second}
    other.close()


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("<title>A <b>poster</b> &amp; more</title><h1>Not this</h1>", "A poster & more"),
        ("<style>h1 {}</style><p>First words</p>", "First words"),
        ("<svg><circle/></svg>", "…"),
        ("x" * 500, "x" * 80),
    ],
)
def test_a_page_is_called_what_it_calls_itself(source, title):
    assert title_of(source) == title
