"""A conversation: questions with their answers, as a tree. An edited question and another answer
are branches beside what was there; one branch is shown.

Knows nothing of models, engines, screens, or where it is kept.
"""

import json
import secrets
import time
from dataclasses import asdict, dataclass, field

from onglet.agents import links
from onglet.agents.config import Agent
from onglet.agents.grounding import Source, read_all
from onglet.agents.steps import FAILED, UNDER_WAY, Step
from onglet.agents.thoughts import Parts, split
from onglet.engine.errors import Refused
from onglet.engine.messages import Done

WAITING = "waiting"  # for a model
CHOOSING = "choosing"  # a tool, and its use
READING = "reading"  # the model reads the question
WRITING = "writing"
DONE = "done"

TITLE_LENGTH = 60  # characters
LONGEST_NAME = 300  # characters, of a model or its file
KEPT_STATES = {
    WAITING: "waiting",
    CHOOSING: "waiting",
    READING: "waiting",
    WRITING: "writing",
    DONE: "done",
}


def new_id() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Answerer:
    """The model that wrote an answer. `key`: its sha256; of a file on the disk its name there."""

    name: str
    key: str

    @classmethod
    def read(cls, kept: object) -> "Answerer | None":
        """From what was kept, or came in a file; None if it is something else."""
        name, key = (kept.get("name"), kept.get("key")) if isinstance(kept, dict) else (0, 0)
        if not (isinstance(name, str) and isinstance(key, str) and name and key):
            return None
        return cls(name[:LONGEST_NAME], key[:LONGEST_NAME])


@dataclass
class Turn:
    """One question and its answer. An answer that failed keeps the text it had."""

    id: str
    question: str
    answer: str = ""
    phase: str = WAITING
    figures: Done | None = None  # why it ended, counts and times
    problem: Refused | None = None
    parent: str | None = None  # the turn before it
    created: float = field(default_factory=time.time)  # seconds since 1970
    interrupted: bool = False  # the tab or a worker went away while it was written
    model: Answerer | None = None  # which wrote the answer
    steps: list[Step] = field(default_factory=list)  # the calls of tools before the answer
    sources: list[Source] | None = None  # passages it stands on; None: not asked of documents
    collection: str = ""  # of which documents it was asked; empty: of all

    def begin(self) -> None:
        """Waits again; the text that is there stays, and what it was made of."""
        if not self.answer:
            self.steps = []
        self.phase, self.figures, self.problem, self.interrupted = WAITING, None, None, False

    def to_row(self, conversation: str) -> dict:
        """As the store keeps it (vault/schema.py)."""
        problem = self.problem and {"code": self.problem.code, "values": self.problem.values}
        ended = {"figures": self.figures and asdict(self.figures), "problem": problem}
        ended["model"] = self.model and asdict(self.model)
        if self.steps:
            ended["steps"] = [asdict(step) for step in self.steps]
        ended["sources"] = self.sources and [asdict(source) for source in self.sources]
        if self.collection:
            ended["collection"] = self.collection
        return {
            "id": self.id,
            "conversation": conversation,
            "parent": self.parent,
            "question": self.question,
            "answer": self.answer,
            "state": KEPT_STATES[self.phase],
            "created": self.created,
            "ended": json.dumps(ended, default=str),
        }

    @classmethod
    def from_row(cls, row: dict) -> "Turn":
        """A turn as it was kept; one that was being answered was interrupted."""
        ended = json.loads(row["ended"])
        figures, problem = ended.get("figures"), ended.get("problem")
        names = ("id", "parent", "question", "answer", "created")
        steps = [Step(**step) for step in ended.get("steps", [])]
        give_up(steps)
        return cls(
            **{name: row[name] for name in names},
            phase=DONE,
            figures=Done(**figures) if figures else None,
            problem=Refused(problem["code"], **problem["values"]) if problem else None,
            interrupted=row["state"] != "done",
            model=Answerer.read(ended.get("model")),
            steps=steps,
            sources=read_all(ended.get("sources")),
            collection=str(ended.get("collection", "")),
        )

    def parts(self) -> Parts:
        """What the model thought, and what it said."""
        return split(self.answer, done=self.phase == DONE)


def give_up(steps: list[Step]) -> None:
    """What was under way will not come to its end."""
    for step in steps:
        if step.state in UNDER_WAY:
            step.state = FAILED


