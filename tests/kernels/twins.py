"""NumPy twins of the kernels: the same arithmetic, in the same order, to the last bit.

Slow and obvious, and independent of packed layouts: weights are plain arrays by row and group.
The float32 oracle of whole models is onglet.engine.reference; this one is for single operations.
"""

from dataclasses import dataclass

import numpy
from numpy import float32, int32, uint32

from onglet.engine import reference

Array = numpy.ndarray
BLOCK, SPLIT, MASKED = 32, 128, float32(-1e30)


def _horner(x: Array, *coefficients: float) -> Array:
    value = numpy.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + x.dtype.type(coefficient)
    return value


def exponential(x: Array) -> Array:
    """numbers.h, f32x4_exponential"""
    x = numpy.asarray(x, float32)
    vanishes = x < float32(-87)
    x = numpy.clip(x, float32(-87), float32(88))
    n = numpy.rint(x * float32(1.44269504))
    r = x - n * float32(0.693359375) + n * float32(2.12194440e-4)
    p = _horner(r, 1.98756915e-4, 1.39819995e-3, 8.33345191e-3, 4.16657959e-2)
    p = p * r + float32(1.66666655e-1)
    p = p * r + float32(5.00000012e-1)
    p = p * r * r + r + float32(1)
    power = ((n.astype(int32) + 127) << 23).view(float32)
    return numpy.where(vanishes, float32(0), p * power)


def sum_lanes(x: Array) -> Array:
    """(..., 4 n) -> (...): four running sums, then ((0 + 1) + (2 + 3))."""
    lanes = x.reshape(*x.shape[:-1], -1, 4)
    total = numpy.zeros((*lanes.shape[:-2], 4), float32)
    for index in range(lanes.shape[-2]):
        total = total + lanes[..., index, :]
    return (total[..., 0] + total[..., 1]) + (total[..., 2] + total[..., 3])


def normalize(x: Array, norm, weights: dict[str, Array]) -> Array:
    """x after a norm of the plan"""
    if norm.kind == "layer":
        x = x - (sum_lanes(x) / float32(x.shape[-1]))[..., None]
    mean = sum_lanes(x * x) / float32(x.shape[-1])
    scale = float32(1) / numpy.sqrt(mean + float32(norm.epsilon))
    weighted = x * scale[..., None] * weights[norm.weight]
    return weighted + weights[norm.bias] if norm.bias else weighted


OUTLIER = float32(float32(1.7) * float32(1.7))


@dataclass(frozen=True)
class Slot:
    """One block of activations, quantized: values are about integers * scale."""

    block: int
    integers: Array  # (tokens, 32)
    scales: Array  # (tokens,)


def quantize(x: Array) -> list[Slot]:
    """(tokens, columns) -> every block; then again, finer, what is left over of outlier blocks."""
    blocks = x.reshape(len(x), -1, BLOCK)
    scales = numpy.abs(blocks).max(axis=-1) / float32(127)
    integers = _round(blocks, scales)
    rest = blocks - integers.astype(float32) * scales[..., None]
    finer = numpy.where(_outliers(scales), scales, float32(0)) / float32(254)
    integers_of_rest = _round(rest, finer)
    return [
        Slot(block, values[:, block], scale[:, block])
        for values, scale in ((integers, scales), (integers_of_rest, finer))
        for block in range(blocks.shape[1])
    ]


def _round(values: Array, scales: Array) -> Array:
    with numpy.errstate(divide="ignore"):
        inverse = numpy.where(scales > 0, float32(1) / scales, float32(0)).astype(float32)
    return numpy.rint(values * inverse[..., None]).astype(int32)


def _outliers(scales: Array) -> Array:
    squares = numpy.zeros(len(scales), float32)
    for block in range(scales.shape[1]):
        squares = squares + scales[:, block] * scales[:, block]
    limit = squares / float32(scales.shape[1]) * OUTLIER
    return scales * scales > limit[:, None]


@dataclass(frozen=True)
class Matrix:
    """A tensor of a file: raw bytes, and what they mean to the kernels."""

    type: str
    data: bytes
    quants: Array | None = None  # (rows, group, 32 or 16): integers
    scales: Array | None = None  # (rows, group) float32
    minima: Array | None = None
    values: Array | None = None  # (rows, columns) float32 as the kernels keep them

    @property
    def exact(self) -> Array:
        """What the weights are, (rows, columns) float32."""
        if self.values is not None:
            return self.values
        values = self.quants.astype(float32) * self.scales[..., None]
        if self.minima is not None:
            values = values + self.minima[..., None]
        return values.reshape(len(values), -1)


def quantized(kind: str, data: bytes, rows: int) -> Matrix:
    """The matrix of a quantized tensor. The scales of Q4_K, Q5_K and MXFP4 are kept rounded."""
    groups = reference.GROUPS[kind](numpy.frombuffer(data, numpy.uint8))
    scales, minima = groups.scales, groups.minima
    if kind in ("Q4_K", "Q5_K"):
        scales, minima = half(scales), half(minima)
    if kind == "MXFP4":
        scales = half(numpy.minimum(scales, float32(1 << 15)))
    return Matrix(
        kind,
        data,
        groups.quants.astype(int).reshape(rows, -1, groups.quants.shape[1]),
        scales.reshape(rows, -1),
        None if minima is None else minima.reshape(rows, -1),
    )


