"""onglet.agents.flow: what a flow may be, and that nothing else passes its door."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from onglet.agents import gallery, links
from onglet.agents.config import Agent
from onglet.agents.flow import JUDGE, LEAST, ROUTER, SEQUENCE, Flow, Part, checked, usual_task
from onglet.engine.errors import Refused

AGENT = Agent("Writer", instructions="Write.")
REVIEW = gallery.flows("en")[0]
NUMBERS = some.integers(min_value=1, max_value=6)


def made(shape: str, count: int) -> Flow:
    agents = [replace(AGENT, name=f"Agent {number}") for number in range(count)]
    tasks = [usual_task(shape, number, count) for number in range(count)]
    return Flow("F", shape, tuple(map(Part, agents, tasks)))


@given(some.sampled_from(list(LEAST)), NUMBERS)
def test_a_flow_goes_through_its_link_as_it_is(shape, count):
    whole = made(shape, max(count, LEAST[shape]))
    assert links.opened(links.link(whole)) == whole


def test_the_gallery_passes_the_door_in_both_languages_and_is_short():
    for language in gallery.NAMES:
        for each in gallery.flows(language):
            assert links.opened(links.link(each)) == each
            assert len(links.link(each)) < 2000


def changed(**change) -> dict:
    return {**REVIEW.document(), **change}


def with_task(number: int, task: str, of: Flow = REVIEW) -> dict:
    document = of.document()
    document["parts"][number]["task"] = task
    return document


PART = REVIEW.document()["parts"][0]
WRONG = [
    (changed(onglet="agents"), "not_an_agent"),
    (changed(format=2), "newer_agent"),
    (changed(format=True), "bad_agent"),
    (changed(more=1), "bad_agent"),
    (changed(name=""), "bad_agent"),
    (changed(name="a\u202eb"), "bad_agent"),
    (changed(shape="loop"), "bad_agent"),
    (changed(shape=["judge"]), "bad_agent"),
    (changed(parts=[]), "bad_agent"),
    (changed(parts=[PART] * 7), "bad_agent"),
    (changed(parts=[PART] * 2, shape=JUDGE), "bad_agent"),
    (changed(parts=[PART] * 3, shape=ROUTER), "bad_agent"),  # names that a choice cannot tell apart
    (changed(parts=[{**PART, "agent": REVIEW.document()}]), "not_an_agent"),  # none in another
    (changed(parts=[{**PART, "agent": {**PART["agent"], "tools": ["x"]}}]), "bad_agent"),
    (changed(parts=[{**PART, "more": 1}]), "bad_agent"),
    (changed(parts={"0": PART}), "bad_agent"),
    (changed(parent="0"), "bad_agent"),
    (with_task(0, ""), "bad_agent"),
    (with_task(0, "x" * 2001), "bad_agent"),
    (with_task(0, "a\u200bb"), "bad_agent"),
    (with_task(0, "{1}"), "bad_agent"),  # what it says itself
    (with_task(1, "{3}"), "bad_agent"),
    (with_task(1, "{answers}"), "bad_agent"),
    (with_task(0, "{1}", made(JUDGE, 3)), "bad_agent"),
    (with_task(2, "{1}", made(ROUTER, 3)), "bad_agent"),
]


@pytest.mark.parametrize(("document", "code"), WRONG)
def test_whatever_is_not_a_flow_is_refused(document, code):
    with pytest.raises(Refused) as refused:
        checked(document)
    assert refused.value.code == code


def test_damaged_flows_are_refused_or_flows():
    chance, text = random.Random(3), REVIEW.canonical()
    for _ in range(400):
        letters = list(text)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(letters))
            letters[place : place + chance.randrange(3)] = chance.choice('{}[]",:0-1\\u\u202e ab')
        try:
            found = links.from_text("".join(letters))
        except Refused as refused:
            assert refused.code in ("bad_link", "bad_agent", "not_an_agent", "newer_agent")
        else:
            assert found.canonical() == "".join(letters)


def test_what_fills_a_gap_is_not_looked_into():
    part = Part(AGENT, "{question} and {1}, not {2} {x} {}")
    assert part.needs() == {"question", "1", "2"}
    told = part.told({"question": "{1}", "1": "{question}", "2": "b"})
    assert told == "{1} and {question}, not b {x} {}"


def test_a_chat_takes_no_flow_for_an_agent():
    with pytest.raises(Refused, match="not_an_agent"):
        links.agent_from_text(REVIEW.canonical())


def test_a_fork_names_its_parent_and_the_kind_is_told_by_the_document():
    assert REVIEW.forked().parent == REVIEW.hash != REVIEW.forked().hash
    assert links.proposed(json.loads(AGENT.canonical())) == AGENT
    assert REVIEW.shape == SEQUENCE and len(REVIEW.parts) == 3
