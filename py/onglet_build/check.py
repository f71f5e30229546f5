"""`build.py check`: everything that can be judged without running the site in a browser: ruff,
arrows, JavaScript types, hashes of dist/, addresses of other hosts in it.

`--full` runs the test suite too, with the long runs of the fuzzers and faults (ONGLET_FULL=1) and
properties searched from a new random beginning.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from . import arrows, site, testing, vendor
from .places import DIST, ROOT, WEB
from .python_bundle import node
from .steps import timed

ADDRESS = re.compile(rb"""https?://[^\s"'`<>)\\]+""")
# What only names a vocabulary, and this machine itself in the policy of web/download.js.
NAMESPACES = (b"http://www.w3.org/", b"http://127.0.0.1:*", b"http://localhost:*")
CDN = re.compile(
    rb"(?:jsdelivr\.net|unpkg\.com|cdnjs\.cloudflare|esm\.sh|googleapis\.com|bokeh\.org/bokeh)"
)
# Vendored scripts name these hosts for widgets that Onglet does not use; the policy blocks them.
KNOWN_CDN = {
    *("bokeh.min.js", "panel.min.js", "panel-material-ui.bundle.js", "pyodide.mjs"),
    "python.js",  # of the sandbox: pyodide.mjs is in it
}
# The page and its workers know different global names; each project leaves one file to the other.
PROJECTS = {"tsconfig.json": "app/worker.js", "tsconfig.workers.json": "app/mount.js"}
TEXTS = (".html", ".js", ".mjs", ".css", ".json", ".webmanifest", ".svg")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--full"]):
        raise SystemExit("usage: build.py check [--full]")
    site.build()
    wrong = sum(report(name, check) for name, check in CHECKS.items())
    if arguments:
        os.environ["ONGLET_FULL"] = "1"
        wrong += testing.main(["--hypothesis-profile=search"]) != 0
    print("everything holds" if not wrong else f"{wrong} checks failed")
    return 1 if wrong else 0


def report(name: str, check: Callable[[], list[str]]) -> bool:
    """Runs one check and prints what it found; True when something is wrong."""
    with timed(name):
        found = check()
    for line in found:
        print(f"  {line}")
    return bool(found)


def lint() -> list[str]:
    return lines_of(
        [sys.executable, "-m", "ruff", "check", "--quiet", "--output-format=concise", str(ROOT)]
    )


def types() -> list[str]:
    """Runs the TypeScript compiler over the JavaScript of the page and of the workers."""
    compiler = vendor.package("typescript").folder / "lib" / "tsc.js"
    found = set()
    for project, elsewhere in PROJECTS.items():
        lines = lines_of([str(node()), str(compiler), "--project", str(WEB / project)])
        found |= {line for line in lines if line.startswith("web/") and elsewhere not in line}
    return sorted(found)


def lines_of(command: list[str]) -> list[str]:
    """Returns what a command that found something printed."""
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [] if run.returncode == 0 else (run.stdout + run.stderr).splitlines()


def hashes(dist: Path = DIST) -> list[str]:
    """Every file of the site is listed with the hash that it has, and nothing else is there."""
    rows = {row["path"]: row for row in json.loads((dist / "files.json").read_text())["files"]}
    found = []
    for path in sorted(path for path in dist.rglob("*") if path.is_file()):
        place = path.relative_to(dist).as_posix()
        row = rows.pop(place, None)
        if place in site.NOT_LISTED:
            continue
        if row is None:
            found.append(f"{place} is not in files.json")
        elif vendor.sha256_of(path) != row["sha256"]:
            found.append(f"{place} has another hash than files.json says")
    return found + [f"{place} is missing" for place in rows]


def addresses(dist: Path = DIST) -> list[str]:
    """Our own files name no other host; vendored ones name only those we know of."""
    found = []
    for path in sorted(path for path in dist.rglob("*") if path.suffix in TEXTS):
        place = path.relative_to(dist).as_posix()
        ours = (place.startswith("a/") and "/vendor/" not in place) or "/" not in place
        named = ADDRESS.findall(path.read_bytes())
        for address in sorted(set(named)):
            foreign = not address.startswith(NAMESPACES)
            if foreign and (ours or (CDN.search(address) and path.name not in KNOWN_CDN)):
                found.append(f"{place} names {address.decode(errors='replace')}")
    return found


CHECKS: dict[str, Callable[[], list[str]]] = {
    "lint": lint,
    "arrows": arrows.problems,
    "types": types,
    "hashes": hashes,
    "addresses": addresses,
}
