"""What the README shows to whoever adds a tool works as it stands there, in one file."""

import asyncio
import re
from datetime import datetime

import pytest

from onglet.agents import tools
from onglet.agents.config import Agent
from onglet_build.places import ROOT

README = (ROOT / "README.md").read_text("utf-8")
TOOL, TEST = re.findall(r"```python\n(.*?)```", README.partition("## Add a tool")[2], re.S)[:2]


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The folder of tools with the README's file in it."""
    (tmp_path / "dice.py").write_text(TOOL)
    monkeypatch.setattr(tools, "__path__", [*tools.__path__, str(tmp_path)])
    tools.known.cache_clear()
    yield
    tools.known.cache_clear()


def test_the_tool_of_the_readme_is_found_offered_and_run(added):
    assert len(TOOL.splitlines()) <= 20 and len(TEST.splitlines()) < 20
    dice = tools.known()["dice"]
    here = tools.Here(datetime(2026, 11, 23))
    assert dice.schema()["properties"] == {"sides": {"type": "integer"}}
    assert dice.readings("Roll dice with 20 sides", here) is None
    assert dice.readings("Who wrote Hamlet?", here) == []
    assert asyncio.run(dice.run({"sides": 6}, here))
    assert Agent("A", tools=("dice@1",)).permissions() == {"dice": "free"}


def test_the_test_of_the_readme_holds(added):
    names: dict = {}
    exec(compile(TEST, "README", "exec"), names)
    for name, value in names.items():
        if name.startswith("test_"):
            value()
