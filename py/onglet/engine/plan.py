"""What a model computes, as data: weights, buffers, operations (docs/protocols.md section 1).

A plan knows neither the file the weights lie in nor how an executor carries the operations out.
"""

import math
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import ClassVar

from onglet.engine.errors import Refused

FORMAT = 1
NORMS = ("rms", "layer")
GATED = ("silu_gated", "gelu_gated")
ACTIVATIONS = (None, *GATED, "gelu")
POOLINGS = ("mean", "first")
PAIRINGS = ("adjacent", "halves")


@dataclass(frozen=True)
class Weight:
    """A matrix of the file. A vector (norm, bias, rope factors) is one row."""

    type: str
    shape: tuple[int, int]  # (rows, columns); columns are contiguous in the file


@dataclass(frozen=True)
class Norm:
    """`rms`: by the root mean square; `layer`: the mean is taken away first."""

    kind: str
    weight: str
    epsilon: float
    bias: str | None = None


@dataclass(frozen=True)
class Yarn:
    """Frequencies that turn often within the original context stay, slow ones are stretched, those
    between are mixed. Source: Peng et al. 2023 (arXiv 2309.00071)."""

    original_context: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0

    def kept(self, base: float, pairs: int) -> list[float]:
        """How much of each pair's own frequency stays: 1 all, 0 none."""
        ends = (
            pairs * math.log(self.original_context / (beta * math.tau)) / math.log(base)
            for beta in (self.beta_fast, self.beta_slow)
        )
        low, high = (math.floor(next(ends)), math.ceil(next(ends)))
        low, high = max(0, low), min(2 * pairs - 1, high)
        places = ((pair - low) / max(0.001, high - low) for pair in range(pairs))
        return [1 - min(1.0, max(0.0, place)) for place in places]


@dataclass(frozen=True)
class Rope:
    """Angle of a pair: position * frequency, divided by `stretch` and by the weight `factors`
    (1, dimensions / 2); in a context above `original_context` by `long_factors` instead."""

    pairing: str
    base: float
    dimensions: int
    factors: str | None = None
    long_factors: str | None = None
    original_context: int | None = None
    stretch: float = 1.0
    amplitude: float = 1.0  # times cosine and sine
    yarn: Yarn | None = None

    def frequencies(self) -> list[float]:
        """Radians a position, for each pair, before the factors."""
        pairs = self.dimensions // 2
        own = [self.base ** (-pair / pairs) for pair in range(pairs)]
        kept = self.yarn.kept(self.base, pairs) if self.yarn else [0.0] * pairs
        return [
            frequency / self.stretch * (1 - share) + frequency * share
            for frequency, share in zip(own, kept, strict=True)
        ]

    def factors_in(self, context: int) -> str | None:
        """The weight that divides the frequencies in a context of so many tokens."""
        if self.original_context is None or context <= self.original_context:
            return self.factors
        return self.long_factors


@dataclass(frozen=True)
class Embed:
    """output = rows of `weight` named by the tokens, times scale, plus the rows of `positions`
    named by their positions, plus the first row of `types`."""

    op: ClassVar = "embed"
    weight: str
    output: str
    scale: float = 1.0
    positions: str | None = None
    types: str | None = None


@dataclass(frozen=True)
class Project:
    """output = activation(norm(input) @ weights side by side + biases) * scale + residual.

    A gated activation has two weights, gate and up, or one with the rows of both. `gelu` is the
    exact one, `gelu_gated` the approximation by tanh.
    """

    op: ClassVar = "project"
    input: str
    weights: tuple[str, ...]
    output: str
    norm: Norm | None = None
    biases: tuple[str | None, ...] | None = None
    activation: str | None = None
    residual: str | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Attend:
    """Norm and rope on q and k, k and v into the cache, attention of q over it.

    input: q, k, v side by side. A norm has a weight for one head, or for all heads together. Not
    causal: a token sees the later ones of its step too, so a text must be one step.
    """

    op: ClassVar = "attend"
    input: str
    output: str
    heads: int
    kv_heads: int
    head_size: int
    scale: float
    rope: Rope | None
    window: int | None = None
    q_norm: Norm | None = None
    k_norm: Norm | None = None
    causal: bool = True


@dataclass(frozen=True)
class Add:
    """output = residual + norm(input); without a residual the norm alone."""

    op: ClassVar = "add"
    input: str
    norm: Norm
    residual: str | None
    output: str


@dataclass(frozen=True)
class Logits:
    """output = norm(input) @ weight, times scale: one score for each word of the vocabulary."""

    op: ClassVar = "logits"
    input: str
    weight: str
    output: str
    norm: Norm | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Pool:
    """output = the mean of all tokens of the step, or the first, made of length 1: one vector."""

    op: ClassVar = "pool"
    input: str
    output: str
    kind: str


