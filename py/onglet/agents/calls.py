"""Which tool a question needs, with which arguments: the model chooses, within a grammar made of
the schemas of the agent's tools, so that every choice is a call that can be run.

What a question holds is read by rule first (`Tool.readings`): it leaves the tools that the question
is for, and of a small model's many ways to copy a number wrongly none. Knows no screen.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from onglet.agents.tools import Here, Tool

ANSWER = "answer"  # chosen in place of a tool: say it in words
MOST_TOKENS = 320  # of a call
COPIED = 200  # characters of a call that a model writes out
EXAMPLES = 2  # shown of each tool
PLAIN = ("Who was Marie Curie?", ANSWER)
INSTRUCTIONS = "Choose the tool that a question needs and fill in its arguments."


@dataclass(frozen=True)
class Call:
    tool: str
    arguments: dict

    def written(self) -> str:
        return written({"tool": self.tool, "arguments": self.arguments})


@dataclass(frozen=True)
class Choice:
    """What a model may choose: tools, and the schemas of the calls that fit the question."""

    tools: tuple[Tool, ...]
    calls: tuple[dict, ...]

    def grammar(self) -> dict:
        """The engine's grammar (messages.Generate)."""
        return {"kind": "json", "schema": {"anyOf": list(self.calls)}}

    def too_long(self) -> Call | None:
        """The one call that there is, if all of it was read by rule and it is too long to be
        written out by the model, which has nothing left to choose."""
        if len(self.calls) != 1:
            return None
        given = self.calls[0]["properties"]
        arguments = given["arguments"]["properties"]
        if not all("const" in each for each in arguments.values()):
            return None
        values = {name: each["const"] for name, each in arguments.items()}
        call = Call(given["tool"]["const"], values)
        return call if len(call.written()) > COPIED else None

    def messages(self, question: str) -> list[dict]:
        """The prompt: the tools, a few examples of each, the question."""
        listed = "\n".join(f"{tool.name}: {tool.purpose}" for tool in self.tools)
        said = [{"role": "system", "content": f"{INSTRUCTIONS}\n{listed}\n{ANSWER}: No tool."}]
        for asked, reply in [*self._examples(), (PLAIN[0], written({"tool": ANSWER}))]:
            said.append({"role": "user", "content": asked})
            said.append({"role": "assistant", "content": reply})
        return [*said, {"role": "user", "content": question}]

    def _examples(self) -> Iterable[tuple[str, str]]:
        for tool in self.tools:
            for asked, arguments in tool.examples[:EXAMPLES]:
                yield asked, Call(tool.name, arguments).written()


def choice(question: str, tools: Iterable[Tool], here: Here, used: Collection[str] = ()) -> Choice:
    """The calls that a question may need: of each tool once, those `used` left out. The model may
    choose to answer instead, unless the question was read by rule and no tool has run yet."""
    fitting, calls, certain = [], [], not used
    for tool in tools:
        readings = tool.readings(question, here) if tool.name not in used else []
        certain = certain and readings is not None
        fresh = [tool.schema()] if readings is None else [tool.schema(each) for each in readings]
        if fresh:
            fitting.append(tool)
            calls += [of_call(tool.name, each) for each in fresh]
    if calls and not certain:
        calls.append(of_call(ANSWER, None))
    return Choice(tuple(fitting), tuple(calls))


def of_call(name: str, arguments: dict | None) -> dict:
    properties = {"tool": {"const": name}}
    if arguments is not None:
        properties["arguments"] = arguments
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def parsed(text: str) -> Call | None:
    """The call that a model wrote, None if it chose to answer. Raises ValueError."""
    said = json.loads(text)
    return None if said["tool"] == ANSWER else Call(said["tool"], said["arguments"])


def written(document: dict) -> str:
    """JSON as the grammar spaces it."""
    return json.dumps(document, ensure_ascii=False)
