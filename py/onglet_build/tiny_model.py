"""Writes tiny random llama models with known answers, and broken ones, for tests.

A tiny model is a function of its variant and seed alone. Shapes are awkward on purpose: the
vocabulary is no multiple of 8, heads * head_size is not the width, three query heads share a key.
`python -m onglet_build.tiny_model Q4_1 tiny.gguf` writes one.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import gguf
import numpy
from gguf import GGMLQuantizationType as Type
from numpy import float32

WIDTH, HIDDEN, LAYERS, CONTEXT = 96, 160, 3, 512
HEADS, KV_HEADS, HEAD_SIZE = 6, 2, 32
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
END_OF_TURN = SPECIAL.index("<|im_end|>")
CORPUS = """the capital of France is Paris and the tab answers what a person asks here
user assistant system hello you are a small model that tests other parts of this house"""
MERGES = 64
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PROMPT = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"


@dataclass(frozen=True)
class Variant:
    """`answer` is the greedy one to PROMPT; the seed gives it wide margins (tiny_seeds.py)."""

    matrices: Type
    embedding: Type
    tied: bool
    seed: int
    answer: tuple[int, ...]


VARIANTS = {
    "F32": Variant(
        Type.F32,
        Type.F32,
        tied=False,
        seed=3617,
        answer=(297, 269, 267, 112, 74, 270, 260, 286, 69, 269, 311, 2),
    ),
    "F16": Variant(
        Type.F16,
        Type.F16,
        tied=True,
        seed=1133,
        answer=(262, 316, 296, 280, 272, 296, 280, 280, 272, 301, 84, 304, 2),
    ),
    "Q8_0": Variant(
        Type.Q8_0,
        Type.Q8_0,
        tied=False,
        seed=3617,
        answer=(297, 269, 267, 112, 74, 270, 260, 286, 69, 269, 311, 2),
    ),
    "Q4_0": Variant(
        Type.Q4_0,
        Type.Q4_0,
        tied=True,
        seed=7423,
        answer=(265, 296, 308, 315, 315, 315, 315, 272, 315, 272, 315, 124, 315, 297, 2),
    ),
    "Q4_1": Variant(
        Type.Q4_1,
        Type.Q8_0,
        tied=True,
        seed=4831,
        answer=(
            271,
            294,
            73,
            289,
            73,
            295,
            268,
            73,
            295,
            109,
            318,
            73,
            264,
            75,
            75,
            72,
            296,
            282,
            292,
            92,
            2,
        ),
    ),
}


@cache
def byte_letters() -> list[str]:
    """The letter that stands for each byte in a byte-level vocabulary (as in GPT-2)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    letters |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


@cache
def merges() -> list[tuple[str, str]]:
    """The most frequent neighbours of CORPUS, joined one pair after the other."""
    letters = byte_letters()
    words = [[letters[byte] for byte in f" {word}".encode()] for word in CORPUS.split()]
    learned = []
    for _ in range(MERGES):
        pairs = Counter(pair for word in words for pair in pairwise(word))
        best = max(sorted(pairs), key=pairs.get)
        words = [joined(word, best) for word in words]
        learned.append(best)
    return learned


@cache
def vocabulary() -> list[str]:
    return [*SPECIAL, *byte_letters(), *("".join(pair) for pair in merges())]


def encode(text: str) -> list[int]:
    """The tokens of a text that holds only spaces between words, line ends and SPECIAL."""
    numbers = {token: number for number, token in enumerate(vocabulary())}
    for special in SPECIAL:
        text = text.replace(special, f"\0{special}\0")
    tokens = []
    for part in text.split("\0"):
        tokens += [numbers[part]] if part in SPECIAL else _encode_plain(part, numbers)
    return tokens


def _encode_plain(text: str, numbers: dict[str, int]) -> list[int]:
    letters, tokens = byte_letters(), []
    for piece in text.replace("\n", "\0\n\0").replace(" ", "\0 ").split("\0"):
        word = [letters[byte] for byte in piece.encode()]
        for pair in merges():
            word = joined(word, pair)
        tokens += [numbers[token] for token in word]
    return tokens


