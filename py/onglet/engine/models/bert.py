"""BERT encoders (MiniLM, E5, BGE): a text goes through as one step, each token sees all others.

Source: Devlin et al. 2018 (arXiv 1810.04805). Norms stand behind each branch; positions are
learned, every token is of the first type. What is asked for is one vector: the mean of the last
states, or the first of them. Heads for ranking and classes are not handled.
"""

from onglet.engine import transformer
from onglet.engine.errors import Refused
from onglet.engine.gguf import Header
from onglet.engine.plan import Add, Embed, Norm, Plan, Pool
from onglet.engine.transformer import BLOCK, Config

POOLINGS = {1: "mean", 2: "first"}  # llama.cpp's numbers


def plan(header: Header) -> Plan:
    """The plan of a bert file. Raises Refused."""
    config = transformer.read_config(header, "bert", "layer_norm")
    pooling = header.integer("bert.pooling_type", 0, 1 << 31, default=1)
    if pooling not in POOLINGS:
        raise Refused("unknown_architecture", architecture=f"bert, pooling {pooling}")
    if header.flag("bert.attention.causal", False):
        raise Refused("unknown_architecture", architecture="bert, causal attention")
    types = "token_types.weight"
    return Plan(
        architecture=config.architecture,
        layers=config.layers,
        context_length=config.context_length,
        vocabulary=config.vocabulary,
        width=config.width,
        weights={name: tensor.weight() for name, tensor in header.tensors.items()},
        buffers={
            "x": config.width,
            "sum": config.width,
            "qkv": (config.heads + 2 * config.kv_heads) * config.head_size,
            "attended": config.heads * config.head_size,
            "wide": config.hidden,
            "vector": config.width,
        },
        before=(
            Embed(
                "token_embd.weight",
                "sum",
                positions="position_embd.weight",
                types=types if types in header.tensors else None,
            ),
            _norm("token_embd_norm", config),
        ),
        layer=_layer(header, config),
        after=(Pool("x", "vector", POOLINGS[pooling]),),
    )


def _layer(header: Header, config: Config) -> tuple:
    project = transformer.project
    return (
        project(header, "x", ("attn_q", "attn_k", "attn_v"), "qkv"),
        transformer.attend(config, None, causal=False),
        project(header, "attended", ("attn_output",), "sum", residual="x"),
        _norm(f"{BLOCK}attn_output_norm", config),
        project(header, "x", ("ffn_up",), "wide", activation="gelu"),
        project(header, "wide", ("ffn_down",), "sum", residual="x"),
        _norm(f"{BLOCK}layer_output_norm", config),
    )


def _norm(name: str, config: Config) -> Add:
    """x = the norm of the sum."""
    norm = Norm("layer", f"{name}.weight", config.epsilon, f"{name}.bias")
    return Add("sum", norm, None, "x")
