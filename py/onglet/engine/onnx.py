"""Runs ONNX graphs with NumPy in and out, in a worker of their own (onnxruntime-web, WASM).

    session = await load("all-MiniLM-L6-v2")      # a graph of the site, or its bytes
    outputs = await session.run({"input_ids": ids, ...})
    await session.close()

Runs in the workshop; what a file holds is judged by `onnx_file.py` before anything opens it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onglet.browser import workbench
from onglet.browser.workbench import GraphFailed, Raw
from onglet.engine import onnx_file
from onglet.engine.errors import Refused

if TYPE_CHECKING:
    import numpy as np

# What onnxruntime-web carries between JavaScript and a graph: the names are NumPy's too.
TYPES = ("float32", "float64", "float16", "bool", "int8", "uint8", "int16", "uint16", "int32",
         "uint32", "int64", "uint64", "string")  # fmt: skip


@dataclass(frozen=True)
class Value:
    """An input or an output of a graph."""

    name: str
    type: str  # one of TYPES; "" when it is no tensor
    shape: tuple[int | str, ...]  # a text names a size that is free


@dataclass
class Session:
    """A graph that is open. It takes memory until `close`."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    _number: int
    _open: bool = True

    async def run(self, feeds: "dict[str, Any]") -> "dict[str, np.ndarray]":
        """Runs the graph once: arrays (or what NumPy makes one of) by the names of its inputs.

        An array gets the type of its input; texts are arrays of objects. Returns the outputs by
        name. Raises Refused: graph_input (`name`, `reason`), graph_failed (`reason`),
        graph_closed.
        """
        if not self._open:
            raise Refused("graph_closed")
        raw = {}
        for value in self.inputs:
            if value.name not in feeds:
                raise Refused("graph_input", name=value.name, reason="missing")
            raw[value.name] = to_raw(value, feeds[value.name])
        for name in feeds:
            if name not in raw:
                raise Refused("graph_input", name=name, reason="unknown")
        try:
            found = await workbench.run_graph(self._number, raw)
        except GraphFailed as failed:
            raise Refused("graph_failed", reason=str(failed)) from failed
        return {name: from_raw(tensor) for name, tensor in found.items()}

    async def close(self) -> None:
        """Gives its memory back. A second call does nothing."""
        if self._open:
            self._open = False
            await workbench.close_graph(self._number)


async def load(source: bytes | str) -> Session:
    """Opens a graph: the bytes of a file, or the name of one of the site's own graphs.

    Raises Refused: graph_unknown (`name`), graph_failed (`reason`), graph_type (`name`, `type`),
    or what `onnx_file.check` says.
    """
    await workbench.need_numpy()
    if isinstance(source, str) and source not in workbench.places()["graphs"]:
        raise Refused("graph_unknown", name=source)
    if not isinstance(source, str):
        onnx_file.check(source)
    given = {"name": source} if isinstance(source, str) else {"data": source}
    try:
        opened = await workbench.load_graph(**given)
    except GraphFailed as failed:
        raise Refused("graph_failed", reason=str(failed)) from failed
    values = {kind: tuple(described(each) for each in opened[kind]) for kind in IN_OUT}
    session = Session(**values, _number=opened["session"])
    for value in (*session.inputs, *session.outputs):
        if value.type not in TYPES:
            await session.close()
            raise Refused("graph_type", name=value.name, type=value.type or "?")
    return session


IN_OUT = ("inputs", "outputs")


def described(value: dict) -> Value:
    return Value(value["name"], value["type"], tuple(value["shape"]))


def to_raw(value: Value, given: Any) -> Raw:
    """What a graph's input takes, from what NumPy makes an array of. Raises Refused graph_input."""
    import numpy as np

    try:
        if value.type == "string":
            array = np.asarray(given, dtype=object)
            return Raw("string", array.shape, [str(text) for text in array.ravel()])
        array = np.ascontiguousarray(given, dtype=value.type)
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused("graph_input", name=value.name, reason="type") from error
    shape = np.shape(given)  # ascontiguousarray makes a list of one of a single number
    if len(shape) != len(value.shape) or any(
        isinstance(wanted, int) and wanted not in (-1, size)
        for wanted, size in zip(value.shape, shape, strict=True)
    ):
        raise Refused("graph_input", name=value.name, reason="shape")
    return Raw(value.type, shape, array.tobytes())


def from_raw(raw: Raw) -> "np.ndarray":
    import numpy as np

    if raw.type == "string":
        return np.array(raw.data, dtype=object).reshape(raw.shape)
    return np.frombuffer(raw.data, dtype=raw.type).reshape(raw.shape)
