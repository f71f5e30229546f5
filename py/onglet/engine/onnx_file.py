"""Reads what an ONNX file says of itself and trusts none of it: every length is checked against
the bytes that are there. Nothing is computed; weights are not read.

The fields are those of onnx.proto (ModelProto, GraphProto, NodeProto, TensorProto); the encoding is
that of Protocol Buffers. Knows nothing of how a graph is run.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from onglet.engine.errors import Refused

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MOST_BYTES = 1 << 30
MOST_NODES = 200_000
MOST_DEPTH = 8  # of graphs inside graphs
LONGEST_NAME = 4096  # bytes
# Of ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, FunctionProto
OPSETS, GRAPH, FUNCTIONS = 8, 7, 25
NODES, INITIALIZERS, INPUTS, OUTPUTS, SPARSE = 1, 5, 11, 12, 15
NODE_INPUT, NODE_OUTPUT, NODE_NAME, OPERATOR, ATTRIBUTES, DOMAIN = 1, 2, 3, 4, 5, 7
ONE_TENSOR, ONE_GRAPH, TENSORS, GRAPHS = 5, 6, 10, 11
EXTERNAL_DATA, DATA_LOCATION = 13, 14
EXTERNAL = 1
FUNCTION_NODES = 7


@dataclass(frozen=True)
class Node:
    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass
class Summary:
    """What a file holds."""

    ir_version: int = 0
    producer: str = ""
    opsets: dict[str, int] = field(default_factory=dict)  # domain -> version
    nodes: list[Node] = field(default_factory=list)  # of the outermost graph, in their order
    operators: Counter[str] = field(default_factory=Counter)  # functions and inner graphs too
    weights: int = 0
    external: list[str] = field(default_factory=list)  # where weights outside the file would lie


def check(data: bytes | memoryview) -> Summary:
    """Reads a file's summary.

    Raises Refused: empty_file, graph_too_big, not_onnx, broken_onnx (`where`), or graph_external
    (`where`): weights in other files are taken from nowhere.
    """
    if not data:
        raise Refused("empty_file")
    if len(data) > MOST_BYTES:
        raise Refused("graph_too_big", need=len(data), limit=MOST_BYTES)
    summary = read(memoryview(data))
    if summary.external:
        raise Refused("graph_external", where=summary.external[0])
    return summary


def read(data: memoryview) -> Summary:
    """The summary of a file, external data and all. Raises Refused not_onnx or broken_onnx."""
    summary = Summary()
    seen_graph = False
    try:
        for number, value in fields(data):
            if number == 1 and isinstance(value, int):
                summary.ir_version = value
            elif number == 2:
                summary.producer = text(value)
            elif number == OPSETS:
                entry = dict(fields(value))
                summary.opsets[text(entry.get(1, memoryview(b"")))] = int(entry.get(2, 0))
            elif number == GRAPH:
                seen_graph = True
                read_graph(value, summary, summary.nodes, 0)
            elif number == FUNCTIONS:
                for inner, node in fields(value):
                    if inner == FUNCTION_NODES:
                        read_node(node, summary, [], 1)
    except (TypeError, AttributeError) as error:  # a number where a text should be
        raise Refused("broken_onnx", where="field") from error
    except Refused:
        if not summary.ir_version:
            raise Refused("not_onnx") from None
        raise
    if not seen_graph or not summary.opsets:
        raise Refused("not_onnx")
    return summary


def read_graph(data: memoryview, summary: Summary, nodes: list[Node], depth: int) -> None:
    if depth > MOST_DEPTH:
        raise Refused("broken_onnx", where="depth")
    for number, value in fields(data):
        if number == NODES:
            read_node(value, summary, nodes, depth)
        elif number == INITIALIZERS:
            read_tensor(value, summary)
        elif number == SPARSE:
            for inner, tensor in fields(value):
                if inner in (1, 2):
                    read_tensor(tensor, summary)


def read_node(data: memoryview, summary: Summary, nodes: list[Node], depth: int) -> None:
    operator, domain, inputs, outputs = "", "", [], []
    for number, value in fields(data):
        if number == OPERATOR:
            operator = text(value)
        elif number == DOMAIN:
            domain = text(value)
        elif number == NODE_INPUT:
            inputs.append(text(value))
        elif number == NODE_OUTPUT:
            outputs.append(text(value))
        elif number == ATTRIBUTES:
            read_attribute(value, summary, depth)
    summary.operators[f"{domain}.{operator}".lstrip(".")] += 1
    if summary.operators.total() > MOST_NODES:
        raise Refused("broken_onnx", where="nodes")
    nodes.append(Node(operator, domain, tuple(inputs), tuple(outputs)))


def read_attribute(data: memoryview, summary: Summary, depth: int) -> None:
    for number, value in fields(data):
        if number in (ONE_TENSOR, TENSORS):
            read_tensor(value, summary)
        elif number in (ONE_GRAPH, GRAPHS):
            read_graph(value, summary, [], depth + 1)


def read_tensor(data: memoryview, summary: Summary) -> None:
    summary.weights += 1
    outside, where = False, ""
    for number, value in fields(data):
        if number == DATA_LOCATION:
            outside = outside or value == EXTERNAL
        elif number == EXTERNAL_DATA:
            entry = dict(fields(value))
            outside = True
            if text(entry.get(1, memoryview(b""))) == "location":
                where = text(entry.get(2, memoryview(b"")))
    if outside:
        summary.external.append(where or "?")


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields (number, value) of each field: an int, or the bytes of a text or message."""
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = varint(data, place)
            yield number, value
            continue
        if kind == BYTES:
            size, place = varint(data, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise Refused("broken_onnx", where="kind")
        if number == 0 or size > len(data) - place:
            raise Refused("broken_onnx", where="length")
        yield number, data[place : place + size]
        place += size


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise Refused("broken_onnx", where="end")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise Refused("broken_onnx", where="number")


def text(data: int | memoryview) -> str:
    if isinstance(data, int) or len(data) > LONGEST_NAME:
        raise Refused("broken_onnx", where="name")
    return bytes(data).decode("utf-8", "replace")
