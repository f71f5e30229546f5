"""The store as the floors above use it: batches of SQL, each whole or not at all.

`TabStore` asks the store worker of the tab (web/store/), `FileStore` is plain SQLite, for tests and
programs under CPython. Knows no table.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from onglet.browser.bridge import Bridge
from onglet.engine.errors import Refused

Row = list[Any]
Statement = Sequence[Any]  # SQL text, then what is bound to its question marks


class Store(Protocol):
    """Raises Refused: store_locked, store_damaged, store_gone, storage_full."""

    async def read(self, *statements: Statement) -> list[list[Row]]:
        """Returns the rows of each statement, all of one moment."""

    async def write(self, *statements: Statement) -> None:
        """Does all the statements, or none of them. Done means on disk."""


class TabStore:
    """The store of this tab, which all tabs of the site share."""

    def __init__(self, bridge: Bridge):
        self._bridge = bridge

    async def ask(self, kind: str, **fields: Any) -> Any:
        """One request of docs/protocols.md section 9. Raises Refused."""
        return answered(await self._bridge.call("store", request={"kind": kind, **fields}))

    async def read(self, *statements: Statement) -> list[list[Row]]:
        return await self.ask("read", statements=[bound(each) for each in statements])

    async def write(self, *statements: Statement) -> None:
        await self.ask("write", statements=[bound(each) for each in statements])


def bound(statement: Statement) -> list:
    sql, *parameters = statement
    return [sql, parameters]


def answered(answer: dict) -> Any:
    """The value in a service's answer. Raises Refused for the error in it."""
    if error := answer.get("error"):
        raise Refused(error["code"], **error["values"])
    return answer["value"]


class FileStore:
    """Plain SQLite: a file, or memory."""

    def __init__(self, path: Path | str = ":memory:"):
        import sqlite3

        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA foreign_keys = ON")

    async def read(self, *statements: Statement) -> list[list[Row]]:
        return self._run(statements)

    async def write(self, *statements: Statement) -> None:
        self._run(statements)

    def close(self) -> None:
        self._database.close()

    def _run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        self._database.execute("BEGIN")
        try:
            found = [self._database.execute(each[0], each[1:]).fetchall() for each in statements]
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")
        return [[list(row) for row in rows] for rows in found]
