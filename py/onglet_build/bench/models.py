"""The model files of the bench: the embedded model requantised by llama.cpp's quantizer, and random
models of the shapes of larger ones. Each is made once and kept under build/steps/.

`python -m onglet_build.bench.models [NAME ...]` makes them and prints where they lie.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy
from gguf import GGMLQuantizationType as Type

from .. import vendor
from ..steps import cached
from . import quantizer

EMBEDDED = "Q4_1"  # the file that the site carries
MIXTURES = {
    # name: (type of most matrices, of the head, of the matrices that llama.cpp spares)
    "Q4_0": (Type.Q4_0, Type.Q8_0, Type.Q4_0),
    "Q8_0": (Type.Q8_0, Type.Q8_0, Type.Q8_0),
    "Q4_K_M": (Type.Q4_K, Type.Q6_K, Type.Q6_K),
    "Q6_K": (Type.Q6_K, Type.Q6_K, Type.Q6_K),
}
NARROW = {Type.Q4_K: Type.Q5_0, Type.Q6_K: Type.Q8_0}  # rows that are no multiple of 256 columns
SPARED = ("attn_v", "ffn_down")
FILE_TYPE = gguf.Keys.General.FILE_TYPE
ROWS_AT_ONCE = 4096

Rows = Iterator[numpy.ndarray]  # float32 (rows, columns), piece by piece


@dataclass(frozen=True)
class Shape:
    """A llama-shaped model: everything but the vocabulary, which is the embedded model's."""

    layers: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    seed: int
    head_type: Type = Type.Q8_0

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Name in a layer -> (rows, columns)."""
        keys = self.width // self.heads * self.kv_heads
        return {
            "attn_q": (self.width, self.width),
            "attn_k": (keys, self.width),
            "attn_v": (keys, self.width),
            "attn_output": (self.width, self.width),
            "ffn_gate": (self.hidden, self.width),
            "ffn_up": (self.hidden, self.width),
            "ffn_down": (self.width, self.hidden),
        }


SYNTHETIC = {
    "0.5B-Q4_0": Shape(layers=24, width=896, hidden=4864, heads=14, kv_heads=2, seed=5),
    "1.5B-Q4_0": Shape(layers=28, width=1536, hidden=8960, heads=12, kv_heads=2, seed=15),
}
NAMES = (EMBEDDED, *MIXTURES, *SYNTHETIC)


def model(name: str) -> Path:
    """The file of one of NAMES, made if need be. Raises quantizer.NoQuantizer."""
    if name == EMBEDDED:
        return vendor.model_file()
    step = "synthetic" if name in SYNTHETIC else "requantised"
    write = write_synthetic if name in SYNTHETIC else write_requantised
    inputs = [vendor.model_file(), vendor.package("xllamacpp").sha256]
    inputs += [Path(__file__), Path(quantizer.__file__)]
    folder, result = cached(f"{step}-{name}", inputs, lambda into: write(name, into))
    return folder / result["file"]


def write_requantised(name: str, into: Path) -> dict:
    """The embedded model in another mixture of types, as llama.cpp's own tool would choose them."""
    reader = gguf.GGUFReader(vendor.model_file())
    layers = reader.fields["llama.block_count"].contents()
    file_type = gguf.LlamaFileType[f"MOSTLY_{name}"].value
    file = Growing(into / file_name("SmolLM2-135M-Instruct", name), reader, {FILE_TYPE: file_type})
    for tensor in reader.tensors:
        shape = tuple(int(size) for size in reversed(tensor.shape))
        kind = type_of(tensor.name, shape, layers, MIXTURES[name])
        file.add(tensor.name, shape, kind, lambda tensor=tensor: stored_rows(tensor))
    return file.write()


def file_name(stem: str, kind: str) -> str:
    return f"{stem}.{kind}.gguf"


def type_of(name: str, shape: tuple[int, ...], layers: int, mixture: tuple) -> Type:
    """The type that llama.cpp's tool gives a tensor in one of MIXTURES."""
    if len(shape) == 1:
        return Type.F32
    most, head, spared = mixture
    kind = most
    if name == "token_embd.weight":  # tied: it is the head as well
        kind = head
    elif name.split(".")[2] in SPARED and gets_more_bits(int(name.split(".")[1]), layers):
        kind = spared
    wide = shape[1] % gguf.GGML_QUANT_SIZES[kind][0] == 0
    return kind if wide else NARROW[kind]


