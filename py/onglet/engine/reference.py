"""The slow, obvious way to compute a plan: NumPy, float32, dequantised weights. Oracle of tests.

One function an operation, named like it. The only module of this floor that imports NumPy; it never
reaches the site. Knows nothing of threads, layouts, integer arithmetic or sampling.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy
from numpy import float32

from onglet.engine.gguf import HEADER_LIMIT, Tensor, read_header
from onglet.engine.models import plan_for
from onglet.engine.plan import GATED, Add, Attend, Embed, Logits, Norm, Plan, Pool, Project, Rope

Array = numpy.ndarray
BLOCK = 32  # values that share a scale


@dataclass(frozen=True)
class Groups:
    """Quantized values: groups of 16 or 32 that share a scale and, perhaps, a minimum."""

    quants: Array  # (group, 16 or 32) integers
    scales: Array  # (group,) float32
    minima: Array | None = None

    def values(self) -> Array:
        values = self.scales[:, None] * self.quants
        return values if self.minima is None else values + self.minima[:, None]


def dequantize(kind: str, data: bytes, rows: int, columns: int) -> Array:
    """The float32 matrix (rows, columns) that `data` holds in the tensor type `kind`."""
    stored = numpy.frombuffer(data, dtype=numpy.uint8)
    values = FLOATS[kind](stored) if kind in FLOATS else GROUPS[kind](stored).values()
    return values.astype(float32, copy=False).reshape(rows, columns)


def _f32(data: Array) -> Array:
    return data.view("<f4")


def _f16(data: Array) -> Array:
    return data.view("<f2")


def _bf16(data: Array) -> Array:
    return (data.view("<u2").astype("<u4") << 16).view("<f4")


def _q8_0(data: Array) -> Groups:
    """A block: scale f16, 32 signed bytes."""
    block = data.reshape(-1, 2 + BLOCK)
    return Groups(block[:, 2:].view(numpy.int8), _scale(block, 0))


def _q4_0(data: Array) -> Groups:
    """A block: scale f16, 16 bytes; low nibbles are the first 16 values; 8 is zero."""
    block = data.reshape(-1, 2 + BLOCK // 2)
    return Groups(_nibbles(block[:, 2:]) - 8, _scale(block, 0))


def _q4_1(data: Array) -> Groups:
    """A block: scale f16, minimum f16, 16 bytes of nibbles as in Q4_0."""
    block = data.reshape(-1, 4 + BLOCK // 2)
    return Groups(_nibbles(block[:, 4:]), _scale(block, 0), _scale(block, 2))


def _q5_0(data: Array) -> Groups:
    """A block: scale f16, 32 fifth bits, 16 bytes of nibbles as in Q4_0; 16 is zero."""
    block = data.reshape(-1, 6 + BLOCK // 2)
    return Groups(_nibbles(block[:, 6:]) + _fifth_bits(block[:, 2:6]) - 16, _scale(block, 0))


def _q5_1(data: Array) -> Groups:
    """A block: scale f16, minimum f16, then as in Q5_0; 0 is the minimum."""
    block = data.reshape(-1, 8 + BLOCK // 2)
    quants = _nibbles(block[:, 8:]) + _fifth_bits(block[:, 4:8])
    return Groups(quants, _scale(block, 0), _scale(block, 2))


def _iq4_nl(data: Array) -> Groups:
    """A block as in Q4_0; a nibble stands for a value of IQ4_NL_VALUES."""
    block = data.reshape(-1, 2 + BLOCK // 2)
    return Groups(IQ4_NL_VALUES[_nibbles(block[:, 2:])], _scale(block, 0))


def _mxfp4(data: Array) -> Groups:
    """A block: exponent e, 16 bytes as in Q4_0; a value of MXFP4_VALUES (doubled) * 2^(e - 128).
    Source: OCP Microscaling Formats 1.0."""
    block = data.reshape(-1, 1 + BLOCK // 2)
    scale = numpy.ldexp(float32(1), block[:, 0].astype(int) - 128).astype(float32)
    return Groups(MXFP4_VALUES[_nibbles(block[:, 1:])], scale)


# The types named K: blocks of 256 values in pieces of 32 or 16 that share integer factors.
# Source of all their layouts: ggml/src/ggml-quants.c.


def _q2_k(data: Array) -> Groups:
    """16 bytes: factors of scale (low) and minimum (high); 64 bytes of twos; scale, minimum f16."""
    block = data.reshape(-1, 84)
    scales = _scale(block, 80)[:, None] * (block[:, :16] & 15)
    minima = -_scale(block, 82)[:, None] * (block[:, :16] >> 4)
    return Groups(_twos(block[:, 16:80]).reshape(-1, 16), scales.ravel(), minima.ravel())


def _q3_k(data: Array) -> Groups:
    """32 bytes of third bits, 64 of twos, 12 of 6-bit factors (32 is zero), scale f16."""
    block = data.reshape(-1, 110)
    factors, index = block[:, 96:108].astype(int), numpy.arange(16)
    low = factors[:, index % 8] >> (index // 8 * 4) & 15
    high = factors[:, 8 + index % 4] >> (index // 4 * 2) & 3
    scales = _scale(block, 108)[:, None] * (low + 16 * high - 32).astype(numpy.int8)
    quants = _twos(block[:, 32:96]) + 4 * _bits(block[:, :32]) - 4
    return Groups(quants.reshape(-1, 16), scales.ravel())


def _q4_k(data: Array) -> Groups:
    """Scale, minimum f16; 12 bytes of their 6-bit factors; 128 bytes of nibbles."""
    block = data.reshape(-1, 144)
    return Groups(_nibbles_of_k(block[:, 16:]), *_scales_of_k(block))


def _q5_k(data: Array) -> Groups:
    """As Q4_K, with 32 bytes of fifth bits before the nibbles."""
    block = data.reshape(-1, 176)
    quants = _nibbles_of_k(block[:, 48:]) + 16 * _bits(block[:, 16:48]).reshape(-1, BLOCK)
    return Groups(quants, *_scales_of_k(block))


def _q6_k(data: Array) -> Groups:
    """128 bytes of nibbles, 64 of twos, 16 signed factors, scale f16; 32 is zero."""
    block = data.reshape(-1, 210)
    low = block[:, :128].reshape(-1, 2, 1, 64) >> numpy.array([0, 4], numpy.uint8)[:, None] & 15
    quants = low.astype(numpy.int8).reshape(-1, 256) + 16 * _twos(block[:, 128:192]) - 32
    scales = _scale(block, 208)[:, None] * block[:, 192:208].view(numpy.int8)
    return Groups(quants.reshape(-1, 16), scales.ravel())


def _scales_of_k(block: Array) -> tuple[Array, Array]:
    """Scales and minima of the 8 groups of each block of Q4_K or Q5_K."""
    first, second, third = block[:, 4:8], block[:, 8:12], block[:, 12:16]
    scales = numpy.concatenate([first & 63, (third & 15) | (first >> 6 << 4)], axis=1)
    minima = numpy.concatenate([second & 63, (third >> 4) | (second >> 6 << 4)], axis=1)
    scales = _scale(block, 0)[:, None] * scales
    return scales.ravel(), (-_scale(block, 2)[:, None] * minima).ravel()


def _nibbles_of_k(data: Array) -> Array:
    """(blocks, 128) -> (groups, 32): 32 low nibbles, then the 32 high ones."""
    halves = data.reshape(-1, 4, 1, 32) >> numpy.array([0, 4], numpy.uint8)[:, None] & 15
    return halves.astype(numpy.int8).reshape(-1, BLOCK)


def _twos(data: Array) -> Array:
    """(blocks, 64) -> (blocks, 256): each 32 bytes hold 128 values, two bits after two bits."""
    shifts = numpy.array([0, 2, 4, 6], numpy.uint8)[:, None]
    return (data.reshape(-1, 2, 1, 32) >> shifts & 3).astype(numpy.int8).reshape(-1, 256)


def _bits(data: Array) -> Array:
    """(blocks, 32) -> (blocks, 256): bit after bit of 32 bytes."""
    shifts = numpy.arange(8, dtype=numpy.uint8)[:, None]
    return (data[:, None, :] >> shifts & 1).astype(numpy.int8).reshape(-1, 256)


def _fifth_bits(data: Array) -> Array:
    return 16 * numpy.unpackbits(data, axis=1, bitorder="little").astype(numpy.int8)


def _scale(block: Array, offset: int) -> Array:
    return block[:, offset : offset + 2].copy().view("<f2")[:, 0].astype(float32)


def _nibbles(data: Array) -> Array:
    return numpy.concatenate([data & 15, data >> 4], axis=1).astype(numpy.int8)


IQ4_NL_VALUES = numpy.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], numpy.int8
)
MXFP4_VALUES = numpy.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], numpy.int8)
FLOATS = {"F32": _f32, "F16": _f16, "BF16": _bf16}
GROUPS = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "Q2_K": _q2_k,
    "Q3_K": _q3_k,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
    "IQ4_NL": _iq4_nl,
    "MXFP4": _mxfp4,
}


@dataclass
class Cache:
    """Keys and values of the tokens seen so far: layer -> (position, kv_heads, head_size)."""

    position: int = 0
    keys: dict[int, Array] = field(default_factory=dict)
    values: dict[int, Array] = field(default_factory=dict)

    def append(self, layer: int, k: Array, v: Array) -> tuple[Array, Array]:
        """Adds this step's keys and values; gives all of them."""
        for store, new in ((self.keys, k), (self.values, v)):
            store[layer] = numpy.concatenate([store[layer], new]) if layer in store else new
        return self.keys[layer], self.values[layer]


