"""A plan survives JSON, fills in layer numbers, and refuses what does not fit together."""

import json
from dataclasses import replace

import pytest

from onglet.engine.errors import Refused
from onglet.engine.models import plan_for
from onglet.engine.plan import OPERATIONS, Add, Norm, Plan, Rope, Weight, Yarn, weights_of
from onglet.engine.prepare import read_header
from onglet_build.hostile_files import sound

FFN_NORM = "blk.0.ffn_norm.weight"
NORM = Norm("rms", FFN_NORM, 1e-5)


@pytest.fixture
def plan() -> Plan:
    data = sound().written()
    return plan_for(read_header(data, len(data)))


def changed(plan: Plan, name: str, **changes) -> Plan:
    """The plan with one weight changed."""
    return replace(plan, weights=plan.weights | {name: replace(plan.weights[name], **changes)})


def in_layer(plan: Plan, index: int, **changes) -> Plan:
    """The plan with one operation of the layer changed."""
    steps = list(plan.layer)
    steps[index] = replace(steps[index], **changes)
    return replace(plan, layer=tuple(steps))


def test_json_gives_the_same_plan(plan):
    plan = in_layer(plan, 0, biases=(None, None, None))
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_a_plan_of_another_format_is_no_plan(plan):
    with pytest.raises(ValueError, match="format"):
        Plan.from_dict(plan.to_dict() | {"format": 2})


def test_layers_of_another_kind(plan):
    plan = replace(plan, layers=3, other_layer=plan.layer[:2], other_layers=(1,))
    assert [number for _, number in plan.steps()] == [None, *[0] * 5, *[1] * 2, *[2] * 5, None]
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_scaled_rope_survives_json(plan):
    rope = Rope("halves", 1e4, 16, stretch=8.0, amplitude=1.2, yarn=Yarn(64))
    plan = in_layer(plan, 1, rope=rope, q_norm=Norm("rms", "output_norm.weight", 1e-5))
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_yarn_keeps_the_fast_pairs_and_stretches_the_slow_ones():
    plain = Rope("halves", 1e4, 64).frequencies()
    scaled = Rope("halves", 1e4, 64, stretch=8.0, yarn=Yarn(4096)).frequencies()
    assert scaled[0] == plain[0]
    assert scaled[-1] == plain[-1] / 8
    shares = [ours / own for ours, own in zip(scaled, plain, strict=True)]
    assert shares == sorted(shares, reverse=True)


def test_factors_follow_the_context():
    rope = Rope("halves", 1e4, 64, "short", long_factors="long", original_context=4096)
    assert (rope.factors_in(4096), rope.factors_in(4097)) == ("short", "long")
    assert Rope("halves", 1e4, 64, "always").factors_in(1 << 20) == "always"


def test_steps_fill_in_the_layer(plan):
    steps = list(replace(plan, layers=2).steps())
    assert [number for _, number in steps] == [None, *[0] * 5, *[1] * 5, None]
    assert steps[6][0].norm.weight == "blk.1.attn_norm.weight"
    assert steps[6][0].weights[0] == "blk.1.attn_q.weight"


def test_the_steps_use_every_weight(plan):
    used = {name for step, _ in plan.steps() for name in weights_of(step)}
    assert used == set(plan.weights)


def test_a_sound_plan_passes(plan):
    plan.check()


def test_an_operation_is_named_by_its_class():
    assert sorted(OPERATIONS) == ["add", "attend", "embed", "logits", "pool", "project"]


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("wrong_shape", lambda plan: changed(plan, "output_norm.weight", shape=(1, 31))),
        ("wrong_shape", lambda plan: changed(plan, "token_embd.weight", shape=(9, 32))),
        ("wrong_shape", lambda plan: changed(plan, "blk.0.ffn_up.weight", shape=(31, 32))),
        ("unknown_type", lambda plan: changed(plan, "output_norm.weight", type="Q8_0")),
        ("wrong_shape", lambda plan: replace(plan, buffers=plan.buffers | {"qkv": 65})),
        ("wrong_shape", lambda plan: replace(plan, buffers=plan.buffers | {"logits": 9})),
        ("wrong_shape", lambda plan: in_layer(plan, 1, heads=3)),
        ("wrong_shape", lambda plan: in_layer(plan, 1, rope=Rope("adjacent", 1e4, 34))),
        ("wrong_shape", lambda plan: in_layer(plan, 1, rope=Rope("across", 1e4, 16))),
        ("wrong_shape", lambda plan: in_layer(plan, 2, residual="gone")),
        ("wrong_shape", lambda plan: in_layer(plan, 1, k_norm=Norm("rms", FFN_NORM, 1e-5))),
        (
            "wrong_shape",
            lambda plan: replace(plan, layer=(*plan.layer, Add("qkv", NORM, "x", "x"))),
        ),
        ("missing_tensor", lambda plan: in_layer(plan, 0, biases=("gone", None, None))),
        (
            "unexpected_tensor",
            lambda plan: replace(plan, weights=plan.weights | {"more": Weight("F32", (1, 1))}),
        ),
    ],
)
def test_what_does_not_fit_is_refused(plan, code, spoil):
    with pytest.raises(Refused) as refused:
        spoil(plan).check()
    assert refused.value.code == code


def test_layers_of_unequal_shape_are_refused(plan):
    second = {
        name.replace("blk.0", "blk.1"): weight
        for name, weight in plan.weights.items()
        if name.startswith("blk.0")
    }
    two = replace(plan, layers=2, weights=plan.weights | second)
    two.check()
    swapped = {"blk.1.attn_q.weight": "blk.0.attn_k.weight", "blk.1.attn_k.weight": None}
    q, k = (two.weights[name] for name in ("blk.0.attn_q.weight", "blk.0.attn_k.weight"))
    unequal = two.weights | dict(zip(swapped, (k, q), strict=True))
    with pytest.raises(Refused) as refused:
        replace(two, weights=unequal).check()
    assert refused.value.values == {"tensor": "blk.1.attn_q.weight"}


@pytest.mark.parametrize("changes", [{"activation": "magic"}, {"norm": None, "activation": ""}])
def test_an_unknown_activation_is_a_fault_of_the_architecture(plan, changes):
    with pytest.raises(ValueError, match="activation"):
        in_layer(plan, 3, **changes).check()
