"""`project` against its NumPy twin, to the bit: every type, one token and batches, all extras."""

import cases
import numpy
import pytest
import twins
from numpy import float32

from onglet.engine.plan import GATED, Project

CHUNK = 16


def random_project(random: numpy.random.Generator, kind: str):
    """A model and its operation: gated or with several matrices, a norm, biases, a scale, a
    residual. Gate and up are two matrices or one."""
    model = cases.Model()
    columns = cases.BLOCKS[kind][0] * int(random.integers(1, 3))
    columns = columns if columns >= 256 else 32 * int(random.integers(1, 9))
    gated = bool(random.integers(2))
    if gated:
        half, stacked = 4 * int(random.integers(1, 12)), bool(random.integers(2))
        rows = [2 * half] if stacked else [half] * 2
    else:
        rows = [8 * int(random.integers(1, 8)) for _ in range(random.integers(1, 4))]
    types = [kind] * len(rows)
    if not gated and random.random() < 0.3:
        types[-1] = str(random.choice(cases.TYPES))
        if columns % cases.BLOCKS[types[-1]][0]:
            types[-1] = kind
    for index, (count, name) in enumerate(zip(rows, types, strict=True)):
        model.add(f"w{index}", cases.matrix(random, name, count, columns), count, columns)
    names = tuple(model.tensors)
    norm = biases = residual = None
    if random.integers(2):
        norm = cases.norm(random, model, "norm", columns)
    if not gated and random.integers(2):
        biases = tuple(
            model.vector(f"b{index}", random.standard_normal(count)) if random.integers(3) else None
            for index, count in enumerate(rows)
        )
    if random.integers(2):
        residual = "y"
    activation = str(random.choice(GATED)) if gated else random.choice([None, "gelu"])
    scale = float(random.choice([1.0, 0.22]))
    step = Project("x", names, "y", norm, biases, activation, residual, scale)
    return model, step, columns, sum(rows) // 2 if gated else sum(rows)


def expected(model, step, x, before):
    if step.norm:
        x = twins.normalize(x, step.norm, model.values)
    results = [twins.multiply(model.matrices[name], x) for name in step.weights]
    for index, name in enumerate(step.biases or ()):
        bias = model.matrices[name].values if name else float32(0)
        results[index] = results[index] + bias
    result = numpy.concatenate(results, axis=1)
    if step.activation == "gelu":
        result = twins.gelu(result)
    elif step.activation:
        result = twins.GATED[step.activation](*numpy.split(result, 2, axis=1))
    result = result * float32(step.scale)
    return result + before if step.residual else result


@pytest.mark.parametrize("kind", cases.TYPES)
def test_project(machine, case, kind):
    random = numpy.random.default_rng([case, cases.TYPES.index(kind)])
    model, step, columns, width = random_project(random, kind)
    lowered = model.lower([step], {"x": columns, "y": width}, context=64, chunk=CHUNK)
    threads = 1 + case % 3
    running = cases.engine(machine, model, lowered, threads)
    for count in (1, 2, int(random.integers(3, CHUNK)), CHUNK):
        x = random.standard_normal((count, columns)).astype(float32)
        x[random.random(x.shape) < 0.02] *= float32(1000)
        x[0, :32] = 0
        before = random.standard_normal((count, width)).astype(float32)
        cases.write_buffer(running, "x", x)
        cases.write_buffer(running, "y", before)
        cases.run_step(running, count, 0)
        seen = cases.read_buffer(running, "y", count, width)
        numpy.testing.assert_array_equal(seen, expected(model, step, x, before))