@dataclass(frozen=True)
class Model:
    """A plan with its weights, each a float32 matrix (rows, columns), for a context of so many
    tokens (None: what the model was made for)."""

    plan: Plan
    weights: dict[str, Array]
    context: int | None = None

    @classmethod
    def read(cls, path: Path) -> "Model":
        """The model of a GGUF file. Raises Refused, Incomplete or KeyError (type not written)."""
        data = numpy.memmap(path, dtype=numpy.uint8, mode="r")
        header = read_header(bytes(data[:HEADER_LIMIT]), len(data))
        tensors = header.tensors.values()
        return cls(plan_for(header), {tensor.name: _weight(tensor, data) for tensor in tensors})

    def forward(self, tokens: Iterable[int], cache: Cache | None = None, rows: int = 0) -> Array:
        """The logits (tokens, vocabulary) after each token, or after the last `rows` of them.

        With a cache the tokens continue those it has seen, and are added to it. An encoder gives
        the vector of the tokens, (1, width).
        """
        tokens = numpy.asarray(list(tokens))
        cache = cache or Cache()
        buffers: dict[str, Array] = {}
        for step, layer in self.plan.steps():
            if step.op == "logits":
                buffers = {**buffers, step.input: buffers[step.input][-rows:]}
            buffers[step.output] = self._run(step, layer, buffers, tokens, cache)
        cache.position += len(tokens)
        return buffers[step.output]

    def greedy(self, tokens: Iterable[int], count: int, stop: Iterable[int] = ()) -> list[int]:
        """At most `count` best tokens after `tokens`; a token of `stop` is the last one."""
        cache, answer, feed = Cache(), [], list(tokens)
        while len(answer) < count:
            answer.append(int(self.forward(feed, cache, rows=1)[-1].argmax()))
            feed = answer[-1:]
            if answer[-1] in stop:
                break
        return answer

    @property
    def _context(self) -> int:
        return self.context or self.plan.context_length

    def _run(self, step, layer: int | None, buffers: dict, tokens: Array, cache: Cache) -> Array:
        match step:
            case Embed():
                return embed(step, self.weights, tokens, cache.position)
            case Project():
                return project(step, self.weights, buffers)
            case Attend():
                return attend(step, self.weights, buffers, cache, layer, self._context)
            case Add():
                return add(step, self.weights, buffers)
            case Logits():
                return logits(step, self.weights, buffers)
            case Pool():
                return pool(step, buffers)


