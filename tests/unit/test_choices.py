"""What is told of a token that was taken (web/engine/choices.js), and what a trial makes of it."""

import asyncio
import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onglet.agents.loop import Settings
from onglet.agents.trial import Choice, Trial
from onglet.engine.errors import Refused
from onglet.engine.messages import Tokens

LOGITS = [float(x) for x in numpy.random.default_rng(5).normal(0, 4, 500).astype(numpy.float32)]


def softmax(logits) -> numpy.ndarray:
    weights = numpy.exp(numpy.array(logits, numpy.float64) - max(logits))
    return weights / weights.sum()


@pytest.mark.parametrize("token", [0, 17, 499])
def test_probabilities_are_the_softmax_before_anything_changes_the_logits(code, in_node, token):
    question = {"code": code, "logits": LOGITS, "count": 6, "token": token}
    told = in_node("choices_in_node.mjs", question)
    expected = softmax(LOGITS)
    assert told["probability"] == pytest.approx(expected[token], rel=1e-5)
    best = [int(place) for place in numpy.argsort(-expected)[:6]]
    assert [other["id"] for other in told["others"]] == best
    assert [other["probability"] for other in told["others"]] == pytest.approx(expected[best])
    assert told["text"] == (f"é{token}" if token else "<end>")


def told(*texts: str, probability: float = 0.5) -> list[Choice]:
    other = {"id": 9, "text": "!", "probability": 0.25}
    told = {"probability": probability, "others": [other]}
    return [Choice.read({"id": 1, "text": text, **told}) for text in texts]


def test_another_token_begins_another_answer_there():
    trial = Trial("Why?", False, Settings(), told("A", "B", "C"))
    changed = trial.instead(1, 0)
    assert [choice.text for choice in changed.choices] == ["A", "!"]
    assert changed.choices[1].forced and not changed.choices[0].forced
    assert [choice.text for choice in trial.choices] == ["A", "B", "C"]


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=50))
def test_perplexity_is_e_to_the_mean_surprise_of_what_was_not_forced(probabilities):
    choices = [told("x", probability=each)[0] for each in probabilities]
    trial = Trial("Why?", False, Settings(), choices)
    expected = math.exp(-sum(map(math.log, probabilities)) / len(probabilities))
    assert trial.perplexity == pytest.approx(expected)
    forced = Trial("Why?", False, Settings(), [*choices, choices[0].changed(0)])
    assert forced.perplexity == pytest.approx(expected)
    assert Trial("Why?", False, Settings()).perplexity is None


class Breaks:
    """An engine that loses its model after one word."""

    def __init__(self):
        self.prompts = []

    async def generate(self, prompt, sampling, **how):
        self.prompts.append(prompt)
        yield Tokens(1, "so", 1, [{"id": 3, "text": "so", "probability": 1.0, "others": []}])
        raise Refused("kernel_trap")


def test_a_text_goes_on_from_its_words_and_a_lost_model_is_told():
    async def run(trial: Trial, engine: Breaks) -> None:
        async for _ in trial.run(engine):
            pass

    engine, trial = Breaks(), Trial("Once", True, Settings(), told(" upon"))
    asyncio.run(run(trial, engine))
    assert engine.prompts == ["Once upon"]
    assert [choice.text for choice in trial.choices] == [" upon", "so"]
    assert trial.problem.code == "kernel_trap" and not trial.running
