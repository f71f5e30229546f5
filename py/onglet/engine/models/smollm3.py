"""SmolLM 3: llama in which every fourth layer has no rope.

Source: huggingface.co/blog/smollm3; layers without positions: Yang et al. 2025 (arXiv 2501.18795).
"""

from onglet.engine import transformer
from onglet.engine.gguf import Header
from onglet.engine.plan import Plan

PERIOD = 4


def plan(header: Header) -> Plan:
    """The plan of a smollm3 file. Raises Refused."""
    config = transformer.read_config(header, "smollm3")
    rope = transformer.read_rope(header, config, "adjacent")
    layer, bare = (
        transformer.pre_norm_layer(header, config, transformer.attend(config, turning))
        for turning in (rope, None)
    )
    others = transformer.every(PERIOD, config.layers)
    return transformer.plan(header, config, layer, other_layer=bare, other_layers=others)
