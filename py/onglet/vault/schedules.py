"""What runs by itself, and a log of every run. Knows rows alone."""

import secrets
import time
from dataclasses import dataclass

from onglet.vault.rows import Rows

LISTED = 100
LOGGED = 50  # runs of one, the newest


@dataclass(frozen=True)
class Planned:
    """`document`: of an agent or a flow; `rule`: agents/schedule.py; `seen`: the moment up to which
    its runs are told (seconds since 1970); `notes`: whether it is given the notes."""

    id: str
    document: str
    question: str
    notes: bool
    rule: str
    seen: float
    paused: bool


@dataclass(frozen=True)
class Ran:
    """`state`: done, failed, stopped or missed; `missed`: how many runs a row `missed` stands for;
    `steps`: JSON of `[{name, prompt, answer}]`."""

    began: float
    state: str
    answer: str
    missed: int = 0
    steps: str = "[]"


class Schedules(Rows):
    table = "schedule"

    async def all(self) -> list[Planned]:
        """Those not thrown away, the oldest first."""
        sql = """SELECT id, document, question, notes, rule, seen, paused FROM schedule
            WHERE deleted IS NULL ORDER BY created, id LIMIT ?"""
        (rows,) = await self.store.read([sql, LISTED])
        return [
            Planned(id, document, question, bool(notes), rule, seen, bool(paused))
            for id, document, question, notes, rule, seen, paused in rows
        ]

    async def add(self, document: str, question: str, notes: bool, rule: str) -> None:
        sql = """INSERT INTO schedule (id, document, question, notes, rule, created, seen, paused)
            VALUES (?, ?, ?, ?, ?, ?, ?, 0)"""
        now = time.time()
        values = (document, question, int(notes), rule, now, now)
        await self.store.write([sql, secrets.token_hex(8), *values])

    async def pause(self, id: str, paused: bool) -> None:
        """Going on begins now: what was not run meanwhile was not missed."""
        sql = "UPDATE schedule SET paused = ?, seen = ? WHERE id = ?"
        await self.store.write([sql, int(paused), time.time(), id])

    async def seen(self, id: str, until: float, *ran: Ran) -> None:
        """Remembers up to when the runs of one are told, and logs some, in one write."""
        told = [self._logging(id, each) for each in ran]
        await self.store.write(["UPDATE schedule SET seen = ? WHERE id = ?", until, id], *told)

    async def log(self, id: str, ran: Ran) -> None:
        """Logs a run; of each the newest stay."""
        forget = """DELETE FROM run WHERE schedule = ? AND id NOT IN (
            SELECT id FROM run WHERE schedule = ? ORDER BY began DESC LIMIT ?)"""
        await self.store.write(self._logging(id, ran), [forget, id, id, LOGGED])

    def _logging(self, id: str, ran: Ran) -> list:
        sql = """INSERT INTO run (id, schedule, began, state, answer, missed, steps)
            SELECT ?, id, ?, ?, ?, ?, ? FROM schedule WHERE id = ?"""
        values = (ran.began, ran.state, ran.answer, ran.missed, ran.steps)
        return [sql, secrets.token_hex(8), *values, id]

    async def runs(self, id: str) -> list[Ran]:
        """Of one, the newest first."""
        sql = """SELECT began, state, answer, missed, steps FROM run WHERE schedule = ?
            ORDER BY began DESC LIMIT ?"""
        (rows,) = await self.store.read([sql, id, LOGGED])
        return [Ran(*row) for row in rows]

    async def last(self) -> dict[str, Ran]:
        """The newest run of each that has one, by its id."""
        sql = """SELECT schedule, max(began), state, answer, missed FROM run GROUP BY schedule"""
        (rows,) = await self.store.read([sql])
        return {id: Ran(*row) for id, *row in rows}
