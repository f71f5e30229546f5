"""Tiny models give their exact tokens on every machine, and the same logits to the last bit however
the tokens are cut into steps and shared among threads."""

import functools
from pathlib import Path

import machines
import numpy
import pytest
import wasmtime

from onglet.engine import gguf, program
from onglet.engine.models import plan_for
from onglet_build import tiny_model
from onglet_build.places import BUILD

VARIANTS = list(tiny_model.VARIANTS)


@functools.cache
def tiny(name: str, chunk: int):
    """The program of a tiny model and the bytes of its file."""
    folder = BUILD / "kernel_tests"
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(folder, f"tiny-{name}.gguf")
    tiny_model.write(path, tiny_model.VARIANTS[name])
    data = path.read_bytes()
    header = gguf.read_header(data, len(data))
    plan = plan_for(header)
    lowered = program.lower(plan, header.tensors, context=320, chunk=chunk, logits_rows=chunk)
    return lowered, data


@functools.cache
def tokens() -> list[int]:
    random = numpy.random.default_rng(7)
    return [int(token) for token in random.integers(0, len(tiny_model.vocabulary()), 160)]


def run(machine, name: str, chunk: int, threads: int) -> numpy.ndarray:
    """The logits after each of tokens()."""
    lowered, data = tiny(name, chunk)
    running = machines.Engine(machine, lowered, data, threads)
    steps = range(0, len(tokens()), chunk)
    logits = [running.step(tokens()[first : first + chunk], first, chunk) for first in steps]
    return numpy.concatenate(logits)


@functools.cache
def first_run(folder: Path, name: str) -> numpy.ndarray:
    """What everybody else must give: the plain build, alone, token by token."""
    machine = machines.wasm("plain", folder)
    try:
        return run(machine, name, 1, 1)
    finally:
        machine.close()


@pytest.mark.parametrize("name", VARIANTS)
def test_exact_answer(machine, threads, name):
    variant = tiny_model.VARIANTS[name]
    running = machines.Engine(machine, *tiny(name, 8), threads)
    prompt = tiny_model.encode(tiny_model.PROMPT)
    answer = running.greedy(prompt, len(variant.answer), [tiny_model.END_OF_TURN])
    assert tuple(answer) == variant.answer


@pytest.mark.parametrize("chunk", [1, 7, 128])
@pytest.mark.parametrize("name", VARIANTS)
def test_same_bits(wasm, threads, name, chunk, build_folder):
    logits = run(wasm, name, chunk, threads)
    numpy.testing.assert_array_equal(logits, first_run(build_folder, name))


@pytest.mark.parametrize("name", VARIANTS)
def test_same_bits_natively(native, name, build_folder):
    logits = run(native, name, 7, 2)
    numpy.testing.assert_array_equal(logits, first_run(build_folder, name))


def test_addresses_above_two_gibibytes(wasm, threads, build_folder):
    """A context so long that caches and weights lie where addresses are negative words."""
    header = gguf.read_header(tiny("Q4_1", 8)[1], len(tiny("Q4_1", 8)[1]))
    plan = plan_for(header)
    lowered = program.lower(plan, header.tensors, context=4_000_000, chunk=8, logits_rows=8)
    assert lowered.memory_bytes > 1 << 31
    running = machines.Engine(wasm, lowered, tiny("Q4_1", 8)[1], threads)
    for first in (0, 8):
        logits = running.step(tokens()[first : first + 8], first, 8)
        expected = first_run(build_folder, "Q4_1")[first : first + 8]
        numpy.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize(
    ("count", "position", "rows"),
    [(0, 0, 1), (9, 0, 1), (1, 320, 1), (8, 313, 1), (1, -1, 1), (1, 0, 9)],
)
def test_a_step_beyond_its_room_traps(wasm, count, position, rows):
    running = machines.Engine(wasm, *tiny("F32", 8))
    for name, value in (("count", count), ("position", position), ("logits_rows", rows)):
        running.write_word(name, value)
    with pytest.raises(wasmtime.Trap):
        wasm.call("step", 1)


@pytest.mark.parametrize("name", VARIANTS)
def test_going_back(wasm, name, build_folder):
    """Tokens may be replaced from any position on: what lay there before leaves no trace."""
    lowered, data = tiny(name, 7)
    running = machines.Engine(wasm, lowered, data)
    for first in range(0, 140, 7):
        running.step(tokens()[first + 10 : first + 17], first)
    for position in (0, 3, 60, 129):
        end = min(position + 7, len(tokens()))
        for first in range(0, position, 7):
            running.step(tokens()[first : min(first + 7, position)], first)
        logits = running.step(tokens()[position:end], position, 7)
        numpy.testing.assert_array_equal(logits, first_run(build_folder, name)[position:end])
