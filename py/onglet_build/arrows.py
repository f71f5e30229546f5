"""Checks that arrows point down: a module of Onglet imports only from its own floor or a lower one,
the middle floors know neither Panel nor JavaScript (design.md section 2)."""

import ast
from collections.abc import Iterator
from pathlib import Path

from .places import PY

FLOORS = {
    "start": 6,
    "app": 5,
    "pages": 5,
    "sheets": 5,
    "components": 5,
    "session": 4,
    "workshop": 4,
    "agents": 4,
    "documents": 3,
    "graphs": 3,
    "sandbox": 3,
    "translation": 3,
    "health": 3,
    "library": 3,
    "model": 3,
    "vault": 3,
    "engine": 2,
    "browser": 1,
    "promises": 0,
    "words": 0,
}
SCREEN = {"panel", "panel_material_ui", "bokeh"}
TAB = {"js", "pyodide", "pyodide_js"}
MIDDLE = (2, 3, 4)


def problems(package: Path = PY / "onglet") -> list[str]:
    """Returns one line for each import that points up."""
    found = []
    for path in sorted(package.rglob("*.py")):
        for name, line in imports(path, package):
            if problem := judge(room_of(path, package), name):
                found.append(f"{path.relative_to(package.parent)}:{line} imports {name}: {problem}")
    return found


def room_of(path: Path, package: Path) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def judge(room: str, name: str) -> str:
    """Returns what is wrong when a module of `room` imports `name`, '' when nothing is."""
    if room == "__init__":
        return ""
    if room not in FLOORS:
        return f"the room {room} has no floor yet (arrows.py)"
    top, _, rest = name.partition(".")
    if top == "onglet":
        other = rest.partition(".")[0]
        return "points up" if FLOORS.get(other, 0) > FLOORS[room] else ""
    if FLOORS[room] in MIDDLE and top in SCREEN | TAB:
        return "the middle floors know neither screen nor tab"
    if FLOORS[room] != 1 and top in TAB:
        return "only browser/ knows JavaScript"
    return ""


def imports(path: Path, package: Path) -> Iterator[tuple[str, int]]:
    """Yields (absolute module name, line) of each import, those inside functions too."""
    own = path.relative_to(package.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(own[: -node.level]) if node.level else ""
            start = ".".join(part for part in (base, node.module) if part)
            yield from ((f"{start}.{alias.name}", node.lineno) for alias in node.names)