def embed(step: Embed, weights: dict[str, Array], tokens: Array, position: int = 0) -> Array:
    """(tokens, width)"""
    rows = weights[step.weight][tokens] * float32(step.scale)
    if step.positions:
        rows = rows + weights[step.positions][position : position + len(tokens)]
    return rows + weights[step.types][0] if step.types else rows


def project(step: Project, weights: dict[str, Array], buffers: dict[str, Array]) -> Array:
    """(tokens, width of output)"""
    x = _normed(buffers[step.input], step.norm, weights)
    results = [x @ weights[name].T for name in step.weights]
    for index, name in enumerate(step.biases or ()):
        if name is not None:
            results[index] = results[index] + weights[name]
    result = numpy.concatenate(results, axis=1)
    if step.activation in GATED:
        gate, up = numpy.split(result, 2, axis=1)
        result = ACTIVATE[step.activation](gate) * up
    elif step.activation == "gelu":
        result = exact_gelu(result)
    result = result * float32(step.scale)
    return result if step.residual is None else result + buffers[step.residual]


def silu(x: Array) -> Array:
    """x times the logistic function of x."""
    return x * (0.5 + 0.5 * numpy.tanh(0.5 * x))


def gelu(x: Array) -> Array:
    """The approximation by tanh. Source: Hendrycks and Gimpel 2016 (arXiv 1606.08415)."""
    return 0.5 * x * (1 + numpy.tanh((2 / numpy.pi) ** 0.5 * (x + 0.044715 * x**3)))


def exact_gelu(x: Array) -> Array:
    """x times the share of a normal distribution below x."""
    return 0.5 * x * (1 + _erf(x / float32(2**0.5)))


