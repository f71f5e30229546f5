"""Builds what the workshop worker unpacks (web/workshop/worker.js): the libraries that read
documents, and Onglet's own lower floors, as one stored zip of bytecode.

Knows what belongs in it; the app's own packages are python_bundle.py's.
"""

import tempfile
from pathlib import Path

from . import python_bundle, vendor
from .places import PY
from .steps import files_under

ARCHIVE = "workshop.zip"
SHARED = ("markdown-it-py", "mdurl", "typing_extensions")  # with the app's packages
ROOMS = ("__init__.py", "browser", "documents", "engine", "graphs", "workshop.py")


def sources() -> list[Path]:
    """What a change of makes the zip new, beside the list of packages."""
    return [PY / "onglet" / room for room in ROOMS]


def build(into: Path) -> dict:
    """Writes the zip into a folder."""
    rows = [*vendor.packages("workshop"), *(vendor.package(name) for name in SHARED)]
    libraries = {name: path.read_bytes() for name, path in vendor.python_files(rows)}
    own = [path for place in sources() for path in files_under(place)]
    files = {path.relative_to(PY).as_posix(): path.read_bytes() for path in own}
    pyodide = vendor.package("pyodide").folder
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        python_bundle.compile_files(pyodide, libraries | files, tree)
        python_bundle.write_zip(tree, into / ARCHIVE)
    return {}


def facts(folder: str, graphs: dict) -> dict:
    """Returns what the page tells the worker: where things lie, paths relative to the site's root.

    `graphs` is the table of the graphs that may be loaded by name, with their hashes.
    """
    runtime = vendor.package("onnxruntime-web")
    ((wheel, _),) = vendor.site_files(vendor.package("open-webui"))
    return {
        "packages": folder + ARCHIVE,
        "numpy": wheel,
        "onnxruntime": next(iter(runtime.site.values())),
        "pdfium": next(iter(vendor.package("@embedpdf/pdfium").site.values())),
        "graphs": graphs,
    }
