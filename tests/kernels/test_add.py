"""`add` against its NumPy twin, to the bit: a norm of one buffer, added to another or alone."""

import cases
import numpy
import twins
from numpy import float32

from onglet.engine.plan import Add

CHUNK = 9


def test_add(machine, case):
    random = numpy.random.default_rng(case)
    width = 4 * int(random.integers(1, 60))
    model = cases.Model()
    norm = cases.norm(random, model, "norm", width)
    model.add("w", cases.matrix(random, "F32", 8, 32), 8, 32)  # a file holds a matrix at least
    step = Add("branch", norm, "x" if random.integers(2) else None, "x")
    buffers = {"branch": width, "x": width}
    lowered = model.lower([step], buffers, context=64, chunk=CHUNK)
    running = cases.engine(machine, model, lowered, 1 + case % 3)
    for count in (1, CHUNK):
        branch, x = (random.standard_normal((2, count, width)) * 3).astype(float32)
        cases.write_buffer(running, "branch", branch)
        cases.write_buffer(running, "x", x)
        cases.run_step(running, count, 0)
        seen = cases.read_buffer(running, "x", count, width)
        expected = twins.normalize(branch, norm, model.values)
        numpy.testing.assert_array_equal(seen, x + expected if step.residual else expected)
