"""Arrays for a graph's inputs from what a person typed or picked: numbers, one number for all,
`random`, a text, a picture, a CSV file. Sizes that the graph leaves free follow from what is given
and are 1 where nothing says. Knows no screen and no runtime.
"""

import csv
import io
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from onglet.engine.errors import Refused
from onglet.engine.onnx import Value

if TYPE_CHECKING:
    import numpy as np

MOST = 32 << 20  # values of one input
RANDOM = "random"
HIGHEST = 10  # random whole numbers are below
SEPARATOR = re.compile(r"[\s,;]+")
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures
COLOURS = (1, 3, 4)
PICTURE = 224  # pixels of a side, where the graph leaves it free

Pixels = Callable[[Any, int, int], Awaitable[bytes]]  # file, width, height -> RGBA
Cut = Callable[[str], Awaitable[list[int]]]  # a text -> tokens


@dataclass
class Given:
    """What an input gets: a text that was typed, or a file."""

    said: str = RANDOM
    file: Any = None  # a JavaScript `File`
    name: str = ""  # of the file

    @property
    def is_table(self) -> bool:
        return self.name.lower().endswith((".csv", ".tsv", ".txt"))


@dataclass
class Sizes:
    """The sizes that a graph leaves free, by name, as far as they are known."""

    known: dict[str, int] = field(default_factory=dict)

    def fit(self, value: Value, shape: tuple[int, ...]) -> None:
        """Learns the free sizes from an array's shape. Raises Refused graph_input."""
        if len(shape) != len(value.shape):
            raise refused(value, "shape")
        for wanted, size in zip(value.shape, shape, strict=True):
            expected = self.size(wanted)
            if expected not in (None, size):
                raise refused(value, "shape")
            if isinstance(wanted, str) and wanted:
                self.known[wanted] = size

    def size(self, wanted: int | str) -> int | None:
        """None: nothing is known."""
        if isinstance(wanted, int):
            return wanted if wanted >= 0 else None
        return self.known.get(wanted)

    def shape(self, value: Value, count: int | None = None) -> tuple[int, ...]:
        """The shape for `count` values (None: as many as it takes); what stays free is 1, the last
        free size takes the rest. Raises Refused graph_input."""
        sizes = [self.size(wanted) for wanted in value.shape]
        free = [place for place, size in enumerate(sizes) if size is None]
        shape = [1 if size is None else size for size in sizes]
        if count is not None:
            whole = product(shape)
            if free and whole and count % whole == 0:
                shape[free[-1]] = count // whole
            if product(shape) != count:
                raise refused(value, "count")
        if product(shape) > MOST:
            raise refused(value, "size")
        return tuple(shape)


def refused(value: Value, reason: str) -> Refused:
    return Refused("graph_input", name=value.name, reason=reason)


def product(sizes: list[int]) -> int:
    found = 1
    for size in sizes:
        found *= size
    return found


async def arrays(
    inputs: tuple[Value, ...], given: Mapping[str, Given], sizes: Sizes, pixels: Pixels, cut: Cut
) -> "dict[str, np.ndarray]":
    """An array for each input: first those that say how large they are, then the others."""
    found: dict[str, Any] = {}
    for later in (False, True):
        for value in inputs:
            one = given.get(value.name, Given())
            if fills(value, one) == later:
                found[value.name] = await array(value, one, sizes, pixels, cut)
                sizes.fit(value, found[value.name].shape)
    return {value.name: found[value.name] for value in inputs}


def fills(value: Value, one: Given) -> bool:
    """Whether what is given fits any size."""
    if one.file:
        return False
    said = one.said.strip()
    return said in ("", RANDOM) or len(numbers(said) or ()) == 1


async def array(value: Value, one: Given, sizes: Sizes, pixels: Pixels, cut: Cut) -> "np.ndarray":
    import numpy as np

    if one.file and one.is_table:
        return table(value, (await one.file.arrayBuffer()).to_bytes(), sizes)
    if one.file:
        return await picture(value, one.file, sizes, pixels)
    said = one.said.strip()
    if value.type == "string":
        return np.full(sizes.shape(value), said, dtype=object)
    if said in ("", RANDOM):
        return randomly(value, sizes.shape(value))
    typed = numbers(said)
    if typed is None and value.type.startswith(("int", "uint")):
        typed = await cut(said)
    if typed is None:
        raise refused(value, "text")
    shape = sizes.shape(value, None if len(typed) == 1 else len(typed))
    try:
        with np.errstate(invalid="raise"):  # no number is not a whole number
            array = np.array(typed).astype(value.type)
        return np.full(shape, array[0]) if len(typed) == 1 else array.reshape(shape)
    except (OverflowError, ValueError, FloatingPointError) as error:
        raise refused(value, "type") from error


def numbers(said: str) -> list[float] | None:
    """The numbers of a text; None when it is something else."""
    parts = [part for part in SEPARATOR.split(said.strip(" []()")) if part]
    try:
        return [float(part) if re.search(r"[.eEnN]", part) else int(part) for part in parts] or None
    except ValueError:
        return None


def randomly(value: Value, shape: tuple[int, ...]) -> "np.ndarray":
    import numpy as np

    source = np.random.default_rng(0)
    if value.type == "bool":
        return source.random(shape) < 0.5
    if value.type.startswith(("int", "uint")):
        return source.integers(0, HIGHEST, shape).astype(value.type)
    return source.random(shape).astype(value.type)


def table(value: Value, data: bytes, sizes: Sizes) -> "np.ndarray":
    """The numbers of a CSV file, row after row; a first line of names is left out."""
    import numpy as np

    text = data.decode("utf-8-sig", "replace")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if any(row)]
    if rows and numbers(" ".join(rows[0])) is None:
        rows = rows[1:]
    try:
        found = np.array([[float(cell) for cell in row] for row in rows])
    except ValueError as error:
        raise refused(value, "text") from error
    free = len(value.shape) == 2 and found.ndim == 2
    shape = found.shape if free else sizes.shape(value, found.size)
    return found.reshape(shape).astype(value.type)


async def picture(value: Value, file: Any, sizes: Sizes, pixels: Pixels) -> "np.ndarray":
    """A picture as (batch, colours, height, width) or with the colours last, or without a batch:
    whole numbers from 0 to 255, else as ImageNet's models want it (one colour: from 0 to 1)."""
    import numpy as np

    shape = [sizes.size(wanted) for wanted in value.shape]
    spot = shape[1:] if len(shape) == 4 else shape
    if len(spot) != 3:
        raise refused(value, "picture")
    last = spot[0] not in COLOURS and spot[2] in COLOURS
    colours, height, width = (spot[2], *spot[:2]) if last else spot
    colours, height, width = colours or 3, height or PICTURE, width or PICTURE
    if colours not in COLOURS or height * width * colours > MOST:
        raise refused(value, "picture")
    rgba = np.frombuffer(await pixels(file, width, height), np.uint8).reshape(height, width, 4)
    seen = rgba[:, :, :colours].astype(np.float32)
    if colours == 1:
        seen = rgba[:, :, :3].mean(axis=2, keepdims=True, dtype=np.float32)
    if value.type.startswith("float"):
        seen = seen / 255
        if colours == 3:
            seen = (seen - np.array(MEAN, np.float32)) / np.array(SPREAD, np.float32)
    seen = seen if last else seen.transpose(2, 0, 1)
    return np.ascontiguousarray(seen[None] if len(shape) == 4 else seen).astype(value.type)
