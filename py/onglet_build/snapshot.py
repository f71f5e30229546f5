"""Builds the app under Node.js as far as it goes without a browser and saves three things: the
interpreter with the app in it, the document in each language, and the bytecode a start reads.

A second build differs in the snapshot only. Knows the order; python_bundle.py knows the zips.
"""

import base64
import re
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
SMALLEST_GAP = 1 << 16
LANGUAGES = ("en", "fr")
SITE_PACKAGES = "/lib/python3.14/site-packages/"
BUNDLE_SOURCES = ("python_bundle.py", "bytecode.py", "pyodide_node.mjs", "vendor.py")


def build(into: Path) -> dict:
    """Writes the app's files into a folder; returns their names by their role at the start."""
    sources = [STATIC / "vendor.json", *(python_bundle.HERE / name for name in BUNDLE_SOURCES)]
    bundle, _ = cached("bytecode", sources, python_bundle.build)
    shutil.copyfile(bundle / "stdlib.zip", into / "stdlib.zip")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "site-packages"
        shutil.copytree(bundle / "packages", tree)
        python_bundle.add_own_code(tree)
        everything = Path(folder) / "all.zip"
        python_bundle.write_zip(tree, everything)
        make_snapshot(everything, into)
        split(tree, into)
    snapshot = leave_out_empty_memory(into / "snapshot.bin")
    return {
        "stdlib": "stdlib.zip",
        "packages": ["first.zip", "rest.zip"],
        "snapshot": {"file": "snapshot.bin", **snapshot},
        "scripts": SCRIPTS,
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


def leave_out_empty_memory(file: Path) -> dict:
    """Keeps of a snapshot only the stretches of memory that hold something.

    Returns what worker.js needs to restore it: Pyodide's own head of the snapshot, the size of
    the memory, and where each stretch lies.
    """
    saved = file.read_bytes()
    (head_bytes,) = struct.unpack_from("<I", saved, 4)
    memory = saved[head_bytes:]
    pieces, end = [], 0
    for gap in (*re.finditer(rb"\0{%d,}" % SMALLEST_GAP, memory), None):
        start, end = end, gap.start() if gap else len(memory)
        if end > start:
            pieces.append((start, end - start))
        end = gap.end() if gap else end
    file.write_bytes(b"".join(memory[start : start + length] for start, length in pieces))
    head = base64.b64encode(saved[:head_bytes]).decode()
    return {"head": head, "memory": len(memory), "pieces": pieces}


def split(tree: Path, into: Path) -> None:
    """Writes first.zip, which the snapshot holds already, and rest.zip, unpacked once live."""
    listed = into / "modules.txt"
    first = {line.removeprefix(SITE_PACKAGES) for line in listed.read_text().splitlines()}
    listed.unlink()
    names = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    python_bundle.write_zip(tree, into / "first.zip", sorted(names & first))
    python_bundle.write_zip(tree, into / "rest.zip", sorted(names - first))
