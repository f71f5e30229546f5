"""Rows of one table that are thrown away and brought back: `delete` marks them, and only a while
later, at the next start, are they gone for good.
"""

import time

from onglet.vault.store import Store

UNDO_SECONDS = 60.0  # what was thrown away longer ago is deleted at the next start


class Rows:
    """Those of `table`, which has the columns `id` and `deleted`. Raises what its store raises."""

    table = ""

    def __init__(self, store: Store):
        self.store = store

    async def delete(self, id: str) -> None:
        """Throws a row away; `restore` brings it back for a while."""
        sql = f"UPDATE {self.table} SET deleted = ? WHERE id = ?"
        await self.store.write([sql, time.time(), id])

    async def restore(self, id: str) -> None:
        await self.store.write([f"UPDATE {self.table} SET deleted = NULL WHERE id = ?", id])

    async def clear(self) -> None:
        """Deletes for good what was thrown away a while ago."""
        await self._clear("deleted < ?", time.time() - UNDO_SECONDS)

    async def _clear(self, which: str, *values: float) -> None:
        """Reads first: a write has to reach the disk."""
        counting = f"SELECT count(*) FROM {self.table} WHERE {which}"
        (((count,),),) = await self.store.read([counting, *values])
        if count:
            await self.store.write([f"DELETE FROM {self.table} WHERE {which}", *values])
