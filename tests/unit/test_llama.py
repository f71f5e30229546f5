"""What models/llama.py makes of a file's metadata, and how architectures are found."""

from dataclasses import replace

import pytest

from onglet.engine.errors import Refused
from onglet.engine.gguf import Header, read_header
from onglet.engine.models import ARCHITECTURES, plan_for
from onglet.engine.plan import Plan
from onglet_build.hostile_files import (
    F32,
    STRING,
    U32,
    VOCABULARY,
    WIDTH,
    File,
    Tensor,
    sound,
)


def read(file: File) -> Header:
    data = file.written()
    return read_header(data, len(data))


def plan_of(file: File) -> Plan:
    return plan_for(read(file))


def with_tensor(name: bytes, *dimensions: int) -> File:
    return replace(sound(), tensors=(*sound().tensors, Tensor(name, dimensions)))


def test_an_architecture_is_a_file_of_that_name():
    assert "llama" in ARCHITECTURES
    assert all(hasattr(module, "plan") for module in ARCHITECTURES.values())


def test_a_layer_is_five_operations():
    steps = [step.op for step in plan_of(sound()).layer]
    assert steps == ["project", "attend", "project", "project", "project"]


def test_a_head_of_its_own_is_used():
    assert plan_of(sound()).after[0].weight == "token_embd.weight"
    untied = plan_of(with_tensor(b"output.weight", WIDTH, VOCABULARY))
    assert untied.after[0].weight == "output.weight"


def test_biases_are_used_where_the_file_has_them():
    assert plan_of(sound()).layer[0].biases is None
    biased = plan_of(with_tensor(b"blk.0.attn_k.bias", WIDTH // 2))
    assert biased.layer[0].biases == (None, "blk.{layer}.attn_k.bias", None)


def test_rope_factors_are_used_where_the_file_has_them():
    assert plan_of(sound()).layer[1].rope.factors is None
    scaled = plan_of(with_tensor(b"rope_freqs.weight", 8))
    assert scaled.layer[1].rope.factors == "rope_freqs.weight"


def test_numbers_left_out_have_their_usual_value():
    attend = plan_of(sound()).layer[1]
    assert (attend.heads, attend.kv_heads, attend.head_size) == (2, 1, 16)
    assert (attend.scale, attend.rope.base, attend.rope.dimensions) == (0.25, 10_000.0, 16)


def test_numbers_in_the_file_are_used():
    file = sound().with_value(b"llama.rope.freq_base", F32, 5e5)
    file = file.with_value(b"llama.rope.dimension_count", U32, 8)
    file = file.with_value(b"llama.rope.scaling.type", STRING, b"none")
    rope = plan_of(file).layer[1].rope
    assert (rope.base, rope.dimensions, rope.pairing) == (5e5, 8, "adjacent")


@pytest.mark.parametrize(
    ("key", "kind", "value", "code"),
    [
        (b"llama.rope.scaling.type", STRING, b"mrope", "unknown_architecture"),
        (b"llama.attention.value_length", U32, 8, "broken_header"),
        (b"llama.attention.head_count", U32, 64, "broken_header"),
        (b"general.architecture", STRING, b"__init__", "unknown_architecture"),
    ],
)
def test_what_is_not_supported_is_refused(key, kind, value, code):
    with pytest.raises(Refused) as refused:
        plan_of(sound().with_value(key, kind, value))
    assert refused.value.code == code
