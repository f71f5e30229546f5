"""`build.py size`: lines of each file and function against the sizes of the house (a report, no
gate), and what the site weighs, as it lies there and as a host with gzip sends it."""

import ast
import gzip
import json
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

from .places import DIST, PY, ROOT, WEB

LONG_FILE = 400
LONG_FUNCTION = 50
WIDE = 100
SOURCES = {
    "Python": [PY, ROOT / "build.py"],
    "JavaScript": [WEB],
    "C": [ROOT / "wasm_kernels"],
    "tests": [ROOT / "tests"],
}
SUFFIXES = {".py", ".js", ".mjs", ".c", ".h"}
OPENS = re.compile(r"^(\s*)[\w*].*\)\s*\{$")
NOT_FUNCTIONS = ("if", "for", "while", "switch", "else", "catch", "do", "return", "}")


def main(arguments: list[str]) -> int:
    if arguments:
        raise SystemExit("build.py size takes no arguments")
    for name, places in SOURCES.items():
        report_sources(name, [path for place in places for path in sources_under(place)])
    if (DIST / "files.json").exists():
        report_site()
    return 0


def sources_under(place: Path) -> list[Path]:
    found = [place] if place.is_file() else place.rglob("*")
    return sorted(path for path in found if path.suffix in SUFFIXES)


def report_sources(name: str, paths: list[Path]) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in paths}
    functions = [(*function, path) for path in paths for function in functions_of(path)]
    if not lengths:
        return
    print(f"{name}: {len(lengths)} files, {sum(lengths.values())} lines, ", end="")
    print(f"median file {statistics.median(lengths.values()):.0f}, ", end="")
    print(f"median function {statistics.median(length for _, length, _ in functions):.0f}")
    for path, length in sorted(lengths.items(), key=lambda item: -item[1]):
        if length > LONG_FILE:
            print(f"  long file      {length:5}  {path.relative_to(ROOT)}")
    for function, length, path in sorted(functions, key=lambda item: -item[1]):
        if length > LONG_FUNCTION:
            print(f"  long function  {length:5}  {path.relative_to(ROOT)}: {function}")
    for path in paths:
        wide = [len(line) for line in path.read_text().splitlines() if len(line) > WIDE]
        if wide:
            print(f"  wide lines     {len(wide):5}  {path.relative_to(ROOT)}")


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yields (name or first line, lines) of each function."""
    text = path.read_text()
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, node.end_lineno - node.lineno + 1
    else:
        yield from braced_functions(text.splitlines())


def braced_functions(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Finds functions of C and JavaScript by their shape: `...) {` to `}` at the same indent."""
    for start, line in enumerate(lines):
        opened = OPENS.match(line)
        if not opened or line.strip().startswith(NOT_FUNCTIONS):
            continue
        closing = opened[1] + "}"
        end = next((n for n in range(start + 1, len(lines)) if lines[n].startswith(closing)), start)
        yield line.strip()[:60], end - start + 1


def report_site() -> None:
    rows = json.loads((DIST / "files.json").read_text())["files"]
    for group in ("app", "model", "workshop", "ocr"):
        mine = [row for row in rows if row["group"] == group]
        raw = sum(row["bytes"] for row in mine)
        print(f"dist, {group}: {len(mine)} files, {raw / 1e6:.1f} MB", end="")
        if group == "app":
            print(f", {sum(gzipped(row['path']) for row in mine) / 1e6:.1f} MB with gzip", end="")
        print()
    for row in sorted(rows, key=lambda row: -row["bytes"])[:12]:
        print(f"  {row['bytes'] / 1e6:8.2f} MB  {row['path']}")


def gzipped(place: str) -> int:
    return len(gzip.compress((DIST / place).read_bytes(), 6))
