"""Llama and all that is shaped like it: SmolLM, Mistral, TinyLlama. A layer is five operations.

Source: Touvron et al. 2023 (arXiv 2302.13971); grouped heads as in Llama 2 (arXiv 2307.09288).
Rope factors (Llama 3.1) come as the tensor `rope_freqs.weight`. Mixture of experts is not handled.
"""

from onglet.engine import transformer
from onglet.engine.gguf import Header
from onglet.engine.plan import Plan


def plan(header: Header) -> Plan:
    """The plan of a llama file. Raises Refused. Shapes are checked by Plan.check."""
    config = transformer.read_config(header, "llama")
    attend = transformer.attend(config, transformer.read_rope(header, config, "adjacent"))
    return transformer.plan(header, config, transformer.pre_norm_layer(header, config, attend))