def half(values: Array) -> Array:
    """Rounded to half precision, within its finite numbers, as float32."""
    return numpy.clip(values, -65504, 65504).astype("<f2").astype(float32)


def bfloat16(values: Array) -> Array:
    """Rounded to bfloat16, ties to even, as float32."""
    bits = values.astype(float32).view(uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16).astype(uint32).view(float32)


def bfloat16_pairs(values: Array) -> Array:
    """(..., 2 n) as it is read back from lanes of two: the odd one with the even one below it."""
    values = numpy.ascontiguousarray(values, float32)
    read = values.copy()
    read[..., 0::2] = bfloat16(values[..., 0::2])
    low = read[..., 0::2].copy().view(uint32) >> 16
    bits = values[..., 1::2].copy().view(uint32)
    magnitude = (bits & 0x7FFFFFFF).astype(numpy.int64) + 0x8000 - low
    upper = numpy.maximum(magnitude, 0) >> 16
    read[..., 1::2] = ((bits & 0x80000000) | (upper << 16).astype(uint32) | low).view(float32)
    return read


def multiply(matrix: Matrix, x: Array) -> Array:
    """(tokens, columns) -> (tokens, rows)"""
    return _multiply_floats(matrix, x) if matrix.values is not None else _multiply(matrix, x)


def _multiply_floats(matrix: Matrix, x: Array) -> Array:
    total = numpy.zeros((2, len(x), len(matrix.values)), float32)
    for column in range(x.shape[1]):
        total[column % 2] += x[:, column, None] * matrix.values[None, :, column]
    return total[0] + total[1]


