"""Reads the header of a GGUF file (versions 2 and 3) from its first bytes; trusts none of them.

Every count, length and offset is compared with the bytes that are there, in exact integers. Strings
are walked, not decoded, until somebody asks. Raises Incomplete or Refused, nothing else.
Knows nothing of architectures or tokenizers. Source of the format: ggml/docs/gguf.md.
"""

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from onglet.engine.errors import Incomplete, Refused
from onglet.engine.plan import Weight

MAGIC = b"GGUF"
VERSIONS = (2, 3)
HEADER_LIMIT = 64 << 20  # bytes; the largest real vocabularies need 10 to 20 MB
METADATA_LIMIT = 16_384
TENSOR_LIMIT = 32_768
NAME_LIMIT = 256  # bytes
DIMENSIONS_LIMIT = 4

U32, U64 = struct.Struct("<I"), struct.Struct("<Q")
BOOL, STRING, ARRAY = 7, 8, 9
SCALARS = {  # number in the file -> layout
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: U32,
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    BOOL: struct.Struct("<B"),
    10: U64,
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
INT32, FLOAT32 = 5, 6

TENSOR_TYPES = {  # number in the file -> name, values a block, bytes a block
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}

CONTROL_BYTES = {*range(32), 127} - set(b"\t\n\f\r")  # no text holds these

REQUIRED = object()


@dataclass(frozen=True)
class Text:
    """A string that still lies in the header."""

    offset: int
    length: int


@dataclass(frozen=True)
class Array:
    """An array that still lies in the header; `offset` is its first element in the file."""

    type: int
    count: int
    offset: int
    end: int


@dataclass(frozen=True)
class Tensor:
    name: str
    type: str
    rows: int
    columns: int
    source: int  # byte offset in the file
    bytes: int

    def part(self, first: int, rows: int) -> "Tensor":
        """Rows first .. first + rows as a tensor of its own."""
        each = self.bytes // self.rows
        source = self.source + first * each
        return Tensor(f"{self.name}:{first}", self.type, rows, self.columns, source, rows * each)

    def weight(self) -> Weight:
        return Weight(self.type, (self.rows, self.columns))


@dataclass(frozen=True)
class Header:
    data: memoryview
    version: int
    metadata: dict[str, object]  # int, float, bool, Text or Array
    tensors: dict[str, Tensor]
    file_bytes: int

    def integer(self, key: str, low: int, high: int, default=REQUIRED) -> int:
        """A whole number within [low, high], or the default None. Raises Refused otherwise."""
        value = self._value(key, default)
        if value is not None and (type(value) is not int or not low <= value <= high):
            raise Refused("broken_header", where=key)
        return value

    def number(self, key: str, low: float, high: float, default=REQUIRED) -> float:
        """A finite number within [low, high]. Raises Refused if it is something else."""
        value = self._value(key, default)
        if value is not None and (type(value) not in (int, float) or not low <= value <= high):
            raise Refused("broken_header", where=key)
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self._value(key, default)
        if type(value) is not bool:
            raise Refused("broken_header", where=key)
        return value

    def text(self, key: str, limit: int, default=REQUIRED) -> str:
        """A string of at most `limit` bytes. Raises Refused if it is something else."""
        value = self._value(key, default)
        if value is default:
            return default
        if type(value) is not Text or value.length > limit:
            raise Refused("broken_header", where=key)
        return self._decoded(value.offset, value.length, key)

    def array(self, key: str, element: int, default=REQUIRED) -> Array:
        """An array whose elements have the type number `element`."""
        value = self._value(key, default)
        if value is not default and (type(value) is not Array or value.type != element):
            raise Refused("broken_header", where=key)
        return value

    def integers(self, array: Array) -> tuple[int, ...]:
        """The elements of an array of 32-bit integers."""
        return struct.unpack_from(f"<{array.count}i", self.data, array.offset)

    def strings(self, array: Array, wanted: Iterable[int], limit: int) -> dict[int, str]:
        """The strings at the positions `wanted` of an array, each of at most `limit` bytes."""
        left, found, position = sorted(wanted, reverse=True), {}, array.offset
        for index in range(array.count):
            if not left:
                break
            (length,) = U64.unpack_from(self.data, position)
            if index == left[-1]:
                if length > limit:
                    raise Refused("broken_header", where=f"string {index}")
                found[left.pop()] = self._decoded(position + 8, length, f"string {index}")
            position += 8 + length
        return found

    def tensor(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise Refused("missing_tensor", tensor=name)
        return self.tensors[name]

    def _value(self, key: str, default):
        value = self.metadata.get(key, default)
        if value is REQUIRED:
            raise Refused("broken_header", where=key)
        return value

    def _decoded(self, offset: int, length: int, where: str) -> str:
        try:
            return str(self.data[offset : offset + length], "utf-8")
        except UnicodeDecodeError:
            raise Refused("broken_header", where=where) from None


def read_header(data: bytes, file_bytes: int) -> Header:
    """The header of the file that starts with `data` and is `file_bytes` long in all."""
    view = memoryview(data)[:file_bytes]
    _check_kind(view, file_bytes)
    cursor = _Cursor(view, file_bytes)
    version = cursor.u32()
    if version not in VERSIONS:
        raise Refused("gguf_version", version=version)
    tensor_count = cursor.count(TENSOR_LIMIT, 8 + 4 + 8 + 4 + 8, "tensor count")
    metadata_count = cursor.count(METADATA_LIMIT, 8 + 4 + 1, "metadata count")
    metadata = _read_metadata(cursor, metadata_count)
    described = _read_tensors(cursor, tensor_count)
    tensors = _place(described, _data_offset(cursor.position, metadata), file_bytes)
    return Header(view, version, metadata, tensors, file_bytes)


def looks_like(data: bytes) -> str:
    """What a file is that is no GGUF: "zip", "html", "text" or "unknown"."""
    start = bytes(data[:1024])
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return "zip"
    lead = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if lead.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<!--")):
        return "html"
    if set(start) & CONTROL_BYTES:
        return "unknown"
    text = start.decode("utf-8", "ignore")
    return "text" if len(text.encode()) >= len(start) - 3 else "unknown"


class _Cursor:
    """A place in the header that only moves over bytes that are there."""

    def __init__(self, data: memoryview, file_bytes: int):
        self.data = data
        self.file_bytes = file_bytes
        self.position = len(MAGIC)

    def take(self, size: int) -> int:
        """Moves over `size` bytes and gives where they start."""
        start, self.position = self.position, self.position + size
        if self.position > len(self.data):
            self.missing(self.position)
        return start

    def missing(self, need: int) -> None:
        """The header needs `need` bytes: either they are still to come, or they never will."""
        if need > self.file_bytes:
            raise Refused("truncated", have=self.file_bytes, need=need)
        if need > HEADER_LIMIT:
            raise Refused("too_big", need=need, limit=HEADER_LIMIT)
        raise Incomplete(min(self.file_bytes, HEADER_LIMIT, max(need, 2 * len(self.data))))

    def u32(self) -> int:
        return U32.unpack_from(self.data, self.take(4))[0]

    def u64(self) -> int:
        return U64.unpack_from(self.data, self.take(8))[0]

    def count(self, limit: int, each: int, where: str) -> int:
        """A number of things of at least `each` bytes that follow."""
        count = self.u64()
        if count > limit:
            raise Refused("broken_header", where=where)
        if self.position + count * each > self.file_bytes:
            self.missing(self.position + count * each)
        return count

    def text(self, where: str) -> Text:
        length = self.u64()
        if length > HEADER_LIMIT:
            raise Refused("broken_header", where=where)
        return Text(self.take(length), length)

    def name(self, where: str) -> str:
        text = self.text(where)
        if not 0 < text.length <= NAME_LIMIT:
            raise Refused("broken_header", where=where)
        try:
            return str(self.data[text.offset : text.offset + text.length], "utf-8")
        except UnicodeDecodeError:
            raise Refused("broken_header", where=where) from None

    def scalar(self, kind: int, where: str):
        layout = SCALARS[kind]
        (value,) = layout.unpack_from(self.data, self.take(layout.size))
        if kind != BOOL:
            return value
        if value > 1:
            raise Refused("broken_header", where=where)
        return bool(value)

    def array(self, where: str) -> Array:
        """An array of scalars or strings. Arrays of arrays are allowed by nobody's reader."""
        kind = self.u32()
        if kind not in SCALARS and kind != STRING:
            raise Refused("broken_header", where=where)
        each = 8 if kind == STRING else SCALARS[kind].size
        count = self.count(HEADER_LIMIT // each, each, where)
        start = self.position
        if kind == STRING:
            self._walk_strings(count, where)
        else:
            self.take(count * each)
        return Array(kind, count, start, self.position)

    def _walk_strings(self, count: int, where: str) -> None:
        """The hot loop: 100,000 strings in a usual header."""
        data, position, length_at = self.data, self.position, U64.unpack_from
        try:
            for _ in range(count):
                position += 8 + length_at(data, position)[0]
        except (struct.error, OverflowError):  # beyond the bytes that are here, or beyond all
            position += 8
        if position > HEADER_LIMIT:
            raise Refused("broken_header", where=where)
        self.take(position - self.position)


def _check_kind(data: memoryview, file_bytes: int) -> None:
    if file_bytes == 0:
        raise Refused("empty_file")
    if len(data) < len(MAGIC) and file_bytes > len(data):
        raise Incomplete(min(file_bytes, 1024))
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise Refused("not_gguf", looks_like=looks_like(data))


def _read_metadata(cursor: _Cursor, count: int) -> dict[str, object]:
    metadata = {}
    for index in range(count):
        key = cursor.name(f"metadata {index}")
        if key in metadata:
            raise Refused("broken_header", where=key)
        metadata[key] = _read_value(cursor, key)
    return metadata


def _read_value(cursor: _Cursor, key: str):
    kind = cursor.u32()
    if kind == STRING:
        return cursor.text(key)
    if kind == ARRAY:
        return cursor.array(key)
    if kind not in SCALARS:
        raise Refused("broken_header", where=key)
    return cursor.scalar(kind, key)


def _read_tensors(cursor: _Cursor, count: int) -> list[Tensor]:
    """The tensors as described; `source` still counts from the start of the data."""
    tensors, names = [], set()
    for index in range(count):
        name = cursor.name(f"tensor {index}")
        if name in names:
            raise Refused("broken_header", where=name)
        names.add(name)
        tensors.append(_read_tensor(cursor, name))
    return tensors


def _read_tensor(cursor: _Cursor, name: str) -> Tensor:
    dimensions = cursor.u32()
    if not 1 <= dimensions <= DIMENSIONS_LIMIT:
        raise Refused("broken_header", where=name)
    columns, *others = [cursor.u64() for _ in range(dimensions)]
    number, offset = cursor.u32(), cursor.u64()
    if number not in TENSOR_TYPES:
        raise Refused("unknown_type", type=str(number), tensor=name)
    kind, block, block_bytes = TENSOR_TYPES[number]
    rows = math.prod(others)
    if columns == 0 or rows == 0 or columns % block:
        raise Refused("broken_header", where=name)
    return Tensor(name, kind, rows, columns, offset, rows * columns // block * block_bytes)


def _data_offset(header_end: int, metadata: dict) -> tuple[int, int]:
    """Where the tensors begin, and the alignment of each."""
    alignment = metadata.get("general.alignment", 32)
    sound = type(alignment) is int and 8 <= alignment <= 65_536 and alignment.bit_count() == 1
    if not sound:
        raise Refused("broken_header", where="general.alignment")
    return _aligned(header_end, alignment), alignment


def _place(described: list[Tensor], data: tuple[int, int], file_bytes: int) -> dict[str, Tensor]:
    """The tensors at their places in the file: one after the other, no overlap, no gap, no rest."""
    (start, alignment), placed, position = data, {}, 0
    for tensor in sorted(described, key=lambda tensor: tensor.source):
        if tensor.source != position:
            raise Refused("broken_header", where=tensor.name)
        position = _aligned(tensor.source + tensor.bytes, alignment)
        placed[tensor.name] = Tensor(
            tensor.name,
            tensor.type,
            tensor.rows,
            tensor.columns,
            start + tensor.source,
            tensor.bytes,
        )
        end = start + tensor.source + tensor.bytes
    if not placed:
        raise Refused("broken_header", where="tensor count")
    if end > file_bytes:
        raise Refused("truncated", have=file_bytes, need=end)
    if file_bytes > start + position:
        raise Refused("broken_header", where="end of file")
    return placed


def _aligned(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment
