"""The documents that are kept, as passages with their vectors: listed, added, thrown away, brought
back, searched by words. Knows rows, not what a document is.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from onglet.vault.rows import UNDO_SECONDS, Rows

LISTED = 1000
COUNTS = "d.deleted IS NULL AND d.ready IS NOT NULL"
FOUND = "p.number, p.document, d.name, p.place, p.page, p.headings, p.text, p.seen"
HEADING_WEIGHT = 2.0  # of a word in a heading, beside one in the text


@dataclass(frozen=True)
class Entry:
    """One document of the list."""

    id: str
    name: str
    bytes: int
    pages: int | None
    passages: int = 0
    collection: str = ""  # its name; empty: in none


@dataclass(frozen=True)
class Passage:
    """A passage and where it stands: `place` in its document from 0, `page` from 1."""

    number: int
    document: str
    name: str
    place: int
    page: int | None
    headings: str
    text: str
    seen: bool = False  # read from a picture

    @classmethod
    def of(cls, row: list) -> "Passage":
        return cls(*row[:-1], seen=bool(row[-1]))


class Papers(Rows):
    table = "document"

    async def clear(self) -> None:
        """Deletes for good what was thrown away a while ago."""
        await self._clear("deleted < ?", time.time() - UNDO_SECONDS)

    async def made_by(self, encoder: str) -> None:
        """Forgets the vectors that another encoder made: they are to be made anew."""
        others = "SELECT id FROM document WHERE encoder IS NOT ?"
        await self.store.write(
            [f"UPDATE passage SET vector = '' WHERE document IN ({others})", encoder],
            ["UPDATE document SET encoder = ? WHERE encoder IS NOT ?", encoder, encoder],
        )

    async def all(self) -> list[Entry]:
        """Those that count, the newest first."""
        sql = f"""SELECT d.id, d.name, d.bytes, d.pages,
            (SELECT count(*) FROM passage p WHERE p.document = d.id), d.collection
            FROM document d WHERE {COUNTS} ORDER BY d.created DESC LIMIT ?"""
        (rows,) = await self.store.read([sql, LISTED])
        return [Entry(*row) for row in rows]

    async def collect(self, ids: Sequence[str], collection: str) -> None:
        """Puts documents into a collection; '' takes them out."""
        sql = "UPDATE document SET collection = ? WHERE id = ?"
        await self.store.write(*([sql, collection, id] for id in ids))

    async def begin(self, entry: Entry, encoder: str) -> None:
        """A document that does not count before `finish`; `encoder` will make its vectors."""
        sql = """INSERT INTO document (id, name, bytes, pages, created, encoder)
            VALUES (?, ?, ?, ?, ?, ?)"""
        row = [entry.id, entry.name, entry.bytes, entry.pages, time.time(), encoder]
        await self.store.write([sql, *row])

    async def add(self, id: str, rows: Sequence[tuple[int, int | None, str, str, bool]]) -> None:
        """Adds passages, as yet without vectors: (place, page, headings, text, seen)."""
        sql = """INSERT INTO passage (document, place, page, headings, text, seen, vector)
            VALUES (?, ?, ?, ?, ?, ?, '')"""
        await self.store.write(*([sql, id, *row] for row in rows))

    async def was_read(self, id: str) -> None:
        """All passages of a document are there."""
        await self.store.write(["UPDATE document SET read = ? WHERE id = ?", time.time(), id])

    async def unfinished(self) -> list[tuple[Entry, bool, bool]]:
        """Documents that miss passages or vectors; whether all their passages are there, and
        whether they count already."""
        sql = """SELECT id, name, bytes, pages, read, ready FROM document d
            WHERE deleted IS NULL AND (ready IS NULL OR EXISTS
            (SELECT 1 FROM passage WHERE document = d.id AND vector = '')) ORDER BY created"""
        (rows,) = await self.store.read([sql])
        return [
            (Entry(*row), (read or ready) is not None, ready is not None)
            for *row, read, ready in rows
        ]

    async def left(self, id: str) -> tuple[int, int]:
        """How many passages of a document have no vector, and how many there are."""
        sql = "SELECT count(*) FILTER (WHERE vector = ''), count(*) FROM passage WHERE document = ?"
        ((row,),) = await self.store.read([sql, id])
        return tuple(row)

    async def without_vector(self, id: str, count: int) -> list[tuple[int, str, str]]:
        """(number, headings, text) of so many passages that have no vector."""
        sql = """SELECT number, headings, text FROM passage
            WHERE document = ? AND vector = '' ORDER BY place LIMIT ?"""
        (rows,) = await self.store.read([sql, id, count])
        return [tuple(row) for row in rows]

    async def set_vectors(self, rows: Sequence[tuple[int, str]]) -> None:
        """(number of a passage, vector)."""
        sql = "UPDATE passage SET vector = ? WHERE number = ?"
        await self.store.write(*([sql, vector, number] for number, vector in rows))

    async def finish(self, id: str) -> None:
        await self.store.write(["UPDATE document SET ready = ? WHERE id = ?", time.time(), id])

    async def remove(self, id: str) -> None:
        """Deletes a document for good."""
        await self.store.write(["DELETE FROM document WHERE id = ?", id])

    async def passages(self, id: str, first: int, count: int) -> list[Passage]:
        """`count` passages of a document from the place `first` on."""
        sql = f"""SELECT {FOUND} FROM passage p JOIN document d ON d.id = p.document
            WHERE p.document = ? AND p.place >= ? AND {COUNTS} ORDER BY p.place LIMIT ?"""
        (rows,) = await self.store.read([sql, id, first, count])
        return [Passage.of(row) for row in rows]

    async def numbered(self, numbers: Sequence[int]) -> list[Passage]:
        """The passages of these numbers, in their order; those that are gone are left out."""
        sql = f"""SELECT {FOUND} FROM passage p JOIN document d ON d.id = p.document
            WHERE p.number IN ({marks(numbers)}) AND {COUNTS}"""
        (rows,) = await self.store.read([sql, *numbers])
        known = {row[0]: Passage.of(row) for row in rows}
        return [known[number] for number in numbers if number in known]

    async def vectors(self, documents: Sequence[str]) -> list[tuple[int, str]]:
        """(number, vector) of every passage of these documents that counts; none while one has no
        vector."""
        sql = f"""SELECT p.number, p.vector FROM passage p JOIN document d ON d.id = p.document
            WHERE d.id IN ({marks(documents)}) AND {COUNTS} ORDER BY p.number"""
        (rows,) = await self.store.read([sql, *documents])
        return [(number, vector) for number, vector in rows] if all(v for _, v in rows) else []

    async def with_words(self, query: str, documents: Sequence[str], count: int) -> list[int]:
        """Numbers of the passages of these documents that fit an FTS5 query best, by BM25."""
        sql = f"""SELECT p.number FROM passage_words w JOIN passage p ON p.number = w.rowid
            JOIN document d ON d.id = p.document
            WHERE passage_words MATCH ? AND d.id IN ({marks(documents)}) AND {COUNTS}
            ORDER BY bm25(passage_words, {HEADING_WEIGHT}, 1.0) LIMIT ?"""
        (rows,) = await self.store.read([sql, query, *documents, count])
        return [number for (number,) in rows]


def marks(values: Sequence) -> str:
    """A place for each value in a statement."""
    return ", ".join("?" * len(values))
