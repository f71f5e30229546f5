"""The sampler: what it may choose, how often, and that a seed repeats itself."""

import struct
from collections import Counter

import cases
import numpy
import pytest
from numpy import float32

from onglet.engine.plan import Embed, Logits

VOCABULARY = 500
OFF = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
OFF |= {"top_k": 0, "repeat_last_n": 0, "seed": 1}


class Sampler:
    def __init__(self, machine):
        model = cases.Model()
        random = numpy.random.default_rng(0)
        model.add("e", cases.matrix(random, "F32", VOCABULARY, 32), VOCABULARY, 32)
        operations = [Embed("e", "x"), Logits("x", "e", "l")]
        buffers = {"x": 32, "l": VOCABULARY}
        lowered = model.lower(operations, buffers, vocabulary=VOCABULARY, context=64, chunk=4)
        self.running = cases.engine(machine, model, lowered, 1)
        self.call = self.running.machine.call
        self.fields = lowered.fields

    def settings(self, **changed) -> None:
        values = list({**OFF, **changed}.values())
        self.running.machine.write(self.fields["sampler"], struct.pack("<4f2iI", *values))
        self.call("accept", -1)

    def sample(self, logits: numpy.ndarray) -> int:
        self.running.machine.write(self.fields["logits"], logits.astype("<f4").tobytes())
        return self.call("sample")

    def draw(self, logits: numpy.ndarray, times: int, **changed) -> Counter:
        self.settings(**changed)
        return Counter(self.sample(logits) for _ in range(times))


@pytest.fixture
def sampler(machine) -> Sampler:
    return Sampler(machine)


@pytest.fixture
def logits() -> numpy.ndarray:
    return (numpy.random.default_rng(11).standard_normal(VOCABULARY) * 2).astype(float32)


def probabilities(logits, temperature=1.0) -> numpy.ndarray:
    weights = numpy.exp((logits - logits.max()).astype(float) / temperature)
    return weights / weights.sum()


def kept_by_top_p(logits, top_p) -> set[int]:
    order = numpy.argsort(-logits, kind="stable")
    total = numpy.cumsum(probabilities(logits)[order])
    return set(order[: int((total < top_p).sum()) + 1].tolist())


def test_greedy(sampler, logits):
    assert set(sampler.draw(logits, 3, temperature=0.0)) == {int(logits.argmax())}
    logits[[17, 400]] = 99
    assert set(sampler.draw(logits, 1, temperature=0.0)) == {17}


@pytest.mark.parametrize("top_k", [1, 2, 7, 40, 499, 500, 5000])
def test_top_k(sampler, logits, top_k):
    allowed = set(numpy.argsort(-logits)[:top_k].tolist())
    seen = sampler.draw(logits, 300, top_k=top_k, temperature=5.0)
    assert set(seen) <= allowed
    assert top_k > 7 or set(seen) == allowed


@pytest.mark.parametrize("top_p", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_top_p(sampler, logits, top_p):
    allowed = kept_by_top_p(logits, top_p)
    seen = sampler.draw(logits, 400, top_p=top_p)
    assert set(seen) <= allowed
    assert len(allowed) > 8 or set(seen) == allowed


@pytest.mark.parametrize("min_p", [0.05, 0.3, 0.999, 1.0])
def test_min_p(sampler, logits, min_p):
    weights = probabilities(logits)
    allowed = set(numpy.flatnonzero(weights >= min_p * weights.max() * 0.9999).tolist())
    assert set(sampler.draw(logits, 300, min_p=min_p)) <= allowed


def test_ties_do_not_hang(sampler):
    same = numpy.zeros(VOCABULARY, float32)
    assert set(sampler.draw(same, 50, top_k=3)) == {0, 1, 2}
    assert max(sampler.draw(same, 300, top_p=0.1)) < 0.1 * VOCABULARY + 1


def test_frequencies(sampler):
    logits = numpy.full(VOCABULARY, -100, float32)
    logits[[3, 8, 100]] = numpy.log([0.5, 0.3, 0.2])
    for temperature in (0.5, 1.0, 2.0):
        seen = sampler.draw(logits, 4000, temperature=temperature)
        expected = probabilities(logits[[3, 8, 100]], temperature)
        for token, share in zip((3, 8, 100), expected, strict=True):
            assert abs(seen[token] / 4000 - share) < 0.04


def test_seeds(sampler, logits):
    runs = []
    for seed in (5, 5, 6):
        sampler.settings(seed=seed)
        runs.append([sampler.sample(logits) for _ in range(30)])
    assert runs[0] == runs[1] != runs[2]


def test_repeat_penalty(sampler):
    """Each distinct token of the last n once: positive logits divided, negative multiplied."""
    logits = numpy.full(VOCABULARY, -50, float32)
    logits[[1, 2, 3]] = 10, 9, 8
    sampler.settings(temperature=0.0, repeat_penalty=1.5, repeat_last_n=3)
    assert sampler.sample(logits) == 1
    for token in (1, 1, 1):
        sampler.call("accept", token)
    assert sampler.sample(logits) == 2
    address = sampler.fields["logits"]
    after = numpy.frombuffer(sampler.running.machine.read(address, 4 * VOCABULARY), "<f4")
    assert after[1] == float32(10) / float32(1.5)
    for token in (2, 4, 4):
        sampler.call("accept", token)
    assert sampler.sample(logits) == 1  # its last mention is four tokens ago
    for token in range(10_000):
        sampler.call("accept", token % VOCABULARY)
    assert sampler.sample(logits) == 1
    sampler.settings(temperature=0.0, repeat_penalty=1.5, repeat_last_n=3)
    assert sampler.sample(logits) == 1


def test_broken_logits_choose_something(sampler, logits):
    for value in (numpy.nan, numpy.inf, -numpy.inf):
        for changed in ({}, {"temperature": 0.0}, {"top_k": 5, "top_p": 0.5}):
            broken = logits.copy()
            broken[::3] = value
            assert all(0 <= token < VOCABULARY for token in sampler.draw(broken, 3, **changed))
            alone = numpy.full(VOCABULARY, value, float32)
            assert all(0 <= token < VOCABULARY for token in sampler.draw(alone, 3, **changed))


def test_huge_temperature(sampler, logits):
    assert len(sampler.draw(logits, 200, temperature=1e30)) > 100
