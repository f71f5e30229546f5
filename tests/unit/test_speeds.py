"""The bench's figures as the model sheet shows them."""

import pytest

from onglet import words
from onglet.sheets import speeds


@pytest.fixture(params=words.LANGUAGES, autouse=True)
def language(request):
    words.speak(request.param)
    yield
    words.speak("en")


def test_a_table_for_each_task_with_the_longest_bar_whole():
    title, about, *tables = speeds.sections()
    assert title["text"] == words.say("speeds.title")
    assert speeds.FIGURES["machine"]["processor"] in about["text"]
    assert [table["caption"] for table in tables] == [
        words.say(f"speeds.{task}") for task in speeds.TASKS
    ]
    for table in tables:
        shares = [row["share"] for row in table["rows"]]
        assert max(shares) == 1
        assert min(shares) > 0
        assert table["rows"][0]["name"] == "Onglet"


def test_a_busy_machine_is_named_and_what_runs_outside_too(monkeypatch):
    bar = {
        "name": "llama.cpp native",
        "version": "1",
        "in_tab": False,
        "decode": 1,
        "prefill": None,
    }
    busy = speeds.FIGURES["machine"] | {"busy": True}
    monkeypatch.setattr(
        speeds, "FIGURES", {"machine": busy, "bars": [bar, *speeds.FIGURES["bars"]]}
    )
    _, about, decode, prefill = speeds.sections()
    assert words.say("speeds.busy") in about["text"]
    assert decode["rows"][0]["name"] == words.say("speeds.outside", name="llama.cpp")
    assert len(prefill["rows"]) == len(decode["rows"]) - 1