@dataclass
class Conversation:
    id: str = ""  # given with the first question: the app is built long before a tab wakes it
    title: str = ""
    created: float = 0.0  # seconds since 1970
    tree: dict[str, Turn] = field(default_factory=dict)  # all branches, oldest first
    shown: str | None = None  # the last turn of the branch that is shown
    agent: Agent | None = None  # who answers in it; None: the settings of the tab

    @property
    def turns(self) -> list[Turn]:
        """The branch that is shown, from its first question on."""
        found: dict[str, Turn] = {}  # each turn once: a file may hold a circle
        turn = self.last
        while turn and turn.id not in found:
            found[turn.id] = turn
            turn = self.tree.get(turn.parent or "")
        return list(found.values())[::-1]

    @property
    def last(self) -> Turn | None:
        return self.tree.get(self.shown or "")

    @property
    def model(self) -> Answerer | None:
        """Which model answered last in the branch that is shown."""
        models = [turn.model for turn in self.turns if turn.model and turn.answer]
        return models[-1] if models else None

    def ask(self, question: str) -> Turn:
        """Adds a question at the end of the branch that is shown."""
        if not self.id:
            self.id, self.title, self.created = new_id(), title_of(question), time.time()
        return self._grow(question, self.shown)

    def ask_instead(self, question: str, id: str | None = None) -> Turn:
        """Asks otherwise, in place of a turn (the last one): a branch beside it."""
        turn = self.tree[id or self.shown]
        if turn.answer or turn is not self.last:
            return self._grow(question, turn.parent)
        turn.question = question
        turn.begin()
        return turn

    def ask_again(self) -> Turn:
        """The last question once more, with an empty answer: a branch if there was an answer."""
        return self.ask_instead(self.last.question)

    def _grow(self, question: str, parent: str | None) -> Turn:
        turn = Turn(new_id(), question, parent=parent)
        self.tree[turn.id] = turn
        self.shown = turn.id
        return turn

    def variants(self, turn: Turn) -> tuple[list[str], list[str]]:
        """What could stand in the place of a turn: the ids of the wordings of its question (the
        newest turn of each; its own for its own) and of the answers to that wording."""
        beside = [other for other in self.tree.values() if other.parent == turn.parent]
        wordings = {other.question: other.id for other in beside} | {turn.question: turn.id}
        answers = [other.id for other in beside if other.question == turn.question]
        return list(wordings.values()), answers

    def show(self, id: str) -> None:
        """Shows the branch through a turn, to the end that was added last."""
        after = {turn.parent: turn.id for turn in self.tree.values()}  # the newest of each
        while id in after:
            id = after.pop(id)
        self.shown = id

    def messages(self, instructions: str = "") -> list[dict]:
        """What a chat template wants: roles and contents, ending with the last question.

        Questions that got no answer are left out: templates insist that roles take turns.
        """
        said = [{"role": "system", "content": instructions}] if instructions.strip() else []
        turns = self.turns
        for turn in turns[:-1]:
            if words := split(turn.answer).said:
                said.append({"role": "user", "content": turn.question})
                said.append({"role": "assistant", "content": words})
        return [*said, *({"role": "user", "content": turn.question} for turn in turns[-1:])]

    def to_row(self) -> dict:
        """As the store keeps it (vault/schema.py), changed now."""
        names = ("id", "title", "created", "shown")
        agent = self.agent and self.agent.canonical()
        kept = {name: getattr(self, name) for name in names}
        return {**kept, "changed": time.time(), "agent": agent}

    @classmethod
    def from_rows(cls, row: dict, turns: list[dict]) -> "Conversation":
        tree = {each["id"]: Turn.from_row(each) for each in turns}
        shown = row["shown"] if row["shown"] in tree else next(reversed(tree), None)
        agent = links.agent_from_text(row["agent"]) if row["agent"] else None
        return cls(row["id"], row["title"], row["created"], tree, shown, agent)


def title_of(question: str) -> str:
    """The first line of a question, cut at a word."""
    line = next((line.strip() for line in question.splitlines() if line.strip()), "")
    if len(line) <= TITLE_LENGTH:
        return line
    return line[:TITLE_LENGTH].rsplit(" ", 1)[0] + "…"