_erf = numpy.vectorize(math.erf, [float32])
ACTIVATE = {"silu_gated": silu, "gelu_gated": gelu}


def attend(
    step: Attend,
    weights: dict[str, Array],
    buffers: dict[str, Array],
    cache: Cache,
    layer: int,
    context: int = 0,
) -> Array:
    """(tokens, heads * head_size); `context` chooses among rope factors."""
    count = len(buffers[step.input])
    heads = buffers[step.input].reshape(count, -1, step.head_size)
    q, k, v = numpy.split(heads, [step.heads, step.heads + step.kv_heads], axis=1)
    positions = cache.position + numpy.arange(count)
    q, k = _headwise(q, step.q_norm, weights), _headwise(k, step.k_norm, weights)
    if step.rope:
        q, k = (rope(step.rope, weights, part, positions, context) for part in (q, k))
    k, v = cache.append(layer, k, v)
    group = step.heads // step.kv_heads
    k, v = k.repeat(group, axis=1), v.repeat(group, axis=1)
    scores = numpy.einsum("thd,phd->htp", q, k, optimize=True) * float32(step.scale)
    if step.causal:
        scores[:, _hidden(positions, len(k), step.window)] = -numpy.inf
    mixed = numpy.einsum("htp,phd->thd", _softmax(scores), v, optimize=True)
    return mixed.reshape(count, -1)


def add(step: Add, weights: dict[str, Array], buffers: dict[str, Array]) -> Array:
    """(tokens, width)"""
    normed = _normed(buffers[step.input], step.norm, weights)
    return normed + buffers[step.residual] if step.residual else normed


def logits(step: Logits, weights: dict[str, Array], buffers: dict[str, Array]) -> Array:
    """(tokens, vocabulary)"""
    x = _normed(buffers[step.input], step.norm, weights)
    return x @ weights[step.weight].T * float32(step.scale)


def pool(step: Pool, buffers: dict[str, Array]) -> Array:
    """(1, width), of length 1"""
    x = buffers[step.input]
    vector = x.mean(axis=0) if step.kind == "mean" else x[0]
    return (vector / numpy.linalg.norm(vector))[None]


def rope(
    step: Rope, weights: dict[str, Array], x: Array, positions: Array, context: int = 0
) -> Array:
    """Turns each pair of the first `dimensions` values of x (tokens, heads, head_size)."""
    pairs, factors = step.dimensions // 2, step.factors_in(context)
    frequencies = numpy.array(step.frequencies())
    if factors is not None:
        frequencies = frequencies / weights[factors][0]
    angles = numpy.outer(positions, frequencies)[:, None, :]
    both = numpy.cos(angles), numpy.sin(angles)
    cos, sin = ((part * step.amplitude).astype(float32) for part in both)
    if step.pairing == "adjacent":
        first, second = slice(0, step.dimensions, 2), slice(1, step.dimensions, 2)
    else:
        first, second = slice(0, pairs), slice(pairs, step.dimensions)
    turned = x.copy()
    turned[..., first] = x[..., first] * cos - x[..., second] * sin
    turned[..., second] = x[..., first] * sin + x[..., second] * cos
    return turned


def rms(x: Array, weight: Array, epsilon: float) -> Array:
    """x over its root mean square, times weight."""
    mean = numpy.mean(x * x, axis=-1, keepdims=True, dtype=float32)
    return x / numpy.sqrt(mean + float32(epsilon)) * weight


def _normed(x: Array, norm: Norm | None, weights: dict[str, Array]) -> Array:
    if norm is None:
        return x
    if norm.kind == "layer":
        x = x - x.mean(axis=-1, keepdims=True)
    normed = rms(x, weights[norm.weight], norm.epsilon)
    return normed + weights[norm.bias] if norm.bias else normed


def _headwise(x: Array, norm: Norm | None, weights: dict[str, Array]) -> Array:
    """x (tokens, heads, head_size) after a norm of each head, or of all heads together."""
    if norm is None or weights[norm.weight].shape[1] == x.shape[2]:
        return _normed(x, norm, weights)
    return _normed(x.reshape(len(x), -1), norm, weights).reshape(x.shape)


def _softmax(scores: Array) -> Array:
    weights = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _hidden(positions: Array, total: int, window: int | None) -> Array:
    """(tokens, total): what a token may not see: what comes later, or too long ago."""
    distance = positions[:, None] - numpy.arange(total)[None, :]
    return (distance < 0) | (distance >= (window or total))


def _weight(tensor: Tensor, data: Array) -> Array:
    stored = data[tensor.source : tensor.source + tensor.bytes]
    return dequantize(tensor.type, stored.tobytes(), tensor.rows, tensor.columns)
