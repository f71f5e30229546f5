"""One question to one agent, outside of any chat: what a trial on the test bench is made of. Knows
no screen; nobody is asked, so what would ask is refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from onglet.agents import loop, steps, thoughts
from onglet.agents.config import Agent
from onglet.agents.steps import Step
from onglet.agents.tools import Here, Notes, known, table
from onglet.engine.client import Engine
from onglet.engine.errors import Refused
from onglet.engine.messages import Done, Tokens


@dataclass
class Said:
    """`text`: the answer without thoughts; `steps`: the tools that were called for it; `prompt`:
    all that the model read before it answered."""

    text: str = ""
    prompt: str = ""
    steps: list[Step] = field(default_factory=list)
    figures: Done | None = None


async def nobody() -> bool:
    return False


def hands(agent: Agent, question: str, notes: Notes | None = None) -> steps.Hands | None:
    """An agent's tools where nobody can be asked: what writes or asks is refused."""
    given = agent.permissions()
    tools = tuple(known()[name] for name, permission in given.items() if permission != "never")
    asking = frozenset(tool.name for tool in tools if tool.writes or given[tool.name] == "ask")
    here = Here(datetime.now(), notes, table.taken_out(question)[1])
    return steps.Hands(tools, asking, here, nobody) if tools else None


def opening(agent: Agent, question: str, shown: Sequence[tuple[str, str]] = ()) -> list[dict]:
    """The messages with which a chat of an agent begins. `shown`: questions with their answers, as
    examples."""
    own = [{"role": "system", "content": agent.instructions}] if agent.instructions.strip() else []
    for asked, answer in shown:
        own += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return [*own, {"role": "user", "content": question}]


async def said(
    engine: Engine,
    agent: Agent,
    question: str,
    notes: Notes | None = None,
    on_text: Callable[[str], None] = lambda text: None,
    *,
    shown: Sequence[tuple[str, str]] = (),
    differently: bool = False,
    into: Said | None = None,
) -> Said:
    """What an agent answers; `on_text` hears all of it each time it grew. `into` is filled as it
    comes. `shown`: as in `opening`; `differently`: as in loop.answer.

    Raises Refused: cancelled, or what the engine says.
    """
    found, begun = into or Said(), ""
    messages = opening(agent, question, shown)
    if given := hands(agent, question, notes):
        plain, _ = table.taken_out(question)
        async for _ in steps.taken(engine, plain, given, found.steps):
            on_text(found.text)
        if found.steps:
            messages = steps.messages(messages, found.steps)
            begun = "" if agent.form else steps.beginning(found.steps)
    settings = loop.Settings(agent.sampling, agent.max_tokens, agent.instructions, agent.form)
    if engine.loaded:
        found.prompt = loop.prompt_of(engine.loaded, messages) + begun
    text = begun
    how = {"begun": begun, "differently": differently}
    async for word in loop.answer(engine, messages, settings, **how):
        if isinstance(word, Tokens):
            text += word.text
            found.text = thoughts.split(text).said
            on_text(found.text)
        else:
            found.figures = word
    found.text = thoughts.split(text, done=True).said.strip()
    if found.figures and found.figures.reason == "cancelled":
        raise Refused("cancelled")
    return found
