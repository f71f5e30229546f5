"""Builds what the sandbox is made of (web/sandbox/): one script of Pyodide and our code that a
classic worker can run, an interpreter asleep with the runner in it, and the packages for numbers
and figures.

Knows what Pyodide's text has to lose for that; not what the page does with it.
"""

import io
import json
import tempfile
import zipfile
from pathlib import Path

from . import python_bundle, snapshot, vendor
from .places import PY, WEB

CODE = "python.js"
RUNNER = PY / "onglet" / "sandbox" / "runner.py"
INSIDE = WEB / "sandbox" / "inside.js"
CLIENT = PY / "onglet" / "sandbox" / "client.py"
NOWHERE = '"https://sandbox.invalid/"'
MEMORY = 512 << 20  # bytes that Python may have; Pyodide's own limit is 4 GB
WARM = "csv, collections, datetime, decimal, itertools, math, random, re, statistics"
PACKAGES = {
    "numpy": ("numpy",),
    "matplotlib": (
        *("contourpy", "cycler", "kiwisolver", "matplotlib", "packaging", "pillow", "pyparsing"),
        *("python_dateutil", "six"),
    ),
}
LEFT_OUT = ("tests/", "sample_data/", "include/", "web_backend/", "f2py/", "afm/", "pdfcorefonts/")
NOT_FOR_PYTHON = (".pyi", ".h", ".a", ".c", ".md", ".typed", "RECORD", "WHEEL")


def sources() -> list[Path]:
    """What a change of makes the script or the interpreter new, beside the list of packages."""
    return [RUNNER, INSIDE, CLIENT]


def build(into: Path, stdlib: Path) -> dict:
    """Writes the script and the sleeping interpreter; returns what restores it."""
    pyodide = vendor.package("pyodide").folder
    (into / CODE).write_text(script(pyodide, INSIDE.read_text("utf-8")), "utf-8")
    job = {"kind": "sleep", "folder": str(into), "stdlib": str(stdlib)}
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "runner.py"
        module.write_text(f"{RUNNER.read_text('utf-8')}\nimport {WARM}\n", "utf-8")
        python_bundle.run_in_pyodide(pyodide, {**job, "module": str(module), "name": "runner"})
    return snapshot.leave_out_empty_memory(into / "snapshot.bin", into)


def script(pyodide: Path, inside: str) -> str:
    """One text that a classic worker of an opaque origin runs: no import, less memory."""
    loader = (pyodide / "pyodide.mjs").read_text("utf-8")
    module = (pyodide / "pyodide.asm.mjs").read_text("utf-8")
    head, _, names = loader.rpartition("export{")
    exported = names.partition(" as loadPyodide")[0]
    module = swapped(module, "export default _createPyodideModule;", "")
    module = swapped(module, "getHeapMax=()=>4294901760", f"getHeapMax=()=>{MEMORY}")
    module = module.replace("import.meta.url", NOWHERE)
    inside = swapped(inside, "export function serve", "function serve")
    return "\n".join(
        (
            "self.importScripts = undefined; // Pyodide refuses classic workers otherwise",
            f"const loadPyodide = (() => {{{head}return {exported};}})();",
            f"const createPyodideModule = (() => {{{module}\nreturn _createPyodideModule;}})();",
            inside,
            f"serve(loadPyodide, createPyodideModule, {json.dumps(CLIENT.read_text('utf-8'))});\n",
        )
    )


def swapped(text: str, old: str, new: str) -> str:
    """Replaces what stands in a text exactly once. Raises VendorError."""
    if text.count(old) != 1:
        raise vendor.VendorError(f"Pyodide has not {old!r} exactly once")
    return text.replace(old, new)


def build_figures(into: Path) -> dict:
    """Writes a stored zip of bytecode for each entry of PACKAGES."""
    pyodide = vendor.package("pyodide").folder
    wheels = {path.name.partition("-")[0]: path for path in carried()}
    for name, members in PACKAGES.items():
        files = {}
        for member in members:
            files |= contents(wheels[member])
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder) / "tree"
            python_bundle.compile_files(pyodide, files, tree)
            python_bundle.write_zip(tree, into / f"{name}.zip")
    return {}


def carried() -> list[Path]:
    return sorted(vendor.package("open-webui").folder.rglob("*.whl"))


def contents(wheel: Path) -> dict[str, bytes]:
    """The members of a wheel that a program may want."""
    with zipfile.ZipFile(io.BytesIO(wheel.read_bytes())) as archive:
        return {
            name: archive.read(name)
            for name in archive.namelist()
            if not name.endswith(("/", *NOT_FOR_PYTHON))
            and not any(part in name for part in LEFT_OUT)
        }
