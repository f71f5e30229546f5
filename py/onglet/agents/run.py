"""A flow at work: which agent is asked what, in which order, and what each said. Knows no screen
and keeps nothing. Nobody is asked while it runs: tools that write or ask are refused.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from onglet.agents import single, steps
from onglet.agents.config import Agent
from onglet.agents.flow import ANSWERS, JUDGE, QUESTION, ROUTER, SEQUENCE, Flow, Part
from onglet.agents.single import Said
from onglet.agents.tools import Notes, table
from onglet.engine.client import Engine
from onglet.engine.errors import Refused

WAITING, RUNNING, DONE, FAILED, STOPPED, SKIPPED = (
    "waiting", "running", "done", "failed", "stopped", "skipped",
)  # fmt: skip
LONGEST = 3000  # characters of an answer that another agent is given
CHOOSING = 256  # tokens of a choice: the longest name takes fewer
EXAMPLES = 2  # a router is shown of each agent


@dataclass
class Step:
    part: Part
    state: str = WAITING
    said: Said = field(default_factory=Said)
    problem: Refused | None = None

    @property
    def answer(self) -> str:
        return self.said.text


class Run:
    """One question to a flow; `steps` are those of its parts, in their order."""

    def __init__(self, flow: Flow, question: str):
        self.flow, self.question = flow, question
        self.steps = [Step(part) for part in flow.parts]

    @property
    def result(self) -> str:
        """What the flow has answered, "" as long as it has not."""
        if any(step.state not in (DONE, SKIPPED) for step in self.steps):
            return ""
        chosen = self._chosen()
        return self.steps[-1 if chosen is None else chosen].answer

    async def go(
        self,
        engine: Engine,
        changed: Callable[[], None],
        notes: Notes | None = None,
        again: int | None = None,
    ) -> None:
        """Takes every step that waits. `changed` is called whenever anything has. `again`: a step
        to be taken once more, another way, with all that stand on it. A step that fails ends it;
        cancelling stops it."""
        if again is not None:
            self._reset(again)
        for number, step in enumerate(self.steps):
            if step.state in (DONE, SKIPPED):
                continue
            step.state, step.problem = RUNNING, None
            try:
                changed()
                await self._take(number, engine, changed, notes, differently=number == again)
                step.state = DONE
            except Refused as refused:
                step.state = STOPPED if refused.code == "cancelled" else FAILED
                step.problem = None if refused.code == "cancelled" else refused
                return
            finally:
                if step.state == RUNNING:
                    step.state = STOPPED
                changed()

    def _reset(self, again: int) -> None:
        """Forgets a step and those that were made of what it said."""
        after = {SEQUENCE: range(again, len(self.steps)), JUDGE: (again, len(self.steps) - 1)}
        alone = again and self.flow.shape == ROUTER
        for number in (again,) if alone else after.get(self.flow.shape, range(len(self.steps))):
            self.steps[number] = Step(self.flow.parts[number])

    async def _take(
        self,
        number: int,
        engine: Engine,
        changed: Callable[[], None],
        notes: Notes | None,
        differently: bool,
    ) -> None:
        step = self.steps[number]
        step.said, agent, shown = Said(), step.part.agent, []
        chooses = number == self.flow.chooser
        if chooses:
            agent, shown = choosing(agent, self._choices()), self._examples()
        if chooses and self.flow.shape == ROUTER:
            agent = told_of(agent, self.flow.parts[1:])
        how = {"shown": shown, "differently": differently, "into": step.said}
        asked = step.part.told(self._given(number))
        await single.said(engine, agent, asked, notes, lambda _: changed(), **how)
        if chooses:
            self._heed(number)

    def _given(self, number: int) -> dict[str, str]:
        """What fills the gaps of a part's task."""
        said = {str(at): shorter(step.answer) for at, step in enumerate(self.steps[:number], 1)}
        told = "\n\n".join(f"Answer {at}: {answer}" for at, answer in said.items())
        return {QUESTION: self.question, ANSWERS: told, **said}

    # Choices: of a judge the number of an answer, of a router the name of an agent

    def _choices(self) -> list[str]:
        """What can be chosen. A router that has agents whose tools can read the question by rule
        chooses among these: a small model cannot tell who is to convert miles."""
        if self.flow.shape == JUDGE:
            return [str(number) for number in range(1, len(self.steps))]
        agents = [part.agent for part in self.flow.parts[1:]]
        able = [agent.name for agent in agents if can_read(agent, self.question)]
        return able or [agent.name for agent in agents]

    def _chosen(self) -> int | None:
        """The step that was chosen, None in a flow without a choice."""
        if self.flow.chooser is None:
            return None
        choice = json.loads(self.steps[self.flow.chooser].answer)["choice"]
        if self.flow.shape == JUDGE:
            return int(choice) - 1
        return [part.agent.name for part in self.flow.parts].index(choice, 1)

    def _examples(self) -> list[tuple[str, str]]:
        """A router sees of each agent which questions are for it."""
        if self.flow.shape != ROUTER:
            return []
        task = self.flow.parts[0]
        return [
            (task.told({QUESTION: asked}), json.dumps({"choice": part.agent.name}))
            for place in range(EXAMPLES)
            for part in self.flow.parts[1:]
            for asked in part.agent.openings[place : place + 1]
        ]

    def _heed(self, chooser: int) -> None:
        """Reads a choice; those that a router did not choose have nothing to do. Raises Refused if
        the model was cut short."""
        try:
            chosen = self._chosen()
        except ValueError as error:
            raise Refused("no_choice") from error
        for number, step in enumerate(self.steps):
            if self.flow.shape == ROUTER and number != chooser:
                step.state = WAITING if number == chosen else SKIPPED


def choosing(agent: Agent, choices: list[str]) -> Agent:
    """An agent that can only name one of the choices."""
    form = {
        "type": "object",
        "properties": {"choice": {"enum": choices}},
        "required": ["choice"],
    }
    return replace(agent, form=form, tools=(), max_tokens=CHOOSING, sampling=steps.CHOOSING)


def can_read(agent: Agent, question: str) -> bool:
    """Whether a tool of an agent finds in a question, by rule, what it is to be called with."""
    given = single.hands(agent, question)
    plain, _ = table.taken_out(question)
    readings = (tool.readings(plain, given.here) for tool in given.tools) if given else ()
    return any(readings)


def told_of(agent: Agent, parts: tuple[Part, ...]) -> Agent:
    """A router with the names of the agents that it chooses from."""
    listed = [f"{part.agent.name}: {part.agent.purpose}" for part in parts]
    return replace(agent, instructions="\n".join([agent.instructions, *listed]).strip())


def shorter(text: str) -> str:
    """At most so much of an answer, cut at a word, without the marks that templates give a meaning
    to."""
    text = text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
    return text.replace("<|", "< |").replace("|>", "| >")
