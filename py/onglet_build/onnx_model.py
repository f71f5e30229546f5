"""Writes the embedded GGUF model as an ONNX graph for onnxruntime-web, so that the bench compares
engines on one set of weights. Q4_1 becomes MatMulNBits of 4 bits, Q8_0 of 8 bits, block 32, the
stored integers unchanged; attention is GroupQueryAttention with a past and a present. Inputs and
outputs have the names that transformers.js gives them.

Knows the llama family of the embedded file and nothing else; the bench is its only user.
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from onnx import TensorProto, helper, numpy_helper, save

BLOCK = 32
CONTRIB = "com.microsoft"
POSITIONS = 2048


def field(reader: GGUFReader, name: str):
    return reader.fields[name].contents()


def split_q4_1(data: np.ndarray, rows: int):
    """Q4_1 blocks -> nibbles in column order (rows, blocks, 16), scales, float zero points."""
    blocks = data.reshape(rows, -1, 20)
    scales = blocks[..., 0:2].copy().view(np.float16).astype(np.float32)[..., 0]
    minima = blocks[..., 2:4].copy().view(np.float16).astype(np.float32)[..., 0]
    stored = blocks[..., 4:]
    columns = np.concatenate([stored & 15, stored >> 4], axis=-1)
    packed = columns[..., 0::2] | (columns[..., 1::2] << 4)
    return packed, scales, -minima / np.where(scales == 0, 1, scales)


def split_q8_0(data: np.ndarray, rows: int):
    """Q8_0 blocks -> bytes offset by 128 (rows, blocks, 32) and scales."""
    blocks = data.reshape(rows, -1, 34)
    scales = blocks[..., 0:2].copy().view(np.float16).astype(np.float32)[..., 0]
    return blocks[..., 2:] + np.uint8(128), scales


class Graph:
    """Nodes and initializers in the order they are added; names are the tensors' names."""

    def __init__(self, reader: GGUFReader):
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.nodes, self.constants = [], []
        self.inputs, self.outputs = [], []

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operation: str, inputs, outputs, domain: str = CONTRIB, **attributes) -> str:
        outputs = [outputs] if isinstance(outputs, str) else outputs
        name = outputs[0]
        self.nodes.append(
            helper.make_node(operation, inputs, outputs, name, domain=domain, **attributes)
        )
        return name

    def vector(self, name: str) -> str:
        return self.constant(name, np.asarray(self.tensors[name].data, np.float32))

    def project(self, value: str, names: list[str], output: str) -> str:
        """One MatMulNBits over the matrices `names`, stacked by rows."""
        parts = [self.tensors[name] for name in names]
        columns = int(parts[0].shape[0])
        rows = sum(int(part.shape[1]) for part in parts)
        inputs, bits = self._weights(parts, rows, output)
        return self.add(
            "MatMulNBits", [value, *inputs], output, K=columns, N=rows, bits=bits,
            block_size=BLOCK, accuracy_level=4,
        )  # fmt: skip

    def _weights(self, parts, rows: int, output: str) -> tuple[list[str], int]:
        data = np.concatenate([np.asarray(part.data).reshape(-1) for part in parts])
        if parts[0].tensor_type.name == "Q8_0":
            packed, scales = split_q8_0(data, rows)
            return self._constants(output, packed, scales), 8
        packed, scales, zeros = split_q4_1(data, rows)
        return self._constants(output, packed, scales, zeros), 4

    def _constants(self, output: str, *arrays) -> list[str]:
        names = ("weight", "scales", "zeros")[: len(arrays)]
        return [
            self.constant(f"{output}.{name}", array)
            for name, array in zip(names, arrays, strict=True)
        ]


def add_embedding(graph: Graph) -> str:
    """token -> row, from the same 8-bit table that the head uses."""
    tensor = graph.tensors["token_embd.weight"]
    rows = int(tensor.shape[1])
    stored, scales = split_q8_0(np.asarray(tensor.data).reshape(-1), rows)
    table = graph.constant("embed.table", stored.reshape(rows, -1))
    inputs = [table, "input_ids", graph.constant("embed.scales", scales)]
    return graph.add("GatherBlockQuantized", inputs, "embed", bits=8, block_size=BLOCK)


def add_lengths(graph: Graph) -> None:
    """The mask is all ones: its length says how many positions there are."""

    def add(operation: str, inputs: list[str], output: str, **attributes) -> str:
        return graph.add(operation, inputs, output, domain="", **attributes)

    total = add("Shape", ["attention_mask"], "shape")
    last = graph.constant("one", np.array([1]))
    total = add("Gather", [total, last], "total_positions", axis=0)
    before = add("Sub", [total, last], "before_last")
    add("Cast", [before], "last_position", to=TensorProto.INT32)
    scalar = add("Squeeze", [total], "total_scalar")
    add("Cast", [scalar], "total_length", to=TensorProto.INT32)


def add_rope(graph: Graph, base: float, size: int) -> list[str]:
    turns = base ** -(np.arange(0, size, 2) / size)
    angles = np.outer(np.arange(POSITIONS), turns)
    cosines = graph.constant("rope.cosines", np.cos(angles).astype(np.float32))
    return [cosines, graph.constant("rope.sines", np.sin(angles).astype(np.float32))]


