"""The slow, obvious way to compute a plan: NumPy, float32, dequantised weights. Oracle of tests.

One function an operation, named like it. The only module of this floor that imports NumPy; it never
reaches the site. Knows nothing of threads, layouts, integer arithmetic or sampling.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy
from numpy import float32

from onglet.engine.gguf import HEADER_LIMIT, Tensor, read_header
from onglet.engine.models import plan_for
from onglet.engine.plan import Attend, Embed, Logits, Norm, Plan, Project, Rope

Array = numpy.ndarray
BLOCK = 32  # values that share a scale


def dequantize(kind: str, data: bytes, rows: int, columns: int) -> Array:
    """The float32 matrix (rows, columns) that `data` holds in the tensor type `kind`."""
    values = DEQUANTIZE[kind](numpy.frombuffer(data, dtype=numpy.uint8))
    return values.astype(float32, copy=False).reshape(rows, columns)


def _f32(data: Array) -> Array:
    return data.view("<f4")


def _f16(data: Array) -> Array:
    return data.view("<f2")


def _bf16(data: Array) -> Array:
    return (data.view("<u2").astype("<u4") << 16).view("<f4")


def _q8_0(data: Array) -> Array:
    """A block: scale f16, 32 signed bytes."""
    block = data.reshape(-1, 2 + BLOCK)
    return _scale(block, 0) * block[:, 2:].view(numpy.int8)


def _q4_0(data: Array) -> Array:
    """A block: scale f16, 16 bytes; low nibbles are the first 16 values; 8 is zero."""
    block = data.reshape(-1, 2 + BLOCK // 2)
    return _scale(block, 0) * (_nibbles(block[:, 2:]).astype(numpy.int8) - 8)


def _q4_1(data: Array) -> Array:
    """A block: scale f16, minimum f16, 16 bytes of nibbles as in Q4_0."""
    block = data.reshape(-1, 4 + BLOCK // 2)
    return _scale(block, 0) * _nibbles(block[:, 4:]) + _scale(block, 2)


def _scale(block: Array, offset: int) -> Array:
    return block[:, offset : offset + 2].copy().view("<f2").astype(float32)


def _nibbles(data: Array) -> Array:
    return numpy.concatenate([data & 15, data >> 4], axis=1)


DEQUANTIZE = {
    "F32": _f32,
    "F16": _f16,
    "BF16": _bf16,
    "Q8_0": _q8_0,
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
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
    """A plan with its weights, each a float32 matrix (rows, columns)."""

    plan: Plan
    weights: dict[str, Array]

    @classmethod
    def read(cls, path: Path) -> "Model":
        """The model of a GGUF file. Raises Refused, Incomplete or KeyError (type not written)."""
        data = numpy.memmap(path, dtype=numpy.uint8, mode="r")
        header = read_header(bytes(data[:HEADER_LIMIT]), len(data))
        tensors = header.tensors.values()
        return cls(plan_for(header), {tensor.name: _weight(tensor, data) for tensor in tensors})

    def forward(self, tokens: Iterable[int], cache: Cache | None = None, rows: int = 0) -> Array:
        """The logits (tokens, vocabulary) after each token, or after the last `rows` of them.

        With a cache the tokens continue those it has seen, and are added to it.
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

    def _run(self, step, layer: int | None, buffers: dict, tokens: Array, cache: Cache) -> Array:
        match step:
            case Embed():
                return embed(step, self.weights, tokens)
            case Project():
                return project(step, self.weights, buffers)
            case Attend():
                return attend(step, self.weights, buffers, cache, layer)
            case Logits():
                return logits(step, self.weights, buffers)


def embed(step: Embed, weights: dict[str, Array], tokens: Array) -> Array:
    """(tokens, width)"""
    return weights[step.weight][tokens] * float32(step.scale)


def project(step: Project, weights: dict[str, Array], buffers: dict[str, Array]) -> Array:
    """(tokens, width of output)"""
    x = _normed(buffers[step.input], step.norm, weights)
    results = [x @ weights[name].T for name in step.weights]
    for index, name in enumerate(step.biases or ()):
        if name is not None:
            results[index] = results[index] + weights[name]
    if step.activation == "silu_gated":
        gate, up = results
        results = [gate * (0.5 + 0.5 * numpy.tanh(0.5 * gate)) * up]
    result = numpy.concatenate(results, axis=1)
    return result if step.residual is None else result + buffers[step.residual]


def attend(
    step: Attend,
    weights: dict[str, Array],
    buffers: dict[str, Array],
    cache: Cache,
    layer: int,
) -> Array:
    """(tokens, heads * head_size)"""
    count = len(buffers[step.input])
    heads = buffers[step.input].reshape(count, -1, step.head_size)
    q, k, v = numpy.split(heads, [step.heads, step.heads + step.kv_heads], axis=1)
    positions = cache.position + numpy.arange(count)
    k, v = cache.append(layer, rope(step.rope, weights, k, positions), v)
    q = rope(step.rope, weights, q, positions)
    group = step.heads // step.kv_heads
    k, v = k.repeat(group, axis=1), v.repeat(group, axis=1)
    scores = numpy.einsum("thd,phd->htp", q, k, optimize=True) * float32(step.scale)
    scores[:, _hidden(positions, len(k), step.window)] = -numpy.inf
    mixed = numpy.einsum("htp,phd->thd", _softmax(scores), v, optimize=True)
    return mixed.reshape(count, -1)


def logits(step: Logits, weights: dict[str, Array], buffers: dict[str, Array]) -> Array:
    """(tokens, vocabulary)"""
    x = _normed(buffers[step.input], step.norm, weights)
    return x @ weights[step.weight].T * float32(step.scale)


def rope(step: Rope, weights: dict[str, Array], x: Array, positions: Array) -> Array:
    """Turns each pair of the first `dimensions` values of x (tokens, heads, head_size)."""
    pairs = step.dimensions // 2
    frequencies = step.base ** (-numpy.arange(pairs) / pairs)
    if step.factors is not None:
        frequencies = frequencies / weights[step.factors][0]
    angles = numpy.outer(positions, frequencies)[:, None, :]
    cos, sin = numpy.cos(angles).astype(float32), numpy.sin(angles).astype(float32)
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
    mean = numpy.mean(x * x, axis=1, keepdims=True, dtype=float32)
    return x / numpy.sqrt(mean + float32(epsilon)) * weight


def _normed(x: Array, norm: Norm | None, weights: dict[str, Array]) -> Array:
    return x if norm is None else rms(x, weights[norm.weight], norm.epsilon)


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
