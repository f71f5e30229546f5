"""Open models to begin with: `models.json` beside this file, one row a model, small ones first.
Sizes and hashes are the hub's own answer when somebody looks at one; only what was checked here
stands in the table. Knows nothing of what runs on a device: the receipt (fit.py) says so.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from onglet.library.hub import HUB, read_address


@dataclass(frozen=True)
class Entry:
    name: str
    repository: str  # owner/name on the hub
    file: str
    parameters: str  # as its makers round them: 0.6B
    licence: str  # SPDX
    languages: tuple[str, ...]  # that its makers name; empty: dozens
    good_for: str  # quick, general, thinks, code, documents, open
    bytes: int | None
    sha256: str | None

    @property
    def address(self) -> str:
        return read_address(f"https://{HUB}/{self.repository}").file(self.file).url


ROWS = json.loads(Path(__file__).with_name("models.json").read_text("utf-8"))
ENTRIES = [Entry(**{**row, "languages": tuple(row["languages"])}) for row in ROWS]
