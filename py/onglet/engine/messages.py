"""Every message between Python and the engine worker: one frozen dataclass each, one table.

The JavaScript side's table is generated from this one (`javascript_table`). What the messages mean
is in docs/protocols.md section 5. Knows nothing of ports or workers.
"""

import json
import types
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import ClassVar, get_args, get_type_hints

# kind of a grammar -> its other field, and that field's type
GRAMMARS = {"json": ("schema", dict), "ebnf": ("text", str)}
# kind of a source -> its other field
SOURCES = {"site": "path", "stored": "sha256", "file": "key", "url": "url"}


class BadMessage(ValueError):
    """The two sides disagree about a message: a fault of ours, never of a person."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 takes the best one."""

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.1
    repeat_last_n: int = 64
    seed: int = 0


@dataclass(frozen=True)
class Message:
    """`id` is chosen by the asker of a request; each reply carries the id of its request."""

    kind: ClassVar[str] = ""
    id: int


@dataclass(frozen=True)
class Load(Message):
    kind: ClassVar[str] = "load"
    source: dict
    context: int | None = None

    def __post_init__(self):
        kind = self.source.get("kind")
        if kind not in SOURCES or set(self.source) != {"kind", SOURCES[kind]}:
            raise BadMessage(f"load: no such source: {self.source!r}")


@dataclass(frozen=True)
class Prepared(Message):
    """Answers `header`: the prepared model, or why it is refused (code and values)."""

    kind: ClassVar[str] = "prepared"
    prepared: dict | None = None
    refused: dict | None = None


@dataclass(frozen=True)
class ReadHeader(Message):
    """Answers `header`: more is needed, this many bytes from the start of the file."""

    kind: ClassVar[str] = "read_header"
    bytes: int


@dataclass(frozen=True)
class Generate(Message):
    """What was read of `conversation` is kept on the device; of None, only in memory. `grammar`:
    the form that the answer keeps, {"kind": "json", "schema"} or {"kind": "ebnf", "text"}.
    `alternatives`: how many of the likeliest tokens are told with each token."""

    kind: ClassVar[str] = "generate"
    prompt: str
    stop: list
    sampling: Sampling
    max_tokens: int
    conversation: str | None = None
    grammar: dict | None = None
    alternatives: int | None = None

    def __post_init__(self):
        if self.grammar is None:
            return
        field, type_ = GRAMMARS.get(self.grammar.get("kind"), ("", object))
        fits = set(self.grammar) == {"kind", field} and isinstance(self.grammar[field], type_)
        if not fits:
            raise BadMessage(f"generate: no such grammar: {self.grammar!r}")


@dataclass(frozen=True)
class Forget(Message):
    """Deletes what was kept of a conversation, or of all."""

    kind: ClassVar[str] = "forget"
    conversation: str | None = None


@dataclass(frozen=True)
class Tokenize(Message):
    kind: ClassVar[str] = "tokenize"
    text: str


@dataclass(frozen=True)
class Cancel(Message):
    """Stops the request `target`, which then answers for itself."""

    kind: ClassVar[str] = "cancel"
    target: int


@dataclass(frozen=True)
class Unload(Message):
    kind: ClassVar[str] = "unload"


@dataclass(frozen=True)
class Devices(Message):
    kind: ClassVar[str] = "devices"


@dataclass(frozen=True)
class Progress(Message):
    """`stage`: download, prepare (bytes) or prefill (tokens)."""

    kind: ClassVar[str] = "progress"
    stage: str
    received: int
    total: int | None


@dataclass(frozen=True)
class HeaderBytes(Message):
    """The first bytes of a model file, to be answered by `prepared` or `read_header`."""

    kind: ClassVar[str] = "header"
    bytes: bytes
    file_bytes: int
    name: str


@dataclass(frozen=True)
class Loaded(Message):
    kind: ClassVar[str] = "loaded"
    card: dict
    chat_template: str | None
    special_tokens: dict
    threads: int
    backend: str
    isolated: bool
    context: int
    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Tokens(Message):
    """New text of an answer: whole characters, no part of a stop string. `choices`: of each new
    token, if alternatives were asked for, {"id", "text", "probability", "others": [the same]}; the
    one that ends the answer too."""

    kind: ClassVar[str] = "tokens"
    text: str
    count: int
    choices: list | None = None


