"""Where the kernels run in tests: WASM builds under wasmtime, native ones under sanitizers.

Each machine is a linear memory with `write`, `read` and `call`; `Engine` loads a model into one and
steps it, as web/engine does in the browser. Knows no expected values.
"""

import ctypes
import struct
import subprocess
import threading
from functools import cache
from pathlib import Path

import numpy
import wasmtime
import wasmtime._ffi

from onglet_build import kernels


class SharedMemory(wasmtime.SharedMemory):
    def _as_extern(self):
        """wasmtime 50.0.1 passes a pointer to the pointer here, which ctypes refuses."""
        union = wasmtime._ffi.wasmtime_extern_union(sharedmemory=self.ptr())
        return wasmtime._ffi.wasmtime_extern_t(wasmtime._ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)


class Wasm:
    """A WASM build under wasmtime; each thread has its own instance, as in a browser."""

    def __init__(self, variant: str, folder: Path):
        config = wasmtime.Config()
        config.wasm_threads = True
        config.shared_memory = True
        config.wasm_relaxed_simd = True
        self.engine = wasmtime.Engine(config)
        self.module = wasmtime.Module.from_file(
            self.engine, str(folder / f"kernels-{variant}.wasm")
        )
        self.exports = None
        self.workers = []

    def new_memory(self, program) -> None:
        self.close()
        pages = program.memory_bytes // 65536
        kind = wasmtime.MemoryType(wasmtime.Limits(pages, 65535), shared=True)
        self.memory = SharedMemory(self.engine, kind)
        self.base = ctypes.cast(self.memory.data_ptr(), ctypes.c_void_p).value
        self.program = program
        self.store, self.exports = self._instance(0)

    def _instance(self, thread: int):
        store = wasmtime.Store(self.engine)
        linker = wasmtime.Linker(self.engine)
        linker.define(store, "env", "memory", self.memory)
        exports = linker.instantiate(store, self.module).exports(store)
        fields = self.program.fields
        top = fields["stacks"] + (thread + 1) * fields["stack_bytes"]
        exports["__stack_pointer"].set_value(store, wasmtime.Val.i32(_signed(top)))
        return store, exports

    def write(self, address: int, data: bytes) -> None:
        assert address >= 0 and address + len(data) <= self.program.memory_bytes
        ctypes.memmove(self.base + address, bytes(data), len(data))

    def read(self, address: int, size: int) -> bytes:
        assert address >= 0 and address + size <= self.program.memory_bytes
        return ctypes.string_at(self.base + address, size)

    def open(self, address: int, size: int) -> None:
        """Only the sanitizers care which places may be touched."""

    def call(self, name: str, *numbers: int) -> int:
        return self.exports[name](
            self.store, self.program.words_address, *(_signed(number) for number in numbers)
        )

    def start_workers(self, threads: int) -> None:
        for thread in range(1, threads):
            store, exports = self._instance(thread)
            arguments = (store, self.program.words_address, thread)
            self.workers.append(threading.Thread(target=exports["serve"], args=arguments))
            self.workers[-1].start()

    def close(self) -> None:
        if self.workers:
            self.call("stop", len(self.workers) + 1)
        for worker in self.workers:
            worker.join()
        self.workers = []


LETTERS = {  # of the driver's calls
    "step": "s",
    "post_repack": "p",
    "repacks_done": "d",
    "repack_help": "h",
    "sample": "c",
    "accept": "a",
}


