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
from onglet.engine.plan import GATED, Add, Attend, Embed, Logits, Norm, Plan, Project, Rope

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

    @property
    def _context(self) -> int:
        return self.context or self.plan.context_length

    def _run(self, step, layer: int | None, buffers: dict, tokens: Array, cache: Cache) -> Array:
        match step:
            case Embed():
                return embed(step, self.weights, tokens)
            case Project():
                return project(step, self.weights, buffers)
            case Attend():
                return attend(step, self.weights, buffers, cache, layer, self._context)
            case Add():
                return add(step, self.weights, buffers)
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
    result = numpy.concatenate(results, axis=1)
    if step.activation in GATED:
        gate, up = numpy.split(result, 2, axis=1)
        result = ACTIVATE[step.activation](gate) * up
    result = result * float32(step.scale)
    return result if step.residual is None else result + buffers[step.residual]


def silu(x: Array) -> Array:
    """x times the logistic function of x."""
    return x * (0.5 + 0.5 * numpy.tanh(0.5 * x))


def gelu(x: Array) -> Array:
    """The approximation by tanh. Source: Hendrycks and Gimpel 2016 (arXiv 1606.08415)."""
    return 0.5 * x * (1 + numpy.tanh((2 / numpy.pi) ** 0.5 * (x + 0.044715 * x**3)))


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
    scores[:, _hidden(positions, len(k), step.window)] = -numpy.inf
    mixed = numpy.einsum("htp,phd->thd", _softmax(scores), v, optimize=True)
    return mixed.reshape(count, -1)


def add(step: Add, weights: dict[str, Array], buffers: dict[str, Array]) -> Array:
    """(tokens, width)"""
    return buffers[step.residual] + _normed(buffers[step.input], step.norm, weights)


def logits(step: Logits, weights: dict[str, Array], buffers: dict[str, Array]) -> Array:
    """(tokens, vocabulary)"""
    x = _normed(buffers[step.input], step.norm, weights)
    return x @ weights[step.weight].T * float32(step.scale)


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
    return x if norm is None else rms(x, weights[norm.weight], norm.epsilon)


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
