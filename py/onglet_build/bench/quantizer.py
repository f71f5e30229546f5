"""llama.cpp's own quantizer, out of the wheel that also runs as the native peer.

The wheel has no tool that requantises a file, but its library exports the function that such a
tool calls, whose signature has not changed in years. It is called in a process of its own: the
library's threads race with the end of a Python process, which now and then crashes.
Knows nothing of files.
"""

import atexit
import ctypes
import os
import struct
import subprocess
import sys
from ctypes import c_int, c_int64, c_size_t, c_void_p
from functools import cache
from pathlib import Path

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from .. import vendor

REQUEST = struct.Struct("<iqqq")  # type, rows, columns, bytes of the answer


class NoQuantizer(Exception):
    """The wheel with llama.cpp is not made for this machine."""


def quantize(rows: numpy.ndarray, kind: GGMLQuantizationType) -> numpy.ndarray:
    """float32 (rows, columns) -> bytes (rows, bytes of a row), as llama.cpp stores them.

    Raises NoQuantizer, and ValueError for columns that the type cannot hold.
    """
    count, columns = rows.shape
    block, block_bytes = GGML_QUANT_SIZES[kind]
    if columns % block:
        raise ValueError(f"rows of {columns} columns do not go into {kind.name}")
    row_bytes = columns // block * block_bytes
    process = start()
    process.stdin.write(REQUEST.pack(kind.value, count, columns, count * row_bytes))
    process.stdin.write(numpy.ascontiguousarray(rows, numpy.float32).data)
    process.stdin.flush()
    stored = process.stdout.read(count * row_bytes)
    if len(stored) != count * row_bytes:
        raise NoQuantizer(f"llama.cpp's library gave up on {kind.name}")
    return numpy.frombuffer(stored, numpy.uint8).reshape(count, row_bytes)


@cache
def start() -> subprocess.Popen:
    """The process that quantises, started once. Raises NoQuantizer."""
    package = vendor.package("xllamacpp")
    library = next(package.folder.glob("xllamacpp/*.so"))
    command = [sys.executable, "-m", __name__, str(library)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    folder = Path(__file__).parents[2]
    process = subprocess.Popen(command, cwd=folder, **pipes)
    atexit.register(process.communicate)
    if process.stdout.read(1) != b"+":
        raise NoQuantizer(f"{package.label} does not run on {sys.platform}")
    return process


def serve(library: str) -> None:
    """Answers requests on standard input with bytes on standard output, until there are no more."""
    quantize_chunk = ctypes.CDLL(library).ggml_quantize_chunk
    quantize_chunk.restype = c_size_t
    quantize_chunk.argtypes = [c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p]
    sys.stdout.buffer.write(b"+")
    sys.stdout.buffer.flush()
    while request := sys.stdin.buffer.read(REQUEST.size):
        kind, rows, columns, size = REQUEST.unpack(request)
        values = numpy.frombuffer(sys.stdin.buffer.read(4 * rows * columns), numpy.float32)
        stored = numpy.empty(size, numpy.uint8)
        quantize_chunk(kind, values.ctypes.data, stored.ctypes.data, 0, rows, columns, None)
        sys.stdout.buffer.write(stored.data)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
    os._exit(0)
