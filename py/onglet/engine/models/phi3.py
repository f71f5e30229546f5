"""Phi 3, 3.5 and 4 mini: q, k, v in one matrix, gate and up in another, two sets of rope factors.

Source: Abdin et al. 2024 (arXiv 2404.14219). The window of Phi 3 mini 4k is not used, as in
llama.cpp; the factors are chosen by the context the model is loaded with.
"""

from onglet.engine import transformer
from onglet.engine.gguf import Header
from onglet.engine.plan import Plan


def plan(header: Header) -> Plan:
    """The plan of a phi3 file. Raises Refused."""
    config = transformer.read_config(header, "phi3")
    norm = transformer.norm
    attend = transformer.attend(config, transformer.read_rope(header, config, "halves"))
    layer = (
        transformer.project(header, "x", ("attn_qkv",), "qkv", norm("attn_norm", config)),
        attend,
        transformer.project(header, "attended", ("attn_output",), "x", residual="x"),
        transformer.project(
            header, "x", ("ffn_up",), "gated", norm("ffn_norm", config), activation="silu_gated"
        ),
        transformer.project(header, "gated", ("ffn_down",), "x", residual="x"),
    )
    return transformer.plan(header, config, layer)
