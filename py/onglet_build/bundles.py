"""Makes one file of each part of the page that starts alone: the page's script, its components and
each worker. A start asks the service worker for a dozen files then, and not for sixty.

Runs esbuild, which joins modules and shortens nothing; vendored libraries stay files of their own,
as their publishers made them. The modules themselves lie beside the bundles, for people to read.
"""

import subprocess
from pathlib import Path

from . import vendor
from .python_bundle import node

ENTRIES = (
    *("app/boot.js", "app/worker.js", "components/index.js", "engine/worker.js"),
    *("store/worker.js", "files/worker.js", "workshop/worker.js", "graphs/worker.js"),
    "engine/encoder_worker.js",
)
# The first script of the page is no part of the second: both have to see the same worker.
APART = ("../vendor/*", "*/start.js")
# Browsers keep the compiled code of scripts that come from a service worker, not that of modules:
# the largest module of a start becomes a script that leaves its exports under this name.
SCRIPT = "pmui.js"
SCRIPT_NAME = "PanelMaterialUI"


def build(into: Path, tree: Path) -> dict:
    """Writes a bundle of each entry of the code's tree to its place in the folder.

    Raises subprocess.CalledProcessError where a module is missing or cannot be parsed.
    """
    switches = ["--bundle", "--format=esm", "--outbase=.", f"--outdir={into}"]
    switches += [f"--external:{pattern}" for pattern in APART]
    esbuild(*ENTRIES, *switches, cwd=tree)
    return {}


def build_script(into: Path, module: Path) -> dict:
    """Writes a module without imports as a script that leaves its exports in SCRIPT_NAME."""
    switches = ["--format=iife", f"--global-name={SCRIPT_NAME}", "--minify-whitespace"]
    esbuild(module.name, *switches, f"--outfile={into / SCRIPT}", cwd=module.parent)
    return {}


def esbuild(*arguments: str, cwd: Path) -> None:
    program = vendor.package("esbuild-wasm").folder / "bin" / "esbuild"
    always = ["--target=es2022", "--charset=utf8", "--log-level=warning"]
    subprocess.run([str(node()), str(program), *arguments, *always], cwd=cwd, check=True)


def is_source(place: str) -> bool:
    """Whether a file of the code's tree is part of a bundle and no page asks for it."""
    folder, _, name = place.partition("/")
    parts = {entry.partition("/")[0] for entry in ENTRIES} | {"page"}
    apart = ("app/start.js", "engine/kernel_worker.js", *ENTRIES)
    return folder in parts and name.endswith(".js") and place not in apart
