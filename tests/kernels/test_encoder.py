"""Encoders: a tiny one against llama.cpp, every machine and any number of threads to the bit; the
site's own against the publisher's float32 weights (tests/browser/embedding_reference.json).

llama.cpp takes gelu from a table of half precision, the kernels quantize activations: the cosines
measured are 1 - 1e-7 and 1 - 4e-6.
"""

import base64
import functools
import json
from pathlib import Path

import llama_cpp
import machines
import numpy
import pytest

from onglet.engine import gguf, program
from onglet.engine.models import plan_for
from onglet.engine.reference import Model
from onglet_build import encoder, tiny_architectures, tiny_model
from onglet_build.places import BUILD, ROOT

CONTEXT = 256
COUNTS = (1, 2, 3, 7, 64, 129, 256)  # tokens of a text
REFERENCE = ROOT / "tests" / "browser" / "embedding_reference.json"
EXPECTED = ROOT / "tests" / "unit" / "word_pieces_expected.json"


@functools.cache
def tiny() -> Path:
    folder = BUILD / "kernel_tests"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny-encoder.gguf"
    tiny_architectures.write(path, "bert")
    return path


@functools.cache
def texts() -> list[list[int]]:
    random = numpy.random.default_rng(5)
    size = len(tiny_model.vocabulary())
    return [[int(token) for token in random.integers(0, size, count)] for count in COUNTS]


def vectors(machine, path: Path, texts, threads: int = 1) -> numpy.ndarray:
    """(texts, width), by the kernels."""
    data = path.read_bytes()
    header = gguf.read_header(data, len(data))
    plan = plan_for(header)
    lowered = program.lower(plan, header.tensors, context=CONTEXT, chunk=CONTEXT)
    running = machines.Engine(machine, lowered, data, threads)
    found = []
    for tokens in texts:
        running.step(tokens, 0, 0)
        made = machine.read(lowered.fields["logits"], 4 * plan.width)
        found.append(numpy.frombuffer(made, "<f4"))
    return numpy.array(found)


@functools.cache
def first_run(folder: Path) -> numpy.ndarray:
    """What every other machine must give, to the bit."""
    machine = machines.wasm("plain", folder)
    try:
        return vectors(machine, tiny(), texts())
    finally:
        machine.close()


@functools.cache
def slow() -> numpy.ndarray:
    model = Model.read(tiny())
    return numpy.array([model.forward(tokens)[0] for tokens in texts()])


def test_the_reference_says_what_llama_cpp_says():
    theirs = [llama_cpp.vector(tiny(), tokens, tiny_model.WIDTH) for tokens in texts()]
    cosines = (slow() * numpy.array(theirs)).sum(axis=1)
    print(1 - cosines.min())
    assert cosines.min() > 1 - 1e-5


def test_the_kernels_say_what_the_reference_says(build_folder):
    cosines = (slow() * first_run(build_folder)).sum(axis=1)
    print(1 - cosines.min())
    assert cosines.min() > 1 - 1e-4


def test_same_bits_in_wasm(wasm, threads, build_folder):
    found = vectors(wasm, tiny(), texts(), threads)
    numpy.testing.assert_array_equal(found, first_run(build_folder))


def test_same_bits_natively(native, build_folder):
    numpy.testing.assert_array_equal(vectors(native, tiny(), texts(), 2), first_run(build_folder))


def test_a_token_sees_those_behind_it(build_folder):
    """The vector of the first token alone changes with the last one."""
    model = Model.read(tiny())
    tokens = texts()[3]
    one, other = (model.forward([*tokens[:-1], last])[0] for last in (5, 6))
    assert abs(one - other).max() > 1e-3


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("encoder") / "encoder.gguf"
    encoder.write(path)
    return path


def test_the_vectors_of_the_site_are_those_of_the_original(build_folder, ours):
    stored = json.loads(REFERENCE.read_text())
    tokens = json.loads(EXPECTED.read_text())["sentences"]
    theirs = numpy.frombuffer(base64.b64decode(stored["vectors"]), numpy.float16)
    theirs = theirs.astype(numpy.float32).reshape(len(tokens), -1)
    machine = machines.wasm("relaxed", build_folder)
    try:
        found = vectors(machine, ours, tokens, 2)
    finally:
        machine.close()
    cosines = (found * theirs).sum(axis=1) / numpy.linalg.norm(theirs, axis=1)
    print(cosines.min(), cosines.mean())
    assert len(cosines) == 200
    assert cosines.min() >= 0.99
