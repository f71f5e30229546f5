"""`attend` against its NumPy twin, to the bit: in chunks of any size and token by token."""

import cases
import numpy
import twins
from numpy import float32

from onglet.engine.plan import Attend, Norm, Project, Rope, Yarn


def random_attend(random: numpy.random.Generator):
    """Attention, then a matrix of ones on the diagonal: it merges what one token leaves."""
    model = cases.Model()
    kv_heads, group = int(random.integers(1, 4)), int(random.integers(1, 7))
    head_size = int(random.choice([8, 16, 32, 64, 80]))
    heads = kv_heads * group
    while heads * head_size % 32:
        kv_heads, heads = kv_heads + 1, (kv_heads + 1) * group
    dimensions = 2 * int(random.integers(1, head_size // 2 + 1))
    factors = None
    if random.integers(2):
        factors = model.vector("factors", random.uniform(0.5, 4, dimensions // 2))
    pairing = str(random.choice(["adjacent", "halves"]))
    base, yarn = float(random.choice([10_000.0, 500_000.0])), Yarn(32)
    scaled = {"stretch": 4.0, "amplitude": 1.2, "yarn": yarn} if random.random() < 0.3 else {}
    rope = Rope(pairing, base, dimensions, factors, **scaled) if random.random() < 0.8 else None
    causal = random.random() < 0.75
    window = int(random.integers(1, 200)) if causal and random.integers(2) else None
    shape = (heads, kv_heads, head_size, head_size**-0.5)
    norms = head_norms(random, model, *shape)
    step = Attend("qkv", "a", *shape, rope, window, *norms, causal)
    width = heads * head_size
    ones = numpy.eye(width, dtype=float32)
    model.add("ones", twins.Matrix("F32", ones.tobytes(), values=ones), width, width)
    return model, step


def head_norms(random, model: cases.Model, heads: int, kv_heads: int, head_size: int, _):
    """None, one for each head of q and k, or one for all heads of q and one for all of k."""
    kind = random.integers(3)
    if kind == 0:
        return None, None
    sizes = (head_size, head_size) if kind == 1 else (heads * head_size, kv_heads * head_size)
    return tuple(
        Norm("rms", model.vector(name, random.standard_normal(size)), 1e-5)
        for name, size in zip(("q_norm", "k_norm"), sizes, strict=True)
    )


def sizes_of_steps(random: numpy.random.Generator, total: int, chunk: int) -> list[int]:
    sizes = []
    while sum(sizes) < total:
        size = 1 if random.integers(2) else int(random.integers(1, chunk + 1))
        sizes.append(min(size, total - sum(sizes)))
    return sizes


def test_attend(machine, case):
    random = numpy.random.default_rng(case)
    model, step = random_attend(random)
    chunk, total = int(random.integers(1, 48)), int(random.integers(20, 290))
    if not step.causal:
        chunk = total = int(random.integers(1, 290))
    width = step.heads * step.head_size
    inputs = random.standard_normal((total, width + 2 * step.kv_heads * step.head_size))
    inputs = (inputs * 2).astype(float32)
    operations = [step, Project("a", ("ones",), "y")]
    buffers = {"qkv": inputs.shape[1], "a": width, "y": width}
    lowered = model.lower(operations, buffers, context=total, chunk=chunk)
    running = cases.engine(machine, model, lowered, 1 + case % 3)
    weights = {name: matrix.values for name, matrix in model.matrices.items()}
    expected = twins.attend(step, inputs, weights)
    position = 0
    for count in sizes_of_steps(random, total, chunk) if step.causal else [total]:
        cases.write_buffer(running, "qkv", inputs[position : position + count])
        cases.run_step(running, count, position)
        seen = cases.read_buffer(running, "y", count, width)
        numpy.testing.assert_array_equal(seen, expected[position : position + count])
        position += count
