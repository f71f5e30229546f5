"""The conversations that are kept: listed, found by their words, renamed, grouped in folders,
thrown away and brought back. Knows rows, not what a conversation does.
"""

import re
import time
from dataclasses import dataclass
from typing import Any

from onglet.vault.rows import Rows
from onglet.vault.store import Statement

LISTED = 500  # conversations in one list
INTERRUPTED_SECONDS = 86_400.0  # an answer cut short earlier is not brought up by itself

ABOUT = ("id", "title", "created", "changed", "shown", "agent")
TURN_COLUMNS = ("id", "conversation", "parent", "question", "answer", "state", "created", "ended")
SAVE_CONVERSATION = """INSERT INTO conversation (id, title, created, changed, shown, agent)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    changed = excluded.changed, shown = excluded.shown, deleted = NULL"""
SAVE_TURN = f"""INSERT INTO turn ({", ".join(TURN_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET question = excluded.question, answer = excluded.answer,
    state = excluded.state, ended = excluded.ended"""
ENTRY = "SELECT c.id, c.title, c.folder, c.changed FROM conversation c WHERE c.deleted IS NULL"


@dataclass(frozen=True)
class Entry:
    """One line of the list."""

    id: str
    title: str
    folder: str | None
    changed: float  # seconds since 1970


@dataclass(frozen=True)
class Folder:
    id: str
    name: str


class History(Rows):
    table = "conversation"

    async def save(self, conversation: dict[str, Any], turn: dict[str, Any]) -> None:
        """Keeps one turn and what it changed of its conversation; a title that is there stays."""
        about = [conversation[name] for name in ABOUT]
        row = [turn[name] for name in TURN_COLUMNS]
        await self.store.write([SAVE_CONVERSATION, *about], [SAVE_TURN, *row])

    async def show(self, id: str, turn: str) -> None:
        """Keeps which branch is on screen."""
        await self.store.write(["UPDATE conversation SET shown = ? WHERE id = ?", turn, id])

    async def read(self, id: str) -> tuple[dict, list[dict]] | None:
        """A conversation and its turns, oldest first; None where there is none (any more)."""
        about = f"SELECT {', '.join(ABOUT)} FROM conversation WHERE id = ? AND deleted IS NULL"
        columns = ", ".join(TURN_COLUMNS)
        turns = f"SELECT {columns} FROM turn WHERE conversation = ? ORDER BY number"
        found, rows = await self.store.read([about, id], [turns, id])
        if not found:
            return None
        listed = [dict(zip(TURN_COLUMNS, row, strict=True)) for row in rows]
        return dict(zip(ABOUT, found[0], strict=True)), listed

    async def recent(self) -> list[Entry]:
        """The conversations, the one that changed last first."""
        return await self._entries([f"{ENTRY} ORDER BY c.changed DESC LIMIT {LISTED}"])

    async def search(self, text: str) -> list[Entry]:
        """Those with words that begin like all the words of `text`, or with it in their title."""
        wanted = " ".join(f'"{word}"*' for word in re.findall(r"\w+", text))
        if not wanted:
            return await self.recent()
        found = f"""{ENTRY} AND (c.id IN (SELECT t.conversation FROM words JOIN turn t
            ON t.number = words.rowid WHERE words MATCH ?) OR instr(lower(c.title), lower(?)))
            ORDER BY c.changed DESC LIMIT {LISTED}"""
        return await self._entries([found, wanted, text.strip()])

    async def interrupted(self, quiet_since: float) -> str | None:
        """The conversation whose last answer was cut short, if nobody wrote since `quiet_since`."""
        sql = f"""{ENTRY} AND c.changed BETWEEN ? AND ? AND EXISTS (SELECT 1 FROM turn t
            WHERE t.id = c.shown AND t.state <> 'done') ORDER BY c.changed DESC LIMIT 1"""
        oldest = quiet_since - INTERRUPTED_SECONDS
        (rows,) = await self.store.read([sql, oldest, quiet_since])
        return rows[0][0] if rows else None

    async def rename(self, id: str, title: str) -> None:
        await self.store.write(["UPDATE conversation SET title = ? WHERE id = ?", title, id])

    async def folders(self) -> list[Folder]:
        (rows,) = await self.store.read(
            ["SELECT id, name FROM folder ORDER BY name COLLATE NOCASE"]
        )
        return [Folder(*row) for row in rows]

    async def make_folder(self, folder: Folder) -> None:
        sql = "INSERT INTO folder (id, name, created) VALUES (?, ?, ?)"
        await self.store.write([sql, folder.id, folder.name, time.time()])

    async def rename_folder(self, id: str, name: str) -> None:
        await self.store.write(["UPDATE folder SET name = ? WHERE id = ?", name, id])

    async def delete_folder(self, id: str) -> None:
        """The conversations in it stay, in no folder."""
        await self.store.write(["DELETE FROM folder WHERE id = ?", id])

    async def move(self, id: str, folder: str | None) -> None:
        await self.store.write(["UPDATE conversation SET folder = ? WHERE id = ?", folder, id])

    async def _entries(self, statement: Statement) -> list[Entry]:
        (rows,) = await self.store.read(statement)
        return [Entry(*row) for row in rows]
