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


def build(into: Path, tree: Path) -> dict:
    """Writes a bundle of each entry of the code's tree to its place in the folder.

    Raises subprocess.CalledProcessError where a module is missing or cannot be parsed.
    """
    esbuild = vendor.package("esbuild-wasm").folder / "bin" / "esbuild"
    switches = ["--bundle", "--format=esm", "--target=es2022", "--charset=utf8"]
    switches += ["--log-level=warning", "--outbase=.", f"--outdir={into}"]
    switches += [f"--external:{pattern}" for pattern in APART]
    subprocess.run([str(node()), str(esbuild), *ENTRIES, *switches], cwd=tree, check=True)
    return {}


def is_source(place: str) -> bool:
    """Whether a file of the code's tree is part of a bundle and no page asks for it."""
    folder, _, name = place.partition("/")
    parts = {entry.partition("/")[0] for entry in ENTRIES} | {"page"}
    apart = ("app/start.js", "engine/kernel_worker.js", *ENTRIES)
    return folder in parts and name.endswith(".js") and place not in apart
