"""The notes that tools write for later chats: listed, added, thrown away and brought back."""

import secrets
import time
from dataclasses import dataclass

from onglet.vault.rows import Rows

LISTED = 1000


@dataclass(frozen=True)
class Note:
    id: str
    text: str


class Notes(Rows):
    table = "note"

    async def all(self) -> list[Note]:
        """Those not thrown away, the newest first."""
        sql = "SELECT id, text FROM note WHERE deleted IS NULL ORDER BY created DESC LIMIT ?"
        (rows,) = await self.store.read([sql, LISTED])
        return [Note(*row) for row in rows]

    async def texts(self) -> list[str]:
        return [note.text for note in await self.all()]

    async def add(self, text: str) -> None:
        sql = "INSERT INTO note (id, text, created) VALUES (?, ?, ?)"
        await self.store.write([sql, secrets.token_hex(8), text, time.time()])
