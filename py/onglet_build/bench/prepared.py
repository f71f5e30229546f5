"""A model file as Onglet's engine loads it: its `prepared.json`, and the file as the one piece."""

import json
import os
import shutil
from pathlib import Path

from onglet.engine.errors import Incomplete
from onglet.engine.prepare import prepare

FIRST_READ = 4 << 20


def write_listing(model: Path, into: Path) -> None:
    """Prepares a model of any size, its weights not read. Raises Refused."""
    size, limit = FIRST_READ, model.stat().st_size
    while True:
        try:
            with model.open("rb") as file:
                prepared = prepare(file.read(size), limit, name=model.name).to_dict()
            break
        except Incomplete as incomplete:
            size = incomplete.bytes_needed
    into.mkdir(parents=True)
    (into / "prepared.json").write_text(json.dumps(prepared | {"pieces": [limit]}))
    try:
        os.link(model, into / "000")
    except OSError:  # another file system
        shutil.copyfile(model, into / "000")
