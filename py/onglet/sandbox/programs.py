"""Programs for the sandbox, from this side of its walls: what they need, and what came of them,
checked as all that comes from there. Knows the page's service, no screen.
"""

import ast
import asyncio
import base64
import json
from dataclasses import dataclass

from onglet.browser.bridge import Bridge
from onglet.engine.errors import Refused

SECONDS = 20  # that a program may take
NEEDS = {
    "numpy": ("numpy",),
    "matplotlib": ("numpy", "matplotlib"),
    "PIL": ("numpy", "matplotlib"),
    "mpl_toolkits": ("numpy", "matplotlib"),
}
LONGEST = 21_000  # characters of a text
ROWS, COLUMNS = 200, 20
FIGURES, FIGURE_LETTERS = 4, 2_000_000  # letters of base64
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Result:
    """What came of a program. `figures`: PNG pictures in base64."""

    text: str = ""
    value: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    figures: tuple[str, ...] = ()
    error: str = ""


def packages(code: str) -> list[str]:
    """What of the site's packages a program imports, in the order in which they are needed."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return list(dict.fromkeys(each for name in sorted(names) for each in NEEDS.get(name, ())))


class Sandbox:
    """Runs programs by the page's service; each in a Python of its own."""

    def __init__(self, bridge: Bridge):
        self.bridge = bridge

    async def run(self, code: str, files: dict[str, str]) -> Result:
        """Runs a program with these files (texts by name) in its folder. Raises Refused: cancelled,
        sandbox_time, sandbox_failed, offline. Who cancels it ends the program."""
        given = {"code": code, "files": files, "packages": packages(code), "seconds": SECONDS}
        try:
            answer = await self.bridge.call("run_program", **given)
        except asyncio.CancelledError:
            await self.bridge.call("end_programs")
            raise
        if error := answer.get("error"):
            raise Refused(error["code"], **error["values"])
        return read(answer["value"])


def read(told: str) -> Result:
    """What the sandbox told, which may be anything. Raises Refused sandbox_failed."""
    try:
        said = json.loads(told)
        texts = [said[name] for name in ("text", "value")] + [said["error"] or ""]
        text, value, error = [word(each) for each in texts]
        grid = said["table"] or {"columns": [], "rows": []}
        columns = tuple(word(each) for each in grid["columns"][:COLUMNS])
        rows = tuple(tuple(word(cell) for cell in row[:COLUMNS]) for row in grid["rows"][:ROWS])
        figures = tuple(picture(each) for each in said["figures"][:FIGURES])
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise Refused("sandbox_failed") from problem
    return Result(text, value, columns, rows, figures, error)


def word(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError("not a text")
    return said[:LONGEST]


def picture(said: object) -> str:
    """A PNG in base64. Raises ValueError."""
    letters = said if isinstance(said, str) else ""
    if len(letters) > FIGURE_LETTERS:
        raise ValueError("too large")
    if not base64.b64decode(letters, validate=True).startswith(SIGNATURE):
        raise ValueError("not a picture")
    return letters
