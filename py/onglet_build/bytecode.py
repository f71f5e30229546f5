"""Runs inside Pyodide under Node.js: compiles every .py below /host/in to a .pyc below /host/out,
at the same place, and copies the other files.

The .pyc stand where the .py stood (no __pycache__) and are unchecked, so that importing one neither
looks for a source nor reads a time. Assertions and docstrings are left out (as with -OO), but for
the docstrings of tools: models read them.
"""

import shutil
from importlib._bootstrap_external import _code_to_hash_pyc
from pathlib import Path

IN, OUT = Path("/host/in"), Path("/host/out")
NO_HASH = b"\0" * 8
WITH_DOCSTRINGS = "onglet/agents/tools/"


def compile_file(source: Path, target: Path, shown_name: str) -> None:
    optimize = 1 if shown_name.startswith(WITH_DOCSTRINGS) else 2
    code = compile(source.read_bytes(), shown_name, "exec", dont_inherit=True, optimize=optimize)
    target.with_suffix(".pyc").write_bytes(_code_to_hash_pyc(code, NO_HASH, False))


def compile_tree() -> None:
    for source in sorted(IN.rglob("*")):
        name = source.relative_to(IN)
        if source.is_dir():
            (OUT / name).mkdir(parents=True, exist_ok=True)
        elif source.suffix == ".py":
            compile_file(source, OUT / name, name.as_posix())
        else:
            shutil.copyfile(source, OUT / name)


OUT.mkdir(exist_ok=True)
compile_tree()
