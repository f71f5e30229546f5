"""What can still be read of a damaged store, mended row by row, and the statements that make a new
store of it. Knows rows, not where they lie nor how they were read.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from onglet.vault import archive
from onglet.vault.schema import MIGRATIONS, VERSION
from onglet.vault.store import Statement

DOCUMENTS = {
    "document": ("id", "name", "bytes", "pages", "created", "ready", "deleted", "collection"),
    "passage": ("document", "place", "page", "headings", "text", "vector", "seen"),
}
TABLES = archive.TABLES | DOCUMENTS
TEXT, WHOLE, NUMBER, NONE = (str,), (int,), (int, float), (type(None),)
TYPES = {  # of what archive.py does not check
    "document": (TEXT, TEXT, WHOLE, WHOLE + NONE, NUMBER, NUMBER, NUMBER + NONE, TEXT),
    "passage": (TEXT, WHOLE, WHOLE + NONE, TEXT, TEXT, TEXT, WHOLE),
}
ADDED = {"seen": 0, "collection": ""}  # columns that an older store has not: what stands for them
NO_END = '{"figures": null, "problem": null}'
TITLE_LENGTH = 60

Row = dict[str, Any]


@dataclass(frozen=True)
class Rescued:
    """Rows that fit together, by table, and how many come from damaged places, so that letters in
    them may be wrong."""

    rows: dict[str, list[Row]]
    unsure: int

    def count(self, table: str) -> int:
        return len(self.rows[table])

    def lists(self) -> dict[str, list[list]]:
        """The rows as archive.py has them."""
        return {table: [list(row.values()) for row in self.rows[table]] for table in TABLES}

    def statements(self) -> list[Statement]:
        """What makes a new store with these rows."""
        tables = [[sql] for steps in MIGRATIONS for sql in steps]
        filling = [
            statement
            for table, rows in self.lists().items()
            for statement in archive.inserting(table, TABLES[table], rows, "")
        ]
        return [*tables, *filling, [f"PRAGMA user_version = {VERSION}"]]


def mended(read: dict) -> Rescued:
    """Makes rows fit together. `read`: `rows` by table as they stood there, `unsure` by table the
    places among them of those that come from damaged places."""
    rows = {
        table: list(usable(table, read["rows"][table], set(read["unsure"][table])))
        for table in TABLES
    }
    mend_turns(rows["turn"])
    mend_conversations(rows)
    rows["agent"] = [row for row in rows["agent"] if is_hash_of(row["id"], row["document"])]
    cases = {row["id"] for row in rows["bench_case"]}
    rows["trial"] = [row for row in rows["trial"] if row["bench_case"] in cases]
    planned = {row["id"] for row in rows["schedule"]}
    rows["run"] = [row for row in rows["run"] if row["schedule"] in planned]
    known = {row["id"] for row in rows["document"]}
    rows["passage"] = [row for row in rows["passage"] if row["document"] in known]
    held = {row["document"] for row in rows["passage"]}
    rows["document"] = [row for row in rows["document"] if row["id"] in held]
    return Rescued(rows, sum(len(places) for places in read["unsure"].values()))


def usable(table: str, rows: list[list], unsure: set[int]) -> Iterator[Row]:
    """Those with values of the right types, each key once."""
    seen = set()
    for place, values in enumerate(rows):
        row = dict(zip(TABLES[table], values, strict=True))
        row |= {name: value for name, value in ADDED.items() if row.get(name, value) is None}
        if table == "turn" and not fits(table, row):
            row["ended"] = NO_END
        if table == "conversation" and place in unsure:
            row["agent"] = None  # an agent with a wrong letter is none
        key = row.get("id", (row.get("document"), row.get("place")))
        if fits(table, row) and key not in seen:
            seen.add(key)
            yield row


def fits(table: str, row: Row) -> bool:
    if table not in TYPES:
        return archive.fits(list(row.values()), TABLES[table])
    return all(
        type(value) in types for value, types in zip(row.values(), TYPES[table], strict=True)
    )


def mend_turns(turns: list[Row]) -> None:
    """A turn whose parent is lost follows the one before it in its conversation."""
    known: dict[str, list[str]] = {}
    for turn in turns:
        before = known.setdefault(turn["conversation"], [])
        if turn["parent"] is not None and turn["parent"] not in before:
            turn["parent"] = before[-1] if before else None
        before.append(turn["id"])


def mend_conversations(rows: dict[str, list[Row]]) -> None:
    """Names no folder that is lost; a conversation that is lost is there again, with the words of
    its first question, if a turn of it is."""
    folders = {row["id"] for row in rows["folder"]}
    for row in rows["conversation"]:
        row["folder"] = row["folder"] if row["folder"] in folders else None
    known = {row["id"] for row in rows["conversation"]}
    for turn in rows["turn"]:
        if turn["conversation"] not in known:
            known.add(turn["conversation"])
            rows["conversation"].append(
                dict.fromkeys(TABLES["conversation"])
                | {"id": turn["conversation"], "title": turn["question"].strip()[:TITLE_LENGTH]}
                | {"created": turn["created"], "changed": turn["created"]}
            )


def is_hash_of(name: str, text: str) -> bool:
    return hashlib.sha256(text.encode()).hexdigest() == name
