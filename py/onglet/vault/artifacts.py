"""The small pages that models wrote and people kept: listed, added, thrown away, brought back."""

import re
import secrets
import time
from dataclasses import dataclass
from html import unescape

from onglet.vault.rows import Rows

LISTED = 500
LONGEST, LONGEST_TITLE = 200_000, 80  # characters of a source, of a title
NAMED = re.compile(r"<(title|h1|h2)[^>]*>(.*?)</\1", re.DOTALL | re.IGNORECASE)
HIDDEN = re.compile(r"<(style|script)[^>]*>.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Artifact:
    """`parent`: the id of the one that it was made from by an edit."""

    id: str
    title: str
    source: str
    parent: str | None = None


class Artifacts(Rows):
    table = "artifact"

    async def all(self) -> list[Artifact]:
        """Those not thrown away, the newest first."""
        sql = """SELECT id, title, source, parent FROM artifact WHERE deleted IS NULL
            ORDER BY created DESC LIMIT ?"""
        (rows,) = await self.store.read([sql, LISTED])
        return [Artifact(*row) for row in rows]

    async def add(self, title: str, source: str, parent: str | None = None) -> Artifact:
        kept = Artifact(secrets.token_hex(8), title, source, parent)
        sql = "INSERT INTO artifact (id, title, source, parent, created) VALUES (?, ?, ?, ?, ?)"
        values = (kept.id, kept.title, kept.source, kept.parent, time.time())
        await self.store.write([sql, *values])
        return kept


def title_of(source: str) -> str:
    """What a page calls itself, else its first words."""
    found = NAMED.search(source)
    words = " ".join(unescape(HIDDEN.sub(" ", found[2] if found else source)).split())
    return words[:LONGEST_TITLE] or "…"
