"""The tools that an agent may have, one file each: a function of the file's name with a typed
signature, whose docstring the model reads. Beside it in the file: PERMISSION (`free`, `ask` or
`never`), WRITES (whether it changes anything), EXAMPLES (questions with arguments) and, if what a
question holds can be found by rule, `read(question, here)`: the arguments that it may mean.

Knows neither models nor permissions given by people.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal, Protocol, get_args, get_origin

from onglet.sandbox.programs import Result

PERMISSIONS = ("free", "ask", "never")
TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
LONGEST = 300  # characters of a text that a model gives a tool
WORD = re.compile(r"[a-z]{3,}")
_COMMON = """
    the and for are was were will what which who how when where why can you your about from
    that this with not has have had does did its one two use give gives text
"""
COMMON = frozenset(_COMMON.split())


class Notes(Protocol):
    """What is remembered from chat to chat (vault/notes.py)."""

    async def add(self, text: str) -> None: ...

    async def texts(self) -> list[str]: ...


class Passage(Protocol):
    """A part of a document (vault/papers.py); `page` from 1, None where there are no pages."""

    name: str
    page: int | None
    text: str


class Hit(Protocol):
    passage: Passage


class Programs(Protocol):
    """The sandbox, which runs Python programs with files (texts by name) in their folder."""

    async def run(self, code: str, files: dict[str, str]) -> Result: ...


@dataclass(frozen=True)
class Here:
    """What a tool may know of its place. `tables`: CSV texts by name; `search`: finds passages of
    the person's documents, the best first."""

    now: datetime
    notes: Notes | None = None
    tables: dict[str, str] = field(default_factory=dict)
    search: Callable[[str], Awaitable[Sequence[Hit]]] | None = None
    programs: Programs | None = None


@dataclass(frozen=True)
class Drawn:
    """A result in words and pictures (PNG, base64)."""

    text: str
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tool:
    name: str
    version: int
    purpose: str  # the first paragraph of the docstring
    function: Callable[..., Any]
    permission: str
    writes: bool
    examples: tuple[tuple[str, dict], ...]
    reads: Callable[[str, Here], list[dict]] | None

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        listed = inspect.signature(self.function).parameters
        return {name: each for name, each in listed.items() if each.annotation is not Here}

    def schema(self, reading: dict | None = None) -> dict:
        """The JSON schema of the arguments: of a reading, else all that the signature takes."""
        if reading is not None:
            properties = {name: {"const": value} for name, value in reading.items()}
            return of_object(properties, list(reading))
        properties = {name: of_type(each.annotation) for name, each in self.parameters.items()}
        needed = [name for name, each in self.parameters.items() if each.default is each.empty]
        return of_object(properties, needed)

    def readings(self, question: str, here: Here) -> list[dict] | None:
        """The arguments that a question may mean, none if it is not for this tool; None: any."""
        if self.reads:
            return self.reads(question, here)
        about = f"{self.name} {self.purpose} {' '.join(asked for asked, _ in self.examples)}"
        return None if words(about) & words(question) else []

    async def run(self, arguments: dict, here: Here) -> str | Drawn:
        """The result in words, or with pictures. Raises ValueError with a sentence that the model
        may read."""
        listed = inspect.signature(self.function).parameters.items()
        place = {name: here for name, each in listed if each.annotation is Here}
        result = self.function(**arguments, **place)
        return await result if inspect.isawaitable(result) else result


def of_object(properties: dict, required: list[str]) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def of_type(annotation: Any) -> dict:
    """The schema of a parameter: a plain type, or a Literal."""
    if get_origin(annotation) is Literal:
        return {"enum": list(get_args(annotation))}
    schema = {"type": TYPES[annotation]}
    return schema | {"maxLength": LONGEST} if annotation is str else schema


def words(text: str) -> set[str]:
    return set(WORD.findall(text.lower())) - COMMON


@cache
def known() -> dict[str, Tool]:
    """Every tool of this folder by name."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return {name: tool_of(importlib.import_module(f"{__name__}.{name}")) for name in names}


def tool_of(module: Any) -> Tool:
    name = module.__name__.rpartition(".")[2]
    function = getattr(module, name)
    return Tool(
        name=name,
        version=getattr(module, "VERSION", 1),
        purpose=" ".join(inspect.getdoc(function).partition("\n\n")[0].split()),
        function=function,
        permission=module.PERMISSION,
        writes=module.WRITES,
        examples=module.EXAMPLES,
        reads=getattr(module, "read", None),
    )
