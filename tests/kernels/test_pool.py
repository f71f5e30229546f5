"""`pool` and the rows that `embed` adds, against their NumPy twins, to the bit."""

import cases
import numpy
import pytest
import twins
from numpy import float32

from onglet.engine.plan import Embed, Pool, Project

CHUNK, VOCABULARY, CONTEXT = 21, 19, 64


@pytest.mark.parametrize("kind", ["mean", "first"])
def test_pool(machine, case, kind):
    random = numpy.random.default_rng(case)
    width = 4 * int(random.integers(1, 60))
    model = cases.Model()
    model.add("w", cases.matrix(random, "F32", 8, 32), 8, 32)  # a file holds a matrix at least
    steps = [Project("a", ("w",), "b"), Pool("x", "vector", kind)]
    buffers = {"a": 32, "b": 8, "x": width, "vector": width}
    lowered = model.lower(steps, buffers, context=CONTEXT, chunk=CHUNK)
    running = cases.engine(machine, model, lowered, 1 + case % 3)
    for count in (1, 2, CHUNK):
        x = (random.standard_normal((count, width)) + 0.5).astype(float32)
        cases.write_buffer(running, "x", x)
        cases.run_step(running, count, 0)
        data = running.machine.read(running.fields["logits"], 4 * width)
        numpy.testing.assert_array_equal(numpy.frombuffer(data, "<f4"), twins.pool(x, kind))


def test_embed(machine, case):
    random = numpy.random.default_rng(case)
    width, model = 32 * int(random.integers(1, 6)), cases.Model()
    types = [str(kind) for kind in random.choice(["F32", "F16", "Q8_0", "Q4_1"], 3)]
    sizes = {"table": VOCABULARY, "positions": CONTEXT, "types": 2}
    for (name, rows), kind in zip(sizes.items(), types, strict=True):
        model.add(name, cases.matrix(random, kind, rows, width), rows, width)
    more = [name if random.integers(2) else None for name in ("positions", "types")]
    step = Embed("table", "x", 1.5, *more)
    lowered = model.lower([step], {"x": width}, VOCABULARY, context=CONTEXT, chunk=CHUNK)
    running = cases.engine(machine, model, lowered, 1 + case % 3)
    tokens = random.integers(0, VOCABULARY, CHUNK)
    position = int(random.integers(0, CONTEXT - CHUNK))
    running.machine.write(running.fields["tokens"], tokens.astype("<i4").tobytes())
    cases.run_step(running, CHUNK, position)
    expected = model.values["table"][tokens] * float32(1.5)
    if step.positions:
        expected = expected + model.values["positions"][position : position + CHUNK]
    if step.types:
        expected = expected + model.values["types"][0]
    seen = cases.read_buffer(running, "x", CHUNK, width)
    numpy.testing.assert_array_equal(seen, expected)
