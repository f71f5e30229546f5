"""Qwen 3: each head of q and k has a norm before the rope.

Source: Yang et al. 2025 (arXiv 2505.09388).
"""

from onglet.engine import transformer
from onglet.engine.gguf import Header
from onglet.engine.plan import Plan


def plan(header: Header) -> Plan:
    """The plan of a qwen3 file. Raises Refused."""
    config = transformer.read_config(header, "qwen3")
    rope = transformer.read_rope(header, config, "halves")
    attend = transformer.attend(config, rope, **transformer.head_norms(config))
    return transformer.plan(header, config, transformer.pre_norm_layer(header, config, attend))
