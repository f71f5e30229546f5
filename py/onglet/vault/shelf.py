"""The agents that are kept, as texts: listed, added, thrown away and brought back. Knows rows, not
what an agent is.
"""

import time
from dataclasses import dataclass

from onglet.vault.rows import Rows

LISTED = 500


@dataclass(frozen=True)
class Kept:
    """`id`: the agent's hash; `document`: its canonical text."""

    id: str
    document: str


class Shelf(Rows):
    table = "agent"

    async def all(self) -> list[Kept]:
        """Those not thrown away, the newest first."""
        sql = "SELECT id, document FROM agent WHERE deleted IS NULL ORDER BY created DESC LIMIT ?"
        (rows,) = await self.store.read([sql, LISTED])
        return [Kept(*row) for row in rows]

    async def add(self, kept: Kept) -> None:
        """Keeps an agent; one that is there, or was thrown away, is there again."""
        sql = """INSERT INTO agent (id, document, created) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET deleted = NULL"""
        await self.store.write([sql, kept.id, kept.document, time.time()])
