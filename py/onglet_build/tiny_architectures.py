"""Writes a tiny random model of each architecture, for comparing every executor with llama.cpp.

A model is a function of its name and a seed. `python -m onglet_build.tiny_architectures gemma3
tiny.gguf` writes one. Layers, windows and original contexts are small enough that 64 tokens meet
every kind of layer, both sides of a window and both sets of rope factors.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy
from gguf import GGMLQuantizationType as Type
from numpy import float32

from onglet_build import tiny_model
from onglet_build.tiny_model import CONTEXT, HEAD_SIZE, HIDDEN, KV_HEADS, WIDTH

Q, K = tiny_model.HEADS * HEAD_SIZE, KV_HEADS * HEAD_SIZE
VECTORS = ("norm.weight", ".bias", "rope_freqs.weight", "rope_factors_long.weight")
VECTORS += ("rope_factors_short.weight", "ffn_gate_inp.weight", "sinks.weight")
NORMS = {"attn_norm.weight": (WIDTH,), "ffn_norm.weight": (WIDTH,)}
ATTENTION = {
    "attn_q.weight": (Q, WIDTH),
    "attn_k.weight": (K, WIDTH),
    "attn_v.weight": (K, WIDTH),
    "attn_output.weight": (WIDTH, Q),
}
GATED = {
    "ffn_gate.weight": (HIDDEN, WIDTH),
    "ffn_up.weight": (HIDDEN, WIDTH),
    "ffn_down.weight": (WIDTH, HIDDEN),
}
HEAD_NORMS = {"attn_q_norm.weight": (HEAD_SIZE,), "attn_k_norm.weight": (HEAD_SIZE,)}
POST_NORMS = {"post_attention_norm.weight": (WIDTH,), "post_ffw_norm.weight": (WIDTH,)}
YARN = {
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": 8.0,
    "rope.scaling.original_context_length": 32,
}


@dataclass(frozen=True)
class Recipe:
    architecture: str
    layer: dict[str, tuple[int, ...]]  # name in the layer -> shape
    metadata: dict[str, int | float | bool | str] = field(default_factory=dict)
    whole: dict[str, tuple[int, ...]] = field(default_factory=dict)
    layers: int = 3
    heads: int = tiny_model.HEADS
    kv_heads: int = KV_HEADS
    tied: bool = False
    head: bool = True  # an encoder has none, and no norm before it


LLAMA = NORMS | ATTENTION | GATED
# Some architectures want heads * head_size to be the width.
SQUARE_ATTENTION = {
    "attn_q.weight": (WIDTH, WIDTH),
    "attn_k.weight": (HEAD_SIZE, WIDTH),
    "attn_v.weight": (HEAD_SIZE, WIDTH),
    "attn_output.weight": (WIDTH, WIDTH),
}
SQUARE = {"heads": WIDTH // HEAD_SIZE, "kv_heads": 1}
OLMO = SQUARE_ATTENTION | GATED | POST_NORMS
OLMO |= {"attn_q_norm.weight": (WIDTH,), "attn_k_norm.weight": (HEAD_SIZE,)}
BERT = {f"{name}.weight": (WIDTH, WIDTH) for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
BERT |= {"ffn_up.weight": (HIDDEN, WIDTH), "ffn_down.weight": (WIDTH, HIDDEN)}
BERT |= {f"{name}.weight": (WIDTH,) for name in ("attn_output_norm", "layer_output_norm")}
BERT |= {name.replace("weight", "bias"): shape[:1] for name, shape in BERT.items()}
RECIPES = {
    "bert": Recipe(
        "bert",
        BERT,
        {"attention.layer_norm_epsilon": 1e-5, "attention.causal": False, "pooling_type": 1},
        {
            "token_embd_norm.weight": (WIDTH,),
            "token_embd_norm.bias": (WIDTH,),
            "position_embd.weight": (CONTEXT, WIDTH),
            "token_types.weight": (2, WIDTH),
        },
        heads=3,
        kv_heads=3,
        tied=True,
        head=False,
    ),
    "llama": Recipe("llama", LLAMA),
    "llama3": Recipe(
        "llama",
        LLAMA,
        {"rope.freq_base": 500_000.0},
        {"rope_freqs.weight": (HEAD_SIZE // 2,)},
        tied=True,
    ),
    "llama_linear": Recipe(
        "llama", LLAMA, {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
    ),
    "llama_yarn": Recipe("llama", LLAMA, YARN),
    "qwen2": Recipe(
        "qwen2",
        LLAMA
        | SQUARE_ATTENTION
        | {"attn_q.bias": (WIDTH,), "attn_k.bias": (HEAD_SIZE,), "attn_v.bias": (HEAD_SIZE,)},
        {"rope.freq_base": 1_000_000.0},
        tied=True,
        **SQUARE,
    ),
    "qwen3": Recipe("qwen3", LLAMA | HEAD_NORMS, {"rope.freq_base": 1_000_000.0}),
    "smollm3": Recipe("smollm3", LLAMA, {"rope.freq_base": 5_000_000.0}, layers=5, tied=True),
    "granite": Recipe(
        "granite",
        LLAMA,
        {
            "attention.scale": 0.015625,
            "residual_scale": 0.22,
            "embedding_scale": 12.0,
            "logit_scale": 8.0,
        },
        tied=True,
    ),
    "phi3": Recipe(
        "phi3",
        NORMS
        | {
            "attn_qkv.weight": (3 * WIDTH, WIDTH),
            "attn_output.weight": (WIDTH, WIDTH),
            "ffn_up.weight": (2 * HIDDEN, WIDTH),
            "ffn_down.weight": (WIDTH, HIDDEN),
        },
        {
            "rope.dimension_count": 24,
            "rope.scaling.attn_factor": 1.19,
            "rope.scaling.original_context_length": 256,
        },
        {"rope_factors_long.weight": (12,), "rope_factors_short.weight": (12,)},
        heads=3,
        kv_heads=3,
    ),
    "olmo2": Recipe("olmo2", OLMO, {"rope.freq_base": 500_000.0}, **SQUARE),
    "olmo3": Recipe(
        "olmo2",
        OLMO,
        {"rope.freq_base": 500_000.0, "attention.sliding_window": 20, **YARN},
        layers=5,
        **SQUARE,
    ),
    "gemma3": Recipe(
        "gemma3",
        LLAMA | HEAD_NORMS | POST_NORMS,
        {
            "rope.freq_base": 1_000_000.0,
            "rope.scaling.type": "linear",
            "rope.scaling.factor": 8.0,
            "attention.sliding_window": 20,
        },
        layers=7,
        tied=True,
    ),
}


def write(path: Path, name: str, *, matrices: Type = Type.F32, seed: int = 1) -> None:
    """Writes the model of that name, its matrices in the type `matrices`."""
    recipe = RECIPES[name]
    writer = gguf.GGUFWriter(path, recipe.architecture)
    for key, value in (_sizes(recipe) | recipe.metadata).items():
        _add(writer, f"{recipe.architecture}.{key}", value)
    tiny_model.add_tokens(writer)
    writer.add_token_type_count(2)
    kinds = {True: Type.F32, False: matrices}
    tiny_model.add_tensors(
        writer, weights(recipe, seed), lambda tensor: kinds[tensor.endswith(VECTORS)]
    )


def _sizes(recipe: Recipe) -> dict[str, int | float]:
    return {
        "block_count": recipe.layers,
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "feed_forward_length": HIDDEN,
        "attention.head_count": recipe.heads,
        "attention.head_count_kv": recipe.kv_heads,
        "attention.key_length": HEAD_SIZE,
        "attention.value_length": HEAD_SIZE,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": HEAD_SIZE,
        "rope.freq_base": 10_000.0,
    }


def _add(writer: gguf.GGUFWriter, key: str, value: int | float | bool | str) -> None:
    kinds = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32}
    kinds[str] = writer.add_string
    kinds[type(value)](key, value)


def weights(recipe: Recipe, seed: int) -> dict[str, numpy.ndarray]:
    """The float32 weights before quantisation; a matrix is (rows, columns)."""
    random = numpy.random.Generator(numpy.random.PCG64(seed))
    named = {"token_embd.weight": tiny_model.vocabulary_matrix(random)}
    for layer in range(recipe.layers):
        for name, shape in recipe.layer.items():
            named[f"blk.{layer}.{name}"] = _weight(random, name, shape)
    last = {"output_norm.weight": (WIDTH,)} if recipe.head else {}
    for name, shape in (last | recipe.whole).items():
        named[name] = _weight(random, name, shape)
    if not recipe.tied:
        named["output.weight"] = tiny_model.vocabulary_matrix(random)
    return named


def _weight(random: numpy.random.Generator, name: str, shape: tuple[int, ...]) -> numpy.ndarray:
    if name.startswith("rope_"):
        return random.uniform(1, 8, shape).astype(float32)
    if name.endswith(("bias", "sinks.weight")):
        return (0.3 * random.standard_normal(shape)).astype(float32)
    if len(shape) == 1:
        return (1 + 0.2 * random.standard_normal(shape)).astype(float32)
    return (random.standard_normal(shape) * 1.2 / shape[-1] ** 0.5).astype(float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("path", type=Path)
    options = parser.parse_args()
    write(options.path, options.name)