def add_attention(graph: Graph, layer: int, packed: str, rope: list[str], shape: dict) -> str:
    past = [f"past_key_values.{layer}.{kind}" for kind in ("key", "value")]
    present = [f"present.{layer}.{kind}" for kind in ("key", "value")]
    for names, place in ((past, graph.inputs), (present, graph.outputs)):
        sizes = [1, shape["kv_heads"], names[0].split(".")[0], shape["head_size"]]
        place += [helper.make_tensor_value_info(n, TensorProto.FLOAT, sizes) for n in names]
    inputs = [packed, "", "", *past, "last_position", "total_length", *rope]
    return graph.add(
        "GroupQueryAttention", inputs, [f"attend.{layer}", *present], num_heads=shape["heads"],
        kv_num_heads=shape["kv_heads"], do_rotary=1, rotary_interleaved=1,
    )  # fmt: skip


def add_layer(graph: Graph, layer: int, normed: str, stream: str, rope, shape, next_norm: str):
    """One llama block; returns the normed input of what follows and the residual stream."""

    def name(part: str) -> str:
        return f"blk.{layer}.{part}.weight"

    epsilon = shape["epsilon"]
    qkv = graph.project(normed, [name("attn_q"), name("attn_k"), name("attn_v")], f"qkv.{layer}")
    attended = add_attention(graph, layer, qkv, rope, shape)
    mixed = graph.project(attended, [name("attn_output")], f"mix.{layer}")
    outputs = [f"ffn_in.{layer}", "", "", f"stream.{layer}.a"]
    inputs = [stream, mixed, graph.vector(name("ffn_norm"))]
    graph.add("SkipSimplifiedLayerNormalization", inputs, outputs, epsilon=epsilon)
    gate = graph.project(outputs[0], [name("ffn_gate")], f"gate.{layer}")
    up = graph.project(outputs[0], [name("ffn_up")], f"up.{layer}")
    opened = graph.add("Sigmoid", [gate], f"sigmoid.{layer}", domain="")
    silu = graph.add("Mul", [gate, opened], f"silu.{layer}", domain="")
    gated = graph.add("Mul", [silu, up], f"gated.{layer}", domain="")
    down = graph.project(gated, [name("ffn_down")], f"down.{layer}")
    inputs = [outputs[3], down, graph.vector(next_norm)]
    outputs = [f"normed.{layer}", "", "", f"stream.{layer}.b"]
    graph.add("SkipSimplifiedLayerNormalization", inputs, outputs, epsilon=epsilon)
    return outputs[0], outputs[3]


def add_logits(graph: Graph, normed: str) -> None:
    """The head on the last position only: nobody samples from the others."""
    last = graph.add("Gather", [normed, graph.constant("last", np.array([-1]))], "last_row",
                     domain="", axis=1)  # fmt: skip
    graph.project(last, ["token_embd.weight"], "logits")
    graph.outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, None))


def read_shape(reader: GGUFReader) -> dict:
    return {
        "layers": field(reader, "llama.block_count"),
        "heads": field(reader, "llama.attention.head_count"),
        "kv_heads": field(reader, "llama.attention.head_count_kv"),
        "head_size": field(reader, "llama.rope.dimension_count"),
        "base": field(reader, "llama.rope.freq_base"),
        "epsilon": field(reader, "llama.attention.layer_norm_rms_epsilon"),
    }


def build_graph(reader: GGUFReader) -> Graph:
    graph, shape = Graph(reader), read_shape(reader)
    for name, length in (("input_ids", "count"), ("attention_mask", "total")):
        info = helper.make_tensor_value_info(name, TensorProto.INT64, [1, length])
        graph.inputs.append(info)
    add_lengths(graph)
    stream = add_embedding(graph)
    rope = add_rope(graph, shape["base"], shape["head_size"])
    norms = [f"blk.{layer}.attn_norm.weight" for layer in range(shape["layers"])]
    inputs = [stream, graph.vector(norms[0])]
    normed = graph.add(
        "SimplifiedLayerNormalization", inputs, "normed", domain="", epsilon=shape["epsilon"]
    )
    for layer, following in enumerate([*norms[1:], "output_norm.weight"]):
        normed, stream = add_layer(graph, layer, normed, stream, rope, shape, following)
    add_logits(graph, normed)
    return graph


def write_onnx(model: Path, target: Path) -> None:
    graph = build_graph(GGUFReader(model))
    proto = helper.make_graph(
        graph.nodes, "llama", graph.inputs, graph.outputs, initializer=graph.constants
    )
    versions = [helper.make_opsetid("", 21), helper.make_opsetid(CONTRIB, 1)]
    save(helper.make_model(proto, opset_imports=versions, ir_version=10), str(target))


def config_of(model: Path) -> dict:
    """What transformers.js wants to know of the model beside the graph (its config.json)."""
    reader = GGUFReader(model)
    shape = read_shape(reader)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["kv_heads"],
        "hidden_size": shape["heads"] * shape["head_size"],
        "vocab_size": len(reader.fields["tokenizer.ggml.tokens"].data),
    }


if __name__ == "__main__":
    write_onnx(Path(sys.argv[1]), Path(sys.argv[2]))