OPERATIONS = {step.op: step for step in (Embed, Project, Attend, Add, Logits, Pool)}


PARTS = ("before", "layer", "other_layer", "after")


@dataclass(frozen=True)
class Plan:
    architecture: str
    layers: int
    context_length: int
    vocabulary: int
    width: int
    weights: dict[str, Weight]
    buffers: dict[str, int]  # name -> float32 values per token
    before: tuple
    layer: tuple  # weight names hold "{layer}"
    after: tuple
    other_layer: tuple = ()  # what the layers of these numbers do instead
    other_layers: tuple[int, ...] = ()

    def steps(self) -> tuple[tuple[object, int | None], ...]:
        """Every operation in order with its layer number, weight names filled in."""
        return self._steps

    @cached_property
    def _steps(self) -> tuple[tuple[object, int | None], ...]:
        layers = [
            (_in_layer(operation, number), number)
            for number in range(self.layers)
            for operation in self.layer_of(number)
        ]
        once = [[(operation, None) for operation in part] for part in (self.before, self.after)]
        return (*once[0], *layers, *once[1])

    @property
    def encodes(self) -> bool:
        """Whether the model makes vectors of texts, not answers."""
        return any(isinstance(step, Pool) for step in self.after)

    def layer_of(self, number: int) -> tuple:
        """The operations of a layer, "{layer}" not filled in."""
        return self.other_layer if number in self.other_layers else self.layer

    def check(self) -> None:
        """Raises Refused if a weight is missing, left over, or of the wrong shape."""
        used = set()
        for operation, _ in self.steps():
            CHECKS[operation.op](self, operation)
            used.update(weights_of(operation))
        for name in self.weights:
            if name not in used:
                raise Refused("unexpected_tensor", tensor=name)
        shapes = {}
        for number in range(self.layers):
            for operation in self.layer_of(number):
                for template in weights_of(operation):
                    self._check_alike(template, number, shapes)

    def _check_alike(self, template: str, number: int, shapes: dict) -> None:
        """A weight has one shape in every layer, so that one lowering serves them all."""
        name = _in_layer(template, number)
        if self.weights[name].shape != shapes.setdefault(template, self.weights[name].shape):
            raise Refused("wrong_shape", tensor=name)

    def to_dict(self) -> dict:
        """The plan as JSON data."""
        data = {"format": FORMAT, **asdict(self)}
        for part in PARTS:
            data[part] = [{"op": step.op, **asdict(step)} for step in getattr(self, part)]
        return data

    @classmethod
    def from_dict(cls, data: dict) -> "Plan":
        """The plan from JSON data. Raises ValueError, KeyError or TypeError if it is not a plan."""
        data = dict(data)
        if data.pop("format") != FORMAT:
            raise ValueError("plan of another format")
        weights = {
            name: Weight(weight["type"], tuple(weight["shape"]))
            for name, weight in data.pop("weights").items()
        }
        parts = {name: _operations(data.pop(name)) for name in PARTS}
        others = tuple(data.pop("other_layers"))
        return cls(weights=weights, **parts, other_layers=others, **data)

    def width_of(self, buffer: str) -> int:
        if buffer not in self.buffers:
            raise Refused("wrong_shape", tensor=buffer)
        return self.buffers[buffer]

    def expect(self, name: str | None, rows: int, columns: int) -> None:
        """Raises Refused unless the weight is there with this shape. None is no weight: fine."""
        if name is None:
            return
        if name not in self.weights:
            raise Refused("missing_tensor", tensor=name)
        if self.weights[name].shape != (rows, columns):
            raise Refused("wrong_shape", tensor=name)

    def expect_vector(self, name: str | None, length: int) -> None:
        """A vector is read as it lies in the file: float32."""
        self.expect(name, 1, length)
        if name is not None and self.weights[name].type != "F32":
            raise Refused("unknown_type", type=self.weights[name].type, tensor=name)


NORM_FIELDS = ("norm", "q_norm", "k_norm")


def weights_of(operation) -> list[str]:
    """The names of the weights an operation reads."""
    names = [getattr(operation, name, None) for name in ("weight", "positions", "types")]
    names += (*getattr(operation, "weights", ()), *(getattr(operation, "biases", None) or ()))
    for name in NORM_FIELDS:
        if norm := getattr(operation, name, None):
            names += [norm.weight, norm.bias]
    if getattr(operation, "rope", None):
        names += [operation.rope.factors, operation.rope.long_factors]
    return [name for name in names if name]


def _operations(rows: list) -> tuple:
    return tuple(_operation(dict(row)) for row in rows)


def _operation(row: dict):
    kind = OPERATIONS[row.pop("op")]
    if row.get("rope") is not None:
        row["rope"] = _rope(row["rope"])
    for name in NORM_FIELDS:
        if row.get(name) is not None:
            row[name] = Norm(**row[name])
    for name in ("weights", "biases"):
        if row.get(name) is not None:
            row[name] = tuple(row[name])
    return kind(**row)


