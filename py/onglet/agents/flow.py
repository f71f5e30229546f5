"""What a flow is: several agents in one task, as a document of one form. Everything that comes from
a link, a file or the editor goes through `checked`, the one door; the agents in it go through
theirs. Knows nothing of how a flow runs.
"""

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import Any

from onglet.agents import config
from onglet.agents.config import Agent, bad, plain, written

KIND, FORMAT = "flow", 1
SEQUENCE, JUDGE, ROUTER = "sequence", "judge", "router"
LEAST = {SEQUENCE: 1, JUDGE: 3, ROUTER: 3}  # parts
MOST = 6
TASK = {"least": 1, "most": 2000}
QUESTION, ANSWERS = "question", "answers"
GAP = re.compile(rf"\{{({QUESTION}|{ANSWERS}|[1-{MOST}])\}}")


@dataclass(frozen=True)
class Part:
    """`task`: what the agent is told. `{question}` stands for what the flow was asked, `{1}` for
    what its first part answered, `{answers}` for all that a judge has to compare."""

    agent: Agent
    task: str

    def needs(self) -> set[str]:
        """The gaps of the task."""
        return set(GAP.findall(self.task))

    def told(self, given: dict[str, str]) -> str:
        """The task with its gaps filled, all at once: what fills one is not looked into."""
        return GAP.sub(lambda gap: given[gap[1]], self.task)


def parts(name: str, value: Any, bounds: Any) -> tuple[Part, ...]:
    """Agents with their tasks, each agent through its own door. Raises Refused."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST:
        raise bad(name)
    found = []
    for each in value:
        if not isinstance(each, dict) or set(each) != {"agent", "task"}:
            raise bad(name)
        agent, task = config.checked(each["agent"]), config.text("task", each["task"], TASK)
        found.append(Part(agent, task))
    return tuple(found)


@dataclass(frozen=True)
class Flow:
    """`sequence`: one part after the other, each may use what those before said. `judge`: all but
    the last answer, the last chooses the best. `router`: the first chooses which one answers."""

    name: str = field(metadata={"kind": "line", "least": 1, "most": 60})
    shape: str = field(metadata={"kind": "choice", "choices": tuple(LEAST)})
    parts: tuple[Part, ...] = field(metadata={"check": parts})
    purpose: str = field(default="", metadata={"kind": "line", "most": 200})
    openings: tuple[str, ...] = field(default=(), metadata={"kind": "lines", "most": 6})
    parent: str | None = field(default=None, metadata={"kind": "hash"})

    def document(self) -> dict:
        told = [{"agent": each.agent.document(), "task": each.task} for each in self.parts]
        own = {"name": self.name, "shape": self.shape, "parts": told, "purpose": self.purpose}
        own |= {"openings": self.openings, "parent": self.parent}
        return {"onglet": KIND, "format": FORMAT, **plain(own)}

    def canonical(self) -> str:
        """The one way in which this flow is written, as of an agent."""
        return written(self.document())

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def forked(self) -> "Flow":
        """A copy to change, that names where it comes from."""
        return replace(self, parent=self.hash)

    @property
    def chooser(self) -> int | None:
        """The part that chooses among others: a judge is the last, a router the first."""
        return {JUDGE: len(self.parts) - 1, ROUTER: 0}.get(self.shape)

    def gaps(self, number: int) -> set[str]:
        """What the task of a part may refer to."""
        if self.shape == SEQUENCE:
            return {QUESTION, *(str(before) for before in range(1, number + 1))}
        judges = self.shape == JUDGE and number == self.chooser
        return {QUESTION, ANSWERS} if judges else {QUESTION}


def usual_task(shape: str, number: int, count: int) -> str:
    """What a part is told unless somebody has something better to say to it."""
    if shape == JUDGE and number == count - 1:
        return f"Question: {{{QUESTION}}}\n\n{{{ANSWERS}}}\n\nWhich answer is the best?"
    if shape == SEQUENCE and number:
        return f"{{{QUESTION}}}\n\n{{{number}}}"
    return f"{{{QUESTION}}}"


def checked(document: Any) -> Flow:
    """The flow that a document describes. Raises Refused as config.checked does; `field` may be
    `parts` or `task`."""
    flow = Flow(**config.values_of(document, KIND, FORMAT, Flow))
    if len(flow.parts) < LEAST[flow.shape]:
        raise bad("parts")
    chosen_by_name = [each.agent.name for each in flow.parts[1:]]
    if flow.shape == ROUTER and len(set(chosen_by_name)) < len(chosen_by_name):
        raise bad("parts")
    if not all(part.needs() <= flow.gaps(number) for number, part in enumerate(flow.parts)):
        raise bad("task")
    return flow
