"""Cuts the embedded model into pieces that every static host takes and prepares it (GGUF header
read, program laid out), so that the engine worker loads it before Python is awake.

Knows nothing of GGUF: `onglet.engine.prepare` does.
"""

import hashlib
import json
from pathlib import Path

from onglet.engine.errors import Incomplete
from onglet.engine.prepare import prepare

from . import vendor
from .places import MODEL_NAME

PIECE_BYTES = 24 << 20  # several hosts refuse files of 25 MiB
CHECK_BYTES = 4 << 20  # what the tab hashes at a time (web/files/store.js)
FIRST_READ = 1 << 20


def build(into: Path) -> dict:
    """Writes prepared.json and the pieces 000, 001, ... Returns where the site's model is."""
    data = vendor.model_file().read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    folder = into / sha256
    folder.mkdir()
    pieces = cut(data, PIECE_BYTES)
    for number, piece in enumerate(pieces):
        (folder / f"{number:03}").write_bytes(piece)
    prepared = prepare_whole(data)
    prepared["card"]["sha256"] = sha256
    prepared["pieces"] = [len(piece) for piece in pieces]
    hashes = [hashlib.sha256(piece).hexdigest() for piece in cut(data, CHECK_BYTES)]
    prepared["check"] = {"piece_bytes": CHECK_BYTES, "sha256": hashes}
    (folder / "prepared.json").write_text(json.dumps(prepared, separators=(",", ":")))
    return {"path": f"models/{sha256}/prepared.json", "sha256": sha256, "bytes": len(data)}


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def prepare_whole(data: bytes) -> dict:
    """Reads as much of the file's start as the header takes."""
    size = FIRST_READ
    while True:
        try:
            return prepare(data[:size], len(data), name=MODEL_NAME).to_dict()
        except Incomplete as incomplete:
            size = incomplete.bytes_needed
