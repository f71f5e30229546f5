"""Gemma 3 (text): norms before and behind, gelu, five layers of six see a window.

Source: Gemma Team 2025 (arXiv 2503.19786). Layers with a window have a rope of their own.
"""

from onglet.engine import transformer
from onglet.engine.errors import Refused
from onglet.engine.gguf import Header
from onglet.engine.plan import Add, Plan, Rope
from onglet.engine.transformer import Config

PERIOD = 6
LAYERS_OF_27B = 62  # the one size whose queries are scaled by the width


def plan(header: Header) -> Plan:
    """The plan of a gemma3 file. Raises Refused."""
    config = transformer.read_config(header, "gemma3")
    if header.number("gemma3.final_logit_softcapping", 0.0, 1e6, default=0.0):
        raise Refused("unknown_architecture", architecture="gemma3, capped logits")
    window = transformer.read_window(header, config)
    period = header.integer("gemma3.attention.sliding_window_pattern", 1, 512, default=PERIOD)
    rope = transformer.read_rope(header, config, "halves")
    base = header.number("gemma3.rope.freq_base_swa", 2.0, 1e12, default=10_000.0)
    near = Rope("halves", base, rope.dimensions)
    return transformer.plan(
        header,
        config,
        _layer(header, config, near if window else rope, window),
        other_layer=_layer(header, config, rope, None) if window else (),
        other_layers=transformer.every(period, config.layers) if window else (),
        embed_scale=config.width**0.5,
        buffers={"branch": config.width},
    )


def _layer(header: Header, config: Config, rope: Rope, window: int | None) -> tuple:
    def add(name: str) -> Add:
        return Add("branch", transformer.norm(name, config), "x", "x")

    large = config.layers == LAYERS_OF_27B
    scale = (config.width // config.heads) ** -0.5 if large else config.attention_scale
    norms = transformer.head_norms(config)
    return (
        transformer.project(
            header,
            "x",
            ("attn_q", "attn_k", "attn_v"),
            "qkv",
            transformer.norm("attn_norm", config),
        ),
        transformer.attend(config, rope, scale=scale, window=window, **norms),
        transformer.project(header, "attended", ("attn_output",), "branch"),
        add("post_attention_norm"),
        transformer.project(
            header,
            "x",
            ("ffn_gate", "ffn_up"),
            "gated",
            transformer.norm("ffn_norm", config),
            activation="gelu_gated",
        ),
        transformer.project(header, "gated", ("ffn_down",), "branch"),
        add("post_ffw_norm"),
    )