def gets_more_bits(layer: int, layers: int) -> bool:
    """llama.cpp's rule: the first and the last eighth, and every third layer between them."""
    first = layers // 8
    return layer < first or layer >= 7 * layers // 8 or (layer - first) % 3 == 2


def stored_rows(tensor) -> Rows:
    """The weights of a tensor of a file, as its type rounds them."""
    columns = int(tensor.shape[0])
    rows = numpy.asarray(tensor.data).reshape(int(tensor.n_elements) // columns, -1)
    for first in range(0, len(rows), ROWS_AT_ONCE):
        yield gguf.dequantize(rows[first : first + ROWS_AT_ONCE], tensor.tensor_type)


def write_synthetic(name: str, into: Path) -> dict:
    """A random model: right in form, whose words mean nothing."""
    shape = SYNTHETIC[name]
    reader = gguf.GGUFReader(vendor.model_file())
    stem, _, kind = name.partition("-")
    file = Growing(into / file_name(f"Synthetic-{stem}", kind), reader, metadata_of(shape))
    random = numpy.random.default_rng(shape.seed)
    vocabulary = len(reader.fields["tokenizer.ggml.tokens"].data)

    def add_matrix(name: str, size: tuple[int, int], kind: Type) -> None:
        file.add(name, size, kind, lambda: random_rows(random, *size))

    add_matrix("token_embd.weight", (vocabulary, shape.width), shape.head_type)
    file.add_ones("output_norm.weight", shape.width)
    for layer in range(shape.layers):
        for part in ("attn_norm", "ffn_norm"):
            file.add_ones(f"blk.{layer}.{part}.weight", shape.width)
        for part, size in shape.matrices().items():
            add_matrix(f"blk.{layer}.{part}.weight", size, Type.Q4_0)
    return file.write()


def metadata_of(shape: Shape) -> dict[str, int | str]:
    """The keys of the file's metadata in which a synthetic model differs from the embedded one."""
    return {
        "general.name": "Synthetic",
        FILE_TYPE: gguf.LlamaFileType.MOSTLY_Q4_0.value,
        "llama.block_count": shape.layers,
        "llama.embedding_length": shape.width,
        "llama.feed_forward_length": shape.hidden,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.kv_heads,
        "llama.rope.dimension_count": shape.width // shape.heads,
    }


def random_rows(random: numpy.random.Generator, rows: int, columns: int) -> Rows:
    """Normal weights under which a layer keeps the size of what goes through it."""
    for first in range(0, rows, ROWS_AT_ONCE):
        size = (min(ROWS_AT_ONCE, rows - first), columns)
        yield random.standard_normal(size, numpy.float32) * numpy.float32(columns**-0.5)


class Growing:
    """A GGUF file with the metadata of another one, written tensor by tensor."""

    def __init__(self, path: Path, like: gguf.GGUFReader, changes: dict):
        self.path = path
        self.writer = gguf.GGUFWriter(path, "llama")
        self.tensors: list[tuple[Type, Callable[[], Rows]]] = []
        for field in like.fields.values():
            if field.name.startswith("GGUF.") or field.name == gguf.Keys.General.ARCHITECTURE:
                continue
            value = changes.get(field.name, field.contents())
            inner = field.types[-1] if len(field.types) > 1 else None
            self.writer.add_key_value(field.name, value, field.types[0], inner)

    def add(self, name: str, shape: tuple[int, ...], kind: Type, rows: Callable[[], Rows]) -> None:
        """Announces a tensor; `rows` makes its weights when it is written."""
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        stored = (*shape[:-1], shape[-1] // block * block_bytes)
        kind_of_item = numpy.float32 if kind == Type.F32 else numpy.uint8
        size = int(numpy.prod(stored))
        announced = shape if kind == Type.F32 else stored
        self.writer.add_tensor_info(
            name, announced, numpy.dtype(kind_of_item), size, raw_dtype=kind
        )
        self.tensors.append((kind, rows))

    def add_ones(self, name: str, size: int) -> None:
        self.add(name, (size,), Type.F32, lambda: iter([numpy.ones((1, size), numpy.float32)]))

    def write(self) -> dict:
        """Writes everything; holds one tensor of it at a time. Returns the file's name."""
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_ti_data_to_file()
        for kind, rows in self.tensors:
            pieces = [
                piece.reshape(-1) if kind == Type.F32 else quantizer.quantize(piece, kind)
                for piece in rows()
            ]
            self.writer.write_tensor_data(numpy.concatenate(pieces))
        self.writer.close()
        return {"file": self.path.name}


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        print(model(chosen))