def joined(word: list[str], pair: tuple[str, str]) -> list[str]:
    joined, index = [], 0
    while index < len(word):
        found = tuple(word[index : index + 2]) == pair
        joined.append("".join(pair) if found else word[index])
        index += 2 if found else 1
    return joined


def write(
    path: Path,
    variant: Variant,
    *,
    architecture: str = "llama",
    template: str = TEMPLATE,
    words: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Writes the model of a variant to `path`, with other texts for the tokens of `words`."""
    writer = gguf.GGUFWriter(path, architecture)
    _add_sizes(writer)
    add_tokens(writer, template, words)
    add_tensors(writer, weights(variant), lambda name: kind_of(name, variant))


def add_tensors(
    writer: gguf.GGUFWriter, named: dict[str, numpy.ndarray], kind_of: Callable[[str], Type]
) -> None:
    """Adds the float32 weights in the type that `kind_of` says for each, and writes the file."""
    for name, matrix in named.items():
        kind = kind_of(name)
        writer.add_tensor(name, gguf.quantize(matrix, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def weights(variant: Variant) -> dict[str, numpy.ndarray]:
    """The float32 weights before quantisation; a matrix is (rows, columns)."""
    random = numpy.random.Generator(numpy.random.PCG64(variant.seed))
    named = {"token_embd.weight": vocabulary_matrix(random)}
    for layer in range(LAYERS):
        shapes = {
            "attn_q": (HEADS * HEAD_SIZE, WIDTH),
            "attn_k": (KV_HEADS * HEAD_SIZE, WIDTH),
            "attn_v": (KV_HEADS * HEAD_SIZE, WIDTH),
            "attn_output": (WIDTH, HEADS * HEAD_SIZE),
            "ffn_gate": (HIDDEN, WIDTH),
            "ffn_up": (HIDDEN, WIDTH),
            "ffn_down": (WIDTH, HIDDEN),
        }
        for name, shape in shapes.items():
            named[f"blk.{layer}.{name}.weight"] = random_matrix(random, *shape)
        for name in ("attn_norm", "ffn_norm"):
            named[f"blk.{layer}.{name}.weight"] = _vector(random)
    named["output_norm.weight"] = _vector(random)
    if not variant.tied:
        named["output.weight"] = vocabulary_matrix(random)
    return named


def random_matrix(random: numpy.random.Generator, rows: int, columns: int) -> numpy.ndarray:
    return (random.standard_normal((rows, columns)) * 1.2 / columns**0.5).astype(float32)


def _vector(random: numpy.random.Generator) -> numpy.ndarray:
    return (1 + 0.2 * random.standard_normal(WIDTH)).astype(float32)


def vocabulary_matrix(random: numpy.random.Generator) -> numpy.ndarray:
    """Rows of bytes that are no letters are small, so that answers are readable; one ends turns."""
    rows = random.standard_normal((len(vocabulary()), WIDTH)).astype(float32)
    for token, text in enumerate(vocabulary()):
        if not all((letter.isascii() and letter.isalpha()) or letter == "Ġ" for letter in text):
            rows[token] *= 0.3
    rows[END_OF_TURN] *= 3.5
    return rows / WIDTH**0.5


def kind_of(name: str, variant: Variant) -> Type:
    """The type a weight is stored in."""
    if name.endswith("norm.weight"):
        return Type.F32
    return variant.embedding if name.startswith(("token_embd", "output.")) else variant.matrices


def _add_sizes(writer: gguf.GGUFWriter) -> None:
    writer.add_name("Tiny test model")
    writer.add_license("apache-2.0")
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_SIZE)
    writer.add_value_length(HEAD_SIZE)
    writer.add_rope_dimension_count(HEAD_SIZE)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)


def add_tokens(
    writer: gguf.GGUFWriter,
    template: str = TEMPLATE,
    words: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """The tokenizer of every tiny model; `words` are user-defined tokens."""
    tokens = [words.get(number, text) for number, text in enumerate(vocabulary())]
    kinds = [3 if number < len(SPECIAL) else 1 for number in range(len(tokens))]
    for number in words:
        kinds[number] = 4
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in merges()])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(END_OF_TURN)
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("path", type=Path)
    options = parser.parse_args()
    write(options.path, VARIANTS[options.variant])
