"""The embedded model on 512 tokens of English, against the float32 reference, token by token fed.

Greedy text is no measure (two equally good int8 engines part after a few tokens); closeness of the
whole distribution is. One run of the numbers is printed: `pytest -s -k accuracy`.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import machines
import numpy
import pytest
from gguf import GGMLQuantizationType

from onglet.engine import gguf, program, reference
from onglet.engine.models import plan_for
from onglet_build import vendor
from onglet_build.bench import quantizer

CHUNK = 128
TOKENS = json.loads(Path(__file__).with_name("text_512.json").read_text())["tokens"]


@dataclass(frozen=True)
class Closeness:
    cosine: float  # of the logits, mean
    divergence: float  # Kullback-Leibler of the next-token distributions, mean
    same_best: float  # share of positions
    perplexity_ratio: float


@pytest.fixture(scope="module")
def expected() -> numpy.ndarray:
    """Logits (position, vocabulary) of the float32 reference."""
    return reference.Model.read(vendor.model_file()).forward(TOKENS)


@pytest.fixture(scope="module")
def prefilled(build_folder) -> numpy.ndarray:
    return feed("relaxed", build_folder, CHUNK, 2)


def embedded() -> tuple[gguf.Header, numpy.ndarray]:
    """The header of the embedded model and the bytes of its file."""
    file = numpy.memmap(vendor.model_file(), dtype=numpy.uint8, mode="r")
    return gguf.read_header(bytes(file[: gguf.HEADER_LIMIT]), len(file)), file


def feed(variant: str, folder: Path, chunk: int, threads: int) -> numpy.ndarray:
    """Logits (position, vocabulary) of the kernels, fed in steps of `chunk` tokens."""
    return feed_model(*embedded(), variant, folder, chunk, threads, TOKENS)


def feed_model(header, file, variant, folder, chunk, threads, tokens) -> numpy.ndarray:
    lowered = program.lower(
        plan_for(header), header.tensors, context=len(tokens), chunk=CHUNK, logits_rows=CHUNK
    )
    machine = machines.wasm(variant, folder)
    try:
        running = machines.Engine(machine, lowered, file, threads)
        steps = range(0, len(tokens), chunk)
        return numpy.concatenate(
            [running.step(tokens[first : first + chunk], first, chunk) for first in steps]
        )
    finally:
        machine.close()


def compare(expected: numpy.ndarray, seen: numpy.ndarray) -> Closeness:
    expected, seen = expected.astype(float), seen.astype(float)
    lengths = numpy.linalg.norm(expected, axis=1) * numpy.linalg.norm(seen, axis=1)
    truth, guess = log_softmax(expected), log_softmax(seen)
    following = numpy.arange(len(expected) - 1), TOKENS[1 : len(expected)]
    return Closeness(
        cosine=float(((expected * seen).sum(axis=1) / lengths).mean()),
        divergence=float((numpy.exp(truth) * (truth - guess)).sum(axis=1).mean()),
        same_best=float((expected.argmax(axis=1) == seen.argmax(axis=1)).mean()),
        perplexity_ratio=float(numpy.exp((truth[following] - guess[following]).mean())),
    )


def log_softmax(logits: numpy.ndarray) -> numpy.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - numpy.log(numpy.exp(shifted).sum(axis=1, keepdims=True))


def test_close_to_the_reference(expected, prefilled):
    closeness = compare(expected, prefilled)
    print(closeness)
    assert closeness.cosine >= 0.999
    assert closeness.divergence <= 0.005
    assert closeness.same_best >= 0.97
    assert abs(closeness.perplexity_ratio - 1) <= 0.01


def test_one_by_one_gives_the_same_bits(prefilled, build_folder):
    numpy.testing.assert_array_equal(feed("relaxed", build_folder, 1, 2), prefilled)


def test_plain_build_gives_the_same_bits(prefilled, build_folder):
    numpy.testing.assert_array_equal(feed("plain", build_folder, CHUNK, 1), prefilled)


NARROW = ("Q5_0", "Q5_1", "Q8_0", "IQ4_NL", "MXFP4", "Q4_0")  # of 4 bits and more
WIDE = ("Q4_K", "Q5_K", "Q6_K")  # for rows that are a multiple of 256


def requantised(header: gguf.Header, file, kinds_of):
    """Header, bytes and float32 weights of the embedded model with its matrices in other types:
    those of layer n with rows of `columns` in kind n of kinds_of(columns)."""
    tensors, pieces, weights, place = {}, [], {}, 0
    for tensor in header.tensors.values():
        data = file[tensor.source : tensor.source + tensor.bytes].tobytes()
        values = reference.dequantize(tensor.type, data, tensor.rows, tensor.columns)
        kind = tensor.type
        if tensor.rows > 1:
            kinds = kinds_of(tensor.columns)
            layer = int(tensor.name.split(".")[1]) if tensor.name.startswith("blk.") else 0
            kind = kinds[layer % len(kinds)]
            data = quantizer.quantize(values, GGMLQuantizationType[kind]).tobytes()
            values = reference.dequantize(kind, data, tensor.rows, tensor.columns)
        weights[tensor.name] = values
        tensors[tensor.name] = replace(tensor, type=kind, source=place, bytes=len(data))
        pieces.append(data)
        place += len(data)
    return replace(header, tensors=tensors), b"".join(pieces), weights


def closeness_of(kinds_of, folder: Path, count: int) -> Closeness:
    """Of the kernels to the reference on the same requantised weights, `count` tokens."""
    header, file, weights = requantised(*embedded(), kinds_of)
    expected = reference.Model(plan_for(header), weights).forward(TOKENS[:count])
    return compare(expected, feed_model(header, file, "relaxed", folder, CHUNK, 2, TOKENS[:count]))


def test_other_types_are_as_close(build_folder):
    """All of them in turn, in one model: what the kernels add to the rounding of the file."""
    closeness = closeness_of(
        lambda columns: NARROW if columns % 256 else WIDE, build_folder, count=128
    )
    print(closeness)
    assert closeness.cosine >= 0.999
    assert closeness.divergence <= 0.005
