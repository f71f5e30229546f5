"""An agent as fields to fill in, made from its class and its bounds; and what was typed into them
as an agent again, through the one door. Knows no screen and no sentence.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from onglet.agents import config, schema
from onglet.agents.config import Agent, Model, cleaned
from onglet.agents.tools import PERMISSIONS, known
from onglet.engine.errors import Refused

STEPS = {"temperature": 0.05, "top_p": 0.05, "min_p": 0.01, "repeat_penalty": 0.01}
SLIDERS = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")
NONE, ANY, SAME, LOADED = "none", "any", "same", "loaded"  # choices of a tool, of a model


@dataclass(frozen=True)
class Field:
    """One field of a form. `type`: line, text, number, range or choice; `most`: of a text its
    characters."""

    name: str
    type: str
    value: Any
    least: float = 0
    most: float = 0
    step: float = 1
    choices: tuple[str, ...] = ()


def form(agent: Agent, loaded: Model | None = None) -> list[Field]:
    """The fields of an agent, in the order of its class. `loaded`: a model it may be tied to."""
    found = []
    for each in fields(Agent):
        kind, name = each.metadata["kind"], each.name
        if kind == "model":
            found.append(of_models(name, agent.model, loaded))
        elif make := FORMS.get(kind):
            made = make(name, getattr(agent, name), each.metadata)
            found += [made] if isinstance(made, Field) else made
    return found


def of_models(name: str, now: Model | None, loaded: Model | None) -> Field:
    """What an agent can be tied to: no model, the one it has, the one that is loaded."""
    listed = [ANY, *([SAME] if now else []), *([LOADED] if loaded and loaded != now else [])]
    return Field(name, "choice", SAME if now else ANY, choices=tuple(listed))


FORMS = {
    "line": lambda name, value, bounds: Field(name, "line", value, most=bounds["most"]),
    "text": lambda name, value, bounds: Field(name, "text", value, most=bounds["most"]),
    "number": lambda name, value, bounds: Field(
        name, "number", value, bounds["least"], bounds["most"]
    ),
    "choice": lambda name, value, bounds: Field(name, "choice", value, choices=bounds["choices"]),
    "lines": lambda name, value, bounds: Field(
        name, "text", "\n".join(value), most=bounds["most"] * (bounds["each"] + 1)
    ),
    "form": lambda name, value, _: Field(
        name,
        "text",
        json.dumps(value, ensure_ascii=False, indent=2) if value else "",
        most=schema.MOST_CHARACTERS,
    ),
    "sampling": lambda name, value, _: [
        Field(
            f"{name}.{each}",
            "range" if each in SLIDERS else "number",
            asdict(value)[each],
            least,
            most,
            STEPS.get(each, 1),
        )
        for each, (least, most) in config.SAMPLING.items()
    ],
    "tools": lambda name, value, _: [
        Field(
            f"{name}.{each}",
            "choice",
            chosen(value).get(each, NONE),
            choices=(NONE, *PERMISSIONS[:2]),
        )
        for each in known()
    ],
}


def chosen(listed: tuple[str, ...]) -> dict[str, str]:
    """The permission of each tool of this version in a list of tools, none where it is never."""
    given = Agent("x", tools=listed).permissions()
    return {name: NONE if each == "never" else each for name, each in given.items()}


class Draft:
    """An agent that is being edited. `agent` is its last good state, `problem` why what was typed
    since is none (`wrong`: in which field)."""

    def __init__(self, agent: Agent, loaded: Model | None = None):
        self.begun = self.agent = agent
        self.loaded, self.tied = loaded, agent.model
        self.problem: Refused | None = None
        self.wrong = ""
        self._document = agent.document()

    def form(self) -> list[Field]:
        self.tied = self.agent.model
        return form(self.agent, self.loaded)

    @property
    def changed(self) -> bool:
        return self.agent != self.begun or self.problem is not None

    def set(self, name: str, typed: Any) -> None:
        """Takes what a person put into a field."""
        top, _, part = name.partition(".")
        bounds = next(each.metadata for each in fields(Agent) if each.name == top)
        value = TAKEN[bounds["kind"]](self, self._document.get(top), part, typed)
        self._document[top] = value
        if top in config.OPTIONAL and not value:
            del self._document[top]
        try:
            self.agent = config.checked(self._document)
            self.problem, self.wrong = None, ""
        except Refused as refused:
            self.problem = refused
            self.wrong = str(refused.values.get("field", top)).partition(".")[0]


def of_form(typed: str) -> Any:
    """A schema as typed; what is no JSON stays text, which the door refuses."""
    if not typed.strip():
        return None
    try:
        return json.loads(typed)
    except (ValueError, RecursionError):
        return typed


def of_tools(listed: list[str], name: str, permission: str) -> list[str]:
    """The tools with one given another permission, or taken away."""
    tool = known()[name]
    written = f"{name}@{tool.version}"
    if permission != tool.permission:
        written += f":{permission}"
    at = next((at for at, each in enumerate(listed) if each.partition("@")[0] == name), None)
    if permission == NONE:
        return [each for each in listed if each.partition("@")[0] != name]
    return [*listed, written] if at is None else [*listed[:at], written, *listed[at + 1 :]]


def of_sampling(now: dict, name: str, typed: float) -> dict:
    whole = isinstance(config.SAMPLING[name][0], int)
    return {**now, name: round(typed) if whole else float(typed)}


def of_model(draft: Draft, choice: str) -> dict | None:
    made = {LOADED: draft.loaded, SAME: draft.tied}.get(choice)
    return asdict(made) if made else None


TAKEN = {
    "line": lambda _draft, _now, _part, typed: cleaned(typed),
    "text": lambda _draft, _now, _part, typed: cleaned(typed, lines=True),
    "number": lambda _draft, _now, _part, typed: round(typed),
    "choice": lambda _draft, _now, _part, typed: typed,
    "lines": lambda _draft, _now, _part, typed: [
        line for line in map(cleaned, typed.splitlines()) if line
    ],
    "form": lambda _draft, _now, _part, typed: of_form(typed),
    "sampling": lambda _draft, now, part, typed: of_sampling(now, part, typed),
    "tools": lambda _draft, now, part, typed: of_tools(now, part, typed),
    "model": lambda draft, _now, _part, typed: of_model(draft, typed),
}
