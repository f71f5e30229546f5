"""What runs inside the sandbox: programs, and what came of each as JSON. Stands alone: nothing
else of Onglet is there. The walls are elsewhere (web/sandbox/); these limits only keep results
small.
"""

import ast
import base64
import contextlib
import inspect
import io
import json
import linecache
import os
import random
import sys
import traceback
import types
from pathlib import Path
from typing import Any

NAME = "program.py"  # of the code, in tracebacks
LONGEST = 20_000  # characters of what is printed, of a value, of an error
ROWS, COLUMNS, CELL = 200, 20, 200  # of a table; characters
FIGURES, FIGURE_BYTES = 4, 1_500_000
DOTS_PER_INCH = 100
AWAITS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
os.environ["MPLBACKEND"] = "agg"  # draws into memory
NAMES: dict = {}  # of the programs of this sandbox


class Printed(io.TextIOBase):
    """Keeps the beginning of what is printed."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text[: LONGEST + 1 - len(self.text)]
        return len(text)


async def run(code: str, files: str) -> str:
    """Runs a program with these files ({name: text}, as JSON) in its folder. Returns JSON: `text`
    (printed), `value` (of the last expression, as text), `table` (the same as columns and rows),
    `figures` (PNG, base64), `error` (null, or what was raised and where)."""
    if not NAMES:
        random.seed()  # what was saved with the interpreter would come again
        NAMES["__name__"] = "__main__"
    for name, text in json.loads(files).items():
        Path(name).write_text(text, "utf-8")
    printed, error, value = Printed(), None, None
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            value = await value_of(code)
            told = {"value": as_text(value), "table": as_table(value), "figures": figures()}
        except BaseException as problem:
            error, told = explained(problem), {"value": "", "table": None, "figures": []}
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
    return json.dumps({"text": cut(printed.text), "error": error, **told})


def connect(source: str, say: Any) -> Any:
    """Makes `from onglet import client` possible, of that source; `say` carries its texts out.
    Returns what takes the texts that come in."""
    package, module = types.ModuleType("onglet"), types.ModuleType("onglet.client_source")
    exec(compile(source, "client.py", "exec"), module.__dict__)
    package.client = module.Client(say)
    package.APIError = module.APIError
    sys.modules["onglet"] = package
    return package.client.hear


async def value_of(code: str) -> Any:
    """Runs the code, which may await; the value of its last line, if that is an expression."""
    linecache.cache[NAME] = (len(code), None, code.splitlines(True), NAME)
    tree = ast.parse(code, NAME)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    await done(compile(tree, NAME, "exec", AWAITS), NAMES)
    return (
        await done(compile(ast.Expression(last.value), NAME, "eval", AWAITS), NAMES)
        if last
        else None
    )


async def done(code: types.CodeType, names: dict) -> Any:
    value = eval(code, names)
    return await value if code.co_flags & inspect.CO_COROUTINE else value


def explained(problem: BaseException) -> str:
    """The traceback from the program's own lines on."""
    if isinstance(problem, SystemExit):
        return f"The program ended itself: {problem.code}"
    frames = [each for each in traceback.extract_tb(problem.__traceback__) if each.filename == NAME]
    lines = traceback.format_list(frames) + traceback.format_exception_only(problem)
    return cut("".join(lines).strip())


def as_text(value: Any) -> str:
    return (
        ""
        if value is None or is_drawn(value)
        else cut(value if type(value) is str else repr(value))
    )


def is_drawn(value: Any) -> bool:
    """Whether a value is a part of a figure, which is shown anyway."""
    first = value[0] if isinstance(value, (list, tuple)) and value else value
    return type(first).__module__.startswith("matplotlib.")


def as_table(value: Any) -> dict | None:
    """Columns and rows of what is one: a list of dicts, a list of equally long rows, a 2D array, a
    dict of plain values."""
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 2:
        value = value.tolist()
    if isinstance(value, dict) and value and all(is_plain(each) for each in value.values()):
        return table([], value.items())
    if not isinstance(value, (list, tuple)) or not value or is_drawn(value):
        return None
    if all(isinstance(row, dict) for row in value):
        columns = list(dict.fromkeys(key for row in value[:ROWS] for key in row))
        return table(columns, ([row.get(key, "") for key in columns] for row in value))
    if all(isinstance(row, (list, tuple)) and len(row) == len(value[0]) for row in value):
        return table([], value)
    return None


def table(columns: list, rows: Any) -> dict:
    kept = [row for row, _ in zip(rows, range(ROWS), strict=False)]
    return {
        "columns": [str(each)[:CELL] for each in columns[:COLUMNS]],
        "rows": [[str(each)[:CELL] for each in list(row)[:COLUMNS]] for row in kept],
    }


def is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool, type(None)))


def figures() -> list[str]:
    """What was drawn with matplotlib, as PNG in base64; those that are too large are left out."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    found = []
    for number in pyplot.get_fignums()[:FIGURES] if pyplot else []:
        picture = io.BytesIO()
        pyplot.figure(number).savefig(picture, format="png", dpi=DOTS_PER_INCH)
        if picture.tell() <= FIGURE_BYTES:
            found.append(base64.b64encode(picture.getvalue()).decode())
    return found


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
