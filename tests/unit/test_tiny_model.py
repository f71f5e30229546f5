"""The tiny models are the same everywhere, and the reference gives their known answers."""

import hashlib
from dataclasses import replace

import pytest

from onglet.engine.reference import Model
from onglet_build import tiny_model, tiny_seeds


@pytest.fixture(scope="module", params=tiny_model.VARIANTS)
def variant(request) -> tiny_model.Variant:
    return tiny_model.VARIANTS[request.param]


def test_the_reference_gives_the_known_answer(variant, tmp_path):
    path = tmp_path / "tiny.gguf"
    tiny_model.write(path, variant)
    prompt = tiny_model.encode(tiny_model.PROMPT)
    answer = tiny_seeds.steady_answer(Model.read(path), prompt, margin=0.12)
    assert tuple(answer) == variant.answer


def test_a_model_is_a_function_of_variant_and_seed(variant, tmp_path):
    hashes = set()
    for number, seed in enumerate((variant.seed, variant.seed, variant.seed + 1)):
        path = tmp_path / f"{number}.gguf"
        tiny_model.write(path, replace(variant, seed=seed))
        hashes.add(hashlib.sha256(path.read_bytes()).digest())
    assert len(hashes) == 2


def test_text_is_merged_as_far_as_it_goes():
    words = tiny_model.vocabulary()
    tokens = [words[token] for token in tiny_model.encode("<|im_start|>user\nParis")]
    assert tokens == ["<|im_start|>", "user", "Ċ", "Paris"]
    assert len(set(words)) == len(words)
