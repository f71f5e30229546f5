"""Random tensors in the types of GGUF files, and programs of one operation around them."""

import struct
from dataclasses import dataclass, field

import machines
import numpy
import twins
from numpy import float32

from onglet.engine import program
from onglet.engine.gguf import TENSOR_TYPES, Tensor
from onglet.engine.plan import Norm, Plan, Weight

FLOATS = ("F32", "F16", "BF16")
HALVES = {  # quantized type -> where in a block its half-precision numbers lie
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
    "IQ4_NL": (0,),
    "MXFP4": (),
}
TYPES = (*FLOATS, *HALVES)
BLOCKS = {name: (values, size) for name, values, size in TENSOR_TYPES.values()}


def matrix(random: numpy.random.Generator, kind: str, rows: int, columns: int) -> twins.Matrix:
    """Any bytes a file may hold, within finite numbers: scales of either sign, zero, denormal."""
    if kind in FLOATS:
        return _float_matrix(random, kind, rows, columns)
    values, size = BLOCKS[kind]
    blocks = random.integers(0, 256, (rows, columns // values, size)).astype(numpy.uint8)
    for place in HALVES[kind]:
        blocks[..., place : place + 2] = _bytes(_halves(random, blocks.shape[:2]))
    if kind == "MXFP4":
        blocks[..., 0] = random.integers(128 - 40, 128 + 10, blocks.shape[:2])
    return twins.quantized(kind, blocks.tobytes(), rows)


def _float_matrix(random, kind: str, rows: int, columns: int) -> twins.Matrix:
    values = (random.standard_normal((rows, columns)) * 0.1).astype(float32)
    if kind == "F32":
        return twins.Matrix(kind, values.tobytes(), values=values)
    if kind == "F16":
        halves = values.astype("<f2")
        kept = twins.bfloat16(halves.astype(float32))
        return twins.Matrix(kind, halves.tobytes(), values=kept)
    kept = twins.bfloat16(values)
    data = (kept.view(numpy.uint32) >> 16).astype("<u2").tobytes()
    return twins.Matrix(kind, data, values=kept)


def _halves(random, shape) -> numpy.ndarray:
    values = random.standard_normal(shape) * 0.02
    values[random.random(shape) < 0.05] = 0
    values[random.random(shape) < 0.05] *= 1e-4  # denormal in half precision
    return values.astype("<f2")


def _bytes(halves: numpy.ndarray) -> numpy.ndarray:
    return halves[..., None].view(numpy.uint8)


@dataclass
class Model:
    """Weights of a plan as they would lie in a file."""

    matrices: dict[str, twins.Matrix] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    file: bytes = b"\0" * 7  # so that nothing is aligned

    def add(self, name: str, matrix: twins.Matrix, rows: int, columns: int) -> str:
        place = len(self.file)
        self.matrices[name] = matrix
        self.tensors[name] = Tensor(name, matrix.type, rows, columns, place, len(matrix.data))
        self.file += matrix.data + b"\0" * 3
        return name

    def vector(self, name: str, values: numpy.ndarray) -> str:
        values = values.astype(float32)
        matrix = twins.Matrix("F32", values.tobytes(), values=values)
        return self.add(name, matrix, 1, len(values))

    @property
    def values(self) -> dict[str, numpy.ndarray]:
        """The exact weights by name, a vector as such."""
        return {name: matrix.exact for name, matrix in self.matrices.items()}

    def lower(self, operations, buffers: dict[str, int], vocabulary: int = 16, **sizes):
        weights = {
            name: Weight(tensor.type, (tensor.rows, tensor.columns))
            for name, tensor in self.tensors.items()
        }
        plan = Plan("test", 1, 4096, vocabulary, 32, weights, buffers, (), tuple(operations), ())
        return program.lower(plan, self.tensors, **sizes)


def norm(random: numpy.random.Generator, model: Model, name: str, width: int) -> Norm:
    """A norm of either kind, with or without a bias."""
    kind, weight = str(random.choice(["rms", "layer"])), random.standard_normal(width)
    bias = model.vector(f"{name}.bias", weight[::-1] * 0.3) if random.integers(2) else None
    return Norm(kind, model.vector(name, weight), 1e-5, bias)


def engine(machine, model: Model, lowered, threads: int) -> machines.Engine:
    return machines.Engine(machine, lowered, model.file, threads)


def write_buffer(running: machines.Engine, name: str, values: numpy.ndarray) -> None:
    address, size = running.program.regions[f"buffer {name}"]
    assert values.nbytes <= size
    running.machine.write(address, values.astype("<f4").tobytes())


def read_buffer(running: machines.Engine, name: str, rows: int, columns: int) -> numpy.ndarray:
    address, _ = running.program.regions[f"buffer {name}"]
    data = running.machine.read(address, 4 * rows * columns)
    return numpy.frombuffer(data, "<f4").reshape(rows, columns)


def run_step(running: machines.Engine, count: int, position: int) -> None:
    for name, value in (("count", count), ("position", position), ("logits_rows", 0)):
        running.machine.write(running.fields[name], struct.pack("<i", value))
    running.machine.call("step", running.threads)
