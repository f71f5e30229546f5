"""The oracle itself: against the gguf package, against loops that leave no doubt, against Paris."""

import ast

import gguf
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as some

from onglet.engine import reference
from onglet.engine.gguf import STRING, TENSOR_TYPES, read_header
from onglet.engine.plan import Attend, Embed, Logits, Norm, Project, Rope
from onglet.engine.reference import Cache, Model, dequantize
from onglet_build import tiny_model, vendor
from onglet_build.places import PY

RANDOM = numpy.random.default_rng(5)
CAPITAL = (  # the chatml prompt "What is the capital of France?" in the embedded model's tokens
    *(1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198),
    *(1, 520, 9531, 198),
)


def floats(*shape: int) -> numpy.ndarray:
    return RANDOM.standard_normal(shape).astype(numpy.float32)


@pytest.mark.parametrize("name", [*reference.FLOATS, *reference.GROUPS])
@given(seed=some.integers(0, 1 << 32))
def test_dequantizes_like_the_gguf_package(name, seed):
    """Any bytes at all, numbers that are none included."""
    values, size = next((v, size) for kind, v, size in TENSOR_TYPES.values() if kind == name)
    random = numpy.random.default_rng(seed)
    stored = random.integers(0, 256, (3, 512 // values * size)).astype(numpy.uint8)
    with numpy.errstate(all="ignore"):
        theirs = gguf.dequantize(stored, gguf.GGMLQuantizationType[name])
        ours = dequantize(name, stored.tobytes(), 3, 512)
    numpy.testing.assert_array_equal(ours, theirs)


def test_dequantizes_every_nibble():
    block = numpy.float16(0.5).tobytes() + bytes(17 * low for low in range(16))
    row = dequantize("Q4_0", block, 1, 32)[0]
    numpy.testing.assert_array_equal(row, numpy.tile(0.5 * (numpy.arange(16) - 8), 2))


def test_embed_takes_rows_times_scale():
    weight = floats(5, 4)
    rows = reference.embed(Embed("w", "x", 2.0), {"w": weight}, numpy.array([3, 0]))
    numpy.testing.assert_array_equal(rows, 2 * weight[[3, 0]])


def test_project_lays_results_side_by_side():
    weights = {"a": floats(3, 4), "b": floats(2, 4), "bias": floats(1, 2)}
    step = Project("x", ("a", "b"), "y", biases=(None, "bias"))
    x = floats(6, 4)
    expected = [[*(weights["a"] @ row), *(weights["b"] @ row + weights["bias"][0])] for row in x]
    numpy.testing.assert_allclose(reference.project(step, weights, {"x": x}), expected, 1e-5, 1e-6)


def test_project_gates_and_adds_the_residual():
    weights = {"gate": floats(3, 4), "up": floats(3, 4)}
    step = Project("x", ("gate", "up"), "y", activation="silu_gated", residual="r")
    x, residual = floats(2, 4), floats(2, 3)
    gate, up = x @ weights["gate"].T, x @ weights["up"].T
    expected = gate / (1 + numpy.exp(-gate)) * up + residual
    ours = reference.project(step, weights, {"x": x, "r": residual})
    numpy.testing.assert_allclose(ours, expected, 1e-5, 1e-6)


def test_silu_does_not_overflow():
    weights = {"gate": numpy.full((1, 1), -1e4, "f4"), "up": numpy.ones((1, 1), "f4")}
    step = Project("x", ("gate", "up"), "y", activation="silu_gated")
    assert reference.project(step, weights, {"x": numpy.ones((1, 1), "f4")}) == 0


def test_rms_gives_unit_size():
    x = floats(3, 64) * 7
    ours = reference.rms(x, numpy.ones((1, 64), "f4"), 1e-6)
    numpy.testing.assert_allclose((ours**2).mean(axis=1), 1, 1e-4)


def test_logits_take_the_norm_first():
    weights = {"w": floats(5, 8), "n": floats(1, 8)}
    x = floats(2, 8)
    step = Logits("x", "w", "y", Norm("rms", "n", 1e-5), 0.5)
    expected = 0.5 * reference.rms(x, weights["n"], 1e-5) @ weights["w"].T
    numpy.testing.assert_allclose(reference.logits(step, weights, {"x": x}), expected, 1e-5)


@pytest.mark.parametrize("pairing", ["adjacent", "halves"])
def test_rope_turns_each_pair_by_its_angle(pairing):
    x = floats(2, 1, 10)
    ours = reference.rope(Rope(pairing, 100.0, 8), {}, x, numpy.array([0, 3]))
    numpy.testing.assert_array_equal(ours[0], x[0])
    numpy.testing.assert_array_equal(ours[..., 8:], x[..., 8:])
    for pair in range(4):
        a, b = (2 * pair, 2 * pair + 1) if pairing == "adjacent" else (pair, pair + 4)
        turned = complex(x[1, 0, a], x[1, 0, b]) * numpy.exp(1j * 3 * 100.0 ** (-pair / 4))
        assert complex(ours[1, 0, a], ours[1, 0, b]) == pytest.approx(turned, rel=1e-5)


def test_rope_factors_slow_the_turning():
    x, positions = floats(1, 1, 4), numpy.array([6])
    plain = reference.rope(Rope("adjacent", 10.0, 4), {}, x, positions)
    factors = {"f": numpy.full((1, 2), 2, "f4")}
    slowed = reference.rope(Rope("adjacent", 10.0, 4, "f"), factors, x, 2 * positions)
    numpy.testing.assert_allclose(slowed, plain, 1e-5)


@pytest.mark.parametrize("window", [None, 2])
def test_attend_is_what_a_loop_says(window):
    step = Attend("x", "y", 4, 2, 8, 0.3, Rope("adjacent", 1e4, 8), window)
    x = floats(5, (4 + 2 * 2) * 8)
    cache = Cache()
    ours = reference.attend(step, {}, {"x": x}, cache, 0).reshape(5, 4, 8)
    heads = x.reshape(5, 8, 8)
    turned = reference.rope(step.rope, {}, heads[:, :6], numpy.arange(5))
    for token in range(5):
        first = 0 if window is None else max(0, token - window + 1)
        for head in range(4):
            keys = turned[first : token + 1, 4 + head // 2]
            scores = numpy.exp(keys @ turned[token, head] * 0.3)
            values = heads[first : token + 1, 6 + head // 2]
            expected = scores @ values / scores.sum()
            numpy.testing.assert_allclose(ours[token, head], expected, 1e-4, 1e-5)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Model:
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    tiny_model.write(path, tiny_model.VARIANTS["Q4_1"])
    return Model.read(path)


def test_pieces_with_a_cache_give_the_logits_of_the_whole(tiny):
    tokens = list(range(40, 60))
    whole, cache = tiny.forward(tokens), Cache()
    pieces = [tiny.forward(tokens[a:b], cache) for a, b in ((0, 7), (7, 8), (8, 20))]
    numpy.testing.assert_allclose(numpy.concatenate(pieces), whole, 1e-4, 1e-4)


def test_only_the_rows_asked_for_are_computed(tiny):
    tokens = list(range(40, 50))
    whole, two = tiny.forward(tokens), tiny.forward(tokens, rows=2)
    numpy.testing.assert_allclose(two, whole[-2:], 1e-4, 1e-5)


def test_the_embedded_model_knows_the_capital_of_france():
    path = vendor.model_file()
    answer = Model.read(path).greedy(CAPITAL, 6)
    with path.open("rb") as file:
        header = read_header(file.read(2 << 20), path.stat().st_size)
    words = header.strings(header.array("tokenizer.ggml.tokens", STRING), set(answer), limit=100)
    text = "".join(words[token] for token in answer)
    assert text == "TheĠcapitalĠofĠFranceĠisĠParis"


def test_no_module_of_the_engine_that_the_app_starts_with_imports_numpy():
    """`reference` is never on the site; the workshop's modules import it in their functions."""
    for path in (PY / "onglet" / "engine").rglob("*.py"):
        nodes = ast.parse(path.read_text()).body
        names = [
            alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
        ]
        assert ("numpy" in names) == (path.name == "reference.py"), path
