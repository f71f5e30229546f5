"""The editor of a flow, as sections of the agents page: its shape, its agents and what each is
told. Keeps nothing itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from onglet.agents import flow as flows
from onglet.agents.config import Agent, cleaned
from onglet.agents.flow import LEAST, MOST, Flow, Part, usual_task
from onglet.engine.errors import Refused
from onglet.sheets.side import buttons, plain, text
from onglet.words import explain, say

AGENT, TASK = "agent", "task"


class FlowEditor:
    """`flow`: what was typed so far, be it right or not; `problem`: why it cannot be kept."""

    def __init__(self, redraw: Callable[[], None]):
        self.redraw = redraw
        self.flow: Flow | None = None
        self.begun: Flow | None = None
        self.replaces: Flow | None = None
        self.agents: dict[str, Agent] = {}
        self.problem: Refused | None = None
        self._controls: list[dict] = []

    def open(self, flow: Flow, agents: list[Agent], replaces: Flow | None = None) -> None:
        """`agents`: those that a part may be given to, beside its own."""
        self.flow = self.begun = flow
        self.replaces = replaces
        listed = [*(part.agent for part in flow.parts), *agents]
        self.agents = {agent.hash: agent for agent in listed}
        self._refill()

    def close(self) -> None:
        self.flow = None

    @property
    def changed(self) -> bool:
        return self.flow != self.begun

    # What is typed and pressed

    def set(self, name: str, value: Any) -> None:
        """Takes what a person put into a field; another shape has other parts."""
        name, _, number = name.partition(".")
        before = self.flow
        if name in (AGENT, TASK):
            self._set_part(int(number), name, value)
        elif name == "shape":
            self._reshape(value, max(len(before.parts), LEAST[value]))
        elif name == "openings":
            lines = tuple(line for line in map(cleaned, value.splitlines()) if line)
            self.flow = replace(before, openings=lines)
        else:
            self.flow = replace(before, **{name: cleaned(value)})
        if name == "shape":
            self._refill()
        self._check()

    def _set_part(self, number: int, name: str, value: str) -> None:
        part = self.flow.parts[number]
        if name == AGENT:
            part = replace(part, agent=self.agents[value])
        else:
            part = replace(part, task=cleaned(value, lines=True))
        parts = self.flow.parts
        self.flow = replace(self.flow, parts=(*parts[:number], part, *parts[number + 1 :]))

    def _reshape(self, shape: str, count: int) -> None:
        """So many parts in a shape; what each is told stays if it is one's own and fits."""
        before, listed = self.flow, list(self.flow.parts[:count])
        while len(listed) < count:
            listed.append(Part(next(iter(self.agents.values())), ""))
        self.flow = replace(before, shape=shape, parts=tuple(listed))
        parts = []
        for number, part in enumerate(listed):
            usual = usual_task(before.shape, number, len(before.parts))
            is_own = part.task not in ("", usual) and part.needs() <= self.flow.gaps(number)
            task = part.task if is_own else usual_task(shape, number, count)
            parts.append(replace(part, task=task))
        self.flow = replace(self.flow, parts=tuple(parts))

    def resize(self, by: int) -> None:
        """One part more or less."""
        count = len(self.flow.parts) + by
        if LEAST[self.flow.shape] <= count <= MOST:
            self._reshape(self.flow.shape, count)
            self._refill()
            self._check()

    def _check(self) -> None:
        try:
            flows.checked(self.flow.document())
            self.problem = None
        except Refused as refused:
            self.problem = refused
        self.redraw()

    # What is shown. The fields stay at their place: what is drawn anew loses what is being typed.

    def _refill(self) -> None:
        """Fills the fields anew."""
        flow = self.flow
        shapes = [[shape, say(f"flow.shape.{shape}")] for shape in LEAST]
        agents = [[hash_, agent.name] for hash_, agent in self.agents.items()]
        items = [
            control("name", "line", flow.name, most=60),
            control("purpose", "line", flow.purpose, most=200),
            control("shape", "choice", flow.shape, shapes),
        ]
        for number, part in enumerate(flow.parts):
            which = {"number": number + 1}
            items.append(control(AGENT, "choice", part.agent.hash, agents, number, **which))
            items.append(control(TASK, "text", part.task, None, number, **which))
        items.append(control("openings", "text", "\n".join(flow.openings)))
        self._controls = items

    relabel = _refill

    def sections(self, keeps: bool) -> list[dict]:
        told = [
            text("agents.edit.meaning", "muted"),
            {"kind": "controls", "title": say("agents.edit.fields"), "items": self._controls},
            plain(flow_more="flow.more", flow_less="flow.less"),
            self._problem(),
        ]
        acts = {"flow_save": "agents.edit.save"} if keeps else {}
        told.append(buttons(**acts, flow_leave="agents.back"))
        return [*told, text("agents.edit.changed" if self.changed else "agents.edit.same", "muted")]

    def _problem(self) -> dict:
        told = ""
        if self.problem and self.problem.code == "bad_agent":
            field = self.problem.values["field"]
            told = say("flow.wrong", field=say(f"flow.field.{field}"))
        elif self.problem:
            told = explain(self.problem.code, self.problem.values)
        return {"kind": "text", "text": told, "look": "problem" if told else ""}


def control(
    name: str, type: str, value: str, options: list | None = None, place: int | None = None,
    most: int = 0, **values: Any,
) -> dict:  # fmt: skip
    """A field as web/components/controls.js draws it."""
    label = say(f"flow.field.{name}.of" if values else f"flow.field.{name}", **values)
    hints = {TASK: "flow.field.task.hint", "openings": "agents.field.openings.hint"}
    hint = say(hints[name]) if name in hints and not place else ""
    shape = {"min": 0, "max": most, "step": 1, "options": options or [], "hint": hint}
    name = name if place is None else f"{name}.{place}"
    return {"name": name, "type": type, "label": label, "value": value, **shape}
