"""What an ONNX file says of itself, against the `onnx` package; mutated files end in a refusal."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from onglet.engine import onnx_file
from onglet.engine.errors import Refused


def graph() -> bytes:
    """An If with a graph in each branch, and a function."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    out = helper.make_tensor_value_info("o", TensorProto.FLOAT, [2])
    constant = helper.make_node("Constant", [], ["o"], value=weight)
    branch = helper.make_graph([constant], "b", [], [out])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    c = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    opset = helper.make_opsetid("", 17)
    twice = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [opset]
    )
    own = helper.make_node("Twice", ["y"], ["z"], domain="own")
    body = helper.make_graph([node, own], "g", [c], [y], [weight])
    opsets = [opset, helper.make_opsetid("own", 1)]
    model = helper.make_model(body, opset_imports=opsets, functions=[twice], producer_name="us")
    return model.SerializeToString()


GRAPH = graph()


def test_the_summary():
    found = onnx_file.check(GRAPH)
    assert found.producer == "us"
    assert found.opsets == {"": 17, "own": 1}
    assert found.operators == {"If": 1, "Constant": 2, "own.Twice": 1, "Add": 1}
    assert [node.operator for node in found.nodes] == ["If", "Twice"]
    assert found.nodes[0].inputs == ("c",)
    assert found.nodes[0].outputs == ("y",)
    assert found.weights == 3


@pytest.mark.parametrize("data", [b"\x00" * 40, b"PK\x03\x04", b"<html>", b"GGUF\x03"])
def test_other_files(data):
    with pytest.raises(Refused, match="not_onnx"):
        onnx_file.check(data)


@given(st.integers(0, len(GRAPH) - 1), st.binary(min_size=1, max_size=9))
def test_mutated_files_end(place, change):
    changed = GRAPH[:place] + change + GRAPH[place + len(change) :]
    with contextlib.suppress(Refused):
        onnx_file.check(changed)


def test_graphs_in_graphs_have_a_bottom():
    body = b""
    for _ in range(20):  # GraphProto.node > NodeProto.attribute > AttributeProto.g
        attribute = b"\x32" + size(body) + body
        node = b"\x2a" + size(attribute) + attribute
        body = b"\x0a" + size(node) + node
    with pytest.raises(Refused, match="broken_onnx"):
        onnx_file.check(b"\x08\x0a\x3a" + size(body) + body)


def size(data: bytes) -> bytes:
    number, found = len(data), []
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])