def _multiply(matrix: Matrix, x: Array) -> Array:
    rows, _, size = matrix.quants.shape
    total = numpy.zeros((len(x), rows), float32)
    minima = numpy.zeros_like(total)
    for slot in quantize(x):
        scale = slot.scales[:, None]
        for part in range(BLOCK // size):
            group = slot.block * BLOCK // size + part
            integers = slot.integers[:, part * size : (part + 1) * size]
            dots = integers @ matrix.quants[:, group].T
            total += dots.astype(float32) * (matrix.scales[None, :, group] * scale)
            if matrix.minima is not None:
                sums = integers.sum(axis=-1, dtype=int32).astype(float32)[:, None]
                minima += matrix.minima[None, :, group] * (scale * sums)
    return total if matrix.minima is None else total + minima


def silu_gated(gate: Array, up: Array) -> Array:
    return gate / (float32(1) + exponential(float32(0) - gate)) * up


def gelu_gated(gate: Array, up: Array) -> Array:
    inner = gate * (gate * gate * float32(-0.0713548163) - float32(1.59576912))
    return gate / (float32(1) + exponential(inner)) * up


GATED = {"silu_gated": silu_gated, "gelu_gated": gelu_gated}


def error_function(x: Array) -> Array:
    """numbers.h, f32x4_error_function"""
    x = numpy.clip(x, float32(-4), float32(4))
    z = x * x
    p = _horner(z, -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06)
    for coefficient in (-5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03):
        p = p * z + float32(coefficient)
    p = p * z + float32(-1.60960333262415e-02)
    q = _horner(z, -1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03)
    q = q * z + float32(-7.37332916720468e-03)
    return x * p / (q * z + float32(-1.42647390514189e-02))


def gelu(x: Array) -> Array:
    share = error_function(x * float32(0.707106781))
    return x * float32(0.5) * (share + float32(1))


def pool(x: Array, kind: str) -> Array:
    """(tokens, columns) -> (columns,)"""
    rows = x if kind == "mean" else x[:1]
    total = numpy.zeros(x.shape[1], float32)
    for row in rows:
        total = total + row
    total = total * (float32(1) / float32(len(rows)))
    return total / numpy.sqrt(sum_lanes(total * total))


def angles(rope, positions: Array, factors: Array | None) -> tuple[Array, Array]:
    """Cosines and sines (positions, pairs): fdlibm's polynomials in double, by quarter turns."""
    pairs = rope.dimensions // 2
    frequencies = numpy.array(rope.frequencies())
    divisors = numpy.ones(pairs) if factors is None else factors.astype(numpy.float64)
    angle = positions.astype(numpy.float64)[:, None] * (frequencies / divisors)
    quarters = numpy.rint(angle * 0.63661977236758134308)
    x = angle - quarters * 1.57079632673412561417e00
    x = x - quarters * 6.07710050650619224932e-11
    z = x * x
    s = _horner(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08)
    for coefficient in (
        *(2.75573137070700676789e-06, -1.98412698298579493134e-04),
        *(8.33333333332248946124e-03, -1.66666666666666324348e-01),
    ):
        s = coefficient + z * s
    s = x + x * z * s
    c = _horner(z, -1.13596475577881948265e-11, 2.08757232129817482790e-09)
    for coefficient in (
        *(-2.75573143513906633035e-07, 2.48015872894767294178e-05),
        *(-1.38888888888741095749e-03, 4.16666666666666019037e-02),
    ):
        c = coefficient + z * c
    c = 1.0 - 0.5 * z + z * z * c
    quarter = quarters.astype(int) & 3
    cosine = numpy.choose(quarter, [c, -s, -c, s])
    sine = numpy.choose(quarter, [s, c, -s, -c])
    amplitude = float32(rope.amplitude)
    return cosine.astype(float32) * amplitude, sine.astype(float32) * amplitude


def rope(step, x: Array, positions: Array, factors: Array | None, scale: float) -> Array:
    """x: (tokens, heads, head_size), turned and scaled"""
    if step.rope is None:
        return x * float32(scale)
    cosine, sine = (part[:, None, :] for part in angles(step.rope, positions, factors))
    pairs = step.rope.dimensions // 2
    if step.rope.pairing == "halves":
        first, second = slice(0, pairs), slice(pairs, 2 * pairs)
    else:
        first, second = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    turned = x * float32(scale)
    turned[..., first] = (x[..., first] * cosine - x[..., second] * sine) * float32(scale)
    turned[..., second] = (x[..., first] * sine + x[..., second] * cosine) * float32(scale)
    return turned


def normalize_heads(x: Array, norm, weights: dict[str, Array]) -> Array:
    """x: (tokens, heads, head_size): a norm of each head, or of all together, by its length"""
    if norm is None:
        return x
    if weights[norm.weight].shape[-1] == x.shape[2]:
        return normalize(x, norm, weights)
    return normalize(x.reshape(len(x), -1), norm, weights).reshape(x.shape)


def attend(step, inputs: Array, weights: dict[str, Array]) -> Array:
    """inputs: (tokens, q k v side by side), positions from 0 -> (tokens, heads * head_size)"""
    factors = weights[step.rope.factors] if step.rope and step.rope.factors else None
    count = len(inputs)
    positions = numpy.arange(count)
    x = inputs.reshape(count, -1, step.head_size)
    q, k, v = numpy.split(x, [step.heads, step.heads + step.kv_heads], axis=1)
    q = normalize_heads(q, step.q_norm, weights)
    k = normalize_heads(k, step.k_norm, weights)
    q = rope(step, q, positions, factors, step.scale)
    k = rope(step, k, positions, factors, 1.0)
    k = bfloat16_pairs(_even(k).T).T[:count]
    v = bfloat16_pairs(v)
    group = step.heads // step.kv_heads
    heads = [
        _attend_head(step, q[:, head], k[:, head // group], v[:, head // group])
        for head in range(step.heads)
    ]
    return numpy.stack(heads, axis=1).reshape(count, -1)


def _even(k: Array) -> Array:
    """One row of zeros more when the number of positions is odd."""
    return numpy.concatenate([k, numpy.zeros_like(k[:1])])[: len(k) + len(k) % 2]


def _attend_head(step, q: Array, k: Array, v: Array) -> Array:
    """q, k, v: (positions, head_size). Split after split, all rows at once."""
    count, size = q.shape
    scores = numpy.zeros((count, count), float32)
    for i in range(size):
        scores += q[:, i, None] * k[None, :, i]
    distance = numpy.arange(count)[:, None] - numpy.arange(count)[None, :]
    visible = (distance >= 0) & (distance < (step.window or count)) | (not step.causal)
    greatest = numpy.full((count, 1), MASKED)
    weight, total = numpy.zeros((count, 1), float32), numpy.zeros((count, size), float32)
    for low in range(0, count, SPLIT):
        split = slice(low, low + SPLIT)
        seen = _see_split(scores[:, split], visible[:, split], v[split])
        merged = _merge((greatest, weight, total), seen)
        rows = visible[:, split].any(axis=1, keepdims=True)
        greatest, weight, total = (
            numpy.where(rows, new, old)
            for new, old in zip(merged, (greatest, weight, total), strict=True)
        )
    return total / weight


def _see_split(scores: Array, visible: Array, v: Array) -> tuple[Array, Array, Array]:
    """Greatest score, sum of weights, weighted sum of values of each row."""
    seen = numpy.full((len(scores), SPLIT), MASKED)
    seen[:, : scores.shape[1]] = numpy.where(visible, scores, MASKED)
    greatest = seen.max(axis=1, keepdims=True)
    weights = exponential(seen - greatest)
    total = numpy.zeros((len(scores), v.shape[1]), float32)
    for place, value in enumerate(v):
        total += weights[:, place, None] * value
    return greatest, sum_lanes(weights)[:, None], total


def _merge(so_far: tuple, split: tuple) -> tuple[Array, Array, Array]:
    both = numpy.maximum(so_far[0], split[0])
    old, new = exponential(so_far[0] - both), exponential(split[0] - both)
    return both, so_far[1] * old + split[1] * new, so_far[2] * old + split[2] * new
