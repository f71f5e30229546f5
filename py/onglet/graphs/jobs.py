"""The jobs of the workshop for a graph that a person opened: open it, give it files, run it.
One graph is open at a time. Arguments and values are those of docs/protocols.md section 13."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from onglet.browser import workbench
from onglet.engine import onnx, onnx_file
from onglet.engine.errors import Refused
from onglet.graphs.outputs import shown
from onglet.graphs.picture import picture
from onglet.graphs.values import Given, Sizes, arrays

_session: onnx.Session | None = None
_files: dict[str, tuple[Any, str]] = {}  # input -> file, its name


async def open_graph(file: Any, tell: Callable[[str], None]) -> dict:
    """Reads and opens a file; what was open is closed."""
    global _session
    await close_graph(None, tell)
    data = await workbench.read_file(file)
    summary = onnx_file.check(data)
    _session = await onnx.load(data)
    names = [[value.name for value in values] for values in (_session.inputs, _session.outputs)]
    return {
        "inputs": [described(value) for value in _session.inputs],
        "outputs": [described(value) for value in _session.outputs],
        "producer": summary.producer,
        "opsets": sorted(summary.opsets.items()),
        "nodes": summary.operators.total(),
        "weights": summary.weights,
        "operators": summary.operators.most_common(),
        "picture": picture(names[0], summary.nodes, names[1]),
    }


async def close_graph(file: Any, tell: Callable[[str], None]) -> None:
    """Gives its memory back."""
    global _session
    _files.clear()
    if _session:
        session, _session = _session, None
        await session.close()


async def give_graph(file: Any, tell: Callable[[str], None], input: str, name: str) -> None:
    """Lets an input take a picture or a table."""
    _files[input] = (file, name)


async def run_graph(
    file: Any, tell: Callable[[str], None], said: dict[str, str], files: list[str], times: int
) -> dict:
    """Runs it on what was typed (`said`, by input) and on the files that `files` (inputs) were
    given: {"shapes": {input: shape}, "outputs": [...], "milliseconds": the median of `times`}."""
    if _session is None or not set(files) <= set(_files):
        raise Refused("graph_closed")
    given = {name: Given(text) for name, text in said.items()}
    given |= {name: Given("", *_files[name]) for name in files}
    try:
        feeds = await arrays(_session.inputs, given, Sizes(), workbench.pixels, workbench.tokens)
    except OSError as error:
        raise Refused("graph_input", name=", ".join(files), reason="picture") from error
    found, lasted = {}, []
    for _ in range(times):
        begin = time.perf_counter()
        found = await _session.run(feeds)
        lasted.append(1000 * (time.perf_counter() - begin))
    return {
        "shapes": {name: list(array.shape) for name, array in feeds.items()},
        "outputs": [shown(name, array) for name, array in found.items()],
        "milliseconds": statistics.median(lasted),
    }


def described(value: onnx.Value) -> dict:
    return {"name": value.name, "type": value.type, "shape": list(value.shape)}
