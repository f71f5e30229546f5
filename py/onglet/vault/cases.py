"""The cases of the test bench: questions with what an answer has to hold, and every trial of them.
An agent is known by its hash; a case goes along when the agent changes. Knows rows alone.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from onglet.vault.rows import Rows

LISTED = 200  # cases of an agent
TRIALS = 20  # of a case, the newest


@dataclass(frozen=True)
class Trial:
    """`agent`: the hash of what answered; `held`: whether the answer held what it had to, None when
    nothing was asked of it; `model`: the hash of the model, or what it is called."""

    agent: str
    model: str
    answer: str
    held: bool | None
    created: float


@dataclass(frozen=True)
class Case:
    id: str
    question: str
    expected: str
    trials: Sequence[Trial] = ()  # the newest first


class Cases(Rows):
    table = "bench_case"

    async def of(self, agent: str) -> list[Case]:
        """The cases of an agent, the oldest first, each with its trials."""
        these = """SELECT id, question, expected FROM bench_case
            WHERE subject = ? AND deleted IS NULL ORDER BY created, id LIMIT ?"""
        tried = """SELECT t.bench_case, t.subject, t.model, t.answer, t.held, t.created FROM trial t
            JOIN bench_case c ON c.id = t.bench_case
            WHERE c.subject = ? AND c.deleted IS NULL ORDER BY t.created DESC"""
        rows, trials = await self.store.read([these, agent, LISTED], [tried, agent])
        found: dict[str, list[Trial]] = {row[0]: [] for row in rows}
        for case, *values, held, created in trials:
            if case in found and len(found[case]) < TRIALS:
                is_held = None if held is None else bool(held)
                found[case].append(Trial(*values, is_held, created))
        return [Case(*row, tuple(found[row[0]])) for row in rows]

    async def add(self, agent: str, question: str, expected: str) -> None:
        sql = """INSERT INTO bench_case (id, subject, question, expected, created)
            VALUES (?, ?, ?, ?, ?)"""
        await self.store.write([sql, secrets.token_hex(8), agent, question, expected, time.time()])

    async def tried(self, case: str, trial: Trial) -> None:
        """Keeps a trial; of each case the newest stay."""
        add = """INSERT INTO trial (id, bench_case, subject, model, answer, held, created)
            VALUES (?, ?, ?, ?, ?, ?, ?)"""
        forget = """DELETE FROM trial WHERE bench_case = ? AND id NOT IN (
            SELECT id FROM trial WHERE bench_case = ? ORDER BY created DESC LIMIT ?)"""
        held = None if trial.held is None else int(trial.held)
        values = (trial.agent, trial.model, trial.answer, held, trial.created)
        id = secrets.token_hex(8)
        await self.store.write([add, id, case, *values], [forget, case, case, TRIALS])

    async def move(self, before: str, after: str) -> None:
        """The cases of an agent that was changed go to what it has become."""
        await self.store.write(
            ["UPDATE bench_case SET subject = ? WHERE subject = ?", after, before]
        )

    async def copy(self, before: str, after: str) -> None:
        """A fork begins with the cases of its parent, without their trials."""
        sql = """INSERT INTO bench_case (id, subject, question, expected, created)
            SELECT lower(hex(randomblob(8))), ?, question, expected, created FROM bench_case
            WHERE subject = ? AND deleted IS NULL
            AND NOT EXISTS (SELECT 1 FROM bench_case WHERE subject = ?)"""
        await self.store.write([sql, after, before, after])
