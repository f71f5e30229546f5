"""Flows on the agents page: the list, all of one before it is used, and one at work: its graph
lights up, each step can be looked into and taken again."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from onglet import words
from onglet.agents import gallery, links
from onglet.agents import run as running
from onglet.agents.config import Agent, cleaned
from onglet.agents.flow import JUDGE, SEQUENCE, Flow, Part, usual_task
from onglet.agents.run import Run, Step
from onglet.browser.safe import clean
from onglet.components import Paper
from onglet.engine.errors import Refused
from onglet.sheets.flow_editor import FlowEditor
from onglet.sheets.share import Share
from onglet.sheets.side import buttons, plain, text, title
from onglet.vault.notes import Notes
from onglet.vault.shelf import Kept, Shelf
from onglet.words import explain, say

GAP = 0.15  # seconds between two drawings of what grows
LONGEST = 8000  # characters of a question
TASK_FIELD = "flow_question"
WIDE, HIGH, BETWEEN = 150, 26, 24  # of a box of the graph, and the room around it
NAME = 18  # letters of an agent's name in a box


class Flows:
    """`shown`: the flow on the screen; `run`: its last run; `agents`: what is known here."""

    def __init__(
        self,
        app: Any,
        paper: Paper,
        share: Share,
        redraw: Callable[[], None],
        whole: Callable[[Agent], list[dict]],
    ):
        self.app, self.session, self.paper, self.share = app, app.session, paper, share
        self.redraw, self.whole = redraw, whole
        self.editor = FlowEditor(redraw)
        self.kept: list[Flow] = []
        self.agents: list[Agent] = []
        self.shown: Flow | None = None
        self.run: Run | None = None
        self.question = self._given = ""  # what is in the field, what it was filled with
        self.problem: Refused | None = None
        self._works = False  # the flow is being used, not looked at
        self._thrown_away: Flow | None = None
        self._left: tuple[Flow, Flow | None, Flow] | None = None  # a draft that can come back
        self._looked_at: int | None = None
        self._task: asyncio.Task | None = None
        self._drawn = 0.0
        self._filled = 0
        paper.hear(
            flow_make=lambda _: self._edit(self._new()),
            flow_use=lambda _: self._use(self.shown),
            flow_keep=lambda _: app.run(self._keep(self.shown)),
            flow_fork=lambda _: self._edit(self.shown.forked()),
            flow_change=lambda _: self._edit(self.shown, self.shown),
            flow_delete=lambda _: app.run(self._delete(self.shown)),
            flow_undo=lambda _: app.run(self._undo()),
            flow_back=lambda _: self._back(),
            flow_more=lambda _: self.editor.resize(1),
            flow_less=lambda _: self.editor.resize(-1),
            flow_save=lambda _: app.run(self._save()),
            flow_leave=lambda _: self._leave(),
            flow_run=lambda _: self._begin(),
            flow_stop=lambda _: self.stop(),
            flow_copy=lambda _: app.copy(self.run.result),
            step_again=lambda message: self._begin(int(message["key"])),
            step_look=lambda message: self._look(int(message["key"])),
        )
        app.session.model.on("changed", lambda _: self.is_open and redraw())

    @property
    def is_open(self) -> bool:
        return self.shown is not None or self.editor.flow is not None

    def close(self) -> None:
        self.stop()
        self.editor.close()
        self.shown, self.run, self.problem, self._thrown_away = None, None, None, None
        self._works, self._looked_at, self._left = False, None, None

    def show(self, flow: Flow) -> None:
        """All that is in a flow, before anything of it can be used."""
        self.close()
        self.shown = flow
        self.share.begin(flow)
        self.redraw()
        self.paper.tell("focus")

    def relabel(self) -> None:
        self._given = self.question
        if self.editor.flow:
            self.editor.relabel()

    def set(self, name: str, value: Any) -> None:
        """What is typed into a field."""
        if self.editor.flow:
            self.editor.set(name, value)
        elif name == TASK_FIELD:
            self.question = value[:LONGEST]

    # What is pressed

    def _shelf(self) -> Shelf | None:
        store = self.session.keeper.open_store
        return Shelf(store) if store else None

    async def _keep(self, flow: Flow) -> None:
        if shelf := self._shelf():
            await shelf.add(Kept(flow.hash, flow.canonical()))
            self.session.keeper.changed()

    async def _delete(self, flow: Flow) -> None:
        if shelf := self._shelf():
            await shelf.delete(flow.hash)
            self.close()
            self._thrown_away = flow
            self.session.keeper.changed()

    async def _undo(self) -> None:
        shelf, flow, left = self._shelf(), self._thrown_away, self._left
        self._thrown_away = self._left = None
        if left:
            flow, replaces, begun = left
            self._edit(flow, replaces)
            self.editor.begun = begun
            self.redraw()
        elif flow and shelf:
            await shelf.restore(flow.hash)
            self.session.keeper.changed()

    def _back(self) -> None:
        self.close()
        self.redraw()
        self.paper.tell("focus")

    def _new(self) -> Flow:
        first = self.agents[0]
        parts = tuple(Part(first, usual_task(SEQUENCE, number, 2)) for number in range(2))
        return Flow(say("flow.new.name"), SEQUENCE, parts)

    def _edit(self, flow: Flow, replaces: Flow | None = None) -> None:
        self.close()
        self.editor.open(flow, self.agents, replaces)
        self.redraw()
        self.paper.tell("focus")

    def _leave(self) -> None:
        """Back to the list; what was typed can be brought back."""
        editor = self.editor
        left = (editor.flow, editor.replaces, editor.begun) if editor.changed else None
        self._back()
        self._left = left
        self.redraw()

    async def _save(self) -> None:
        editor, shelf = self.editor, self._shelf()
        try:
            flow = links.from_text(editor.flow.canonical())
        except Refused as refused:
            editor.problem = refused
            self.redraw()
            return
        if shelf:
            replaces = editor.replaces
            await self._keep(flow)
            if replaces and replaces != flow:
                await shelf.delete(replaces.hash)
            self.session.keeper.changed()
            self.show(flow)

    # A run

    def _use(self, flow: Flow) -> None:
        self.close()
        self.shown, self._works = flow, True
        self._ask("")

    def _ask(self, question: str) -> None:
        self.question = self._given = question
        self._filled += 1
        self.redraw()
        self.paper.tell("focus")

    def _begin(self, again: int | None = None) -> None:
        """Runs the flow, or a step of its last run again with all that stand on it."""
        question = cleaned(self.question, lines=True).strip()
        self.problem = None
        if self._task:
            return
        if again is None and not question:
            self.problem = Refused("no_question")
        elif self.session.busy:
            self.problem = Refused("model_busy")
        else:
            if again is None:
                self.run, self._looked_at = Run(self.shown, question), None
            self._task = asyncio.ensure_future(self._go(self.run, again))
            self._task.add_done_callback(lambda _: self._ended())
        self.redraw()

    async def _go(self, run: Run, again: int | None) -> None:
        store = self.session.keeper.open_store
        notes = Notes(store) if store else None
        await run.go(self.session.model.engine, self._grown, notes, again)

    def _ended(self) -> None:
        self._task = None
        self.redraw()

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    def _look(self, number: int) -> None:
        self._looked_at = None if self._looked_at == number else number
        self.redraw()

    def _grown(self) -> None:
        now = time.monotonic()
        if now - self._drawn >= GAP:
            self._drawn = now
            self.redraw()

    # What is shown

    def lists(self) -> list[dict]:
        """As a part of the page's list: what is kept, what comes with the site."""
        told = [title("flow.title"), text("flow.meaning", "muted")]
        if flow := self._thrown_away:
            told += [text("agents.deleted", name=flow.name), plain(flow_undo="chat.undo")]
        if self._left:
            name = self._left[0].name
            told += [text("agents.edit.left", name=name), plain(flow_undo="chat.undo")]
        listed = [*(("kept", each) for each in self.kept)]
        listed += [("made", each) for each in gallery.flows(words.spoken())]
        items = []
        for place, (where, flow) in enumerate(listed):
            use, show = f"use_flow_{place}", f"show_flow_{place}"
            self.paper.hear(
                **{
                    use: lambda _, flow=flow: self._use(flow),
                    show: lambda _, flow=flow: self.show(flow),
                }
            )
            can = plain(**{use: "flow.use", show: "agents.show"})["buttons"]
            facts = [say("flow.kept")] if where == "kept" else []
            facts += [say(f"flow.shape.{flow.shape}"), flow.purpose]
            items.append(item(flow.hash, flow.name, " · ".join(filter(None, facts)), can))
        return [*told, {"kind": "items", "items": items}, plain(flow_make="flow.new")]

    def sections(self) -> list[dict]:
        if self.editor.flow:
            return self.editor.sections(keeps=self._shelf() is not None)
        return self._at_work() if self._works else self._proposal()

    def _proposal(self) -> list[dict]:
        flow = self.shown
        here = flow in self.kept
        rows = [[say("agents.purpose"), flow.purpose or say("agents.none"), ""]]
        rows.append([say("flow.field.shape"), say(f"flow.shape.{flow.shape}.meaning"), ""])
        rows.append([say("flow.hash"), flow.hash, "code"])
        if flow.parent:
            rows.append([say("agents.parent"), self._parent(flow.parent), "code"])
        told = [heading(flow.name), text("flow.here" if here else "agents.before", "muted")]
        told += [{"kind": "rows", "rows": rows}, graph(Run(flow, ""))]
        told.append(text("flow.nobody_asked", "muted"))
        for number, part in enumerate(flow.parts, 1):
            told += [title("flow.part", number=number, name=part.agent.name)]
            told += [full(part.task), *self.whole(part.agent)]
        if flow.openings:
            told += [title("agents.openings"), {"kind": "list", "items": list(flow.openings)}]
        choice = {"flow_use": "flow.use"}
        choice |= {"flow_keep": "agents.keep"} if self._shelf() and not here else {}
        choice |= {"flow_change": "agents.edit"} if here else {}
        told.append(buttons(**choice, flow_fork="agents.fork", flow_back="agents.back"))
        if here:
            told.append(plain(flow_delete="agents.delete"))
        return [*told, *self.share.sections()]

    def _parent(self, parent: str) -> str:
        named = (each for each in [*self.kept, *gallery.flows(words.spoken())])
        name = next((each.name for each in named if each.hash == parent), "")
        return f"{name} {parent}".strip()

    def _at_work(self) -> list[dict]:
        flow, run = self.shown, self.run
        told = [heading(flow.name), text("flow.nobody_asked", "muted"), self._field()]
        if not run:
            names = {f"flow_ask_{place}": each for place, each in enumerate(flow.openings)}
            for name, opening in names.items():
                self.paper.hear(**{name: partial(self._opening, opening)})
            listed = [{"name": name, "label": each, "main": False} for name, each in names.items()]
            told += [{"kind": "buttons", "buttons": listed}] if listed else []
        told.append(self._pressed())
        if self.problem:
            told.append(problem(self.problem))
        told.append(graph(run or Run(flow, "")))
        return [*told, *(self._steps(run) if run else [])]

    def _opening(self, opening: str, _: dict) -> None:
        self._ask(opening)

    def _field(self) -> dict:
        """`filled` makes the page fill the field anew although nothing else has changed."""
        field = {"name": TASK_FIELD, "type": "text", "label": say("flow.question"), "hint": ""}
        limits = {"min": 0, "max": 0, "step": 0, "options": []}
        items = [{**field, **limits, "value": self._given}]
        return {"kind": "controls", "title": "", "items": items, "filled": self._filled}

    def _pressed(self) -> dict:
        if self._task:
            return buttons(flow_stop="flow.stop")
        if not self.session.model.loaded:
            return text("agents.edit.no_model", "muted")
        return buttons(flow_run="flow.run", flow_back="agents.back")

    def _steps(self, run: Run) -> list[dict]:
        items = [self._step(number, step) for number, step in enumerate(run.steps)]
        told = [title("flow.steps"), {"kind": "items", "items": items}]
        for step in run.steps:
            if step.state == running.RUNNING:
                told.append(full(step.answer or say("flow.reads")))
        if self._looked_at is not None:
            told += self._inside(self._looked_at, run.steps[self._looked_at])
        if run.result:
            told += [title("flow.result"), full(run.result), plain(flow_copy="chat.copy")]
        return told

    def _step(self, number: int, step: Step) -> dict:
        names = {}
        if step.said.prompt:
            names["step_look"] = "flow.hide" if self._looked_at == number else "flow.look"
        if not self._task and step.state in (running.DONE, running.FAILED, running.STOPPED):
            names["step_again"] = "flow.again"
        facts = [say(f"flow.state.{step.state}")]
        if step.said.figures and step.state == running.DONE:
            figures = step.said.figures
            speed = {"count": figures.answer_tokens, "rate": figures.decode_tokens_per_second}
            facts.append(say("flow.figures", **speed))
        facts += [say("flow.tool", name=each.tool) for each in step.said.steps]
        note = "" if step.state == running.RUNNING else clean(step.answer)
        look = "full"
        if step.problem:
            note, look = explain(step.problem.code, step.problem.values), "problem"
        name = say("flow.part", number=number + 1, name=step.part.agent.name)
        shown = item(str(number), name, " · ".join(facts), plain(**names)["buttons"])
        return {**shown, "note": note, "look": look}

    def _inside(self, number: int, step: Step) -> list[dict]:
        """The exact text that the model read in a step, and what tools gave."""
        which = {"number": number + 1, "name": step.part.agent.name}
        told = [title("flow.read_by", **which)]
        told.append({"kind": "text", "text": clean(step.said.prompt), "look": "source"})
        for each in step.said.steps:
            said = f"{each.tool} {each.written()}\n{each.result}"
            told.append({"kind": "text", "text": clean(said), "look": "source"})
        return told


