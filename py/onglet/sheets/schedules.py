"""What runs by itself, on the agents page: the list, a form for another one, the log of each."""

import json
import time
from typing import Any

from onglet import words
from onglet.agents import gallery, links
from onglet.agents.config import Agent, cleaned
from onglet.agents.flow import Flow
from onglet.agents.schedule import MINUTES, Rule
from onglet.browser.safe import clean
from onglet.components import Paper
from onglet.engine.errors import Refused
from onglet.sheets.side import buttons, plain, text, title
from onglet.vault.schedules import Planned, Ran, Schedules
from onglet.words import explain, say

WHO, QUESTION, NOTES, HOW, EVERY, AT = "who", "question", "notes", "how", "every", "at"
BLANK = {QUESTION: "", NOTES: "no", HOW: AT, EVERY: 60, AT: "08:00"}
PREFIX = "plan_"  # of the names of fields
LONGEST = 2000  # characters of a question
STATES = ("done", "failed", "stopped", "missed")


class Plans:
    """`made`: what is typed into the form; `shown`: the one whose log is open."""

    def __init__(self, app: Any, paper: Paper, redraw: Any):
        self.app, self.paper, self.redraw = app, paper, redraw
        self.clock, self.keeper = app.session.clock, app.session.keeper
        self.planned: list[Planned] = []
        self.last: dict[str, Ran] = {}
        self.runs: list[Ran] = []
        self.things: list[Agent | Flow] = []
        self.made: dict[str, Any] | None = None
        self.shown = ""
        self.problem: Refused | None = None
        self._thrown_away = ""
        self._looked_at: int | None = None
        self._controls: list[dict] = []
        paper.hear(
            plan_make=lambda _: self._make(),
            plan_save=lambda _: app.run(self._save()),
            plan_back=lambda _: self._back(),
            plan_show=lambda message: app.run(self._show(message["key"])),
            plan_run=lambda message: app.run(self._run(message["key"])),
            plan_stop=lambda _: self.clock.stop(),
            plan_pause=lambda message: app.run(self._pause(message["key"], True)),
            plan_go_on=lambda message: app.run(self._pause(message["key"], False)),
            plan_delete=lambda message: app.run(self._delete(message["key"])),
            plan_undo=lambda _: app.run(self._undo()),
        )
        self.clock.on("changed", lambda _: app.run(self.read()))

    @property
    def is_open(self) -> bool:
        return self.made is not None or bool(self.shown)

    @property
    def store(self) -> Schedules | None:
        return self.clock.schedules

    def close(self) -> None:
        self.made, self.shown, self.problem, self._looked_at = None, "", None, None

    async def read(self) -> None:
        store = self.store
        self.planned = await store.all() if store else []
        self.last = await store.last() if store and self.planned else {}
        self.runs = await store.runs(self.shown) if store and self.shown else []
        self.redraw()

    # What is typed and pressed

    def set(self, name: str, value: Any) -> None:
        name = name.removeprefix(PREFIX)
        if self.made is not None and name in self.made:
            self.made[name] = value
            self.problem = None
            if name == HOW:
                self.relabel()
            self.redraw()

    def _make(self) -> None:
        self.close()
        kept = {each.hash: each for each in self.things}
        made = [*gallery.flows(words.spoken()), *gallery.agents(words.spoken())]
        self._choices = kept | {each.hash: each for each in made}
        self.made = {WHO: next(iter(self._choices)), **BLANK}
        self.relabel()
        self.redraw()
        self.paper.tell("focus")

    def _back(self) -> None:
        self.close()
        self.redraw()
        self.paper.tell("focus")

    async def _save(self) -> None:
        made, store = self.made, self.store
        try:
            question = cleaned(str(made[QUESTION]), lines=True).strip()[:LONGEST]
            every = made[HOW] == EVERY
            rule = Rule(minutes=round(made[EVERY])) if every else Rule(time=str(made[AT]).strip())
            rule = Rule.read(rule.written())
            if not question:
                raise Refused("no_question")
        except Refused as refused:
            self.problem = refused
            self.redraw()
            return
        if store:
            document = self._choices[made[WHO]].canonical()
            await store.add(document, question, made[NOTES] == "yes", rule.written())
            self.close()
            await self.read()

    async def _show(self, id: str) -> None:
        self.close()
        self.shown = id
        await self.read()
        self.paper.tell("focus")

    async def _run(self, id: str) -> None:
        if planned := self._by_id(id):
            await self.clock.run(planned)

    async def _pause(self, id: str, paused: bool) -> None:
        await self.store.pause(id, paused)
        await self.read()

    async def _delete(self, id: str) -> None:
        await self.store.delete(id)
        self.close()
        self._thrown_away = id
        await self.read()

    async def _undo(self) -> None:
        id, self._thrown_away = self._thrown_away, ""
        await self.store.restore(id)
        await self.read()
        if planned := self._by_id(id):  # what came meanwhile was not missed
            await self._pause(id, planned.paused)

    def _look(self, number: int) -> None:
        self._looked_at = None if self._looked_at == number else number
        self.redraw()

    def _by_id(self, id: str) -> Planned | None:
        return next((each for each in self.planned if each.id == id), None)

    # What is shown

    def relabel(self) -> None:
        """Fills the fields anew."""
        if self.made is None:
            return
        made = self.made
        who = [[hash_, each.name] for hash_, each in self._choices.items()]
        yes_no = [[each, say(f"plan.notes.{each}")] for each in ("no", "yes")]
        how = [[each, say(f"plan.how.{each}")] for each in (AT, EVERY)]
        least, most = MINUTES
        self._controls = [
            field(WHO, "choice", made[WHO], who),
            field(QUESTION, "text", made[QUESTION]),
            field(NOTES, "choice", made[NOTES], yes_no),
            field(HOW, "choice", made[HOW], how),
            field(EVERY, "number", made[EVERY], least=least, most=most)
            if made[HOW] == EVERY
            else field(AT, "line", made[AT], most=5),
        ]

    def lists(self) -> list[dict]:
        """As a part of the page's list; nothing where nothing can be kept."""
        if not self.store:
            return []
        told = [title("plan.title"), text("plan.meaning", "muted")]
        if self._thrown_away:
            told += [text("plan.deleted"), plain(plan_undo="chat.undo")]
        items = [self._item(each) for each in self.planned]
        told += [{"kind": "items", "items": items}] if items else []
        return [*told, plain(plan_make="plan.new")]

    def _item(self, planned: Planned) -> dict:
        last = self.last.get(planned.id)
        running = self.clock.running and self.clock.running.id == planned.id
        names = {"plan_show": "plan.show"}
        if running:
            names["plan_stop"] = "flow.stop"
        elif not self.clock.running:
            names["plan_run"] = "plan.run"
        pause = {"plan_go_on": "plan.go_on"} if planned.paused else {"plan_pause": "plan.pause"}
        names |= {**pause, "plan_delete": "agents.delete"}
        facts = [when(planned.rule), *([say("plan.notes.given")] if planned.notes else [])]
        facts += [say("plan.paused")] if planned.paused else []
        facts += [say("flow.state.running")] if running else [told_of(last)] if last else []
        note = clean(last.answer) if last and not running else ""
        shown = {"title": f"{name_of(planned)}: {planned.question}", "facts": " · ".join(facts)}
        can = plain(**names)["buttons"]
        return {**shown, "key": planned.id, "note": note, "look": "full", "share": None,
                "buttons": can}  # fmt: skip

    def sections(self) -> list[dict]:
        return self._form() if self.made is not None else self._log()

    def _form(self) -> list[dict]:
        told = [title("plan.new"), text("plan.unattended", "muted")]
        told.append({"kind": "controls", "title": "", "items": self._controls})
        problem = explain(self.problem.code, self.problem.values) if self.problem else ""
        told.append({"kind": "text", "text": problem, "look": "problem" if problem else ""})
        return [*told, buttons(plan_save="plan.save", plan_back="agents.back")]

    def _log(self) -> list[dict]:
        planned = self._by_id(self.shown)
        if not planned:
            return [plain(plan_back="agents.back")]
        told = [title("plan.log"), {"kind": "items", "items": [self._item(planned)]}]
        for number, ran in enumerate(self.runs):
            told.append({"kind": "title", "text": told_of(ran)})
            told.append({"kind": "text", "text": clean(ran.answer), "look": "full"})
            if steps := read_steps(ran.steps):
                names = "plan.hide" if number == self._looked_at else "plan.look"
                name = f"plan_look_{number}"
                self.paper.hear(**{name: lambda _, number=number: self._look(number)})
                told.append(plain(**{name: names}))
                told += steps if number == self._looked_at else []
        return [*told, plain(plan_back="agents.back")]