@dataclass(frozen=True)
class Done(Message):
    """`reason`: stop, length, context or cancelled."""

    kind: ClassVar[str] = "done"
    reason: str
    prompt_tokens: int
    reused_tokens: int
    answer_tokens: int
    prefill_seconds: float
    decode_seconds: float
    prefill_tokens_per_second: float
    decode_tokens_per_second: float
    context_used: int
    context: int


@dataclass(frozen=True)
class Failed(Message):
    """A request that ends badly: a code and values, as errors.Refused."""

    kind: ClassVar[str] = "failed"
    code: str
    values: dict


@dataclass(frozen=True)
class Tokenized(Message):
    kind: ClassVar[str] = "tokenized"
    tokens: list


@dataclass(frozen=True)
class Unloaded(Message):
    kind: ClassVar[str] = "unloaded"


@dataclass(frozen=True)
class Forgotten(Message):
    kind: ClassVar[str] = "forgotten"


@dataclass(frozen=True)
class DevicesAre(Message):
    kind: ClassVar[str] = "devices_are"
    threads: int
    cores: int
    isolated: bool
    variant: str


REQUESTS = (Load, Prepared, ReadHeader, Generate, Forget, Tokenize, Cancel, Unload, Devices)
REPLIES = (
    Progress,
    HeaderBytes,
    Loaded,
    Tokens,
    Done,
    Failed,
    Tokenized,
    Unloaded,
    Forgotten,
    DevicesAre,
)
MESSAGES = {message.kind: message for message in REQUESTS + REPLIES}

JAVASCRIPT_TYPES = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "boolean",
    bytes: "bytes",
    dict: "object",
    list: "array",
}


def to_dict(message: Message) -> dict:
    """The message as a plain object. Raises BadMessage if a field has the wrong type."""
    data = {"kind": message.kind, **_plain(message)}
    from_dict(data)
    return data


def from_dict(data: dict) -> Message:
    """The message of a plain object. Raises BadMessage unless kind, fields and types are right."""
    data = dict(data)
    kind = data.pop("kind", None)
    if kind not in MESSAGES:
        raise BadMessage(f"no message of kind {kind!r}")
    return _build(MESSAGES[kind], data, kind)


def javascript_table() -> str:
    """The text of web/engine/messages.js: for each kind its fields and their types."""
    lines = ["// Generated from py/onglet/engine/messages.py. Do not edit.", ""]
    for name, messages in (("REQUESTS", REQUESTS), ("REPLIES", REPLIES)):
        table = {message.kind: _javascript_fields(message) for message in messages}
        lines.append(f"export const {name} = Object.freeze({json.dumps(table, indent=2)});")
    return "\n".join(lines) + "\n"


def _plain(record) -> dict:
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: _plain(value) if is_dataclass(value) else value for name, value in values.items()}


def _build(record: type, data: dict, where: str):
    hints = get_type_hints(record)
    known = {field.name for field in fields(record)}
    required = {field.name for field in fields(record) if field.default is MISSING}
    if set(data) - known or required - set(data):
        raise BadMessage(f"{where}: has {sorted(data)}, should have {sorted(known)}")
    checked = {name: _value(hints[name], value, where, name) for name, value in data.items()}
    return record(**checked)


def _value(hint, value, where: str, name: str):
    """The value as its field wants it. A whole number may stand for a number, bytes for bytes."""
    accepted = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if is_dataclass(hint) and isinstance(value, dict):
        return _build(hint, value, f"{where}.{name}")
    if float in accepted and type(value) is int:
        return float(value)
    if bytes in accepted and isinstance(value, bytearray | memoryview):
        return bytes(value)
    if type(value) in accepted or (value is None and type(None) in accepted):
        return value
    raise BadMessage(f"{where}.{name}: {type(value).__name__} instead of {hint}")


def _javascript_fields(record: type) -> dict:
    hints = get_type_hints(record)
    return {field.name: _javascript_type(hints[field.name]) for field in fields(record)}


def _javascript_type(hint) -> str | dict:
    if is_dataclass(hint):
        return _javascript_fields(hint)
    accepted = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    optional = "?" if type(None) in accepted else ""
    return JAVASCRIPT_TYPES[accepted[0]] + optional
