"""What a GGUF file holds, for people: its metadata, its tensors, their types, and where its
parameters lie. Every text is on one line and printable, but they are the file's own words.

Knows nothing of what runs (engine/prepare.py judges) nor of screens.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from onglet.engine.errors import Refused
from onglet.engine.gguf import SCALARS, STRING, Array, Header, Tensor, Text

LONGEST = 100  # characters of a text that are shown
ITEMS = 6  # of an array that are shown
LONGEST_TEMPLATE = 100_000  # characters
TEMPLATE = "tokenizer.chat_template"
BLOCK = re.compile(r"blk\.(\d{1,4})\.(.*)")
ATTENTION, FEED_FORWARD, OTHER = range(3)  # parts of a stretch
BEFORE, AFTER = "embedding", "output"  # stretches that are no layer


@dataclass(frozen=True)
class Kind:
    """The tensors of one quantisation type."""

    type: str
    tensors: int
    bytes: int


@dataclass(frozen=True)
class Stretch:
    """A layer (its number as text), or what lies BEFORE or AFTER them all."""

    name: str
    parameters: tuple[int, int, int]  # of ATTENTION, FEED_FORWARD, OTHER


@dataclass(frozen=True)
class Anatomy:
    key: str  # of the model on the shelf
    file_bytes: int
    version: int
    metadata: list[tuple[str, str]]
    kinds: list[Kind]  # the largest first
    tensors: list[Tensor]
    stretches: list[Stretch]  # in the order in which a token passes them
    template: str


def anatomy(key: str, header: Header) -> Anatomy:
    metadata = [(plain(key), shown(header, value)) for key, value in header.metadata.items()]
    tensors = list(header.tensors.values())
    return Anatomy(
        key,
        header.file_bytes,
        header.version,
        [row for row in metadata if row[0] != TEMPLATE],
        kinds(tensors),
        tensors,
        stretches(tensors),
        template(header),
    )


def kinds(tensors: list[Tensor]) -> list[Kind]:
    counts, sizes = Counter(), Counter()
    for tensor in tensors:
        counts[tensor.type] += 1
        sizes[tensor.type] += tensor.bytes
    return [Kind(kind, counts[kind], size) for kind, size in sizes.most_common()]


def stretches(tensors: list[Tensor]) -> list[Stretch]:
    """Where the parameters lie, by the names that converters give."""
    found: dict[str, list[int]] = {}
    for tensor in tensors:
        block = BLOCK.fullmatch(tensor.name)
        after = tensor.name.startswith("output")
        stretch = str(int(block[1])) if block else AFTER if after else BEFORE
        named = block[2] if block else ""
        part = ATTENTION if named.startswith("attn") else OTHER
        part = FEED_FORWARD if named.startswith("ffn") else part
        found.setdefault(stretch, [0, 0, 0])[part] += tensor.rows * tensor.columns
    layers = sorted((name for name in found if name.isdigit()), key=int)
    ordered = [name for name in (BEFORE, *layers, AFTER) if name in found]
    return [Stretch(name, tuple(found[name])) for name in ordered]


def template(header: Header) -> str:
    """The chat template as it stands in the file, '' if there is none."""
    value = header.metadata.get(TEMPLATE)
    if not isinstance(value, Text):
        return ""
    return _text(header, value, LONGEST_TEMPLATE)


def shown(header: Header, value: object) -> str:
    """A value of the metadata, shortened."""
    if isinstance(value, Text):
        return short(_text(header, value, LONGEST + 1))
    if isinstance(value, Array):
        items = ", ".join(itertools.islice(_items(header, value), ITEMS))
        return f"[{items}{', ...' if value.count > ITEMS else ''}] ({value.count:,})"
    return str(value)


def short(text: str) -> str:
    """One line, in quotation marks, that no terminal obeys."""
    return plain(json.dumps(text[:LONGEST], ensure_ascii=False)) + (
        "..." if len(text) > LONGEST else ""
    )


def plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _text(header: Header, value: Text, characters: int) -> str:
    most = min(value.length, 4 * characters)  # bytes of a character
    return str(header.data[value.offset :][:most], "utf-8", "replace")[:characters]


def _items(header: Header, array: Array) -> Iterator[str]:
    """The first items of an array."""
    count = min(array.count, ITEMS)
    if array.type == STRING:
        try:
            return map(short, header.strings(array, range(count), header.file_bytes).values())
        except Refused:
            return iter(["no text"])
    layout = SCALARS[array.type]
    numbers = layout.iter_unpack(header.data[array.offset :][: count * layout.size])
    return (str(number) for (number,) in numbers)
