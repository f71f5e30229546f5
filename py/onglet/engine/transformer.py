"""What the files in models/ share: metadata read within bounds, and the operations of a layer.

Knows no architecture by name. Every number of a file is hostile until it was read here.
"""

import math
from dataclasses import dataclass

from onglet.engine.errors import Refused
from onglet.engine.gguf import Header
from onglet.engine.plan import Attend, Embed, Logits, Norm, Plan, Project, Rope, Yarn

BLOCK = "blk.{layer}."
FACTORS = "rope_freqs.weight"
SCALINGS = ("none", "linear", "yarn", "longrope")
LARGEST_CONTEXT = 1 << 24


@dataclass(frozen=True)
class Config:
    architecture: str
    layers: int
    context_length: int
    vocabulary: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    epsilon: float

    @property
    def attention_scale(self) -> float:
        return self.head_size**-0.5


def read_config(header: Header, architecture: str, norm: str = "layer_norm_rms") -> Config:
    """Raises Refused("broken_header") if a number is missing or out of any sensible range. The
    epsilon is that of the kind of norm named `norm`."""

    def integer(key: str, low: int, high: int, **default) -> int:
        return header.integer(f"{architecture}.{key}", low, high, **default)

    width = integer("embedding_length", 1, 65_536)
    heads = integer("attention.head_count", 1, 1024)
    head_size = integer("attention.key_length", 2, 1024, default=width // heads)
    if integer("attention.value_length", 2, 1024, default=head_size) != head_size:
        raise Refused("broken_header", where=f"{architecture}.attention.value_length")
    if integer("expert_count", 0, 65_536, default=0):
        raise Refused("unknown_architecture", architecture=f"{architecture}, mixture of experts")
    return Config(
        architecture=architecture,
        layers=integer("block_count", 1, 512),
        context_length=integer("context_length", 1, LARGEST_CONTEXT),
        vocabulary=header.tensor("token_embd.weight").rows,
        width=width,
        hidden=integer("feed_forward_length", 1, 1 << 20),
        heads=heads,
        kv_heads=integer("attention.head_count_kv", 1, 1024, default=heads),
        head_size=head_size,
        epsilon=header.number(f"{architecture}.attention.{norm}_epsilon", 1e-13, 1.0),
    )


def read_multiplier(header: Header, config: Config, key: str, default: float) -> float:
    """A factor that is no zero: what 0 means differs from file to file."""
    return header.number(f"{config.architecture}.{key}", 1e-6, 1e6, default=default)


def read_window(header: Header, config: Config) -> int | None:
    """How many positions a layer with a window sees; None where the file has no windows."""
    key = f"{config.architecture}.attention.sliding_window"
    return header.integer(key, 0, LARGEST_CONTEXT, default=0) or None


def every(period: int, layers: int) -> tuple[int, ...]:
    """The numbers of the last layer of each `period`."""
    return tuple(range(period - 1, layers, period))


def read_rope(header: Header, config: Config, pairing: str) -> Rope:
    """The rope of a file, scaled as it says: linear, yarn, or by tensors of factors."""
    name = config.architecture
    kind = header.text(f"{name}.rope.scaling.type", limit=64, default="linear")
    if kind not in SCALINGS:
        raise Refused("unknown_architecture", architecture=f"{name}, rope scaling {kind}")
    stretch = header.number(f"{name}.rope.scaling.factor", 1.0, 1e4, default=1.0)
    yarn = _read_yarn(header, config) if kind == "yarn" and stretch > 1 else None
    dimensions = header.integer(f"{name}.rope.dimension_count", 2, 1024, default=config.head_size)
    long = "rope_factors_long.weight" if "rope_factors_long.weight" in header.tensors else None
    return Rope(
        pairing=pairing,
        base=header.number(f"{name}.rope.freq_base", 2.0, 1e12, default=10_000.0),
        dimensions=dimensions,
        factors="rope_factors_short.weight" if long else _present(header, FACTORS),
        long_factors=long,
        original_context=_original_context(header, config) if long else None,
        stretch=1.0 if kind == "none" else stretch,
        amplitude=header.number(f"{name}.rope.scaling.attn_factor", 0.01, 100.0, default=1.0)
        * (1 + 0.1 * math.log(stretch) if yarn else 1.0),
        yarn=yarn,
    )


def _read_yarn(header: Header, config: Config) -> Yarn:
    key = f"{config.architecture}.rope.scaling.yarn_beta"
    return Yarn(
        _original_context(header, config),
        header.number(f"{key}_fast", 0.001, 1e6, default=32.0),
        header.number(f"{key}_slow", 0.001, 1e6, default=1.0),
    )


def _original_context(header: Header, config: Config) -> int:
    key = f"{config.architecture}.rope.scaling.original_context_length"
    return header.integer(key, 1, LARGEST_CONTEXT, default=config.context_length)


def _present(header: Header, name: str) -> str | None:
    return name if name in header.tensors else None


def norm(name: str, config: Config) -> Norm:
    """The norm of a layer."""
    return Norm("rms", f"{BLOCK}{name}.weight", config.epsilon)


def project(header: Header, source: str, names: tuple, output: str, norm=None, **more) -> Project:
    """Matrices of a layer, with the biases that the file has."""
    weights = tuple(f"{BLOCK}{name}.weight" for name in names)
    biases = tuple(_bias(header, name) for name in names)
    return Project(source, weights, output, norm, biases if any(biases) else None, **more)


def _bias(header: Header, name: str) -> str | None:
    """Most files have none; a file that has one in the first layer has it in all."""
    return f"{BLOCK}{name}.bias" if f"blk.0.{name}.bias" in header.tensors else None


def attend(config: Config, rope: Rope | None, **more) -> Attend:
    """Attention from buffer "qkv" to buffer "attended"."""
    shape = {"heads": config.heads, "kv_heads": config.kv_heads, "head_size": config.head_size}
    scale = more.pop("scale", config.attention_scale)
    return Attend("qkv", "attended", **shape, scale=scale, rope=rope, **more)


def head_norms(config: Config) -> dict:
    """Norms of q and k before the rope, as `attend` takes them."""
    return {"q_norm": norm("attn_q_norm", config), "k_norm": norm("attn_k_norm", config)}


def pre_norm_layer(header: Header, config: Config, attend: Attend, *, scale: float = 1.0) -> tuple:
    """The usual layer: norm, attention, residual; norm, gated hidden values, residual. `scale` is
    that of both branches."""
    qkv = ("attn_q", "attn_k", "attn_v")
    return (
        project(header, "x", qkv, "qkv", norm("attn_norm", config)),
        attend,
        project(header, "attended", ("attn_output",), "x", residual="x", scale=scale),
        project(
            header,
            "x",
            ("ffn_gate", "ffn_up"),
            "gated",
            norm("ffn_norm", config),
            activation="silu_gated",
        ),
        project(header, "gated", ("ffn_down",), "x", residual="x", scale=scale),
    )


def plan(
    header: Header,
    config: Config,
    layer: tuple,
    *,
    other_layer: tuple = (),
    other_layers: tuple[int, ...] = (),
    embed_scale: float = 1.0,
    logits_scale: float = 1.0,
    buffers: dict[str, int] | None = None,
) -> Plan:
    """Embedding, the layers, a norm and the head: `output.weight`, or the embedding again."""
    head = "output.weight" if "output.weight" in header.tensors else "token_embd.weight"
    last = Norm("rms", "output_norm.weight", config.epsilon)
    return Plan(
        architecture=config.architecture,
        layers=config.layers,
        context_length=config.context_length,
        vocabulary=config.vocabulary,
        width=config.width,
        weights={name: header.tensors[name].weight() for name in header.tensors},
        buffers={
            "x": config.width,
            "qkv": (config.heads + 2 * config.kv_heads) * config.head_size,
            "attended": config.heads * config.head_size,
            "gated": config.hidden,
            "logits": config.vocabulary,
        }
        | (buffers or {}),
        before=(Embed("token_embd.weight", "x", embed_scale),),
        layer=layer,
        other_layer=other_layer,
        other_layers=other_layers,
        after=(Logits("x", head, "logits", last, logits_scale),),
    )
