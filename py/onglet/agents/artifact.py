"""A small page that a model wrote, as a document of one form: what a link to it holds. `checked` is
the one door. Knows nothing of how a page is cleaned and shown (web/components/artifact.js).
"""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

from onglet.agents import config
from onglet.agents.config import cleaned, written

KIND, FORMAT = "artifact", 1
LONGEST, LONGEST_NAME = 200_000, 80  # characters


@dataclass(frozen=True)
class Page:
    """`source`: HTML or SVG as it was written; `parent`: the hash of the page it was made from."""

    name: str = field(metadata={"kind": "line", "least": 1, "most": LONGEST_NAME})
    source: str = field(metadata={"kind": "text", "least": 1, "most": LONGEST})
    parent: str | None = field(default=None, metadata={"kind": "hash"})

    @classmethod
    def of(cls, name: str, source: str, parent: "Page | None" = None) -> "Page":
        """From what a model wrote: without what nobody can see."""
        name = cleaned(name)[:LONGEST_NAME].strip() or "…"
        source = cleaned(source, lines=True)[:LONGEST] or " "
        return cls(name, source, parent.hash if parent else None)

    def canonical(self) -> str:
        """The one way in which it is written, as of an agent."""
        return written({"onglet": KIND, "format": FORMAT, **asdict(self)})

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def checked(document: Any) -> Page:
    """The page that a document describes. Raises Refused as config.checked does."""
    return Page(**config.values_of(document, KIND, FORMAT, Page))