class Native:
    """A native build; anything its sanitizers see ends it, and so the test."""

    def __init__(self, path: Path, dot: str):
        self.command = [str(path), str(kernels.DOTS.index(dot))]
        self.process = None
        self.threads = 1

    def new_memory(self, program) -> None:
        self.close()
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=pipe)
        self._send("M", program.words_address, program.memory_bytes)
        for address, size in program.regions.values():
            self.open(address, size)

    def _send(self, letter: str, *numbers: int) -> None:
        padded = [_signed(number) for number in numbers] + [0] * (9 - len(numbers))
        self.process.stdin.write(letter.encode() + struct.pack("<9i", *padded))

    def _receive(self, size: int) -> bytes:
        try:
            self.process.stdin.flush()
        except BrokenPipeError:
            self._fail()
        data = self.process.stdout.read(size)
        if len(data) != size:
            self._fail()
        return data

    def _fail(self) -> None:
        raise AssertionError(self.process.stderr.read().decode())

    def write(self, address: int, data: bytes) -> None:
        self._send("W", address, len(data))
        try:
            self.process.stdin.write(bytes(data))
        except BrokenPipeError:
            self._fail()

    def read(self, address: int, size: int) -> bytes:
        self._send("R", address, size)
        return self._receive(size)

    def open(self, address: int, size: int) -> None:
        self._send("O", address, size)

    def shut(self, address: int, size: int) -> None:
        self._send("P", address, size)

    def call(self, name: str, *numbers: int) -> int:
        return self._call(LETTERS[name], *numbers)

    def _call(self, letter: str, *numbers: int) -> int:
        self._send(letter, *numbers)
        return struct.unpack("<i", self._receive(4))[0]

    def start_workers(self, threads: int) -> None:
        self.threads = threads
        self._call("w", threads)

    def close(self) -> None:
        if self.process is None:
            return
        if self.threads > 1:
            self._call("x", self.threads)
        self.process.stdin.close()
        errors = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        code, self.process, self.threads = self.process.wait(), None, 1
        assert code == 0 and not errors, errors


class Engine:
    """A program on a machine, its weights repacked from the bytes of a file."""

    def __init__(self, machine, program, file, threads: int = 1):
        self.machine, self.program, self.threads = machine, program, threads
        self.fields = program.fields
        machine.new_memory(program)
        machine.write(program.words_address, numpy.asarray(program.words, "<i4").tobytes())
        if threads > 1:
            machine.start_workers(threads)
        for weight in program.weights:
            self.load_weight(weight, file)

    def load_weight(self, weight: dict, file, most_rows: int = 1 << 30) -> None:
        """Through the ring, at most `most_rows` rows (a multiple of 8) at a time."""
        row_bytes = weight["bytes"] // weight["rows"]
        step = min(most_rows, self.fields["ring_bytes"] // row_bytes // 8 * 8)
        for first in range(0, weight["rows"], step):
            rows = min(step, weight["rows"] - first)
            source = weight["source"] + first * row_bytes
            self.machine.write(self.fields["ring"], file[source : source + rows * row_bytes])
            place = (weight["pattern"], self.fields["ring"], weight["target"])
            job = self.machine.call(
                "post_repack",
                *(self.threads, weight["type"], weight["columns"], rows, first),
                *place,
            )
            while self.machine.call("repacks_done") < job:
                self.machine.call("repack_help")

    def step(self, tokens, position: int, rows: int = 1) -> numpy.ndarray:
        """Feeds tokens (at most a chunk); gives the logits (rows, vocabulary) of the last ones."""
        tokens = numpy.asarray(tokens, "<i4")
        self.machine.write(self.fields["tokens"], tokens.tobytes())
        for name, value in (("count", len(tokens)), ("position", position), ("logits_rows", rows)):
            self.write_word(name, value)
        self.machine.call("step", self.threads)
        return self.logits(min(rows, len(tokens)))

    def write_word(self, name: str, value: int) -> None:
        self.machine.write(self.fields[name], struct.pack("<i", value))

    def logits(self, rows: int) -> numpy.ndarray:
        vocabulary = self.program.vocabulary
        stride = -(-vocabulary // 8) * 8
        data = self.machine.read(self.fields["logits"], 4 * stride * rows)
        return numpy.frombuffer(data, "<f4").reshape(rows, stride)[:, :vocabulary]

    def greedy(self, prompt, count: int, stop=()) -> list[int]:
        """At most `count` best tokens after the prompt; a token of `stop` is the last one."""
        answer, feed, position = [], list(prompt), 0
        while len(answer) < count:
            for first in range(0, len(feed), self.program.chunk):
                piece = feed[first : first + self.program.chunk]
                logits = self.step(piece, position)
                position += len(piece)
            answer.append(int(logits[-1].argmax()))
            if answer[-1] in stop:
                break
            feed = answer[-1:]
        return answer


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


@cache
def wasm(variant: str, folder: Path) -> Wasm:
    if not (folder / f"kernels-{variant}.wasm").exists():
        kernels.build_wasm(variant, folder)
    return Wasm(variant, folder)


def native(dot: str, folder: Path) -> Native:
    path = folder / "kernels-native"
    return Native(path if path.exists() else kernels.build_native(folder), dot)
