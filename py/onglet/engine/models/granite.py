"""Granite 3: llama with four multipliers: of embeddings, attention, both branches, and logits.

Source: IBM 2024, "Granite 3.0 Language Models". `rope.scaling.finetuned` false means no rope.
"""

from onglet.engine import transformer
from onglet.engine.gguf import Header
from onglet.engine.plan import Plan


def plan(header: Header) -> Plan:
    """The plan of a granite file. Raises Refused."""
    config = transformer.read_config(header, "granite")

    def multiplier(key: str, default: float = 1.0) -> float:
        return transformer.read_multiplier(header, config, key, default)

    rope = transformer.read_rope(header, config, "adjacent")
    attend = transformer.attend(
        config,
        rope if header.flag("granite.rope.scaling.finetuned", True) else None,
        scale=multiplier("attention.scale", config.attention_scale),
    )
    layer = transformer.pre_norm_layer(header, config, attend, scale=multiplier("residual_scale"))
    return transformer.plan(
        header,
        config,
        layer,
        embed_scale=multiplier("embedding_scale"),
        logits_scale=1 / multiplier("logit_scale"),
    )
