"""The embedded model on 512 tokens of English, against the float32 reference, token by token fed.

Greedy text is no measure (two equally good int8 engines part after a few tokens); closeness of the
whole distribution is. One run of the numbers is printed: `pytest -s -k accuracy`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import machines
import numpy
import pytest

from onglet.engine import gguf, program, reference
from onglet.engine.models import plan_for
from onglet_build import vendor

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


def feed(variant: str, folder: Path, chunk: int, threads: int) -> numpy.ndarray:
    """Logits (position, vocabulary) of the kernels, fed in steps of `chunk` tokens."""
    file = numpy.memmap(vendor.model_file(), dtype=numpy.uint8, mode="r")
    header = gguf.read_header(bytes(file[: gguf.HEADER_LIMIT]), len(file))
    lowered = program.lower(
        plan_for(header), header.tensors, context=len(TOKENS), chunk=CHUNK, logits_rows=CHUNK
    )
    machine = machines.wasm(variant, folder)
    try:
        running = machines.Engine(machine, lowered, file, threads)
        steps = range(0, len(TOKENS), chunk)
        return numpy.concatenate(
            [running.step(TOKENS[first : first + chunk], first, chunk) for first in steps]
        )
    finally:
        machine.close()


def compare(expected: numpy.ndarray, seen: numpy.ndarray) -> Closeness:
    expected, seen = expected.astype(float), seen.astype(float)
    lengths = numpy.linalg.norm(expected, axis=1) * numpy.linalg.norm(seen, axis=1)
    truth, guess = log_softmax(expected), log_softmax(seen)
    following = numpy.arange(len(TOKENS) - 1), TOKENS[1:]
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
