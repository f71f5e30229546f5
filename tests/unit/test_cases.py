"""The cases of the test bench: kept with their history, moved, copied, taken away in a file."""

import asyncio
import json

import pytest

from onglet.engine.errors import Refused
from onglet.vault import archive, schema
from onglet.vault.cases import TRIALS, Cases, Trial
from onglet.vault.store import FileStore


def run(work):
    return asyncio.run(work)


@pytest.fixture
def cases():
    store = FileStore()
    run(schema.migrate(store))
    yield Cases(store)
    store.close()


def trial(number: int, held: bool | None = True, agent: str = "a1") -> Trial:
    return Trial(agent, "Tiny", f"answer {number}", held, float(number))


def test_cases_keep_their_newest_trials(cases):
    run(cases.add("a1", "What is 2 + 2?", "4"))
    run(cases.add("a1", "Who?", ""))
    run(cases.add("b2", "Another's", "x"))
    first, second = run(cases.of("a1"))
    assert (first.question, first.expected, second.expected) == ("What is 2 + 2?", "4", "")
    for number in range(TRIALS + 5):
        run(cases.tried(first.id, trial(number, held=number % 2 == 0)))
    run(cases.tried(second.id, trial(1, held=None)))
    first, second = run(cases.of("a1"))
    assert [each.answer for each in first.trials[:2]] == ["answer 24", "answer 23"]
    assert len(first.trials) == TRIALS and second.trials[0].held is None
    assert (first.trials[0].held, first.trials[1].held) == (True, False)


def test_a_deleted_case_comes_back_with_its_trials(cases):
    run(cases.add("a1", "Q", "x"))
    (case,) = run(cases.of("a1"))
    run(cases.tried(case.id, trial(1)))
    run(cases.delete(case.id))
    assert run(cases.of("a1")) == []
    run(cases.restore(case.id))
    assert len(run(cases.of("a1"))[0].trials) == 1


def test_a_change_takes_the_cases_along_and_a_fork_copies_them_once(cases):
    run(cases.add("a1", "Q", "x"))
    (case,) = run(cases.of("a1"))
    run(cases.tried(case.id, trial(1)))
    for _ in range(2):
        run(cases.copy("a1", "fork"))
    (copied,) = run(cases.of("fork"))
    assert (copied.question, copied.trials) == ("Q", ()) and copied.id != case.id
    run(cases.move("a1", "a2"))
    assert run(cases.of("a1")) == [] and run(cases.of("a2"))[0].trials[0].agent == "a1"


def test_a_file_takes_cases_elsewhere_whole_or_not_at_all(cases):
    run(cases.add("a1", "Q", "x"))
    (case,) = run(cases.of("a1"))
    run(cases.tried(case.id, trial(1)))
    text = run(archive.dump(cases.store))
    other = Cases(FileStore())
    run(schema.migrate(other.store))
    for _ in range(2):
        run(archive.merge(other.store, text))
    assert run(other.of("a1")) == run(cases.of("a1"))
    for table, column in (("trial", 1), ("bench_case", 1), ("trial", 5)):
        whole = json.loads(text)
        whole["rows"][table][0][column] = None if table == "bench_case" else "wrong"
        with pytest.raises(Refused, match="damaged_file"):
            run(archive.merge(other.store, json.dumps(whole)))
