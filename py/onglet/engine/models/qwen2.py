"""Qwen 2 and 2.5: llama with biases on q, k, v and the other pairing of rope.

Source: Yang et al. 2024 (arXiv 2407.10671).
"""

from onglet.engine import transformer
from onglet.engine.gguf import Header
from onglet.engine.plan import Plan


def plan(header: Header) -> Plan:
    """The plan of a qwen2 file. Raises Refused."""
    config = transformer.read_config(header, "qwen2")
    attend = transformer.attend(config, transformer.read_rope(header, config, "halves"))
    return transformer.plan(header, config, transformer.pre_norm_layer(header, config, attend))
