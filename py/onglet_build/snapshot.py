"""Builds the app under Node.js as far as it goes without a browser and saves three things: the
interpreter with the app in it, the document in each language, and the bytecode a start reads.

A second build gives the same bytes. Knows the order; python_bundle.py knows the zips.
"""

import base64
import shutil
import struct
import tempfile
from pathlib import Path

from . import python_bundle, vendor
from .places import STATIC
from .steps import cached

SCRIPTS = (
    "static/bokeh/3.10.2/bokeh.min.js",
    "static/bokeh/3.10.2/bokeh-widgets.min.js",
    "static/panel/1.10.0/dist/panel.min.js",
)
BUNDLE = "static/pmui/v0.16.6/panel-material-ui.bundle.js"
PAGE = 1 << 14
FILE_LIMIT = 24 << 20  # several hosts refuse files of 25 MiB
LANGUAGES = ("en", "fr")
NOTHING = "nothing.zip"
EMPTY_ZIP = b"PK\5\6" + bytes(18)
SITE_PACKAGES = "/lib/python3.14/site-packages/"
BUNDLE_SOURCES = ("python_bundle.py", "bytecode.py", "pyodide_node.mjs", "vendor.py")


def build(into: Path) -> dict:
    """Writes the app's files into a folder; returns their names by their role at the start."""
    sources = [STATIC / "vendor.json", *(python_bundle.HERE / name for name in BUNDLE_SOURCES)]
    bundle, _ = cached("bytecode", sources, python_bundle.build)
    shutil.copyfile(bundle / "stdlib.zip", into / "stdlib.zip")
    (into / NOTHING).write_bytes(EMPTY_ZIP)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "site-packages"
        shutil.copytree(bundle / "packages", tree)
        python_bundle.add_own_code(tree)
        everything = Path(folder) / "all.zip"
        python_bundle.write_zip(tree, everything)
        make_snapshot(everything, into)
        split(tree, into)
    snapshot = leave_out_empty_memory(into / "snapshot.bin", into)
    return {
        "stdlib": "stdlib.zip",
        "nothing": NOTHING,
        "packages": ["first.zip", "rest.zip"],
        "snapshot": snapshot,
        "scripts": SCRIPTS,
        "bundle": BUNDLE,
        "documents": {language: f"document.{language}.json" for language in LANGUAGES},
    }


def make_snapshot(packages: Path, into: Path) -> None:
    job = {
        "kind": "snapshot",
        "folder": str(into),
        "stdlib": str(into / "stdlib.zip"),
        "archives": [str(packages)],
        "languages": LANGUAGES,
    }
    python_bundle.run_in_pyodide(vendor.package("pyodide").folder, job)


def leave_out_empty_memory(saved_file: Path, into: Path) -> dict:
    """Keeps of a snapshot only the stretches of memory that hold something, in several files.

    Returns what worker.js needs to restore it: Pyodide's own head of the snapshot, the size of
    the memory, and for each file which stretches (start, length) it holds, one after the other.
    """
    saved = saved_file.read_bytes()
    saved_file.unlink()
    (head_bytes,) = struct.unpack_from("<I", saved, 4)
    memory = saved[head_bytes:]
    files = []
    for number, stretches in enumerate(cut(full_stretches(memory), FILE_LIMIT)):
        name = f"snapshot.{number}.bin"
        parts = (memory[start : start + length] for start, length in stretches)
        (into / name).write_bytes(b"".join(parts))
        files.append({"file": name, "stretches": stretches})
    head = base64.b64encode(saved[:head_bytes]).decode()
    return {"head": head, "memory": len(memory), "files": files}


def full_stretches(memory: bytes) -> list[tuple[int, int]]:
    """Returns (start, length) of each run of pages that are not all zeros."""
    found = []
    for place in range(0, len(memory), PAGE):
        page = memory[place : place + PAGE]
        if page == bytes(len(page)):
            continue
        follows = found and sum(found[-1]) == place
        start = found.pop()[0] if follows else place
        found.append((start, place + len(page) - start))
    return found


def cut(stretches: list[tuple[int, int]], limit: int) -> list[list[tuple[int, int]]]:
    """Deals stretches out to files of at most `limit` bytes, cutting them where need be."""
    files, room = [[]], limit
    for start, length in stretches:
        while length:
            if not room:
                files.append([])
                room = limit
            taken = min(length, room)
            files[-1].append((start, taken))
            start, length, room = start + taken, length - taken, room - taken
    return files


def split(tree: Path, into: Path) -> None:
    """Writes first.zip, which the snapshot holds already, and rest.zip, unpacked once live."""
    listed = into / "modules.txt"
    first = {line.removeprefix(SITE_PACKAGES) for line in listed.read_text().splitlines()}
    listed.unlink()
    names = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    python_bundle.write_zip(tree, into / "first.zip", sorted(names & first))
    python_bundle.write_zip(tree, into / "rest.zip", sorted(names - first))