def field(
    name: str, type: str, value: Any, options: list | None = None, least: int = 0, most: int = 0
) -> dict:
    shape = {"min": least, "max": most, "step": 1, "options": options or [], "hint": ""}
    label = say(f"plan.{name}")
    return {"name": PREFIX + name, "type": type, "label": label, "value": value, **shape}


def name_of(planned: Planned) -> str:
    try:
        return links.from_text(planned.document).name
    except Refused as refused:
        return explain(refused.code, refused.values)


def when(rule: str) -> str:
    try:
        found = Rule.read(rule)
    except Refused as refused:
        return explain(refused.code, refused.values)
    if found.minutes:
        return say("plan.when.every", minutes=found.minutes)
    return say("plan.when.at", time=found.time)


def told_of(ran: Ran) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(ran.began))
    state = ran.state if ran.state in STATES else "failed"
    return say(f"plan.state.{state}", moment=moment, count=ran.missed)


def read_steps(kept: str) -> list[dict]:
    """What each agent read and said, as sections; none of what is something else."""
    try:
        told = []
        for each in json.loads(kept):
            name, prompt, answer = (str(each[key]) for key in ("name", "prompt", "answer"))
            told.append({"kind": "text", "text": clean(name), "look": ""})
            told.append({"kind": "text", "text": clean(prompt + answer), "look": "source"})
        return told
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
