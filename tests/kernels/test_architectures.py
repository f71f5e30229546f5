"""Every architecture against llama.cpp over 64 positions, and every executor against the reference.

Weights are float32, so only the order of sums differs: from llama.cpp the reference may differ by
1e-4 in a log-probability (measured: up to 1.1e-5; with gelu, which llama.cpp reads from a table of
half precision, by 5e-3), the kernels, whose cache is bfloat16, by 0.05 (measured: up to 0.02).
"""

import functools
from pathlib import Path

import llama_cpp
import machines
import numpy
import pytest

from onglet.engine import gguf, program
from onglet.engine.models import ARCHITECTURES, plan_for
from onglet.engine.reference import Model
from onglet_build import tiny_architectures, tiny_model
from onglet_build.places import BUILD

POSITIONS = 64
REFERENCE_BAND, GELU_BAND, KERNELS_BAND = 1e-4, 5e-3, 0.05
NAMES = [name for name, recipe in tiny_architectures.RECIPES.items() if recipe.head]


@functools.cache
def tiny(name: str) -> Path:
    folder = BUILD / "kernel_tests"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tiny-architecture-{name}.gguf"
    tiny_architectures.write(path, name)
    return path


@functools.cache
def tokens(count: int = POSITIONS) -> list[int]:
    random = numpy.random.default_rng(11)
    return [int(token) for token in random.integers(0, len(tiny_model.vocabulary()), count)]


@functools.cache
def witness(name: str, context: int = 512) -> numpy.ndarray:
    return llama_cpp.log_probabilities(tiny(name), tokens(), context=context)


def run(machine, name: str, chunk: int, threads: int = 1, count: int = POSITIONS) -> numpy.ndarray:
    """The logits after each token."""
    data = tiny(name).read_bytes()
    header = gguf.read_header(data, len(data))
    lowered = program.lower(
        plan_for(header), header.tensors, context=512, chunk=chunk, logits_rows=chunk
    )
    running = machines.Engine(machine, lowered, data, threads)
    steps = range(0, count, chunk)
    logits = [running.step(tokens(count)[at : at + chunk], at, chunk) for at in steps]
    return numpy.concatenate(logits)


@functools.cache
def first_run(folder: Path, name: str) -> numpy.ndarray:
    """What every other machine must give, to the bit: the plain build, alone, token by token."""
    machine = machines.wasm("plain", folder)
    try:
        return run(machine, name, 1)
    finally:
        machine.close()


def furthest(ours: numpy.ndarray, theirs: numpy.ndarray) -> float:
    return float(abs(llama_cpp.log_softmax(ours) - theirs).max())


def test_every_architecture_has_a_recipe():
    assert {recipe.architecture for recipe in tiny_architectures.RECIPES.values()} == set(
        ARCHITECTURES
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_says_what_llama_cpp_says(name):
    model = Model.read(tiny(name))
    logits = model.forward(tokens())
    difference = furthest(logits, witness(name))
    print(f"{name}: {difference:.1e}, deviation of the logits {logits.std():.2f}")
    gelu = any(getattr(step, "activation", None) == "gelu_gated" for step in model.plan.layer)
    assert difference < (GELU_BAND if gelu else REFERENCE_BAND)


def test_a_short_context_takes_the_other_rope_factors():
    model = Model.read(tiny("phi3"))
    short = Model(model.plan, model.weights, context=256).forward(tokens())
    assert furthest(short, witness("phi3", 256)) < REFERENCE_BAND
    assert furthest(short, witness("phi3")) > 10 * REFERENCE_BAND


@pytest.mark.parametrize("name", NAMES)
def test_the_kernels_say_what_llama_cpp_says(name, build_folder):
    difference = furthest(first_run(build_folder, name), witness(name))
    print(f"{name}: {difference:.1e}")
    assert difference < KERNELS_BAND


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chunk", [7, POSITIONS])
def test_same_bits_in_wasm(wasm, name, chunk, build_folder):
    logits = run(wasm, name, chunk, 2)
    numpy.testing.assert_array_equal(logits, first_run(build_folder, name))


@pytest.mark.parametrize("name", NAMES)
def test_same_bits_natively(native, name, build_folder):
    logits = run(native, name, 9, 2)
    numpy.testing.assert_array_equal(logits, first_run(build_folder, name))