def _rope(row: dict) -> Rope:
    return Rope(**row | {"yarn": row["yarn"] and Yarn(**row["yarn"])})


def _in_layer(part, number: int):
    """The same operation (or norm, or rope) with "{layer}" filled in, wherever it stands."""
    if isinstance(part, str):
        return part.replace("{layer}", str(number))
    if isinstance(part, tuple):
        return tuple(_in_layer(item, number) for item in part)
    if is_dataclass(part):
        names = [field.name for field in fields(part)]
        return replace(part, **{name: _in_layer(getattr(part, name), number) for name in names})
    return part


def _check_norm(plan: Plan, norm: Norm | None, width: int) -> None:
    if norm is None:
        return
    if norm.kind not in NORMS:
        raise ValueError(f"no norm {norm.kind!r}")
    plan.expect_vector(norm.weight, width)
    plan.expect_vector(norm.bias, width)


def _check_embed(plan: Plan, step: Embed) -> None:
    width = plan.width_of(step.output)
    plan.expect(step.weight, plan.vocabulary, width)
    plan.expect(step.positions, plan.context_length, width)
    if step.types:
        kinds = plan.weights[step.types].shape[0] if step.types in plan.weights else 0
        plan.expect(step.types, kinds, width)


def _check_project(plan: Plan, step: Project) -> None:
    columns, out = plan.width_of(step.input), plan.width_of(step.output)
    rows = [plan.weights[name].shape[0] if name in plan.weights else 0 for name in step.weights]
    for name, count in zip(step.weights, rows, strict=True):
        plan.expect(name, count, columns)
    for name, count in zip(step.biases or (), rows, strict=step.biases is not None):
        plan.expect_vector(name, count)
    if step.activation not in ACTIVATIONS:
        raise ValueError(f"no activation {step.activation!r}")
    fits = rows in ([out, out], [2 * out]) if step.activation in GATED else sum(rows) == out
    if not fits:
        raise Refused("wrong_shape", tensor=step.weights[0])
    if step.residual is not None and plan.width_of(step.residual) != out:
        raise Refused("wrong_shape", tensor=step.residual)
    _check_norm(plan, step.norm, columns)


def _check_attend(plan: Plan, step: Attend) -> None:
    fits = (
        step.kv_heads > 0
        and step.heads % step.kv_heads == 0
        and plan.width_of(step.input) == (step.heads + 2 * step.kv_heads) * step.head_size
        and plan.width_of(step.output) == step.heads * step.head_size
        and (step.rope is None or _fits_head(step.rope, step.head_size))
        and (step.causal or step.window is None)
    )
    if not fits:
        raise Refused("wrong_shape", tensor=step.input)
    for name in (step.rope.factors, step.rope.long_factors) if step.rope else ():
        plan.expect_vector(name, step.rope.dimensions // 2)
    for norm, heads in ((step.q_norm, step.heads), (step.k_norm, step.kv_heads)):
        if norm and norm.kind != "rms":
            raise ValueError(f"no norm {norm.kind!r} of heads")
        _check_norm(plan, norm, step.head_size * (heads if of_all_heads(plan, step) else 1))


def _fits_head(rope: Rope, head_size: int) -> bool:
    even = rope.dimensions % 2 == 0
    return 0 < rope.dimensions <= head_size and even and rope.pairing in PAIRINGS


def of_all_heads(plan: Plan, step: Attend) -> bool:
    """Whether q (and so k) has one norm of all heads together, not one of each head."""
    norm = step.q_norm and plan.weights.get(step.q_norm.weight)
    return norm is not None and norm.shape[1] != step.head_size


def _check_add(plan: Plan, step: Add) -> None:
    width = plan.width_of(step.input)
    if not width == plan.width_of(step.residual or step.input) == plan.width_of(step.output):
        raise Refused("wrong_shape", tensor=step.output)
    _check_norm(plan, step.norm, width)


def _check_logits(plan: Plan, step: Logits) -> None:
    columns = plan.width_of(step.input)
    plan.expect(step.weight, plan.vocabulary, columns)
    _check_norm(plan, step.norm, columns)
    if plan.width_of(step.output) != plan.vocabulary:
        raise Refused("wrong_shape", tensor=step.output)


def _check_pool(plan: Plan, step: Pool) -> None:
    if step.kind not in POOLINGS:
        raise ValueError(f"no pooling {step.kind!r}")
    if plan.width_of(step.input) != plan.width_of(step.output):
        raise Refused("wrong_shape", tensor=step.output)


CHECKS = {
    "embed": _check_embed,
    "project": _check_project,
    "attend": _check_attend,
    "add": _check_add,
    "logits": _check_logits,
    "pool": _check_pool,
}