def heading(words_: str) -> dict:
    return {"kind": "title", "text": words_}


def full(words_: str) -> dict:
    return {"kind": "text", "text": clean(words_), "look": "full"}


def problem(refused: Refused) -> dict:
    return {"kind": "text", "text": explain(refused.code, refused.values), "look": "problem"}


def item(key: str, name: str, facts: str, buttons_: list[dict]) -> dict:
    shape = {"note": "", "look": "", "share": None}
    return {**shape, "key": key, "title": name, "facts": facts, "buttons": buttons_}


def graph(run: Run) -> dict:
    """The steps as boxes, each as its state looks: below each other, or beside each other where
    one is chosen."""
    flow, count = run.flow, len(run.steps)
    if flow.shape == SEQUENCE:
        places = [(0, number) for number in range(count)]
        joined = [(number, number + 1) for number in range(count - 1)]
    else:
        middle = (count - 2) / 2
        low = flow.shape == JUDGE
        beside = [(column, 0 if low else 1) for column in range(count - 1)]
        places = [*beside, (middle, 1)] if low else [(middle, 0), *beside]
        joined = [
            (number, flow.chooser) if low else (flow.chooser, number)
            for number in range(count)
            if number != flow.chooser
        ]
    corners = [(x * (WIDE + BETWEEN), y * (HIGH + BETWEEN)) for x, y in places]
    boxes = [
        [short(number, step), step.state, *corners[number], WIDE]
        for number, step in enumerate(run.steps)
    ]
    middle = WIDE / 2
    lines = [
        [corners[a][0] + middle, corners[a][1] + HIGH, corners[b][0] + middle, corners[b][1]]
        for a, b in joined
    ]
    told = [f"{step.part.agent.name}: {say(f'flow.state.{step.state}')}" for step in run.steps]
    size = {"width": max(x for x, _ in corners) + WIDE, "height": max(y for _, y in corners) + HIGH}
    return {"kind": "graph", "label": ", ".join(told), **size, "boxes": boxes, "lines": lines}


def short(number: int, step: Step) -> str:
    name = step.part.agent.name
    return f"{number + 1} {name if len(name) <= NAME else name[: NAME - 1] + '…'}"
