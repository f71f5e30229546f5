"""Llama and all that is shaped like it: SmolLM, Mistral, TinyLlama. A layer is five operations.

Source: Touvron et al. 2023 (arXiv 2302.13971); grouped heads as in Llama 2 (arXiv 2307.09288).
Rope factors (Llama 3.1) come as the tensor `rope_freqs.weight`. Mixture of experts is not handled.
"""

from dataclasses import dataclass

from onglet.engine.errors import Refused
from onglet.engine.gguf import Header
from onglet.engine.plan import Attend, Embed, Logits, Norm, Plan, Project, Rope

BLOCK = "blk.{layer}."
FACTORS = "rope_freqs.weight"


@dataclass(frozen=True)
class Config:
    layers: int
    context_length: int
    vocabulary: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    rope_base: float
    rope_dimensions: int
    epsilon: float


def read_config(header: Header) -> Config:
    """Raises Refused("broken_header") if a number is missing or out of any sensible range."""
    width = header.integer("llama.embedding_length", 1, 65_536)
    heads = header.integer("llama.attention.head_count", 1, 1024)
    head_size = header.integer("llama.attention.key_length", 2, 1024, default=width // heads)
    if header.integer("llama.attention.value_length", 2, 1024, default=head_size) != head_size:
        raise Refused("broken_header", where="llama.attention.value_length")
    if header.integer("llama.expert_count", 0, 65_536, default=0):
        raise Refused("unknown_architecture", architecture="llama, mixture of experts")
    if header.text("llama.rope.scaling.type", limit=64, default="none") != "none":
        raise Refused("unknown_architecture", architecture="llama, scaled rope")
    return Config(
        layers=header.integer("llama.block_count", 1, 512),
        context_length=header.integer("llama.context_length", 1, 1 << 24),
        vocabulary=header.tensor("token_embd.weight").rows,
        width=width,
        hidden=header.integer("llama.feed_forward_length", 1, 1 << 20),
        heads=heads,
        kv_heads=header.integer("llama.attention.head_count_kv", 1, 1024, default=heads),
        head_size=head_size,
        rope_base=header.number("llama.rope.freq_base", 1.0, 1e12, default=10_000.0),
        rope_dimensions=header.integer("llama.rope.dimension_count", 2, 1024, default=head_size),
        epsilon=header.number("llama.attention.layer_norm_rms_epsilon", 1e-12, 1.0),
    )


def plan(header: Header) -> Plan:
    """The plan of a llama file. Raises Refused. Shapes are checked by Plan.check."""
    config = read_config(header)
    head = "output.weight" if "output.weight" in header.tensors else "token_embd.weight"
    return Plan(
        architecture="llama",
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
        },
        before=(Embed("token_embd.weight", "x"),),
        layer=_layer(header, config),
        after=(Logits("x", head, "logits", Norm("rms", "output_norm.weight", config.epsilon)),),
    )


def _layer(header: Header, config: Config) -> tuple:
    factors = FACTORS if FACTORS in header.tensors else None
    rope = Rope("adjacent", config.rope_base, config.rope_dimensions, factors)
    heads = (config.heads, config.kv_heads, config.head_size, config.head_size**-0.5)
    return (
        _project(header, "x", ("attn_q", "attn_k", "attn_v"), "qkv", _norm("attn_norm", config)),
        Attend("qkv", "attended", *heads, rope),
        _project(header, "attended", ("attn_output",), "x", residual="x"),
        _project(
            header,
            "x",
            ("ffn_gate", "ffn_up"),
            "gated",
            _norm("ffn_norm", config),
            activation="silu_gated",
        ),
        _project(header, "gated", ("ffn_down",), "x", residual="x"),
    )


def _norm(name: str, config: Config) -> Norm:
    return Norm("rms", f"{BLOCK}{name}.weight", config.epsilon)


def _project(header: Header, source: str, names: tuple, output: str, norm=None, **more) -> Project:
    weights = tuple(f"{BLOCK}{name}.weight" for name in names)
    biases = tuple(_bias(header, name) for name in names)
    return Project(source, weights, output, norm, biases if any(biases) else None, **more)


def _bias(header: Header, name: str) -> str | None:
    """Most files have none; a file that has one in the first layer has it in all."""
    return f"{BLOCK}{name}.bias" if f"blk.0.{name}.bias" in header.tensors else None
