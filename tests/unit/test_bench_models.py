"""The models of the bench: types as llama.cpp mixes them, and files that our own reader takes."""

import gguf
import numpy
import pytest
from gguf import GGMLQuantizationType as Type

from onglet.engine.prepare import prepare
from onglet_build import tiny_model, vendor
from onglet_build.bench import models, quantizer

WIDE, NARROW = (576, 1536), (1536, 576)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("blk.0.ffn_norm.weight", (576,), Type.F32),
        ("blk.0.ffn_down.weight", WIDE, Type.Q6_K),
        ("blk.3.ffn_down.weight", WIDE, Type.Q4_K),
        ("blk.3.ffn_up.weight", NARROW, Type.Q5_0),
        ("blk.0.attn_v.weight", (192, 576), Type.Q8_0),
        ("token_embd.weight", (49152, 576), Type.Q8_0),
        ("token_embd.weight", (49152, 1536), Type.Q6_K),
    ],
)
def test_types_of_q4_k_m(name, shape, expected):
    assert models.type_of(name, shape, 30, models.MIXTURES["Q4_K_M"]) == expected


def test_layers_that_are_spared():
    spared = [layer for layer in range(30) if models.gets_more_bits(layer, 30)]
    assert spared == [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A synthetic model with the vocabulary of the tiny test model."""
    like = tmp_path / "like.gguf"
    tiny_model.write(like, tiny_model.VARIANTS["Q8_0"])
    monkeypatch.setattr(vendor, "model_file", lambda: like)
    shape = models.Shape(layers=2, width=64, hidden=96, heads=2, kv_heads=1, seed=1)
    monkeypatch.setitem(models.SYNTHETIC, "tiny-Q4_0", shape)
    return write(tmp_path)


def write(folder):
    try:
        return folder / models.write_synthetic("tiny-Q4_0", folder)["file"]
    except quantizer.NoQuantizer as error:
        pytest.skip(str(error))


def test_a_synthetic_model_is_one_that_we_read(tiny):
    data = tiny.read_bytes()
    card = prepare(data, len(data), name=tiny.name).card
    assert (card["name"], card["layers"], card["width"]) == ("Synthetic-tiny", 2, 64)
    assert card["vocabulary"] == len(tiny_model.vocabulary())


def test_its_weights_are_normal_and_come_back_from_the_seed(tiny, tmp_path):
    (found,) = [t for t in gguf.GGUFReader(tiny).tensors if t.name == "blk.1.ffn_down.weight"]
    weights = gguf.dequantize(found.data, found.tensor_type)
    assert weights.shape == (64, 96)
    assert weights.std() == pytest.approx(96**-0.5, rel=0.05)
    again = tmp_path / "again"
    again.mkdir()
    assert write(again).read_bytes() == tiny.read_bytes()


def test_quantizer_agrees_with_the_format():
    rows = numpy.random.default_rng(0).standard_normal((3, 256)).astype(numpy.float32)
    try:
        stored = quantizer.quantize(rows, Type.Q6_K)
    except quantizer.NoQuantizer as error:
        pytest.skip(str(error))
    error = gguf.dequantize(stored, Type.Q6_K) - rows
    assert numpy.sqrt((error**2).mean()) < 0.03
    with pytest.raises(ValueError, match="100 columns do not go into Q6_K"):
        quantizer.quantize(rows[:, :100], Type.Q6_K)
