#!/usr/bin/env python3
"""Onglet's only command: `python3 build.py VERB` (`python3 build.py --help` lists the verbs).

This file needs nothing but Python 3.11: it makes a virtual environment in build/venv with the
pinned tools of py/onglet_build/requirements.txt, starts itself again in there, and hands over to
the verb's module. It knows no step of the build.
"""

import hashlib
import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / "build" / "venv"
REQUIREMENTS = ROOT / "py" / "onglet_build" / "requirements.txt"

# verb: (module with `main(arguments) -> exit status`, what it does)
VERBS = {
    "serve": ("serve", "build the site and serve it on this machine"),
    "build": ("site", "build the static site into dist/"),
    "test": ("testing", "build, find the browsers, run every test"),
    "ask": ("ask", "ask the model in a headless browser: ask [--model FILE] [--json] PROMPT"),
    "inspect": ("inspect_file", "what a GGUF file holds, and whether it runs: inspect FILE"),
    "bench": ("bench.run", "measure Onglet and its peers side by side, write bench.json"),
    "size": ("size", "report the lines of each file and function and the bytes of dist/"),
    "check": ("check", "lint, arrows, types, foreign addresses, hashes; --full adds the long runs"),
}


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in VERBS:
        print(usage())
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    if sys.version_info < (3, 11):  # noqa: UP036 - the reader may have an older one
        print("Onglet's build needs Python 3.11 or newer.", file=sys.stderr)
        return 1
    if not in_venv():
        return run_in_venv()
    sys.path.insert(0, str(ROOT / "py"))
    module, _ = VERBS[sys.argv[1]]
    return importlib.import_module(f"onglet_build.{module}").main(sys.argv[2:])


def usage() -> str:
    lines = [f"  {verb:7} {purpose}" for verb, (_, purpose) in VERBS.items()]
    return "usage: python3 build.py VERB [ARGUMENTS]\n" + "\n".join(lines)


def in_venv() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve() and stamp_is_right()


def stamp() -> str:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return hashlib.sha256(version.encode() + REQUIREMENTS.read_bytes()).hexdigest()


def stamp_is_right() -> bool:
    path = VENV / "requirements.sha256"
    return path.exists() and path.read_text() == stamp()


def run_in_venv() -> int:
    """Makes build/venv what requirements.txt says and runs this file again with its Python."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not stamp_is_right():
        make_venv(python)
    command = [str(python), "-X", "utf8", str(ROOT / "build.py"), *sys.argv[1:]]
    if os.name == "nt":
        return subprocess.call(command)
    return os.execv(python, command)


def make_venv(python: Path) -> None:
    started = time.monotonic()
    print("tools: installing into build/venv", flush=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    options = ["-qq", "--disable-pip-version-check", "--requirement", str(REQUIREMENTS)]
    subprocess.run([str(python), "-m", "pip", "install", *options], check=True)
    (VENV / "requirements.sha256").write_text(stamp())
    print(f"tools: ready ({time.monotonic() - started:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
