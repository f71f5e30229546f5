"""Messages -> chat template -> engine -> words of the answer. No tools yet: one step, then done.

Knows nothing of screens; the engine may be a stand-in.
"""

import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, dataclass

from onglet.engine import chat_template
from onglet.engine.client import Engine, OnProgress
from onglet.engine.errors import Refused
from onglet.engine.messages import Done, Sampling, Tokens

LEAST_VARIETY = 0.3  # temperature of an answer that shall differ from the one before
LARGEST_SEED = 2**31 - 1


@dataclass
class Settings:
    """How answers are made. The defaults are those with which the embedded model did best
    (docs/decisions.md): 10 of 12 plain questions right, 2 of 12 long answers going in circles."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.05
    repeat_penalty: float = 1.03
    repeat_last_n: int = 64
    max_tokens: int = 512
    seed: int = 0  # 0: a new one each time
    instructions: str = "Give short, clear, correct answers."

    def sampling(self, differently: bool = False) -> Sampling:
        """For one answer; `differently` from the one that greedy choice gives."""
        values = asdict(self)
        del values["max_tokens"], values["instructions"]
        values["seed"] = self.seed or random.randint(1, LARGEST_SEED)
        if differently:
            values["temperature"] = max(self.temperature, LEAST_VARIETY)
        return Sampling(**values)


async def answer(
    engine: Engine,
    messages: list[dict],
    settings: Settings,
    *,
    differently: bool = False,
    on_progress: OnProgress | None = None,
) -> AsyncIterator[Tokens | Done]:
    """Yields the words of the answer as they come, then one Done.

    Raises Refused: no_model, no_chat_template, template_failed, or what the engine says.
    """
    model = engine.loaded
    if model is None:
        raise Refused("no_model")
    marks = model.special_tokens
    prompt = chat_template.render(
        model.chat_template, messages, bos=marks.get("bos") or "", eos=marks.get("eos") or ""
    )
    words = engine.generate(
        prompt,
        settings.sampling(differently),
        max_tokens=settings.max_tokens,
        on_progress=on_progress,
    )
    async with aclosing(words):
        async for word in words:
            yield word
