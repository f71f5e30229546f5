"""Messages -> chat template -> engine -> words of the answer. What tools give is in the messages.

Knows nothing of screens; the engine may be a stand-in.
"""

import json
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from onglet.agents import thoughts
from onglet.engine import chat_template
from onglet.engine.client import Engine, OnProgress
from onglet.engine.errors import Refused
from onglet.engine.messages import Done, Loaded, Sampling, Tokens

LEAST_VARIETY = 0.3  # temperature of an answer that shall differ from the one before
LARGEST_SEED = 2**31 - 1

# With these the embedded model did best (docs/decisions.md): 10 of 12 plain questions right, 2 of
# 12 long answers going in circles.
BEST = Sampling(temperature=0.0, top_p=0.9, repeat_penalty=1.03)


@dataclass(frozen=True)
class Settings:
    """How answers are made."""

    sampling: Sampling = BEST
    max_tokens: int = 512
    instructions: str = "Give short, clear, correct answers."
    form: dict | None = None  # a JSON schema that the answer keeps

    def value(self, name: str) -> Any:
        """One setting, of the sampling or of the answer."""
        return getattr(self.sampling if hasattr(self.sampling, name) else self, name)

    def changed(self, name: str, value: Any) -> "Settings":
        """These settings with another value for one of them."""
        if hasattr(self.sampling, name):
            return replace(self, sampling=replace(self.sampling, **{name: value}))
        return replace(self, **{name: value})

    def draw(self, differently: bool = False) -> Sampling:
        """The sampling of one answer: a new seed each time unless one was chosen (0: none);
        `differently` from what greedy choice gives."""
        seed = self.sampling.seed or random.randint(1, LARGEST_SEED)
        sampling = replace(self.sampling, seed=seed)
        if not differently:
            return sampling
        return replace(sampling, temperature=max(sampling.temperature, LEAST_VARIETY))


async def answer(
    engine: Engine,
    messages: list[dict],
    settings: Settings,
    *,
    differently: bool = False,
    begun: str = "",
    conversation: str | None = None,
    grammar: dict | None = None,
    alternatives: int | None = None,
    stop: tuple[str, ...] = (),
    on_progress: OnProgress | None = None,
) -> AsyncIterator[Tokens | Done]:
    """Yields the words of the answer as they come, then one Done; `begun` is how it begins already.
    What the model read of a named conversation is kept for the next time. `grammar`: in place of
    that of the settings' form. `alternatives`, `stop`: as in
    messages.Generate.

    Raises Refused: no_model, no_chat_template, template_failed, or what the engine says.
    """
    model = engine.loaded
    if model is None:
        raise Refused("no_model")
    prompt = prompt_of(model, messages)
    grammar = grammar or form_of(settings.form)
    if grammar and thoughts.begins(prompt):
        prompt += f"\n\n{thoughts.CLOSE}\n\n"  # a form leaves no room for thoughts
    if thoughts.begins(prompt) and not begun:
        yield Tokens(id=0, text=thoughts.OPEN, count=0)
    elif thoughts.begins(prompt):
        begun = begun.removeprefix(thoughts.OPEN)
    words = engine.generate(
        prompt + begun,
        settings.draw(differently),
        max_tokens=settings.max_tokens,
        conversation=conversation,
        grammar=grammar,
        alternatives=alternatives,
        stop=stop,
        on_progress=on_progress,
    )
    async with aclosing(words):
        async for word in words:
            yield word


def prompt_of(model: Loaded, messages: list[dict]) -> str:
    """The text that a model reads. Raises Refused: no_chat_template, template_failed."""
    marks = model.special_tokens
    return chat_template.render(
        model.chat_template, messages, bos=marks.get("bos") or "", eos=marks.get("eos") or ""
    )


def form_of(form: dict | None) -> dict | None:
    """The engine's grammar for a form. Keys come in the order of the alphabet, as in a link: the
    same agent gives the same answer wherever it comes from."""
    return (
        {"kind": "json", "schema": json.loads(json.dumps(form, sort_keys=True))} if form else None
    )
