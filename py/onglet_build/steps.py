"""Runs the steps of the build: each once for each state of what it reads, with a line that says
how long it took. Knows no step.

A step's result lies in build/steps/<name>-<key>/, where the key is a hash of its inputs.
"""

import contextlib
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .places import BUILD

STEPS = BUILD / "steps"
DONE = ".done.json"
IGNORED = {"__pycache__", ".ruff_cache", ".pytest_cache"}

Input = Path | str


@contextlib.contextmanager
def timed(name: str) -> Iterator[None]:
    """Prints one line for the `with` block: its name and its seconds."""
    if sys.stdout.isatty():
        print(f"{name:10} ...", end="\r", flush=True)
    started = time.monotonic()
    outcome = "failed"
    try:
        yield
        outcome = f"{time.monotonic() - started:.1f} s"
    finally:
        print(f"{name:10} {outcome}", flush=True)


def cached(name: str, inputs: Iterable[Input], make: Callable[[Path], dict]) -> tuple[Path, dict]:
    """Returns the folder that `make` fills and what it returns; runs it only for new inputs.

    The key covers the bytes of all inputs; results for other keys of the same step are deleted.
    """
    folder = STEPS / f"{name}-{key_of(inputs)}"
    if not (folder / DONE).exists():
        for old in STEPS.glob(f"{name}-*"):
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(parents=True)
        with timed(name):
            result = make(folder)
        (folder / DONE).write_text(json.dumps(result))
    else:
        print(f"{name:10} unchanged", flush=True)
    return folder, json.loads((folder / DONE).read_text())


def key_of(inputs: Iterable[Input]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for item in inputs:
        if isinstance(item, str):
            digest.update(item.encode())
        else:
            for path in files_under(item):
                digest.update(path.relative_to(item.parent).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def files_under(place: Path) -> list[Path]:
    """Returns the file itself, or all files of a folder in a fixed order, caches left out."""
    if place.is_file():
        return [place]
    found = (path for path in place.rglob("*") if path.is_file() and path.name != DONE)
    return sorted(path for path in found if not IGNORED.intersection(path.parts))


@contextlib.contextmanager
def one_build_at_a_time() -> Iterator[None]:
    """Holds build/lock, so that two commands started together do not write the same files."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        try:
            import fcntl
        except ImportError:  # Windows: nothing there needs two builds at once
            yield
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
