"""What happens between a question and its answer when an agent has tools: the model chooses a call,
a person may be asked, the tool runs, and the results are what the answer is made of.

Knows no screen; who permits is given.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from onglet.agents import calls, loop
from onglet.agents.tools import Drawn, Here, Tool
from onglet.engine.client import Engine
from onglet.engine.errors import Refused
from onglet.engine.messages import Done, Sampling, Tokens

MOST = 4  # steps before an answer
LONGEST = 1000  # characters of a result that a model is given
CHOOSING = Sampling(temperature=0.0, repeat_penalty=1.0)
ASKS, RUNS, DONE, FAILED, REFUSED = "asks", "runs", "done", "failed", "refused"
UNDER_WAY = (ASKS, RUNS)
INSTRUCTIONS = "Say what the tool found, in one or two short sentences."
SHOWN = (
    ("How many pounds is 3 kg?", "3 kilograms = 6.6139 pounds"),
    ("When does Tom come?", "The notes say: Tom comes on Friday"),
)


@dataclass
class Step:
    """One call of a tool. `result`: what it gave, or why it failed; `figures`: PNG, base64."""

    tool: str
    arguments: dict
    state: str = RUNS
    result: str = ""
    figures: list[str] = field(default_factory=list)

    def written(self) -> str:
        """The exact arguments: a program as it is, all others as JSON."""
        if list(self.arguments) == ["code"]:
            return self.arguments["code"]
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True)
class Hands:
    """The tools of one answer, with those that ask first, and the one who is asked."""

    tools: tuple[Tool, ...]
    asking: frozenset[str]
    here: Here
    permit: Callable[[], Awaitable[bool]]


async def taken(
    engine: Engine, question: str, hands: Hands, steps: list[Step]
) -> AsyncIterator[Step]:
    """Takes the steps that a question needs, each tool once; yields each whenever it changed.
    They are added to `steps`. Raises Refused: cancelled, or what the engine says."""
    while len(steps) < MOST:
        used = [step.tool for step in steps]
        choice = calls.choice(question, hands.tools, hands.here, used)
        call = await chosen(engine, choice, with_results(question, steps))
        if call is None:
            return
        step = Step(call.tool, call.arguments)
        steps.append(step)
        if asks(step, steps, hands):
            step.state = ASKS
            asked = asyncio.ensure_future(hands.permit())  # a press may come while this is drawn
            try:
                yield step
                step.state = RUNS if await asked else REFUSED
            finally:
                asked.cancel()
        if step.state == RUNS:
            yield step
            await run(step, hands)
        yield step


def asks(step: Step, steps: list[Step], hands: Hands) -> bool:
    """Whether a person is asked first: what a tool gave before may be text of others, so a tool
    that writes asks after any."""
    writes = any(tool.name == step.tool and tool.writes for tool in hands.tools)
    return step.tool in hands.asking or (writes and len(steps) > 1)


async def chosen(engine: Engine, choice: calls.Choice, question: str) -> calls.Call | None:
    """What the model chooses; None: to answer."""
    if not choice.calls:
        return None
    if only := choice.too_long():
        return only
    text, settings = "", loop.Settings(CHOOSING, calls.MOST_TOKENS)
    words = loop.answer(engine, choice.messages(question), settings, grammar=choice.grammar())
    async for word in words:
        if isinstance(word, Tokens):
            text += word.text
        elif isinstance(word, Done) and word.reason == "cancelled":
            raise Refused("cancelled")
    try:
        return calls.parsed(text)
    except ValueError:  # cut at the limit of tokens
        return None


async def run(step: Step, hands: Hands) -> None:
    tool = next(tool for tool in hands.tools if tool.name == step.tool)
    try:
        result = await tool.run(step.arguments, hands.here)
        if isinstance(result, Drawn):
            step.figures, result = list(result.figures), result.text
        step.result, step.state = result, DONE
    except (ValueError, TypeError) as error:
        step.state, step.result = FAILED, str(error)
    except Refused as refused:
        step.state, step.result = FAILED, refused.code


def with_results(question: str, steps: Iterable[Step]) -> str:
    """The question with what the tools gave, each on one line, as data."""
    said = {
        DONE: "Result of {}: {}",
        FAILED: "The tool {} failed: {}",
        REFUSED: "The tool {} was not allowed to run.",
    }
    lines = [said[step.state].format(step.tool, plain(step.result)) for step in steps]
    return "\n".join([question, *lines])


def plain(result: str) -> str:
    """On one line, not too long, and without the marks that templates give a meaning to."""
    line = " ".join(result.split())
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]} …"
    return line.replace("<|", "< |").replace("|>", "| >")


def messages(said: list[dict], steps: list[Step]) -> list[dict]:
    """The messages of an answer (Conversation.messages) with what the tools gave; a small model
    says it better after it has seen how."""
    *before, last = said
    question = {**last, "content": with_results(last["content"], steps)}
    if not any(step.state == DONE for step in steps):
        return [*before, question]
    shown = [
        {"role": role, "content": content}
        for asked, result in SHOWN
        for role, content in (
            ("user", f"{asked}\nResult of tool: {result}"),
            ("assistant", f"{result}."),
        )
    ]
    own = [each["content"] for each in before[:1] if each["role"] == "system"]
    return [{"role": "system", "content": "\n".join([*own, INSTRUCTIONS])}, *shown, question]


def beginning(steps: list[Step]) -> str:
    """The words with which an answer begins: what the tools gave, to the letter."""
    told = [plain(step.result).rstrip(".") for step in steps if step.state == DONE]
    told += [f"The tool {step.tool} was not used" for step in steps if step.state == REFUSED]
    return f"{'. '.join(told)}." if told else ""
