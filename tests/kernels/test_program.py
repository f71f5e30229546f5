"""The lowering: nothing overlaps, what does not fit is refused, one plan gives one program."""

import json
import time
from dataclasses import replace
from itertools import pairwise

import cases
import numpy
import pytest
from test_golden import tiny

from onglet.engine import gguf, program
from onglet.engine.errors import Refused
from onglet.engine.gguf import Tensor
from onglet.engine.models import plan_for
from onglet.engine.plan import Norm, Project
from onglet_build import tiny_model


def read(name: str):
    _, data = tiny(name, 8)
    header = gguf.read_header(data, len(data))
    return plan_for(header), header.tensors


@pytest.mark.parametrize("name", tiny_model.VARIANTS)
def test_regions_do_not_touch(name):
    lowered, _ = tiny(name, 8)
    places = sorted(lowered.regions.values())
    assert places[0][0] > 0
    matrices = {weight["name"] for weight in lowered.weights}
    beside = {lowered.regions[name][0] for name in matrices & set(lowered.regions)}
    for (address, size), (following, _) in pairwise(places):
        assert address + size <= following
        assert address + size < following or following in beside
    assert places[-1][0] + places[-1][1] < lowered.memory_bytes
    assert lowered.memory_bytes % 65536 == 0


def test_deterministic_plain_and_fast():
    plan, tensors = read("Q4_1")
    deep = replace(plan, layers=1)
    started = time.perf_counter()
    programs = [program.lower(deep, tensors, context=4096, chunk=128) for _ in range(10)]
    assert time.perf_counter() - started < 2
    assert programs[0] == programs[-1]
    assert json.loads(json.dumps(programs[0].to_dict())) == programs[0].to_dict()
    assert all(-(1 << 31) <= word < 1 << 31 for word in programs[0].words)


def test_too_big():
    plan, tensors = read("F32")
    with pytest.raises(Refused) as refused:
        program.lower(plan, tensors, context=10_000_000, chunk=8)
    assert refused.value.code == "too_big"
    assert refused.value.values["need"] > refused.value.values["limit"] == program.MEMORY_LIMIT


def test_addresses_above_two_gibibytes_are_negative_words():
    plan, tensors = read("F32")
    lowered = program.lower(plan, tensors, context=4_000_000, chunk=8)
    assert lowered.memory_bytes > 1 << 31
    assert min(lowered.words) < 0


def one_project(kind="F32", rows=8, columns=32, **more):
    model = cases.Model()
    random = numpy.random.default_rng(0)
    model.add("w", cases.matrix(random, kind, rows, columns), rows, columns)
    step = Project("x", ("w",), "y", **more)
    return model, step, {"x": columns, "y": rows}


def refusal(model, step, buffers) -> str:
    with pytest.raises(Refused) as refused:
        model.lower([step], buffers, context=64, chunk=8)
    return refused.value.code


def test_unknown_types():
    model, step, buffers = one_project()
    tensor = model.tensors["w"]
    model.tensors["w"] = Tensor("w", "IQ4_XS", tensor.rows, tensor.columns, 0, 64)
    assert refusal(model, step, buffers) == "unknown_type"
    model, step, buffers = one_project(norm=Norm("rms", "n", 1e-5))
    model.add("n", cases.matrix(numpy.random.default_rng(0), "Q4_0", 1, 32), 1, 32)
    assert refusal(model, step, buffers) == "unknown_type"


@pytest.mark.parametrize(("rows", "columns"), [(12, 32), (8, 48), (7, 32)])
def test_shapes_the_kernels_do_not_take(rows, columns):
    assert refusal(*one_project("F32", rows, columns)) == "wrong_shape"


def test_gate_and_up_of_different_types():
    model, _, buffers = one_project("Q4_0")
    model.add("up", cases.matrix(numpy.random.default_rng(0), "Q8_0", 8, 32), 8, 32)
    step = Project("x", ("w", "up"), "y", activation="silu_gated")
    assert refusal(model, step, buffers) == "unknown_type"


def test_a_projection_never_writes_what_it_reads():
    model, _, buffers = one_project("F32", 32, 32)
    with pytest.raises(ValueError, match="reads"):
        model.lower([Project("x", ("w",), "x")], buffers, context=64, chunk=8)
