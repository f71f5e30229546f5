"""What Python in the workshop may use of the browser: the file it was handed, NumPy, and the
workers that run graphs and the encoder (web/workshop/worker.js). Knows no graph and no document.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from onglet.browser.bridge import plain


class GraphFailed(Exception):
    """onnxruntime refused a graph or a run; the text is its reason, for programs."""


class EncoderFailed(Exception):
    """The encoder could not be opened, or died: a code and its values."""

    def __init__(self, code: str, values: dict):
        super().__init__(code)
        self.code, self.values = code, values


@dataclass(frozen=True)
class Raw:
    """A tensor as bytes (or texts), as it travels between the workers."""

    type: str  # float32, int64, bool, string, ...
    shape: tuple[int, ...]
    data: bytes | list[str]


def places() -> dict:
    """Where the site's parts lie (web/workshop/worker.js, Places)."""
    return json.loads(_workbench().places())


async def read_site(path: str) -> bytes:
    """Reads a file of this site. Raises OSError when the host does not give it."""
    from pyodide.ffi import JsException

    try:
        return (await _workbench().bytesOf(path)).to_bytes()
    except JsException as error:
        raise OSError(str(error)) from error


async def read_file(file: Any) -> bytes:
    """The bytes of a file that the person picked (a JavaScript `File`)."""
    return (await file.arrayBuffer()).to_bytes()


async def pixels(file: Any, width: int, height: int) -> bytes:
    """A picture (a JavaScript `File`) drawn into that size: RGBA, row after row.

    Raises OSError when the browser knows no such picture.
    """
    from pyodide.ffi import JsException

    try:
        return (await _workbench().pixels(file, width, height)).to_bytes()
    except JsException as error:
        raise OSError(str(error)) from error


async def picture(data: bytes, longest: int) -> tuple[int, int, bytes]:
    """A picture's width and height, at most `longest`, and its pixels on white: RGBA, row by row.

    Raises OSError when the browser knows no such picture.
    """
    from pyodide.ffi import JsException, to_js

    try:
        found = await _workbench().picture(to_js(data), longest)
    except JsException as error:
        raise OSError(str(error)) from error
    return found.width, found.height, found.data.to_bytes()


class Pdfium:
    """PDFium's functions in C, with a memory of their own, which is given back with them."""

    def __init__(self, made: Any):
        self._functions, self._view = made.functions, made.view

    def call(self, name: str, *numbers: int) -> int:
        """Calls a function: numbers and addresses in, one out, without a sign."""
        return int(getattr(self._functions, name)(*numbers) or 0) & 0xFFFFFFFF

    def put(self, data: bytes) -> int:
        """The address of a copy, which stays."""
        address = self.call("malloc", max(1, len(data)))
        if not address:
            raise MemoryError
        self._view(address, len(data)).assign(data)
        return address

    def get(self, address: int, size: int) -> bytes:
        return self._view(address, size).to_bytes()

    @contextmanager
    def room(self, size: int) -> Iterator[int]:
        """The address of so many bytes, for a while."""
        address = self.put(bytes(size))
        try:
            yield address
        finally:
            self.call("free", address)


async def pdfium() -> Pdfium:
    """Loads PDFium anew: what a file broke there is not met by the next."""
    return Pdfium(await _workbench().pdfium())


async def need_files(group: str) -> None:
    """Has the page keep a group of the site's files for use without a network."""
    await _workbench().need(group)


async def need_numpy() -> None:
    """Makes `import numpy` possible; the first call unpacks it."""
    await _workbench().numpy()


async def encode(texts: list[str], told: Callable[[int], None]) -> bytes:
    """Their vectors by the site's encoder, one after the other: signed bytes, a length of 1 is 127.
    `told` hears how many are done, now and then. Raises EncoderFailed."""
    from pyodide.ffi import create_proxy

    listener = create_proxy(told)
    try:
        return _given(await _workbench().encode(json.dumps(texts), listener)).to_bytes()
    finally:
        listener.destroy()


async def tokens(text: str) -> list[int]:
    """A text as the site's encoder reads it, cut to what it takes. Raises EncoderFailed."""
    return _given(await _workbench().tokens(text)).to_py()


def _given(answer: Any) -> Any:
    if getattr(answer, "error", None):
        raise EncoderFailed(answer.error.code, answer.error.values.to_py())
    return answer.value


async def load_graph(*, name: str | None = None, data: bytes | None = None) -> dict:
    """Opens a graph of the site's table by name, or one from bytes.

    Returns {"session": number, "inputs": [{"name", "type", "shape"}], "outputs": [...]}.
    """
    return plain(await _ask({"kind": "load", "name": name, "bytes": data}))


async def run_graph(session: int, feeds: dict[str, Raw]) -> dict[str, Raw]:
    """One run of an open graph. Raises GraphFailed."""
    tensors = {
        name: {"type": raw.type, "shape": list(raw.shape), "data": raw.data}
        for name, raw in feeds.items()
    }
    found = await _ask({"kind": "run", "session": session, "feeds": tensors})
    return {name: taken(tensor) for name, tensor in found.as_object_map().items()}


async def close_graph(session: int) -> None:
    await _ask({"kind": "close", "session": session})


def taken(tensor: Any) -> Raw:
    data = tensor.data
    texts = tensor.type == "string"
    return Raw(tensor.type, tuple(tensor.shape), data.to_py() if texts else data.to_bytes())


async def _ask(message: dict) -> Any:
    """Asks the graph worker; bytes are copied once, into buffers that are then given away."""
    from js import Array, Object
    from pyodide.ffi import to_js

    given = Array.new()

    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            return Object.fromEntries(to_js([[key, convert(item)] for key, item in value.items()]))
        if isinstance(value, (bytes, memoryview)):
            buffer = to_js(value).buffer
            given.push(buffer)
            return buffer
        return to_js(value)

    answer = await _workbench().graph(convert(message), given)
    if getattr(answer, "error", None):
        raise GraphFailed(answer.error.values.reason)
    return getattr(answer, "value", None)


def _workbench() -> Any:
    import js

    return js.self.workbench
