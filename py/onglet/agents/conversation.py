"""A conversation: questions with their answers, in order, and what can be undone.

Knows nothing of models, engines or screens.
"""

import itertools
from dataclasses import dataclass, field

from onglet.engine.errors import Refused
from onglet.engine.messages import Done

WAITING = "waiting"  # for a model
READING = "reading"  # the model reads the question
WRITING = "writing"
DONE = "done"


@dataclass
class Turn:
    """One question and its answer. An answer that failed keeps the text it had."""

    id: int
    question: str
    answer: str = ""
    phase: str = WAITING
    figures: Done | None = None  # why it ended, counts and times
    problem: Refused | None = None


@dataclass
class Conversation:
    turns: list[Turn] = field(default_factory=list)
    _before: list[Turn] = field(default_factory=list)  # what `undo` brings back
    _ids: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def last(self) -> Turn | None:
        return self.turns[-1] if self.turns else None

    def ask(self, question: str) -> Turn:
        """Adds a question; from now on `undo` has nothing to bring back."""
        turn = Turn(next(self._ids), question)
        self.turns.append(turn)
        self._before = []
        return turn

    def ask_instead(self, question: str) -> Turn:
        """Replaces the last question, and so its answer."""
        self.turns.pop()
        return self.ask(question)

    def ask_again(self) -> Turn:
        """The last question once more, with an empty answer."""
        return self.ask_instead(self.turns[-1].question)

    def clear(self) -> None:
        self._before, self.turns = self.turns, []

    def undo(self) -> None:
        """Brings back what `clear` took away."""
        if not self.turns:
            self.turns, self._before = self._before, []

    def messages(self, instructions: str = "") -> list[dict]:
        """What a chat template wants: roles and contents, ending with the last question.

        Questions that got no answer are left out: templates insist that roles take turns.
        """
        said = [{"role": "system", "content": instructions}] if instructions.strip() else []
        for turn in self.turns[:-1]:
            if turn.answer:
                said.append({"role": "user", "content": turn.question})
                said.append({"role": "assistant", "content": turn.answer})
        return [*said, *({"role": "user", "content": turn.question} for turn in self.turns[-1:])]
