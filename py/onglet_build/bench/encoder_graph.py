"""Writes the encoder as the graph that onnxruntime-web runs fastest, from the weights of the
vendored file, for the bench: attention, norms and activations are single operators instead of some
thirty each, and the stored 8-bit integers become float32 once, when the graph is opened.

The vendored file has them made float32 in every run: 0.1 s before the first token. Knows
all-MiniLM-L6-v2 and nothing else.
"""

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, load, numpy_helper

from ..encoder import EPSILON, HEADS, LAYERS, WIDTH, sources

CONTRIB = "com.microsoft"
PARTS = ("weight", "bias")  # of a norm
EMBEDDINGS = "inner.embeddings."
LAYER = "inner.encoder.layer.{}."


def write(path: Path) -> None:
    """Writes the graph. Inputs: input_ids, attention_mask (int64, batch x sequence); output:
    last_hidden_state (float32, batch x sequence x 384)."""
    graph = Encoder(load(sources()[0])).model()
    path.write_bytes(graph.SerializeToString(deterministic=True))


class Encoder:
    def __init__(self, source: ModelProto):
        graph = source.graph
        self.given = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        named = [node.input[1] for node in graph.node if node.op_type == "MatMul"]
        # query, key, value, output, up and down of each layer, in their order
        self.matrices = [name for name in named if f"{name}_q" in self.given]
        self.nodes, self.constants = [], []

    def model(self) -> ModelProto:
        x = self.embeddings()
        self.add("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
        for number in range(LAYERS):
            x = self.layer(x, number)
        self.add("Identity", [x], "last_hidden_state")
        sizes = ["batch", "sequence"]
        names = ("input_ids", "attention_mask")
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, sizes) for name in names]
        output = helper.make_tensor_value_info(
            "last_hidden_state", TensorProto.FLOAT, [*sizes, WIDTH]
        )
        graph = helper.make_graph(self.nodes, "encoder", inputs, [output], self.constants)
        domains = [helper.make_opsetid("", 17), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=9)

    def add(self, operator: str, inputs: list[str], output: str, domain: str = "", **more) -> str:
        node = helper.make_node(operator, inputs, [output], output, domain=domain, **more)
        self.nodes.append(node)
        return output

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def embeddings(self) -> str:
        """The sum of a word's row, its position's row and the row of the first kind, normed."""
        self.add("Shape", ["input_ids"], "sizes", start=1)
        self.add("Squeeze", ["sizes"], "length")
        ends = [self.constant(name, np.array(int(name), np.int64)) for name in ("0", "1")]
        self.add("Range", [ends[0], "length", ends[1]], "positions")
        words = self.rows(f"{EMBEDDINGS}word_embeddings", "input_ids")
        places = self.rows(f"{EMBEDDINGS}position_embeddings", "positions")
        kinds = self.given[f"{EMBEDDINGS}token_type_embeddings.weight"]
        self.add("Add", [words, places], "placed")
        self.add("Add", ["placed", self.constant("kind", kinds[0])], "summed")
        norm = self.norm(f"{EMBEDDINGS}LayerNorm")
        return self.add("LayerNormalization", ["summed", *norm], "x", axis=-1, epsilon=EPSILON)

    def rows(self, table: str, numbers: str) -> str:
        """Rows of a table, widened after they were chosen."""
        quants = self.constant(f"{table}.q", self.given[f"{table}.weight_q"])
        scales = self.constant(f"{table}.s", self.given[f"{table}.weight_scale"])
        self.add("Gather", [quants, numbers], f"{table}.narrow")
        self.add("Gather", [scales, numbers], f"{table}.scales")
        self.add("Cast", [f"{table}.narrow"], f"{table}.wide", to=TensorProto.FLOAT)
        return self.add("Mul", [f"{table}.wide", f"{table}.scales"], f"{table}.rows")

    def layer(self, x: str, number: int) -> str:
        name = LAYER.format(number)
        query, key, value, output, up, down = self.matrices[6 * number : 6 * number + 6]
        projected = self.project(x, [query, key, value], f"{name}qkv")
        parts = [f"{name}{part}" for part in "qkv"]
        sizes = self.constant(f"{name}sizes", np.array([WIDTH] * 3, np.int64))
        self.nodes.append(helper.make_node("Split", [projected, sizes], parts, parts[0], axis=-1))
        biases = [self.bias(f"{name}attention.self.{part}") for part in ("query", "key", "value")]
        joined = self.constant(f"{name}biases", np.concatenate(biases))
        attended = self.add(
            *("MultiHeadAttention", [*parts, joined, "mask"], f"{name}seen", CONTRIB),
            num_heads=HEADS,
        )
        told = self.project(attended, [output], f"{name}told")
        x = self.skip(told, x, f"{name}attention.output")
        wide = self.project(x, [up], f"{name}up")
        bias = self.constant(f"{name}up.bias", self.bias(f"{name}intermediate.dense"))
        wide = self.add("BiasGelu", [wide, bias], f"{name}wide", CONTRIB)
        return self.skip(self.project(wide, [down], f"{name}down"), x, f"{name}output")

    def project(self, x: str, names: list[str], output: str) -> str:
        """x times matrices side by side."""
        quants = np.concatenate([self.given[f"{name}_q"] for name in names], axis=1)
        scales = np.concatenate([self.given[f"{name}_scale"].reshape(-1) for name in names])
        narrow = self.constant(f"{output}.narrow", quants)
        inputs = [narrow, self.constant(f"{output}.scales", scales)]
        wide = self.add("DequantizeLinear", inputs, f"{output}.wide", axis=1)
        return self.add("MatMul", [x, wide], output)

    def skip(self, branch: str, x: str, name: str) -> str:
        """The norm of x + branch + the bias of the branch."""
        norm = self.norm(f"{name}.LayerNorm")
        bias = self.constant(f"{name}.bias", self.bias(f"{name}.dense"))
        inputs = [branch, x, *norm, bias]
        return self.add("SkipLayerNormalization", inputs, f"{name}.x", CONTRIB, epsilon=EPSILON)

    def norm(self, name: str) -> list[str]:
        return [self.constant(f"{name}.{part}", self.given[f"{name}.{part}"]) for part in PARTS]

    def bias(self, name: str) -> np.ndarray:
        return self.given[f"{name}.bias"]
