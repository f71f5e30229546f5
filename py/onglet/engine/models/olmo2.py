"""OLMo 2 and 3: norms behind attention and hidden values, and of all heads of q and k together.

Source: OLMo Team 2025 (arXiv 2501.00656). In OLMo 3 three layers of four see a window, and only
the fourth has its rope stretched.
"""

from dataclasses import replace

from onglet.engine import transformer
from onglet.engine.gguf import Header
from onglet.engine.plan import Add, Plan, Rope
from onglet.engine.transformer import Config

PERIOD = 4


def plan(header: Header) -> Plan:
    """The plan of an olmo2 file. Raises Refused."""
    config = transformer.read_config(header, "olmo2")
    rope = transformer.read_rope(header, config, "halves")
    near = replace(rope, stretch=1.0, amplitude=1.0, yarn=None)
    window = transformer.read_window(header, config)
    return transformer.plan(
        header,
        config,
        _layer(header, config, near if window else rope, window),
        other_layer=_layer(header, config, rope, None) if window else (),
        other_layers=transformer.every(PERIOD, config.layers) if window else (),
        buffers={"branch": config.width},
    )


def _layer(header: Header, config: Config, rope: Rope, window: int | None) -> tuple:
    def add(name: str) -> Add:
        return Add("branch", transformer.norm(name, config), "x", "x")

    qkv = ("attn_q", "attn_k", "attn_v")
    gate_up = ("ffn_gate", "ffn_up")
    return (
        transformer.project(header, "x", qkv, "qkv"),
        transformer.attend(config, rope, window=window, **transformer.head_norms(config)),
        transformer.project(header, "attended", ("attn_output",), "branch"),
        add("post_attention_norm"),
        transformer.project(header, "x", gate_up, "gated", activation="silu_gated"),
        transformer.project(header, "gated", ("ffn_down",), "branch"),
        add("post_ffw_norm"),
    )
