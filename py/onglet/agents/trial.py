"""One look at how a model answers: each token with its probability and with what might have come in
its place. Knows no screen and keeps nothing.
"""

import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from onglet.agents import loop
from onglet.engine.client import Engine
from onglet.engine.errors import Refused
from onglet.engine.messages import Done, Tokens

ALTERNATIVES = 8  # told with each token
LEAST = 1e-9  # a probability that counts as this at least

# To begin with, in the language that the embedded model speaks.
QUESTIONS = {
    "question": "What is the capital of France?",
    "summary": "Summarize in one sentence: The lighthouse was built in 1832 after two ships were "
    "lost on the rocks. Its lamp burned oil for eighty years, then gas, and has been electric "
    "since 1951. Nobody lives there any more.",
    "letter": "Write a short, polite letter to a landlord who has to repair the heating.",
    "list": "List five things to take along on a hike in the mountains.",
}
TEXTS = {"story": "Once upon a time, in a village by the sea, there lived a clockmaker who"}


@dataclass(frozen=True)
class Word:
    """A token as people read it; `probability`: by the model alone, before settings and forms."""

    id: int
    text: str
    probability: float


@dataclass(frozen=True)
class Choice(Word):
    """A token of an answer; `others`: the likeliest of that moment, best first."""

    others: tuple[Word, ...]
    forced: bool = False  # by a person

    @classmethod
    def read(cls, told: dict) -> "Choice":
        others = tuple(Word(**other) for other in told["others"])
        return cls(told["id"], told["text"], told["probability"], others)

    def changed(self, number: int) -> "Choice":
        """The same moment with one of the others taken."""
        other = self.others[number]
        return Choice(other.id, other.text, other.probability, self.others, forced=True)


@dataclass
class Trial:
    """`prompt`: a question for the chat template, or with `is_text` a text to go on with."""

    prompt: str
    is_text: bool
    settings: loop.Settings
    choices: list[Choice] = field(default_factory=list)
    running: bool = False
    figures: Done | None = None
    problem: Refused | None = None

    def instead(self, place: int, number: int) -> "Trial":
        """The answer up to a token, with another in its place, to be gone on with."""
        kept = [*self.choices[:place], self.choices[place].changed(number)]
        return Trial(self.prompt, self.is_text, self.settings, kept)

    @property
    def perplexity(self) -> float | None:
        """e to the mean surprise of the tokens that the settings chose; None before there is one:
        1 is an answer without a doubt, 10 as if each token was one of ten equally likely."""
        chosen = [max(c.probability, LEAST) for c in self.choices if not c.forced]
        return math.exp(-sum(map(math.log, chosen)) / len(chosen)) if chosen else None

    async def run(self, engine: Engine) -> AsyncIterator[None]:
        """Writes on from the tokens that are there; yields after each change. What goes wrong is in
        `problem`. Closing it stops the model."""
        self.running = True
        try:
            async with aclosing(self._words(engine)) as words:
                async for word in words:
                    if isinstance(word, Done):
                        self.figures = word
                    else:
                        self.choices += map(Choice.read, word.choices or ())
                    yield
        except Refused as refused:
            self.problem = refused
        finally:
            self.running = False
        yield

    def _words(self, engine: Engine) -> AsyncIterator[Tokens | Done]:
        begun = "".join(choice.text for choice in self.choices)
        if self.is_text:
            return engine.generate(
                self.prompt + begun,
                self.settings.draw(),
                max_tokens=self.settings.max_tokens,
                alternatives=ALTERNATIVES,
            )
        messages = [{"role": "user", "content": self.prompt}]
        if self.settings.instructions:
            messages.insert(0, {"role": "system", "content": self.settings.instructions})
        return loop.answer(engine, messages, self.settings, begun=begun, alternatives=ALTERNATIVES)
