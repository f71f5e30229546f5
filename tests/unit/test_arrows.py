"""Arrows point down, and the checker would see one that does not."""

import pytest

from onglet_build import arrows


def test_the_tree_has_no_arrow_that_points_up():
    assert arrows.problems() == []


@pytest.mark.parametrize(
    ("place", "line", "problem"),
    [
        ("engine/client.py", "from onglet.pages import chat", "points up"),
        ("engine/client.py", "from ..agents.loop import run", "points up"),
        ("agents/loop.py", "import panel as pn", "neither screen nor tab"),
        ("library/fit.py", "import js", "neither screen nor tab"),
        ("pages/chat.py", "from pyodide.ffi import to_js", "only browser/"),
        ("attic/old.py", "import os", "no floor yet"),
        ("pages/chat.py", "from ..engine.client import Client", ""),
        ("browser/bridge.py", "import js", ""),
    ],
)
def test_judges_an_import(tmp_path, place, line, problem):
    path = tmp_path / "onglet" / place
    path.parent.mkdir(parents=True)
    path.write_text(f"def late():\n    {line}\n")
    found = arrows.problems(tmp_path / "onglet")
    assert [problem in text for text in found] == ([True] if problem else [])
