"""What an agent is: a small document of one form. Everything that comes from a link, a file or the
editor goes through `checked`, the one door; what is out is an `Agent` that can be believed.

Knows neither links, nor screens, nor where agents are kept.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from onglet.agents import schema
from onglet.agents.loop import BEST
from onglet.agents.tools import known
from onglet.engine.errors import Refused
from onglet.engine.messages import Sampling

KIND, FORMAT = "agent", 1
LANGUAGES = ("", "en", "fr")  # "": any
SHA256 = re.compile(r"[0-9a-f]{64}")
TOOL = re.compile(r"[a-z][a-z0-9_]{0,31}@[1-9][0-9]{0,3}(?::(?:free|ask|never))?")
# Text that a person cannot see but a model reads: controls, format characters, private use, lone
# surrogates, variation selectors. A joiner or a selector is let in behind a picture.
UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
SELECTORS = re.compile(
    "[\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180f\u034f\u3164\u115f\u1160\u17b4\u17b5\uffa0]"
)
PICTURE = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
JOINED = re.compile(f"(?<=[{PICTURE}])\ufe0f?\u200d(?=[{PICTURE}])|(?<=[{PICTURE}])\ufe0f")

# The most and the least of each number of the sampling.
SAMPLING = {
    "temperature": (0.0, 2.0),
    "top_k": (0, 1000),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "repeat_penalty": (0.5, 2.0),
    "repeat_last_n": (0, 1024),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True)
class Model:
    """The model an agent was made with. `source`: where its bytes are ("site": the site's)."""

    name: str
    sha256: str
    file_bytes: int
    architecture: str
    quantization: str
    licence: str
    source: str = "site"

    @classmethod
    def of_card(cls, card: dict, source: str) -> "Model":
        """The model that is loaded, by its card (messages.Loaded)."""
        told = {"name": "name", "architecture": "architecture", "quantization": "quantization"}
        lines = {
            field: cleaned(str(card.get(key) or ""))[:120].strip()
            for field, key in {**told, "licence": "license"}.items()
        }
        return cls(**lines, sha256=card["sha256"], file_bytes=card["file_bytes"], source=source)


@dataclass(frozen=True)
class Agent:
    """`tools`: name@version of those it may ask for, with `:free`, `:ask` or `:never` where that is
    not the tool's own permission. `parent`: the hash of the agent that it was forked from.
    `form`: a JSON schema its answers keep. `charter`: what its maker promises of it; people read
    it, the model does not.
    """

    name: str = field(metadata={"kind": "line", "least": 1, "most": 60})
    purpose: str = field(default="", metadata={"kind": "line", "most": 200})
    instructions: str = field(default="", metadata={"kind": "text", "most": 8000})
    language: str = field(default="", metadata={"kind": "choice", "choices": LANGUAGES})
    model: Model | None = field(default=None, metadata={"kind": "model"})
    sampling: Sampling = field(default=BEST, metadata={"kind": "sampling"})
    max_tokens: int = field(default=512, metadata={"kind": "number", "least": 16, "most": 4096})
    tools: tuple[str, ...] = field(default=(), metadata={"kind": "tools", "most": 16})
    openings: tuple[str, ...] = field(
        default=(), metadata={"kind": "lines", "most": 6, "each": 200}
    )
    form: dict | None = field(default=None, metadata={"kind": "form"})
    charter: str = field(default="", metadata={"kind": "text", "most": 2000, "optional": True})
    parent: str | None = field(default=None, metadata={"kind": "hash"})

    def document(self) -> dict:
        """As plain data: every field of it, those that are optional only if they hold something."""
        told = {name: each for name, each in asdict(self).items() if each or name not in OPTIONAL}
        return {"onglet": KIND, "format": FORMAT, **plain(told)}

    def canonical(self) -> str:
        """The one way in which this agent is written: keys sorted, whole numbers bare."""
        return written(self.document())

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical form, in hex: the agent's name for other agents."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def permissions(self) -> dict[str, str]:
        """The permission of each tool of this version of Onglet that it may ask for, by name."""
        found = {}
        for each in self.tools:
            named, _, permission = each.partition(":")
            name, _, version = named.partition("@")
            tool = known().get(name)
            if tool and str(tool.version) == version:
                found[name] = permission or tool.permission
        return found

    def permitting(self, name: str, permission: str) -> "Agent":
        """A fork of it (or the same fork) in which a tool has another permission."""
        tool = known()[name]
        written = f"{name}@{tool.version}"
        if permission != tool.permission:
            written += f":{permission}"
        listed = tuple(written if each.partition("@")[0] == name else each for each in self.tools)
        return replace(self, tools=listed)

    def forked(self) -> "Agent":
        """A copy to change, that names where it comes from."""
        return replace(self, parent=self.hash)


# Left out of a document while they hold nothing: what was written before them stays as it is.
OPTIONAL = {each.name: each.default for each in fields(Agent) if each.metadata.get("optional")}


def written(document: Any) -> str:
    return json.dumps(
        document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def plain(value: Any) -> Any:
    """Tuples as lists, whole floats as integers."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def checked(document: Any) -> Agent:
    """The agent that a document describes. `kind` and bounds of a field are its metadata.

    Raises Refused: `not_an_agent`, `bad_agent` (`field`), `bad_schema` (`where`), `newer_agent`.
    """
    return Agent(**values_of(document, KIND, FORMAT, Agent))


def values_of(document: Any, kind: str, newest: int, of: type) -> dict[str, Any]:
    """The values of the fields of a dataclass `of`, each through its check. Raises as `checked`."""
    if not isinstance(document, dict) or document.get("onglet") != kind:
        raise Refused("not_an_agent")
    if type(document.get("format")) is not int or document["format"] < 1:
        raise bad("format")
    if document["format"] > newest:
        raise Refused("newer_agent")
    known = {each.name: each for each in fields(of)}
    for name in document:
        if name not in known and name not in ("onglet", "format"):
            raise bad("format")
    values = {}
    for name, each in known.items():
        optional = each.metadata.get("optional", False)
        if optional and name not in document:
            continue
        if name not in document or (optional and not document[name]):
            raise bad(name)
        check = each.metadata.get("check") or CHECKS[each.metadata["kind"]]
        values[name] = check(name, document[name], each.metadata)
    return values


def bad(name: str) -> Refused:
    return Refused("bad_agent", field=name)


def is_clean(text: str, lines: bool = False) -> bool:
    """Whether all of a text can be seen, and it is written in one way (NFC)."""
    rest = JOINED.sub("", text)
    if lines:
        rest = rest.replace("\n", "")
    if SELECTORS.search(rest) or not unicodedata.is_normalized("NFC", text):
        return False
    return not any(unicodedata.category(each) in UNSEEN for each in rest)


def cleaned(text: str, lines: bool = False) -> str:
    """What a person typed or pasted, as the door takes it: without what cannot be seen."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    text = unicodedata.normalize("NFC", text)
    if not is_clean(text, lines=True):
        seen = (each for each in text if each == "\n" or unicodedata.category(each) not in UNSEEN)
        text = unicodedata.normalize("NFC", SELECTORS.sub("", "".join(seen)))
    return text if lines else " ".join(text.split())


def text(name: str, value: Any, bounds: Any, lines: bool = True) -> str:
    """Text within its bounds, seen whole; a line has no spaces at its ends and none doubled."""
    fits = isinstance(value, str) and bounds.get("least", 0) <= len(value) <= bounds["most"]
    if not fits or not is_clean(value, lines) or (not lines and value != " ".join(value.split())):
        raise bad(name)
    return value


def line(name: str, value: Any, bounds: Any) -> str:
    return text(name, value, bounds, lines=False)


def number(name: str, value: Any, bounds: dict) -> int:
    if type(value) is not int or not bounds["least"] <= value <= bounds["most"]:
        raise bad(name)
    return value


def choice(name: str, value: Any, bounds: dict) -> str:
    if not isinstance(value, str) or value not in bounds["choices"]:
        raise bad(name)
    return value


def several_lines(name: str, value: Any, bounds: dict) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > bounds["most"]:
        raise bad(name)
    return tuple(line(name, each, {"least": 1, "most": 200}) for each in value)


def tools(name: str, value: Any, bounds: dict) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > bounds["most"]:
        raise bad(name)
    if not all(isinstance(each, str) and TOOL.fullmatch(each) for each in value):
        raise bad(name)
    if len({each.partition("@")[0] for each in value}) < len(value):
        raise bad(name)
    return tuple(value)


def sampling(name: str, value: Any, _: dict) -> Sampling:
    if not isinstance(value, dict) or set(value) != set(SAMPLING):
        raise bad(name)
    found = {}
    for each, (least, most) in SAMPLING.items():
        wanted = (int,) if isinstance(least, int) else (int, float)
        if type(value[each]) not in wanted or not least <= value[each] <= most:
            raise bad(f"{name}.{each}")
        found[each] = type(least)(value[each])
    return Sampling(**found)


def model(name: str, value: Any, _: dict) -> Model | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {each.name for each in fields(Model)}:
        raise bad(name)
    digest(name, value["sha256"], {}, optional=False)
    number(name, value["file_bytes"], {"least": 1, "most": 2**40})
    for each in ("name", "architecture", "quantization", "licence"):
        line(f"{name}.{each}", value[each], {"most": 120})
    if value["source"] not in ("", "site") and not is_address(value["source"]):
        raise bad(f"{name}.source")
    return Model(**value)


def is_address(value: Any) -> bool:
    """Whether it is a plain https address: no names, passwords or other letters."""
    shape = r"https://[a-z0-9.-]{1,200}(:[0-9]{1,5})?/[A-Za-z0-9._~%/@+=&?-]{0,600}"
    return isinstance(value, str) and re.fullmatch(shape, value) is not None


def digest(name: str, value: Any, _: dict, optional: bool = True) -> str | None:
    if value is None and optional:
        return None
    if not isinstance(value, str) or not SHA256.fullmatch(value):
        raise bad(name)
    return value


def form(name: str, value: Any, _: dict) -> dict | None:
    if value is None:
        return None
    if problem := schema.problem(value):
        raise Refused("bad_schema", where=problem)
    if not is_clean(json.dumps(value, ensure_ascii=False)):
        raise bad(name)
    return value


CHECKS: dict[str, Callable[[str, Any, Any], Any]] = {
    "line": line,
    "text": text,
    "number": number,
    "choice": choice,
    "lines": several_lines,
    "tools": tools,
    "sampling": sampling,
    "model": model,
    "hash": digest,
    "form": form,
}


def difference(before: Agent, after: Agent) -> list[tuple[str, Any, Any]]:
    """(field, before, after) of each field in which two agents differ; their parents aside."""
    one, other = ({**OPTIONAL, **each.document()} for each in (before, after))
    return [
        (name, one[name], other[name])
        for name in one
        if name != "parent" and one[name] != other[name]
    ]
