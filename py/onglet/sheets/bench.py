"""The test bench of an agent, as sections of its editor: cases, trials of them and their history.
Everything is kept in the store; without one there is no bench.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from onglet.agents import single
from onglet.agents.config import Agent, cleaned
from onglet.components import Paper
from onglet.engine.errors import Refused
from onglet.sheets.side import plain, text
from onglet.vault.cases import Case, Cases, Trial
from onglet.vault.notes import Notes
from onglet.words import explain, say

LONGEST = 2000  # characters of a question


class Bench:
    """`subject`: the hash under which the cases are kept; `agent`: who answers them."""

    def __init__(self, app: Any, paper: Paper, redraw: Callable[[], None]):
        self.app, self.session, self.redraw = app, app.session, redraw
        self.subject = ""
        self.agent: Agent | None = None
        self.cases: list[Case] = []
        self.shown = ""  # the case whose history is open
        self.deleted = ""  # the case that undoing brings back
        self.problem: Refused | None = None
        self._run: asyncio.Task | None = None
        self._at = 0  # the case that is being tried
        paper.hear(
            add_case=lambda message: app.run(self._add(message["question"], message["expected"])),
            run_cases=lambda _: self._begin(),
            stop_cases=lambda _: self.stop(),
            delete_case=lambda message: app.run(self._delete(message["key"])),
            undo_case=lambda _: app.run(self._undo()),
            case_history=lambda message: self._show(message["key"]),
        )

    @property
    def store(self) -> Cases | None:
        store = self.session.keeper.open_store
        return Cases(store) if store else None

    async def open(self, subject: str) -> None:
        self.stop()
        self.subject, self.shown, self.deleted, self.problem = subject, "", "", None
        await self.read()

    async def read(self) -> None:
        self.cases = await self.store.of(self.subject) if self.store else []
        self.redraw()

    async def _add(self, question: str, expected: str) -> None:
        question = cleaned(question, lines=True)[:LONGEST].strip()
        if question and self.store:
            await self.store.add(self.subject, question, cleaned(expected)[:LONGEST])
            await self.read()

    async def _delete(self, id: str) -> None:
        self.deleted = id
        await self.store.delete(id)
        await self.read()

    async def _undo(self) -> None:
        id, self.deleted = self.deleted, ""
        if id:
            await self.store.restore(id)
            await self.read()

    def _show(self, id: str) -> None:
        self.shown = "" if self.shown == id else id
        self.redraw()

    # Trials

    def _begin(self) -> None:
        if not self._run:
            self._run = asyncio.ensure_future(self._try_all())

    def stop(self) -> None:
        if self._run:
            self._run.cancel()

    async def _try_all(self) -> None:
        """Asks each case once, in order."""
        self.problem, self._at = None, 0
        try:
            if self.session.busy:
                raise Refused("model_busy")
            for number, case in enumerate(list(self.cases), 1):
                self._at = number
                self.redraw()
                await self.store.tried(case.id, await self._try(case))
                self.cases = await self.store.of(self.subject)
        except Refused as refused:
            self.problem = None if refused.code == "cancelled" else refused
        finally:
            self._run = None
            self.redraw()

    async def _try(self, case: Case) -> Trial:
        engine, agent = self.session.model.engine, self.agent
        said = await single.said(engine, agent, case.question, Notes(self.store.store))
        name = str(engine.loaded.card.get("name") or "") if engine.loaded else ""
        held = case.expected.casefold() in said.text.casefold() if case.expected else None
        return Trial(agent.hash, name, said.text, held, time.time())

    # What is shown

    def sections(self) -> list[dict]:
        if not self.store:
            return []
        told = [{"kind": "title", "text": say("bench.title")}, text("bench.meaning", "muted")]
        told += [
            self._form(),
            {"kind": "items", "items": [self._item(case) for case in self.cases]},
        ]
        if self.deleted:
            told += [text("bench.deleted"), plain(undo_case="chat.undo")]
        if self.problem:
            words = explain(self.problem.code, self.problem.values)
            told.append({"kind": "text", "text": words, "look": "problem"})
        if self._run:
            place = {"number": self._at, "cases": len(self.cases)}
            return [*told, text("bench.runs", **place), plain(stop_cases="bench.stop")]
        if self.cases:
            told += [plain(run_cases="bench.run"), *self._score()]
        return [*told, *self._history()]

    def _form(self) -> dict:
        fields = [
            {
                "name": name,
                "label": say(f"bench.{name}"),
                "type": "text",
                "autocomplete": "off",
                "optional": name == "expected",
            }
            for name in ("question", "expected")
        ]
        form = {"kind": "form", "name": "add_case", "button": say("bench.add")}
        return {**form, "hint": say("bench.hint"), "fields": fields}

    def _item(self, case: Case) -> dict:
        last = case.trials[0] if case.trials else None
        facts = [say("bench.expects", words=case.expected)] if case.expected else []
        facts += [verdict(last)] if last else [say("bench.untried")]
        buttons = [("delete_case", "bench.delete")]
        buttons = [("case_history", "bench.history"), *buttons] if last else buttons
        return {
            "key": case.id,
            "title": case.question,
            "facts": " · ".join(facts),
            "note": last.answer if last else "",
            "look": "full",
            "share": None,
            "buttons": [{"name": name, "label": say(key), "main": False} for name, key in buttons],
        }

    def _score(self) -> list[dict]:
        """How many of the last trials of this version were right."""
        mine = [case.trials[0] for case in self.cases if case.trials and case.expected]
        mine = [trial for trial in mine if trial.agent == self.agent.hash]
        right = sum(trial.held is True for trial in mine)
        return [text("bench.score", right=right, cases=len(mine))] if mine else []

    def _history(self) -> list[dict]:
        case = next((case for case in self.cases if case.id == self.shown), None)
        if not case:
            return []
        columns = ("bench.when", "bench.version", "bench.model", "bench.verdict", "bench.answer")
        rows = [
            [when(each.created), each.agent[:8], each.model, verdict(each), each.answer]
            for each in case.trials
        ]
        table = {"caption": case.question, "columns": [say(key) for key in columns], "rows": rows}
        heading = {"kind": "title", "text": say("bench.history.of", words=case.question)}
        return [heading, {"kind": "table", **table}]


def verdict(trial: Trial) -> str:
    if trial.held is None:
        return say("bench.looked")
    return say("bench.right" if trial.held else "bench.wrong")


def when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
