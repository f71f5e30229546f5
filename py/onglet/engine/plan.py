"""What a model computes, as data: weights, buffers, operations (docs/protocols.md section 1).

A plan knows neither the file the weights lie in nor how an executor carries the operations out.
"""

from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import ClassVar

from onglet.engine.errors import Refused

FORMAT = 1
NORMS = ("rms",)
ACTIVATIONS = (None, "silu_gated")
PAIRINGS = ("adjacent", "halves")


@dataclass(frozen=True)
class Weight:
    """A matrix of the file. A vector (norm, bias, rope factors) is one row."""

    type: str
    shape: tuple[int, int]  # (rows, columns); columns are contiguous in the file


@dataclass(frozen=True)
class Norm:
    kind: str
    weight: str
    epsilon: float


@dataclass(frozen=True)
class Rope:
    pairing: str
    base: float
    dimensions: int
    factors: str | None = None  # weight (1, dimensions / 2): divides the frequencies


@dataclass(frozen=True)
class Embed:
    """output = rows of `weight` named by the tokens, times scale."""

    op: ClassVar = "embed"
    weight: str
    output: str
    scale: float = 1.0


@dataclass(frozen=True)
class Project:
    """output = activation(norm(input) @ weights side by side + biases) + residual."""

    op: ClassVar = "project"
    input: str
    weights: tuple[str, ...]
    output: str
    norm: Norm | None = None
    biases: tuple[str | None, ...] | None = None
    activation: str | None = None
    residual: str | None = None


@dataclass(frozen=True)
class Attend:
    """Rope on q and k, k and v into the cache, causal attention of q over it. input: q, k, v."""

    op: ClassVar = "attend"
    input: str
    output: str
    heads: int
    kv_heads: int
    head_size: int
    scale: float
    rope: Rope
    window: int | None = None


@dataclass(frozen=True)
class Logits:
    """output = norm(input) @ weight, times scale: one score for each word of the vocabulary."""

    op: ClassVar = "logits"
    input: str
    weight: str
    output: str
    norm: Norm | None = None
    scale: float = 1.0


OPERATIONS = {operation.op: operation for operation in (Embed, Project, Attend, Logits)}


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

    def steps(self) -> tuple[tuple[object, int | None], ...]:
        """Every operation in order with its layer number, weight names filled in."""
        return self._steps

    @cached_property
    def _steps(self) -> tuple[tuple[object, int | None], ...]:
        layers = [
            (_in_layer(operation, number), number)
            for number in range(self.layers)
            for operation in self.layer
        ]
        once = [[(operation, None) for operation in part] for part in (self.before, self.after)]
        return (*once[0], *layers, *once[1])

    def check(self) -> None:
        """Raises Refused if a weight is missing, left over, or of the wrong shape."""
        used = set()
        for operation, _ in self.steps():
            CHECKS[operation.op](self, operation)
            used.update(weights_of(operation))
        for name in self.weights:
            if name not in used:
                raise Refused("unexpected_tensor", tensor=name)
        for operation in self.layer:
            for name in weights_of(operation):
                self._check_alike(name)

    def _check_alike(self, template: str) -> None:
        """A weight has one shape in every layer, so that one lowering serves them all."""
        names = [_in_layer(template, number) for number in range(self.layers)]
        for name in names:
            if self.weights[name].shape != self.weights[names[0]].shape:
                raise Refused("wrong_shape", tensor=name)

    def to_dict(self) -> dict:
        """The plan as JSON data."""
        data = {"format": FORMAT, **asdict(self)}
        for part in ("before", "layer", "after"):
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
        parts = {name: _operations(data.pop(name)) for name in ("before", "layer", "after")}
        return cls(weights=weights, **parts, **data)

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


def weights_of(operation) -> list[str]:
    """The names of the weights an operation reads."""
    names = [getattr(operation, "weight", None), *getattr(operation, "weights", ())]
    names += getattr(operation, "biases", None) or ()
    if getattr(operation, "norm", None):
        names.append(operation.norm.weight)
    if getattr(operation, "rope", None):
        names.append(operation.rope.factors)
    return [name for name in names if name]


def _operations(rows: list) -> tuple:
    return tuple(_operation(dict(row)) for row in rows)


def _operation(row: dict):
    kind = OPERATIONS[row.pop("op")]
    for name, nested in (("norm", Norm), ("rope", Rope)):
        if row.get(name) is not None:
            row[name] = nested(**row[name])
    for name in ("weights", "biases"):
        if row.get(name) is not None:
            row[name] = tuple(row[name])
    return kind(**row)


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


def _check_embed(plan: Plan, step: Embed) -> None:
    plan.expect(step.weight, plan.vocabulary, plan.width_of(step.output))


def _check_project(plan: Plan, step: Project) -> None:
    columns, out = plan.width_of(step.input), plan.width_of(step.output)
    rows = [plan.weights[name].shape[0] if name in plan.weights else 0 for name in step.weights]
    for name, count in zip(step.weights, rows, strict=True):
        plan.expect(name, count, columns)
    for name, count in zip(step.biases or (), rows, strict=step.biases is not None):
        plan.expect_vector(name, count)
    if step.activation not in ACTIVATIONS:
        raise ValueError(f"no activation {step.activation!r}")
    fits = rows == [out, out] if step.activation == "silu_gated" else sum(rows) == out
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
        and 0 < step.rope.dimensions <= step.head_size
        and step.rope.dimensions % 2 == 0
        and step.rope.pairing in PAIRINGS
    )
    if not fits:
        raise Refused("wrong_shape", tensor=step.input)
    plan.expect_vector(step.rope.factors, step.rope.dimensions // 2)


def _check_logits(plan: Plan, step: Logits) -> None:
    columns = plan.width_of(step.input)
    plan.expect(step.weight, plan.vocabulary, columns)
    _check_norm(plan, step.norm, columns)
    if plan.width_of(step.output) != plan.vocabulary:
        raise Refused("wrong_shape", tensor=step.output)


CHECKS = {
    "embed": _check_embed,
    "project": _check_project,
    "attend": _check_attend,
    "logits": _check_logits,
}
