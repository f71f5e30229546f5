"""What runs by itself: when, what was missed, what is kept of it."""

import asyncio
import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from onglet.agents.schedule import LATE, Rule, due
from onglet.engine.errors import Refused
from onglet.vault import archive, schema
from onglet.vault.schedules import LOGGED, Ran, Schedules
from onglet.vault.store import FileStore

HOURLY, MORNING = Rule(minutes=60), Rule(time="07:30")
HOUR, DAY = 3600.0, 86400.0
START = datetime(2026, 11, 23, 7, 30).timestamp()


def run(work):
    return asyncio.run(work)


@given(some.integers(1, 10080) | some.times().map(lambda t: f"{t.hour:02}:{t.minute:02}"))
def test_a_rule_is_read_as_it_was_written(value):
    rule = Rule(minutes=value) if isinstance(value, int) else Rule(time=value)
    assert Rule.read(rule.written()) == rule


@pytest.mark.parametrize(
    "text",
    ["", "every", "every 0", "every -1", "every 1.5", "every 99999", "every 123456", "at 24:00",
     "at 7:30", "at 07:60", "at", "at 07:30 ", "every ٣", "never", "every 5\n"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(Refused, match="bad_time"):
        Rule.read(text)


def test_in_time_it_runs_once():
    assert not due(HOURLY, START, START + HOUR - 1).runs
    found = due(HOURLY, START, START + HOUR + 2)
    assert (found.runs, found.missed, found.seen) == (True, 0, START + HOUR)
    assert not due(HOURLY, found.seen, START + HOUR + 3).runs
    found = due(MORNING, START - 60, START + 1)
    assert (found.runs, found.seen) == (True, START)
    assert MORNING.next(START) == datetime(2026, 11, 24, 7, 30).timestamp()


def test_what_was_missed_is_counted_and_not_made_up_for():
    found = due(HOURLY, START, START + 5 * HOUR + 60 * LATE + 1)
    assert (found.runs, found.missed, found.seen) == (False, 5, START + 5 * HOUR)
    assert found.last_missed == START + 5 * HOUR
    found = due(HOURLY, START, START + 5 * HOUR + 1)  # the fifth is not late
    assert (found.runs, found.missed, found.last_missed) == (True, 4, START + 4 * HOUR)
    found = due(MORNING, START, START + 3 * DAY + HOUR)
    assert (found.runs, found.missed) == (False, 3)


@given(some.integers(1, 500), some.floats(0, 4e8), some.floats(0, 4e8))
def test_no_two_looks_find_the_same_run(minutes, first, second):
    rule, seen, total = Rule(minutes=minutes), START, 0
    for now in sorted((START + first, START + second)):
        found = due(rule, seen, now)
        assert seen <= found.seen <= now
        total += found.runs + found.missed
        seen = found.seen
    whole = due(rule, START, START + max(first, second))
    assert total == whole.runs + whole.missed == int(max(first, second) // (minutes * 60))


def test_a_clock_that_was_set_back_begins_anew():
    found = due(HOURLY, START, START - DAY)
    assert (found.runs, found.missed, found.seen) == (False, 0, START - DAY)
    assert due(HOURLY, found.seen, START - DAY + HOUR + 1).runs


@pytest.fixture
def schedules():
    store = FileStore()
    run(schema.migrate(store))
    yield Schedules(store)
    store.close()


def test_every_run_is_logged_and_old_ones_go(schedules):
    run(schedules.add("{}", "Summarise", True, "every 5"))
    (one,) = run(schedules.all())
    assert (one.question, one.notes, one.paused) == ("Summarise", True, False)
    run(schedules.seen(one.id, 10.0, Ran(9.0, "missed", "", 3)))
    for number in range(LOGGED + 5):
        run(schedules.log(one.id, Ran(100.0 + number, "done", f"answer {number}")))
    runs = run(schedules.runs(one.id))
    assert len(runs) == LOGGED and runs[0].answer == f"answer {LOGGED + 4}"
    assert run(schedules.last())[one.id].answer == runs[0].answer
    assert run(schedules.all())[0].seen == 10.0
    run(schedules.pause(one.id, True))
    assert run(schedules.all())[0].paused and run(schedules.all())[0].seen > time.time() - 60
    run(schedules.delete(one.id))
    assert run(schedules.all()) == []
    run(schedules.restore(one.id))
    assert len(run(schedules.all())) == 1
    run(schedules.log("gone", Ran(1.0, "done", "")))  # of one that was deleted meanwhile


def test_what_comes_in_a_file_does_not_run_before_somebody_says_so(schedules):
    run(schedules.add("{}", "Summarise", True, "every 5"))
    (one,) = run(schedules.all())
    run(schedules.log(one.id, Ran(100.0, "done", "It rains.")))
    text = run(archive.dump(schedules.store))
    other = Schedules(FileStore())
    run(schema.migrate(other.store))
    for _ in range(2):
        run(archive.merge(other.store, text))
    (there,) = run(other.all())
    assert there.paused and run(other.runs(one.id))[0].answer == "It rains."
    run(archive.merge(schedules.store, text))
    assert not run(schedules.all())[0].paused  # what is here stays as it is
